"""One module a group of verbs of the command line."""
