"""The committed example media is what its truth says, and what the demonstration counts on."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import signal

from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.capture import Capture
from timebase import SystemClock

MEDIA = Path(__file__).parents[3] / "examples" / "media"
TRUTH: dict[str, Any] = json.loads((MEDIA / "programme.json").read_text(encoding="utf-8"))
SPOTS = sorted((MEDIA / "spots").glob("*.opus"))


@pytest.fixture(scope="module")
def sounds() -> dict[str, npt.NDArray[np.float32]]:
    """Every file's samples by its stem, at `SAMPLE_RATE_HZ`."""
    return {path.stem: decoded(path) for path in [*SPOTS, MEDIA / "programme.opus"]}


def decoded(path: Path) -> npt.NDArray[np.float32]:
    with Capture(str(path), clock=SystemClock()) as capture:
        return np.concatenate([block.pcm for block in capture.blocks()])


def first_audible(pcm: npt.NDArray[np.float32]) -> int:
    return int(np.argmax(np.abs(pcm) > 10 ** (-50 / 20)))


def test_there_are_six_spots_of_ten_to_thirty_seconds(sounds: dict[str, npt.NDArray[np.float32]]) -> None:
    """Their ids end with their lengths."""
    assert len(SPOTS) == 6
    for path in SPOTS:
        assert len(sounds[path.stem]) / SAMPLE_RATE_HZ == pytest.approx(float(path.stem.rpartition("-")[2]), abs=0.02)


def test_the_media_is_small() -> None:
    """A clone stays quick."""
    assert sum(path.stat().st_size for path in [*SPOTS, MEDIA / "programme.opus"]) < 6_000_000


def test_the_cut_downs_share_exactly_their_first_three_seconds(sounds: dict[str, npt.NDArray[np.float32]]) -> None:
    """Until then they cannot be told apart, from then on they can."""
    long, short = sounds["kaffee-30"], sounds["kaffee-20"]
    shared, after = 3 * SAMPLE_RATE_HZ, 4 * SAMPLE_RATE_HZ

    assert np.corrcoef(long[: shared - 200], short[: shared - 200])[0, 1] > 0.999
    assert abs(np.corrcoef(long[shared:after], short[shared:after])[0, 1]) < 0.3


def test_one_spot_begins_with_silence(sounds: dict[str, npt.NDArray[np.float32]]) -> None:
    """Its onset is its first audible sample, not its file's beginning."""
    leads_s = {path.stem: first_audible(sounds[path.stem]) / SAMPLE_RATE_HZ for path in SPOTS}

    assert leads_s.pop("vinterdack-20") == pytest.approx(0.8, abs=0.005)
    assert max(leads_s.values()) < 0.01


@pytest.mark.parametrize("number", range(len(TRUTH["airings"])))
def test_every_airing_is_where_the_truth_says(number: int, sounds: dict[str, npt.NDArray[np.float32]]) -> None:
    """The programme correlates best with the spot at its onset, to within 6 ms (the station's equaliser turns phases)."""
    airing = TRUTH["airings"][number]
    spot, programme = sounds[airing["spot"]], sounds["programme"]
    lead = first_audible(spot)
    piece = spot[lead + 2_000 : lead + 6 * SAMPLE_RATE_HZ]  # with voice: a held tone alone matches itself anywhere
    at, reach = round(airing["onset_s"] * SAMPLE_RATE_HZ) + 2_000, 1_600

    match = signal.correlate(programme[at - reach : at + len(piece) + reach], piece, mode="valid")

    assert abs(int(np.argmax(np.abs(match))) - reach) <= 0.006 * SAMPLE_RATE_HZ


def test_the_programme_has_what_the_demonstration_needs(sounds: dict[str, npt.NDArray[np.float32]]) -> None:
    """Eight airings or more over its length, back to back too, a spot twice, one cut off, room at both ends."""
    airings, length_s = TRUTH["airings"], TRUTH["length_s"]
    names = [airing["spot"] for airing in airings]

    assert len(sounds["programme"]) / SAMPLE_RATE_HZ == pytest.approx(length_s, abs=0.02)
    assert len(airings) >= 8
    assert {path.stem for path in SPOTS} == set(names)
    assert max(names.count(name) for name in names) >= 2
    assert airings[0]["onset_s"] == pytest.approx(8, abs=0.5)
    assert airings[-1]["end_s"] <= length_s - 5
    assert any(after["onset_s"] - before["end_s"] < 0.01 for before, after in itertools.pairwise(airings))
    assert any(not airing["complete"] for airing in airings)


def test_nothing_clips(sounds: dict[str, npt.NDArray[np.float32]]) -> None:
    """Peaks stay below full scale and the level is a broadcaster's."""
    for pcm in sounds.values():
        assert np.max(np.abs(pcm)) < 0.99
        assert -26 < 10 * np.log10(np.mean(pcm**2)) < -18
