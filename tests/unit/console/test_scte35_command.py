"""`cuebird scte35 decode`, as a person types it."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from console.commands import scte35
from console.errors import ConsoleError
from tests.transport_maker import StreamMaker, insert, segmentation, signal

app = typer.Typer()
scte35.register(app)
run = CliRunner()

MESSAGE = "/DAvAAAAAAAA///wFAVIAACPf+/+c2nALv4AUsz1AAAAAAAKAAhDVUVJAAABNWLbowo="


def test_a_message_as_a_table() -> None:
    """What begins, when and for how long."""
    shown = run.invoke(app, ["scte35", "decode", MESSAGE])

    assert shown.exit_code == 0
    assert shown.stdout.splitlines()[1].split() == ["1207959695", "break", "begins", "21514.559", "60.294"]


def test_a_stream_as_json(tmp_path: Path) -> None:
    """One object a message, with its place and its programme's clock; the damaged one is counted."""
    maker, file = StreamMaker(), tmp_path / "stream.ts"
    damaged = bytearray(insert(3, 5))
    damaged[-1] ^= 1
    upid = segmentation(2, 0x30, upid=(3, b"ABCD1234000H"))
    file.write_bytes(maker.tables() + maker.clock(90_000) + maker.markers(insert(1, None), signal(270_000, upid), bytes(damaged)))
    shown = run.invoke(app, ["scte35", "decode", str(file), "--json"])

    first, second = (json.loads(line) for line in shown.stdout.splitlines())
    assert (first["splice"]["event_id"], first["splice"]["immediate"], first["clock_pts"]) == (1, True, 90_000)
    assert (second["pts"], second["segmentations"][0]["upids"]) == (270_000, [{"kind": "ad_id", "text": "ABCD1234000H"}])
    assert "2 messages, 1 damaged (the last: its checksum is wrong)" in shown.stderr


def test_a_stream_without_markers_is_said_to_be_one(tmp_path: Path) -> None:
    """Nobody takes silence for a broadcaster that marks nothing."""
    file = tmp_path / "stream.ts"
    file.write_bytes(StreamMaker().clock(5) * 20)
    shown = run.invoke(app, ["scte35", "decode", str(file)])

    assert "no programme names a stream of markers" in shown.stderr


def test_a_file_with_a_message_a_line(tmp_path: Path) -> None:
    """Good lines are shown, bad ones named."""
    file = tmp_path / "messages.txt"
    file.write_text(f"{MESSAGE}\n\nnonsense!\n0x{insert(7, 5).hex()}\n")
    shown = run.invoke(app, ["scte35", "decode", str(file), "--json"])

    assert [json.loads(line)["line"] for line in shown.stdout.splitlines()] == [1, 4]
    assert "line 3: 'nonsense!': neither base64 nor hex digits" in shown.stderr
    assert "2 messages, 1 damaged" in shown.stderr


@pytest.mark.parametrize(
    ("what", "sentence"), [("gone.ts", "no such file, and no message"), (MESSAGE[:-4] + "AAA=", "its checksum is wrong")]
)
def test_what_is_neither_is_refused_in_a_sentence(what: str, sentence: str) -> None:
    """A name that was mistyped, and a message that was cut."""
    failed = run.invoke(app, ["scte35", "decode", what])

    assert isinstance(failed.exception, ConsoleError)
    assert sentence in str(failed.exception)
