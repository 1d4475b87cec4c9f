"""The demonstration: the whole job on one machine, with no outside service, and judged at its end."""
