"""Files: bytes in chunks, and a document for each that says whose they are."""
