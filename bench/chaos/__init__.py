"""Real processes, killed again and again: `cuebird chaos` (docs/guarantees.md)."""
