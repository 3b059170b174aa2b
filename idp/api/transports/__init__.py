"""Framings of the command set. Each turns its own kind of request into `Api.run` and the answer back."""
