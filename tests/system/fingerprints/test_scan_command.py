"""`cuebird scan` on the example programme, as it is and through the codecs of broadcast."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

MEDIA = Path(__file__).parents[3] / "examples" / "media"
TRUTH = json.loads((MEDIA / "programme.json").read_text())["airings"]
CODECS = {
    "as it is": [],
    "AAC 64k": ["-c:a", "aac", "-b:a", "64k", "out.m4a"],
    "AAC 48k": ["-c:a", "aac", "-b:a", "48k", "out.m4a"],
    "MP3 32k": ["-ac", "1", "-ar", "32000", "-b:a", "32k", "out.mp3"],
    "Opus 32k": ["-c:a", "libopus", "-b:a", "32k", "out.opus"],
}
pytestmark = pytest.mark.system


def cuebird(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", "from console.cli import main; main()", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("codec", CODECS)
def test_every_airing_is_found_once_and_followed(codec: str, tmp_path: Path) -> None:
    """Each true airing has one detection by name or group, near its onset, and one end; there is nothing else."""
    media = MEDIA / "programme.opus"
    if CODECS[codec]:
        *options, name = CODECS[codec]
        subprocess.run(["ffmpeg", "-v", "error", "-i", media, *options, tmp_path / name], check=True)
        media = tmp_path / name
    done = cuebird("scan", media, "--spots", MEDIA / "spots", "--format", "jsonl")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    detections = [line for line in lines if "decided_s" in line]
    ends = {(line["feed"], line["onset_s"]): line for line in lines if "end_s" in line}

    assert (done.returncode, done.stderr) == (0, "")
    assert len(detections) == len(ends) == len(TRUTH)
    for truth, found in zip(TRUTH, detections, strict=True):
        end = ends[found["feed"], found["onset_s"]]
        assert truth["spot"] in found["spots"]
        assert found["onset_s"] == pytest.approx(truth["onset_s"], abs=0.06)
        assert found["onset_s"] < found["decided_s"] < found["onset_s"] + 1.0
        assert found["score"] >= found["threshold"]
        assert end["spot"] == truth["spot"]
        assert end["end_s"] == pytest.approx(truth["end_s"], abs=0.5)
        assert found["feed"] == str(media)


def test_an_unreadable_file_is_one_sentence_and_the_others_are_scanned(tmp_path: Path) -> None:
    """Exit code 1, no traceback, and the findings of the good file."""
    spots = tmp_path / "spots"
    spots.mkdir()
    (spots / "brus-10.opus").write_bytes((MEDIA / "spots" / "brus-10.opus").read_bytes())
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF....")
    done = cuebird("scan", broken, MEDIA / "spots" / "brus-10.opus", "--spots", spots, "--format", "jsonl")

    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 2
    assert len(done.stderr.splitlines()) == 1
    assert str(broken) in done.stderr
