"""`cuebird scan` over an archive: many processes, a journal, late airings, rates."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

MEDIA = Path(__file__).parents[3] / "examples" / "media"
SPOTS = MEDIA / "spots"
pytestmark = pytest.mark.system


def scan(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run `cuebird scan` in a process of its own."""
    command = [sys.executable, "-c", "from console.cli import main; main()", "scan", "--spots", SPOTS, "--format", "jsonl"]
    return subprocess.run([*map(str, command), *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)


def cut(target: Path, *, filters: str, length_s: float, first_s: float = 0.0) -> Path:
    """A part of the example programme through an ffmpeg filter."""
    span = ["-ss", str(first_s), "-t", str(length_s), "-i", str(MEDIA / "programme.opus")]
    subprocess.run(["ffmpeg", "-v", "error", *span, "-af", filters, target], check=True)
    return target


def test_an_archive_is_scanned_by_processes_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """The findings are those of a scan alone; what the journal holds is not scanned again, and a bad file is told."""
    one = cut(tmp_path / "one.wav", filters="anull", length_s=40)
    two = cut(tmp_path / "two.wav", filters="anull", length_s=30, first_s=50)
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"RIFF....")
    journal = tmp_path / "journal.jsonl"
    done = scan(one, two, bad, "--jobs", "2", "--resume", journal)
    alone = scan(one).stdout.splitlines() + scan(two).stdout.splitlines()

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert str(bad) in done.stderr
    assert sorted(done.stdout.splitlines()) == sorted(alone)
    assert len(journal.read_text().splitlines()) == 2

    with journal.open("a") as file:
        file.write('{"file": "half a li')  # killed while writing
    marked = journal.read_text().replace('"brus-10"', '"from-the-journal"')
    journal.write_text(marked)
    again = scan(one, two, "--jobs", "2", "--resume", journal)
    assert again.returncode == 0
    assert len(again.stdout.splitlines()) == len(alone)
    assert "from-the-journal" in again.stdout


def test_a_spot_joined_in_the_middle_is_a_late_line(tmp_path: Path) -> None:
    """kaffee-30 begins at 18 s; the recording begins at 25 s. Found within 2 s, marked, followed to its end."""
    media = cut(tmp_path / "joined.m4a", filters="anull", length_s=27, first_s=25)
    lines = [json.loads(line) for line in scan(media).stdout.splitlines()]

    found, end = lines
    assert found["late"] is end["late"] is True
    assert found["spot"] == end["spot"] == "kaffee-30"
    assert found["onset_s"] == end["onset_s"] == pytest.approx(-7.0, abs=0.1)
    assert found["decided_s"] < 2.0
    assert end["end_s"] == pytest.approx(23.0, abs=0.4)
    assert end["coverage"] == pytest.approx(23 / 30, abs=0.03)
    assert scan(media, "--no-late").stdout == ""


@pytest.mark.parametrize(
    ("filters", "option", "speed"),
    [("asetrate=48000*1.042,aresample=48000", "--rates", 1.042), ("atempo=1.04", "--tempos", 1.04)],
)
def test_a_faster_programme_is_heard_at_its_rate(filters: str, option: str, speed: float, tmp_path: Path) -> None:
    """With the rate named, both airings are decided, and the rate is told at their ends."""
    media = cut(tmp_path / "fast.m4a", filters=filters, length_s=49)
    lines = [json.loads(line) for line in scan(media, option, str(speed)).stdout.splitlines()]
    detections, ends = [line for line in lines if "score" in line], [line for line in lines if "end_s" in line]

    assert [line["spot"] for line in ends] == ["brus-10", "kaffee-30"]
    assert [line["speed"] for line in ends] == [speed, speed]
    assert not any(line.get("late") for line in lines)
    for line, onset_s in zip(detections, (8.0, 18.0), strict=True):
        assert line["onset_s"] == pytest.approx(onset_s / speed, abs=0.06)
        assert line["decided_s"] - line["onset_s"] < 1.0
