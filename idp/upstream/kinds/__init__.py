"""One file for each upstream kind; the file name is the kind. Nothing is imported until it is used."""
