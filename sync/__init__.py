"""Placeholder docstring, written by the room."""
