"""`cuebird rehearse --feed` on the example programme: real sound through the matcher, the gate and the ledger."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from schedules.airing import Airing
from sync.cues import parse_cues
from sync.ledger import Ledger
from sync.plan_versions import PlanSource, PlanVersions

ROOT = Path(__file__).parents[3]
MEDIA = ROOT / "examples" / "media"
TRUTH = json.loads((MEDIA / "programme.json").read_text())["airings"]
START_UTC = datetime(2027, 3, 1, 18, 0, tzinfo=UTC)
CONFIG = """
[paths]
spots_dir = "{spots}"
[[channel]]
id = "nord"
name = "Nord"
timezone = "Europe/Stockholm"
[[feed]]
id = "nord-main"
channel = "nord"
url = "http://127.0.0.1:1/nord.aac"
[[account]]
id = "coffee"
handle = "coffee"
credentials_file = "there/is/none.json"
"""
CUE = """
[[cue]]
id = "every-spot"
name = "Whatever airs"
author = "sponsor"
account = "coffee"
deadline_ms = 3000
caps = { per_minute = 60, per_hour = 600, per_day = 2400 }
variants = %s
[cue.on]
kind = "spot"
spots = %s
channel = "nord"
"""
pytestmark = pytest.mark.system


def test_a_recorded_feed(tmp_path: Path) -> None:
    """Every planned airing in the sound fires, at its own instant, a fraction of a second after it began."""
    (tmp_path / "cuebird.toml").write_text(CONFIG.replace("{spots}", str(MEDIA / "spots")))
    ledger = Ledger.open(tmp_path / "var" / "ledger.db")
    spots = sorted({truth["spot"] for truth in TRUTH})
    variants = [f"text {number}" for number in range(len(TRUTH))]
    ledger.import_cues(parse_cues((CUE % (json.dumps(variants), json.dumps(spots))).encode(), source="test"), actor="sponsor")
    ledger.approve_cue("every-spot", approved_by="approver", valid_for=timedelta(days=1000))
    airings = tuple(planned(truth["spot"], truth["onset_s"], number) for number, truth in enumerate(TRUTH, start=1))
    PlanVersions(ledger).commit("plan", airings, PlanSource(actor="planner"))
    ledger.close()
    words = ["--feed", f"nord-main={MEDIA / 'programme.opus'}", "--starts", START_UTC.isoformat()]
    ran = subprocess.run(
        [sys.executable, "-m", "console.cli", "rehearse", *words, "--config", str(tmp_path / "cuebird.toml"), "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=200,
    )
    fired = [one for one in json.loads(ran.stdout)["firings"] if one["would_fire"]]
    assert len(fired) == len(TRUTH)
    for truth, one in zip(TRUTH, fired, strict=True):
        on_air_s = (datetime.fromisoformat(one["on_air_utc"]) - START_UTC).total_seconds()
        assert on_air_s == pytest.approx(truth["onset_s"], abs=0.06)
        assert 0 < one["heard_ms"] < 1000


def planned(spot_id: str, at_s: float, number: int) -> Airing:
    at_utc = START_UTC + timedelta(seconds=at_s)
    return Airing(
        airing_id=f"nord/{spot_id}/2027-03-01/{number}",
        channel="nord",
        spot_id=spot_id,
        number=number,
        planned_utc=at_utc,
        opens_utc=at_utc - timedelta(seconds=3),
        closes_utc=at_utc + timedelta(seconds=3),
        raw="",
        row=number,
    )
