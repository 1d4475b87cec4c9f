"""The example spots at other tempos, squeezed by ffmpeg and sent through AAC: followed to their end, their speed told."""

import subprocess
from pathlib import Path

import pytest

from fingerprints.audio import AudioBlock
from fingerprints.events import FollowEnd
from fingerprints.library import SpotLibrary, read_recording
from fingerprints.onset import Onset
from fingerprints.recogniser import Recogniser

MEDIA = Path(__file__).parents[3] / "examples" / "media"
SPOTS = MEDIA / "spots"
pytestmark = pytest.mark.system

LEAD_S = 2.0


@pytest.fixture(scope="module")
def library() -> SpotLibrary:
    """The example spots, at no other rate."""
    return SpotLibrary.open(SPOTS)


def on_air(target: Path, spot_id: str, *, tempo: float, heard_s: float, then: Path) -> Path:
    """Programme, the spot's beginning at that tempo, and something else, as AAC at 64 kbit/s."""
    parts = (
        f"[0:a]atrim=0:{LEAD_S},aformat=sample_rates=48000:channel_layouts=stereo[before]",
        f"[1:a]atempo={tempo},atrim=0:{heard_s},aformat=sample_rates=48000:channel_layouts=stereo[spot]",
        "[2:a]atrim=2:6,asetpts=PTS-STARTPTS,aformat=sample_rates=48000:channel_layouts=stereo[after]",
        "[before][spot][after]concat=n=3:v=0:a=1[out]",
    )
    media = [argument for file in (MEDIA / "programme.opus", SPOTS / f"{spot_id}.opus", then) for argument in ("-i", str(file))]
    command = ["ffmpeg", "-v", "error", *media, "-filter_complex", ";".join(parts), "-map", "[out]", "-c:a", "aac", "-b:a", "64k"]
    subprocess.run([*command, target], check=True)
    return target


def heard(library: SpotLibrary, media: Path) -> tuple[Onset, FollowEnd]:
    """The one airing in a recording, whatever else the sound after it begins."""
    recogniser = Recogniser(library, feed_id="feed")
    events = recogniser.feed(AudioBlock(pcm=read_recording(media), first_sample=0, seen_mono_ns=0)) + recogniser.finish()
    (onset,) = (event for event in events if isinstance(event, Onset))
    (end,) = (event for event in events if isinstance(event, FollowEnd))
    return onset, end


@pytest.mark.parametrize("tempo", [0.96, 0.98, 1.0, 1.02, 1.04])
@pytest.mark.parametrize("spot_id", ["brus-10", "sparring-15", "kaffee-20"])
def test_a_squeezed_spot_is_followed_to_its_end(spot_id: str, tempo: float, library: SpotLibrary, tmp_path: Path) -> None:
    """All of it, at its speed; of a spot and its cut-down the right one."""
    length_s = next(spot.audible_s for spot in library.spots if spot.id == spot_id) / tempo
    media = on_air(tmp_path / "whole.m4a", spot_id, tempo=tempo, heard_s=60.0, then=MEDIA / "programme.opus")
    onset, end = heard(library, media)

    assert spot_id in onset.spot_ids
    assert (end.spot_id, end.cut_s) == (spot_id, None)
    assert end.end_s - end.onset_s == pytest.approx(length_s, abs=0.15)
    assert end.coverage > 0.98
    assert end.speed == pytest.approx(tempo, rel=0.005)
    assert end.confidence > 0.5


@pytest.mark.parametrize("tempo", [0.96, 1.04])
@pytest.mark.parametrize("then", ["vinterdack-20", "kaffee-20"])
def test_a_squeezed_spot_cut_off_ends_at_the_cut(tempo: float, then: str, library: SpotLibrary, tmp_path: Path) -> None:
    """Six seconds of it, then the middle of another spot."""
    media = on_air(tmp_path / "cut.m4a", "brus-10", tempo=tempo, heard_s=6.0, then=SPOTS / f"{then}.opus")
    _, end = heard(library, media)

    assert end.end_s == pytest.approx(LEAD_S + 6.0, abs=0.2)
    assert end.cut_s == pytest.approx(6.0, abs=0.2)
    assert end.coverage == pytest.approx(0.6 * tempo, abs=0.02)
    assert end.speed == pytest.approx(tempo, rel=0.005)
