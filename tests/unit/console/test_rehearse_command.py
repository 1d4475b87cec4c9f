"""`cuebird rehearse`: what it says would have fired, and that nothing it does reaches out or writes."""

import contextlib
import csv
import dataclasses
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from console.commands import rehearse as command
from console.config import load_config
from console.wiring import planned_setup
from fingerprints.events import Detection
from hardware.markers import MarkerKind, MarkerReport
from schedules.airing import Airing
from sync.cues import parse_cues
from sync.ledger import Ledger
from sync.plan_versions import PlanSource, PlanVersions
from sync.recording import Recorded, RecordingError, read_recording
from sync.replaying import rehearse as rehearse_signals
from sync.states import Mode

ROOT = Path(__file__).parents[3]
CAPTURE = ROOT / "tests" / "golden" / "hardware" / "oes_isc9000_hockey.bin"
ON_AIR_UTC = datetime(2027, 3, 1, 18, 0, tzinfo=UTC)
START = "2027-03-01T18:00:00Z"
CONFIG = """
[[channel]]
id = "nord"
name = "Nord"
timezone = "Europe/Stockholm"

[[feed]]
id = "nord-main"
channel = "nord"
url = "http://127.0.0.1:1/nord.aac"

[[account]]
id = "bank"
handle = "bank"
credentials_file = "there/is/none.json"

[[fixture]]
id = "final"
home = "Eisbären Nord"
away = "HC Süd"
sport = "ice_hockey"
venue = "hall"
"""
CUES = """
[[cue]]
id = "coffee"
name = "Coffee on air"
author = "sponsor"
account = "bank"
deadline_ms = 3000
audience_delay_ms = 1500
variants = ["one", "=two", "three"]
[cue.on]
kind = "spot"
spots = ["kaffee-30"]
channel = "nord"

[[cue]]
id = "goal"
name = "Goal"
author = "sponsor"
account = "bank"
deadline_ms = 4000
caps = { per_minute = 5, per_hour = 60, per_day = 300 }
variants = ["Goal! {home} {home_score}:{away_score} {away}"]
[cue.on]
kind = "goal"
fixture = "final"
side = "any"

[[cue]]
id = "unapproved"
name = "Nobody approved it"
author = "sponsor"
account = "bank"
deadline_ms = 3000
variants = ["never"]
[cue.on]
kind = "spot"
spots = ["kaffee-30"]
channel = "nord"

[[cue]]
id = "quiet"
name = "Of a spot that does not air"
author = "sponsor"
account = "bank"
deadline_ms = 3000
variants = ["hush"]
[cue.on]
kind = "spot"
spots = ["brus-10"]
channel = "nord"
"""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A folder with a configuration and a ledger that knows cues and one airing."""
    (tmp_path / "cuebird.toml").write_text(CONFIG)
    ledger = Ledger.open(tmp_path / "var" / "ledger.db", mode=Mode.LIVE)
    cues = parse_cues(CUES.encode(), source="test")
    ledger.import_cues(cues, actor="sponsor")
    for cue in cues:
        if cue.cue_id != "unapproved":
            ledger.approve_cue(cue.cue_id, approved_by="approver", valid_for=timedelta(days=1000))
    airing = Airing(
        airing_id="nord/kaffee-30/2027-03-01/1",
        channel="nord",
        spot_id="kaffee-30",
        number=1,
        planned_utc=ON_AIR_UTC,
        opens_utc=ON_AIR_UTC - timedelta(seconds=60),
        closes_utc=ON_AIR_UTC + timedelta(seconds=60),
        raw="",
        row=1,
    )
    PlanVersions(ledger).commit("plan", [airing], PlanSource(actor="planner"))
    ledger.kill(actor="ops", reason="the evening is over")
    ledger.close()
    return tmp_path


def heard(*, after_s: float = 0.0, feed_id: str = "nord-main", score: float = 50.0, age_ns: int | None = 10_000_000) -> Recorded:
    """A spot's onset, heard 300 ms later, as an engine recorded it."""
    decided_utc = ON_AIR_UTC + timedelta(seconds=after_s + 0.3)
    detection = Detection(
        spot_id="kaffee-30",
        spot_ids=("kaffee-30",),
        feed_id=feed_id,
        onset_s=5.0,
        decided_s=5.3,
        score=score,
        threshold=40.0,
        speed=1.0,
        onset_mono_ns=7_000_000_000,
        decided_mono_ns=7_300_000_000,
        decided_utc=decided_utc,
    )
    return Recorded(utc=decided_utc, mono_ns=7_300_000_000, event=detection, status_age_ns=age_ns)


@pytest.fixture
def rehearse(house: Path) -> Callable[..., Result]:
    """Runs `cuebird rehearse` in the house."""
    app = typer.Typer()
    app.callback()(lambda: None)
    command.register(app)

    def run(*words: str) -> Result:
        return CliRunner().invoke(app, ["rehearse", *words, "--config", str(house / "cuebird.toml")])

    return run


def recorded(house: Path, *signals: Recorded) -> str:
    path = house / "evening.jsonl"
    path.write_bytes(b"".join(signal.line() for signal in signals))
    return str(path)


def facts_of(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    facts: dict[str, Any] = json.loads(result.stdout)
    return facts


def test_a_recorded_spot(rehearse: Callable[..., Result], house: Path) -> None:
    """It fires once, with its text, account and instants, though another feed hears it too; the other cue says why not."""
    facts = facts_of(rehearse("--record", recorded(house, heard(), heard(after_s=0.1)), "--json"))
    by_cue = {one["cue_id"]: one for one in facts["firings"] if one["would_fire"]}
    assert set(by_cue) == {"coffee"}
    assert (by_cue["coffee"]["text"], by_cue["coffee"]["account_id"]) == ("one", "bank")
    assert by_cue["coffee"]["on_air_utc"].startswith("2027-03-01T18:00:00.000")
    assert (by_cue["coffee"]["heard_ms"], by_cue["coffee"]["claimed_ms"]) == (300.0, 1500.0)
    kept = [one for one in facts["firings"] if one["cue_id"] == "unapproved"]
    assert {one["guard"] for one in kept} == {"approval"}
    assert (facts["signals"], facts["would_fire"]) == (2, 1)
    assert {one["cue_id"]: one["matched"] for one in facts["cues"]}["quiet"] == 0


@pytest.mark.parametrize(
    ("signal", "guard"),
    [
        (heard(score=20.0), "evidence"),
        (heard(age_ns=None), "evidence"),
        (heard(age_ns=3_000_000_000), "evidence"),
        (heard(after_s=300.0), "window"),
    ],
    ids=["weak", "listener never spoke", "listener fell silent", "off plan"],
)
def test_the_gate_says_why_not(rehearse: Callable[..., Result], house: Path, signal: Recorded, guard: str) -> None:
    """What kept the cue from firing then keeps it now, by the name of the guard."""
    facts = facts_of(rehearse("--record", recorded(house, signal), "--json"))
    assert facts["would_fire"] == 0
    assert [one["guard"] for one in facts["firings"] if one["cue_id"] == "coffee"] == [guard]


def test_a_recorded_marker(rehearse: Callable[..., Result], house: Path) -> None:
    """A marker fires at the instant it names, though the record ends before; a source that is not configured is said."""
    config = house / "cuebird.toml"
    without = config.read_text()
    config.write_text(without + '[[marker_source]]\nid = "ts"\nchannel = "nord"\nurl = "udp://127.0.0.1:1"\n')
    with contextlib.closing(Ledger.open(house / "var" / "ledger.db")) as ledger:
        cues = parse_cues(CUES.replace('channel = "nord"', 'channel = "nord"\nby = "marker"', 1).encode(), source="test")
        ledger.import_cues(cues[:1], actor="sponsor")
        ledger.approve_cue("coffee", approved_by="approver", valid_for=timedelta(days=1000))
    marker = MarkerReport(
        source_id="ts", event="1/splice/7", kind=MarkerKind.BEGINS, what="break begins", spot_ids=("kaffee-30",), position=None,
        upids=(), at_mono_ns=37_000_000_000, seen_mono_ns=7_000_000_000, sent_utc=ON_AIR_UTC,
    )  # fmt: skip
    record = recorded(house, Recorded(utc=ON_AIR_UTC, mono_ns=7_000_000_000, event=marker, status_age_ns=5))
    (fired,) = [one for one in facts_of(rehearse("--record", record, "--json"))["firings"] if one["would_fire"]]
    assert (fired["cue_id"], fired["on_air_utc"][:19], fired["claimed_ms"]) == ("coffee", "2027-03-01T18:00:30", 1500.0)
    config.write_text(without)
    assert "source of markers ts: it is not configured" in repr(rehearse("--record", record).exception)


def test_a_console_capture(rehearse: Callable[..., Result]) -> None:
    """The six goals of a whole recorded match fire in their order, each with the score it made."""
    facts = facts_of(rehearse("--scoreboard", f"final={CAPTURE}", "--starts", START, "--lasts", "600", "--json"))
    texts = [one["text"] for one in facts["firings"] if one["would_fire"]]
    assert len(texts) == 6
    assert texts[0].startswith("Goal! Eisbären Nord")
    assert all(one["on_air_utc"] >= "2027-03-01T18:00:00" for one in facts["firings"])


def test_a_gap_in_a_capture_is_told(rehearse: Callable[..., Result]) -> None:
    """Spread so thinly that the console seems to fall silent, what changed meanwhile is no goal; the command says so."""
    result = rehearse("--scoreboard", f"final={CAPTURE}", "--starts", START, "--lasts", "7200", "--json")
    assert json.loads(result.stdout)["would_fire"] < 6
    assert "while the console was not heard; no goal counts" in result.stderr


def test_a_cap_trips_as_it_would_have(rehearse: Callable[..., Result]) -> None:
    """At the line's speed the whole match lasts seconds: the cap of five a minute lets five goals through, and says so."""
    facts = facts_of(rehearse("--scoreboard", f"final={CAPTURE}", "--starts", START, "--json"))
    assert (facts["would_fire"], facts["guards"]) == (5, {"caps": 1})
    assert "is disarmed" in facts["alarms"][0]["text"]


def test_a_report_for_people_and_for_a_spreadsheet(rehearse: Callable[..., Result], house: Path) -> None:
    """The page names cue, guard and sums; the CSV has a row a firing, and no cell is a formula."""
    table = house / "report.csv"
    shown = rehearse("--record", recorded(house, heard(), heard(after_s=300)), "--csv", str(table))
    assert shown.exit_code == 0
    assert "2 signals: 1 would have fired, 3 not" in " ".join(shown.output.split())
    assert "no signal matched it" in shown.output
    rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    assert [(row["cue_id"], row["guard"]) for row in rows if row["would_fire"] == "True"] == [("coffee", "")]
    assert not any(cell.startswith("=") for row in rows for cell in row.values())


def test_the_ledger_is_only_read(rehearse: Callable[..., Result], house: Path) -> None:
    """Not a byte of the state folder changes, and the kill that stands in it neither blocks the rehearsal nor goes."""

    def hashes() -> dict[str, str]:
        return {one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in (house / "var").iterdir() if one.is_file()}

    before = hashes()
    assert facts_of(rehearse("--record", recorded(house, heard()), "--json"))["would_fire"] == 1
    assert {name: digest for name, digest in hashes().items() if not name.endswith(("-shm", "-wal"))} == before


WATCHED = """
import sys

reached = []


def watch(event, arguments):
    if event in ("socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"):
        reached.append((event, str(arguments)))
    if event == "open" and str(arguments[0]).endswith("none.json"):
        reached.append((event, str(arguments[0])))


sys.addaudithook(watch)
from console import cli

sys.argv = ["cuebird", "rehearse", *sys.argv[1:]]
try:
    cli.main()
finally:
    print("REACHED", reached, file=sys.stderr)
    connecting = {"tweepy", "aiohttp", "sync.publisher", "sync.signed_client", "sync.media_client", "sync.token_client"}
    print("LOADED", sorted(connecting & sys.modules.keys()), file=sys.stderr)
"""


def test_nothing_reaches_out(house: Path) -> None:
    """In a process of its own: no connection, no name looked up, no credentials opened, the publisher of X not even loaded."""
    words = [
        "--record",
        recorded(house, heard()),
        "--scoreboard",
        f"final={CAPTURE}",
        "--starts",
        START,
        "--lasts",
        "600",
        "--json",
    ]
    ran = subprocess.run(
        [sys.executable, "-c", WATCHED, *words, "--config", str(house / "cuebird.toml")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert json.loads(ran.stdout)["would_fire"] == 7
    assert "REACHED []" in ran.stderr
    assert "LOADED []" in ran.stderr


class Reaching:
    """A publisher, uploader or link that nobody may touch."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the rehearsal reached for {name}")

    def __call__(self, *anything: object) -> Any:
        raise AssertionError("the rehearsal made a link")


def test_what_could_reach_out_is_put_aside(house: Path) -> None:
    """Even a setup that has a publisher, an uploader and a link is rehearsed without them."""
    hands: Any = Reaching()
    setup = dataclasses.replace(
        planned_setup(load_config(house / "cuebird.toml")), publisher=hands, media=hands, tokens=hands, link=hands, mode=Mode.LIVE
    )
    rehearsal = rehearse_signals([heard()], setup)
    assert [one.mode for one in rehearsal.firings if one.cue_id == "coffee"] == [Mode.REHEARSAL]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--record, --scoreboard and --feed"),
        (("--scoreboard", "final=x"), "say when they begin"),
        (("--scoreboard", "final", "--starts", START), "FIXTURE=FILE"),
        (("--scoreboard", "final=x", "--starts", "2027-03-01T18:00:00"), "with the zone"),
    ],
)
def test_a_wrong_command_line_says_what_to_write(rehearse: Callable[..., Result], words: tuple[str, ...], said: str) -> None:
    """Exit code 2, and the fix."""
    result = rehearse(*words)
    assert result.exit_code == 2
    assert said in " ".join(result.output.replace("│", " ").split())


def test_a_line_that_is_none_is_named(tmp_path: Path) -> None:
    """File, line and field; nothing of it is played."""
    path = tmp_path / "evening.jsonl"
    path.write_bytes(heard().line() + b'{"utc":"2027-03-01T18:00:00Z","mono_ns":1}\n')
    with pytest.raises(RecordingError, match=r"evening.jsonl, line 2: .*a detection, a score or a marker"):
        list(read_recording(path))
