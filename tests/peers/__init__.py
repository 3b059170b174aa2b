"""Real third-party programs that the tests talk to."""
