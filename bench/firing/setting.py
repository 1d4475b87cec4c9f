"""How large a run is."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class FiringSetting:
    """One run's size.

    Attributes:
        name: `quick` or `full`.
        rounds: how often each way of posting takes its turn, half a second apart.
        delays: how many firings wait for an audience delay, in an idle engine.
        bursts: how often a hundred cues are triggered in one instant.
        kills: how often the engine is killed in the middle of a flood.
        seconds: how long firings are decided and claimed at full rate.
        ledger_firings: to how many firings the ledger grows.
    """

    name: str
    rounds: int
    delays: int
    bursts: int
    kills: int
    seconds: float
    ledger_firings: int


QUICK: Final = FiringSetting(name="quick", rounds=80, delays=40, bursts=6, kills=12, seconds=20, ledger_firings=20_000)
FULL: Final = FiringSetting(name="full", rounds=600, delays=300, bursts=30, kills=60, seconds=600, ledger_firings=1_000_000)
