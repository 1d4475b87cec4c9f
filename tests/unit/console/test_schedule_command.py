import asyncio
import contextlib
import json
import tempfile
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from console.commands import schedule
from console.config import load_config
from console.errors import ConsoleError
from schedules import PlanFileError
from sync.control import control_server
from sync.cues import parse_cues
from sync.errors import LedgerError, PlanError
from sync.ledger import Ledger
from sync.snapshot import JsonObject
from sync.wire import Reload, Request
from timebase import SystemClock

HEADER = "channel,date,time,spot"
EVENING = "nord,2027-03-01,20:15,kaffee-30"
NIGHT = "nord,2027-03-01,25:30,kaffee-30"
OTHER = "nord,2027-03-01,21:00,kaffee-20"


class House:
    """A configured installation in a folder, and the command run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "cuebird.toml"
        self.config.write_text(
            '[paths]\nstate_dir = "state"\n[[channel]]\nid = "nord"\nname = "Nord"\ntimezone = "Europe/Stockholm"\n'
        )
        (folder / "spots").mkdir()
        for name in ("kaffee-30.opus", "kaffee-20.opus", ".hidden.opus"):
            (folder / "spots" / name).touch()

    def run(
        self, verb: str, *rows: str, name: str = "plan.csv", options: tuple[str, ...] = (), typed: str = ""
    ) -> tuple[int, str]:
        (self.folder / name).write_text("\n".join([HEADER, *rows]))
        return self.ask(verb, str(self.folder / name), *options, typed=typed)

    def ask(self, verb: str, *words: str, typed: str = "") -> tuple[int, str]:
        app = typer.Typer()
        schedule.register(app)
        app.command("other")(lambda: None)
        line = ["schedule", verb, *words, "--config", str(self.config)]
        result = CliRunner().invoke(app, line, catch_exceptions=False, input=typed)
        return result.exit_code, result.output

    def airings(self) -> list[str]:
        with contextlib.closing(Ledger.open(load_config(self.config).ledger)) as ledger:
            return [airing.airing_id for airing in ledger.airings()]


@pytest.fixture
def house() -> Iterator[House]:
    """In a folder whose socket path is short enough for the kernel."""
    with tempfile.TemporaryDirectory(prefix="cb", dir="/tmp") as folder:
        yield House(Path(folder))


def test_check_shows_airings_and_stores_nothing(house: House) -> None:
    """A good plan: exit code 0, no ledger made."""
    code, output = house.run("check", EVENING, NIGHT)

    assert code == 0
    assert "nord/kaffee-30/2027-03-01/2" in output
    assert "2 airings, 0 errors" in output
    assert not (house.folder / "state").exists()


def test_check_of_a_wrong_plan_fails_with_its_problems(house: House) -> None:
    """For people as a table, for programs as JSON."""
    code, output = house.run("check", EVENING, "nord,02/03/2027,20:15,kaffe-30", options=("--json",))
    facts = json.loads(output)

    assert code == 1
    assert (facts["importable"], facts["airings"]) == (False, [])
    assert [(one["row"], one["column"]) for one in facts["problems"] if one["severity"] == "error"] == [(3, "spot"), (3, "date")]
    assert house.run("check", "x,y,z,w")[0] == 1


def test_import_says_what_is_new_moved_dropped_and_unchanged(house: House) -> None:
    """The second import is the first with one airing moved, one dropped, one as before in another line."""
    assert house.run("import", OTHER, EVENING, NIGHT)[0] == 0
    moved = NIGHT.replace("25:30", "25:45")

    code, output = house.run("import", moved, EVENING, options=("--json", "--yes"))

    assert code == 0
    assert json.loads(output)["changes"] == {
        "left_alone": [],
        "new": [],
        "moved": ["nord/kaffee-30/2027-03-01/2"],
        "dropped": ["nord/kaffee-20/2027-03-01/1"],
        "unchanged": ["nord/kaffee-30/2027-03-01/1"],
    }
    assert house.airings() == ["nord/kaffee-30/2027-03-01/1", "nord/kaffee-30/2027-03-01/2"]


def test_importing_the_same_file_again_changes_nothing(house: House) -> None:
    """Idempotent by content."""
    house.run("import", EVENING, NIGHT)

    assert "Nothing changes: version 1 of the plan plan is this file already." in house.run("import", EVENING, NIGHT)[1]


def test_airings_are_dropped_only_when_somebody_says_so(house: House) -> None:
    """Nobody is there to ask: that is a no, and nothing has changed."""
    house.run("import", EVENING, OTHER)

    code, output = house.run("import", EVENING)

    assert code == 1
    assert "1 airing would be dropped; nothing has changed. Give --yes" in output
    assert len(house.airings()) == 2
    assert house.run("import", EVENING, options=("--yes",))[0] == 0
    assert len(house.airings()) == 1


def test_a_person_is_asked(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anything but yes changes nothing."""
    monkeypatch.setattr(schedule, "_is_person_there", lambda: True)
    house.run("import", EVENING, OTHER)

    assert house.run("import", EVENING, typed="n\n")[0] == 1
    assert len(house.airings()) == 2
    assert house.run("import", EVENING, typed="y\n")[0] == 0
    assert len(house.airings()) == 1


def test_diff_shows_and_stores_nothing(house: House) -> None:
    """Of a file and what stands; and of two versions."""
    house.run("import", EVENING, OTHER)

    code, output = house.run("diff", EVENING, NIGHT)

    assert code == 0
    assert "1 new, 0 moved, 1 dropped, 1 unchanged. Nothing has changed" in output
    assert len(house.airings()) == 2
    house.run("import", EVENING, options=("--yes",))
    facts = json.loads(house.ask("diff", "--plan", "plan", "--from", "1", "--json")[1])
    assert [(row["change"], row["airing_id"]) for row in facts["rows"]] == [("dropped", "nord/kaffee-20/2027-03-01/1")]
    assert house.ask("diff", "--plan", "plan")[0] == 2


def test_versions_and_going_back(house: House) -> None:
    """Who, when, which file; an earlier one stands again as a new one."""
    assert "No plan has been imported yet" in house.ask("versions")[1]
    house.run("import", EVENING, OTHER)
    house.run("import", EVENING, options=("--yes",))

    code, output = house.ask("rollback", "plan", "1")

    assert code == 0
    assert "Version 3 of the plan plan is version 1 again." in output
    assert len(house.airings()) == 2
    versions = json.loads(house.ask("versions", "plan", "--json")[1])["versions"]
    assert [(one["number"], one["rolled_back_to"], one["airing_count"]) for one in versions] == [
        (3, 1, 2),
        (2, None, 1),
        (1, None, 2),
    ]
    assert "back to 1" in house.ask("versions", "plan")[1]
    assert house.ask("rollback", "plan", "2")[0] == 1, "it drops one, and nobody is there to ask"


def test_a_wrong_plan_is_not_imported_at_all(house: House) -> None:
    """Nothing half-imported: what stood before still stands."""
    house.run("import", EVENING)

    code, output = house.run("import", OTHER, "nord,2027-03-01,20:15,nobody")

    assert code == 1
    assert "nothing has changed" in output
    assert house.airings() == ["nord/kaffee-30/2027-03-01/1"]


def test_another_plan_adds_its_airings(house: House) -> None:
    """Two sponsors on one channel."""
    house.run("import", EVENING)
    house.run("import", OTHER, name="second.csv")

    assert house.airings() == ["nord/kaffee-30/2027-03-01/1", "nord/kaffee-20/2027-03-01/1"]


def test_a_plan_that_leaves_airings_of_another_ambiguous_is_refused(house: House) -> None:
    """A corrected file under a new name must not leave the old one's airings armed beside its own."""
    house.run("import", EVENING, NIGHT)

    with pytest.raises(
        PlanError, match=r"row 2 plans nord/kaffee-30/2027-03-01/1, but another plan has nord/kaffee-30/2027-03-01/1"
    ):
        house.run("import", EVENING, name="corrected.csv")
    assert len(house.airings()) == 2

    code, _ = house.run("import", EVENING, name="corrected.csv", options=("--plan", "plan", "--yes"))
    assert code == 0
    assert house.airings() == ["nord/kaffee-30/2027-03-01/1"]


def test_windows_of_two_days_and_plans_may_not_overlap(house: House) -> None:
    """29:59 of one broadcast day and 06:00 of the next are a minute apart."""
    house.run("import", "nord,2027-03-01,29:59,kaffee-30")

    with pytest.raises(PlanError, match="another plan has nord/kaffee-30/2027-03-01/1"):
        house.run("import", "nord,2027-03-02,06:00,kaffee-30", name="second.csv")


@pytest.mark.parametrize("break_it", ["no plan", "no spots", "no ledger"])
def test_what_cannot_be_read_is_one_sentence(house: House, break_it: str) -> None:
    """Each names the file."""
    if break_it == "no plan":
        with pytest.raises(PlanFileError, match=r"plan\.csv: the row ends|plan\.csv: no rows below the header"):
            house.run("check")
    elif break_it == "no spots":
        (house.folder / "spots").rename(house.folder / "elsewhere")
        with pytest.raises(ConsoleError, match=r"spots: No such file or directory; paths\.spots_dir"):
            house.run("check", EVENING)
    else:
        (house.folder / "state").mkdir()
        (house.folder / "state" / "ledger.db").write_bytes(b"this is no database" * 100)
        with pytest.raises(LedgerError, match=r"ledger\.db"):
            house.run("import", EVENING)


class Desk:
    """An engine's desk that remembers what it was asked."""

    def __init__(self) -> None:
        self.seen: list[Request] = []

    async def answer(self, request: Request) -> JsonObject:
        self.seen.append(request)
        return {}

    def snapshot(self) -> JsonObject:
        return {}


@contextlib.contextmanager
def engine_at(socket: Path) -> Iterator[Desk]:
    """A real control socket, served by a thread of its own, since the command runs a loop of its own."""
    desk, ready, stop = Desk(), threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with control_server(socket, desk):
            ready.set()
            await stop.wait()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), name="engine")
    thread.start()
    try:
        assert ready.wait(10)
        yield desk
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


def test_a_running_engine_is_asked_to_read_the_airings_again(house: House) -> None:
    """Over its real control socket, after the import."""
    (house.folder / "state").mkdir()
    with engine_at(house.folder / "state" / "engine.sock") as desk:
        code, output = house.run("import", EVENING)

    assert code == 0
    assert "The running engine has taken it up." in output
    assert [type(request) for request in desk.seen] == [Reload]


def test_a_socket_left_behind_is_no_engine(house: House) -> None:
    """A killed engine leaves its socket; the import stands."""
    (house.folder / "state").mkdir()
    (house.folder / "state" / "engine.sock").touch()

    code, output = house.run("import", EVENING)

    assert code == 0
    assert "No engine is running" in output


CUE = """
[[cue]]
id = "spring"
name = "Spring"
author = "mia"
account = "nordkaffee"
variants = ["One cup. #ad"]
[cue.on]
kind = "spot"
spots = ["kaffee-30"]
channel = "nord"
"""


def test_an_import_says_which_cues_run_out_of_texts(house: House) -> None:
    """An approved cue of one text, two airings: the row of the second is named; the plan is imported all the same."""
    (house.folder / "state").mkdir()
    with contextlib.closing(Ledger.open(load_config(house.config).ledger)) as ledger:
        (cue,) = parse_cues(CUE.encode(), source="cues.toml")
        ledger.import_cues([cue], actor="mia")
        ledger.approve_cue("spring", approved_by="ole")
    soon = f"{SystemClock().utc() + timedelta(days=2):%Y-%m-%d}"

    code, output = house.run("import", f"nord,{soon},20:15,kaffee-30", f"nord,{soon},25:30,kaffee-30", options=("--json",))

    told = [problem for problem in json.loads(output)["problems"] if "spring" in problem["reason"]]
    assert code == 0
    assert [(one["row"], one["severity"]) for one in told] == [(3, "warning")]
    assert "1 approved text left for 2 airings to come" in told[0]["reason"]
    assert len(house.airings()) == 2


def test_aliases_and_corrections_reach_the_reader(house: House) -> None:
    """Names from the configuration, identifiers from the spot's particulars, columns and constants from the command line."""
    with house.config.open("a") as config:
        config.write('aliases = ["TV North"]\n[[spot_alias]]\nname = "Spring 30"\nspot = "kaffee-30"\n')
    (house.folder / "spots" / "kaffee-20.spot.json").write_text('{"identifiers": {"isci": "ABCD1234"}}')
    plan = house.folder / "other.csv"
    plan.write_text("Tag;Zeit;Motiv\n01/03/2027;20:15;spring 30\n02/03/2027;20:15;abcd1234\n")
    app = typer.Typer()
    schedule.register(app)
    app.command("other")(lambda: None)
    line = ["schedule", "check", str(plan), "--config", str(house.config), "--json", "--map", "Tag=date", "--map", "Zeit=time"]
    line += ["--map", "Motiv=spot", "--set", "channel=tv north", "--date-order", "dmy", "--errors", str(house.folder / "out.csv")]

    result = CliRunner().invoke(app, line, catch_exceptions=False)

    facts = json.loads(result.stdout)
    assert [airing["airing_id"] for airing in facts["airings"]] == ["nord/kaffee-30/2027-03-01/1", "nord/kaffee-20/2027-03-02/1"]
    assert facts["reading"]["date_order_because"] == "said with --date-order"
    assert (house.folder / "out.csv").read_text("utf-8-sig").startswith("Tag;Zeit;Motiv;cuebird_row")


@pytest.mark.parametrize(
    ("option", "match"),
    [
        (("--map", "Tag"), "not two words with = between them"),
        (("--map", "Tag=day"), "no field of a plan is called day; use channel, date"),
        (("--set", "tag=1"), "no field of a plan is called tag"),
        (("--layout", "x"), "no such layout"),
    ],
)
def test_wrong_corrections_are_named(house: House, option: tuple[str, ...], match: str) -> None:
    """With what would do."""
    with pytest.raises(PlanFileError, match=match):
        house.run("check", EVENING, options=option)
