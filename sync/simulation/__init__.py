"""Whole engines on a virtual clock, in a world where everything goes wrong that may: `cuebird simulate`.

The engine is the real one; simulated are time, the network, X, the gateways, the operator, and how processes die.
A seed writes the story. After each step every guarantee of docs/guarantees.md is judged from outside: by what left for
X and by what really happened, not by what the engine believes.
"""

from sync.simulation.invariants import BrokenGuaranteeError
from sync.simulation.runner import SeedResult, run_seed, run_seeds

__all__ = ["BrokenGuaranteeError", "SeedResult", "run_seed", "run_seeds"]
