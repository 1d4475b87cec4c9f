"""How soon a tweet leaves, how many leave at once, and how surely none leaves after a kill; `run.py` is the way in."""
