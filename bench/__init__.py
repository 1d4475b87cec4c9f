"""Measurements that are commands, not tests: they take minutes and their figures depend on the machine."""
