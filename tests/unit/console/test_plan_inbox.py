"""Plans dropped into a folder: taken whole, imported once, whatever dies in between."""

import contextlib
import itertools
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from console import plan_inbox, plan_sources
from console.config import ConfigError, load_config
from console.plan_import import PlanDesk
from console.plan_inbox import PlanInbox
from sync.ledger import Ledger
from sync.plan_versions import PlanSource, PlanVersion, PlanVersions

CONFIG = """
[paths]
state_dir = "state"
[plans]
inbox_dir = "inbox"
[[channel]]
id = "nord"
name = "Nord"
timezone = "Europe/Stockholm"
[[plan_sender]]
id = "agency"
drops_max = 1
[[plan_sender]]
id = "strict"
plan = "strict"
layout = "cuebird"
constants = { channel = "nord" }
"""
HEADER = "channel,date,time,spot"
EVENING = "nord,2027-03-01,20:15,kaffee-30"
NIGHT = "nord,2027-03-01,25:30,kaffee-30"
TEA = "nord,2027-03-01,21:00,tee-20"


class Dead(BaseException):
    """The process was killed here."""


class Post:
    """An installation with an inbox, and a monotonic clock in the test's hand."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now_ns = folder, 0
        (folder / "cuebird.toml").write_text(CONFIG)
        (folder / "spots").mkdir()
        for name in ("kaffee-30.opus", "tee-20.opus"):
            (folder / "spots" / name).touch()
        self.config = load_config(folder / "cuebird.toml")
        self.inbox = self.born()
        self.inbox.look()

    def born(self) -> PlanInbox:
        """A new process."""
        return PlanInbox(self.config, mono_ns=lambda: self.now_ns)

    def drop(self, *rows: str, name: str = "spring.csv", sender: str = "agency", header: str = HEADER) -> Path:
        path = self.folder / "inbox" / sender / name
        path.write_text("\n".join([header, *rows]))
        return path

    def look(self, after_s: float = 6) -> int:
        """Two looks that far apart."""
        self.inbox.look()
        self.now_ns += round(after_s * 1e9)
        return self.inbox.look()

    def names(self, where: str, sender: str = "agency") -> list[str]:
        """Files in a folder, without their stamps."""
        return sorted(path.name.partition("-")[2] for path in (self.folder / "inbox" / sender / where).iterdir())

    def text(self, where: str, name: str, sender: str = "agency") -> str:
        (path,) = (self.folder / "inbox" / sender / where).glob(f"*-{name}")
        return path.read_text()

    @contextlib.contextmanager
    def ledger(self) -> Iterator[Ledger]:
        with contextlib.closing(Ledger.open(self.config.ledger)) as ledger:
            yield ledger

    def versions(self, plan: str = "spring") -> list[PlanVersion]:
        with self.ledger() as ledger:
            return list(PlanVersions(ledger).versions(plan))[::-1]

    def alarms(self) -> list[str]:
        with self.ledger() as ledger:
            return [alarm.text for alarm in ledger.alarms(limit=50)][::-1]


@pytest.fixture
def post(tmp_path: Path) -> Post:
    return Post(tmp_path)


def test_a_whole_file_is_imported_and_put_away(post: Post) -> None:
    """With what it changed beside it, and a line for the operators."""
    post.drop(EVENING, NIGHT)

    assert post.look() == 1

    assert (post.names("taken"), post.names("refused")) == ([], [])
    assert post.names("done") == ["spring.csv", "spring.csv.json"]
    (version,) = post.versions()
    assert (version.actor, version.file_name, version.airing_count) == ("inbox agency", "spring.csv", 2)
    told = json.loads(post.text("done", "spring.csv.json"))
    assert told["changes"]["new"] == ["nord/kaffee-30/2027-03-01/1", "nord/kaffee-30/2027-03-01/2"]
    assert post.alarms() == ["plan spring: version 1 from agency: 2 new, 0 moved, 0 dropped, 0 unchanged"]


def test_a_file_that_grows_is_not_taken(post: Post) -> None:
    """Until it has stood still for long enough; nor is one that a transfer program has not renamed yet."""
    post.drop(EVENING, name="spring.csv.part")
    path = post.drop(EVENING)
    assert post.look(4) == 0
    path.write_text(path.read_text() + f"\n{NIGHT}")
    os.utime(path, (1, 1))
    assert post.look(4) == 0
    assert post.look(2) == 1
    assert post.versions()[0].airing_count == 2
    assert (post.folder / "inbox" / "agency" / "spring.csv.part").exists()


def test_a_file_still_being_written_when_it_was_taken_is_refused(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its writer paused for longer than we wait; half a plan is no plan."""
    post.drop(EVENING)
    read = plan_sources.read

    def read_and_grow(path: Path, *args: object, **words: object) -> object:
        found = read(path, *args, **words)  # type: ignore[arg-type]  # handed on
        os.utime(path, (1, 1))
        return found

    monkeypatch.setattr(plan_inbox, "read", read_and_grow)
    post.look()

    assert "still being written" in post.text("refused", "spring.csv.txt")
    assert any("was refused" in alarm for alarm in post.alarms())


def test_a_wrong_plan_is_refused_with_its_problems(post: Post) -> None:
    """The rows with what is wrong with each; nothing is imported."""
    post.drop(EVENING, "nord,2027-03-01,21:15,nobody")

    post.look()

    assert post.names("refused") == ["spring.csv", "spring.csv.problems.csv", "spring.csv.txt"]
    assert post.text("refused", "spring.csv.txt").startswith("1 error")
    assert "no spot of this id is known" in post.text("refused", "spring.csv.problems.csv")
    (alarm,) = post.alarms()
    assert alarm.startswith("the plan spring.csv of agency was refused: 1 error")
    with post.ledger() as ledger:
        assert ledger.airings() == ()


def test_a_file_that_drops_too_much_is_refused(post: Post) -> None:
    """Nobody is there to ask."""
    post.drop(EVENING, NIGHT, TEA)
    post.look()
    post.drop(EVENING)
    post.look()

    assert "2 airings would be dropped, more than 1" in post.text("refused", "spring.csv.txt")
    assert len(post.versions()) == 1


def test_the_rules_of_the_sender(post: Post) -> None:
    """The plan is always the same, and the channel is in no column."""
    post.drop("2027-03-01,20:15,kaffee-30", name="monday.csv", sender="strict", header="date,time,spot")
    post.look()

    assert post.versions("strict")[0].file_name == "monday.csv"


def test_the_same_file_sent_twice_changes_nothing(post: Post) -> None:
    """It is put away like any other."""
    for _ in range(2):
        post.drop(EVENING)
        post.look()

    assert len(post.versions()) == 1
    assert len(post.names("done")) == 4


def test_a_kill_between_any_two_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before and after every rename, write and commit: one version, one file in done, no matter where it died."""
    for number in itertools.count():
        folder = tmp_path / str(number)
        folder.mkdir()
        post = Post(folder)
        post.drop(EVENING, NIGHT)
        with monkeypatch.context() as patch:
            passed = _die_at(patch, number)
            with contextlib.suppress(Dead):
                post.look()
        post.inbox = post.born()
        post.look()
        assert (post.names("taken"), post.names("refused")) == ([], [])
        assert post.names("done") == ["spring.csv", "spring.csv.json"]
        assert [one.airing_count for one in post.versions()] == [2]
        assert len(post.alarms()) >= 1
        if len(passed) <= number:
            break
    assert number > 8, "there are as many places to die"


def test_after_a_kill_it_does_not_undo_what_came_later(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file was imported, the process died before it was put away, and somebody imported another version by hand."""
    post.drop(EVENING)
    with monkeypatch.context() as patch:
        patch.setattr(PlanInbox, "_finish", _die)
        with pytest.raises(Dead):
            post.look()
    with post.ledger() as ledger:
        plans = PlanVersions(ledger)
        plans.commit("spring", (), PlanSource(actor="mia", sha256="b" * 64))
    post.inbox = post.born()
    post.look()

    assert len(post.versions()) == 2
    with post.ledger() as ledger:
        assert ledger.airings() == ()


def test_a_sender_needs_an_inbox(tmp_path: Path) -> None:
    """Said when the configuration is read."""
    (tmp_path / "cuebird.toml").write_text('[[plan_sender]]\nid = "agency"\n')
    with pytest.raises(ConfigError, match=r"plans\.inbox_dir: missing"):
        load_config(tmp_path / "cuebird.toml")


def _die(*_: object, **__: object) -> None:
    raise Dead


def _die_at(patch: pytest.MonkeyPatch, number: int) -> list[str]:
    """Let the process die before or after one of its steps; gives the places it passed or died at."""
    passed = list[str]()

    def place(name: str) -> None:
        passed.append(name)
        if len(passed) == number + 1:
            raise Dead

    def dying(step: Callable[..., object]) -> Callable[..., object]:
        def run(*args: object, **words: object) -> object:
            place(f"before {step.__name__}")
            result = step(*args, **words)
            place(f"after {step.__name__}")
            return result

        return run

    for name in ("_take", "_write", "_sound"):
        patch.setattr(plan_inbox, name, dying(getattr(plan_inbox, name)))
    patch.setattr(PlanDesk, "commit", dying(PlanDesk.commit))
    patch.setattr(os, "replace", dying(os.replace))
    return passed
