"""Log lines: the event, its facts, nothing lost and nothing that breaks a line."""

import io
import logging
import sys

import pytest

from console.logs import FactsFormatter, write_logs


def line(**facts: object) -> str:
    """The formatted line of one record."""
    record = logging.makeLogRecord({"name": "sync.engine", "levelname": "WARNING", "msg": "alarm", "created": 1.5, **facts})
    return FactsFormatter().format(record)


def test_facts_follow_the_event() -> None:
    """What was given as `extra` stands behind the event's name, quoted where it must be."""
    assert line(cue="kaffee", text="feed is silent") == (
        '1970-01-01T00:00:01.500Z WARNING sync.engine alarm cue=kaffee text="feed is silent"'
    )


@pytest.mark.parametrize("hostile", ["two\nlines", 'say "hi"', "a=b", "", "\x1b[31mred"])
def test_a_hostile_fact_stays_within_its_quotes(hostile: str) -> None:
    """A forged name cannot begin a line of its own or pass for another fact."""
    written = line(device=hostile)

    assert "\n" not in written
    assert "\x1b" not in written
    assert written.split("device=", 1)[1].startswith('"')
    assert written.endswith('"')


def test_a_traceback_is_kept() -> None:
    """An unforeseen error is logged whole."""
    try:
        raise RuntimeError("broken")
    except RuntimeError:
        written = line(exc_info=sys.exc_info())

    assert "RuntimeError: broken" in written.splitlines()[-1]


def test_level_decides_what_is_written() -> None:
    """Only records of the level asked for are written, once each."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    try:
        write_logs(stream, level=logging.WARNING)
        logging.getLogger("sync").info("quiet")
        logging.getLogger("sync").warning("loud", extra={"n": 3})
    finally:
        root.handlers[:] = before
        root.setLevel(level)

    assert stream.getvalue().splitlines()[0].endswith("WARNING sync loud n=3")
    assert len(stream.getvalue().splitlines()) == 1
