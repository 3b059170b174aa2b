"""The command line. Every module is a group of commands; main puts them together and turns errors into one line."""
