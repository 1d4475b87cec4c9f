"""How feeds are dealt out to listener processes."""

from pathlib import Path

import pytest

from console.commands.serve import listeners, markers
from console.config import load_config


def arguments(folder: Path, *, feeds: int, listening: str) -> list[tuple[str, tuple[str, ...]]]:
    channel = '[[channel]]\nid = "c"\nname = "C"\ntimezone = "UTC"\n'
    feed = "".join(f'[[feed]]\nid = "f{number}"\nchannel = "c"\nurl = "http://h/{number}"\n' for number in range(feeds))
    path = folder / "cuebird.toml"
    path.write_text(f"[paths]\n[listening]\n{listening}\n{channel}{feed}", encoding="utf-8")
    return [(child.name, child.arguments[2:]) for child in listeners(load_config(path), ())]


@pytest.mark.parametrize(
    ("feeds", "listening", "expected"),
    [
        (0, "", []),
        (1, "", [("listener-f0", ("f0",))]),
        (3, "feeds_per_process = 2", [("listener-f0-and-1-more", ("f0", "f1")), ("listener-f2", ("f2",))]),
        (
            3,
            "feeds_per_process = 1\ncpus = [2, 3]",
            [
                ("listener-f0", ("f0", "--cpu", "2")),
                ("listener-f1", ("f1", "--cpu", "3")),
                ("listener-f2", ("f2", "--cpu", "2")),
            ],
        ),
    ],
)
def test_batches_and_processors(tmp_path: Path, feeds: int, listening: str, expected: list[tuple[str, tuple[str, ...]]]) -> None:
    """In order, none left out, processors in turn."""
    assert arguments(tmp_path, feeds=feeds, listening=listening) == expected


def test_sources_of_markers_share_a_process(tmp_path: Path) -> None:
    """There is one where there is a source, and none where there is none."""
    path = tmp_path / "cuebird.toml"
    channel = '[[channel]]\nid = "c"\nname = "C"\ntimezone = "UTC"\n'
    source = '[[marker_source]]\nid = "ts"\nchannel = "c"\nurl = "udp://239.1.1.1:5000"\n'
    path.write_text(channel, encoding="utf-8")
    assert markers(load_config(path), ()) == []
    path.write_text(channel + source, encoding="utf-8")

    expected = [("markers", ("run", "markers", "--config", "x"))]
    assert [(child.name, child.arguments) for child in markers(load_config(path), ("--config", "x"))] == expected
    path.write_text('[[tally]]\nid = "pgm"\nurl = "udp://0.0.0.0:4003"\ndisplay = 3\n', encoding="utf-8")
    assert [(child.name, child.arguments) for child in markers(load_config(path), ("--config", "x"))] == expected
