"""The world of a round: who posts, for which goals and spots, and which devices tell of the goals."""

import dataclasses
from pathlib import Path

from bench.firing.scene import Scene, goal_cue, spot_cue
from hardware.keys import DeviceKey
from sync.cues import Cue

VENUE = "arena"
FEEDS = ("main", "backup")
FIXTURES = tuple(f"match{number}" for number in range(1, 4))
DEVICES_A_FIXTURE = 2
SPOT_CUES, SPOTS_A_CUE = 2, 60
DEADLINE_MS = 2000
DELAY_MS = 250
"""Audience delay of the cues whose firings are armed first."""
_KEY = b"chaos-0123456789abcdef0123456789"


def devices(fixtures: tuple[str, ...] = FIXTURES) -> tuple[DeviceKey, ...]:
    """Two gateways a fixture, reading the same scoreboard."""
    return tuple(
        DeviceKey(venue=VENUE, device=f"{fixture}-{number}", fixture=fixture, key=_KEY)
        for fixture in fixtures
        for number in range(1, DEVICES_A_FIXTURE + 1)
    )


def scene() -> Scene:
    """For each fixture a cue that fires at once, for one of them a second that waits; two cues for spots, one of which waits."""
    goals = [_timely(goal_cue(f"goal-{name}", account=f"now_{name}", fixture=name)) for name in FIXTURES]
    later = [_timely(goal_cue(f"later-{name}", account=f"later_{name}", fixture=name), DELAY_MS) for name in FIXTURES[:1]]
    spots = tuple(f"spot-{number}" for number in range(SPOT_CUES * SPOTS_A_CUE))
    on_spots = [
        _timely(
            spot_cue(f"spots{number}", account=f"spots{number}", spots=spots[number::SPOT_CUES], variants=SPOTS_A_CUE),
            DELAY_MS if number == 0 else 0,
        )
        for number in range(SPOT_CUES)
    ]
    return Scene(cues=(*goals, *later, *on_spots), spots=spots, fixtures=FIXTURES)


def _timely(cue: Cue, delay_ms: int = 0) -> Cue:
    return dataclasses.replace(cue, deadline_ms=DEADLINE_MS, audience_delay_ms=delay_ms)


def sandbox_user_ids(folder: Path, accounts: tuple[str, ...]) -> dict[str, str]:
    """Our account id by X's user id, from the credentials the sandbox made."""
    from sync.accounts import load_credentials

    return {load_credentials(folder / "credentials" / f"{name}.json").user_id: name for name in accounts}
