"""`cuebird bench firing`, as small as it gets: every part is measured, and the report says what was."""

from pathlib import Path

import pytest

from bench.firing.run import run_firing
from bench.firing.setting import FiringSetting

TINY = FiringSetting(name="tiny", rounds=2, delays=3, bursts=1, kills=1, seconds=5, ledger_firings=200)

pytestmark = pytest.mark.system


def test_every_part_is_measured(tmp_path: Path) -> None:
    """Engine, sandbox and broker as processes of their own; nothing late, lost or after a kill, whatever it took."""
    report = run_firing(TINY, tmp_path, remark="Too short to mean anything.").read_text()

    assert "| none of them late or lost | 0 | 0 late, 0 lost | met |" in report
    assert "| POSTs begun after a kill was acknowledged | 0 | 0 in 1 kills | met |" in report
    for way in ("floor: one commit", "tweepy as it comes", "aiomqtt and tweepy", "Cuebird: signed event published"):
        assert f"| {way}" in report
    assert "a claim in a ledger of 200 firings" in report
    assert "| an idle engine's timer, late at p99 | ≤ 2 ms |" in report
    assert "3 firings were claimed" in report
    assert {path.name for path in tmp_path.glob("*.png")} == {
        *("firing-ways.png", "firing-bursts.png", "firing-memory.png", "firing-growth.png")
    }
