"""Everything a person faces: command line, web pages, HTTP API; the only place that wires the program together."""
