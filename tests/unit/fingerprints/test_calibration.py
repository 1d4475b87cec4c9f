"""Promises become thresholds; calibrations are kept, checked and watched."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from fingerprints.calibration import (
    COUNT_LEAST,
    FLOOR_NATS,
    MIN_THRESHOLD_NATS,
    SHIPPED,
    Calibration,
    ChanceWatch,
    calibrate,
    read_calibration,
    threshold_nats,
    write_calibration,
)
from fingerprints.errors import CalibrationError, FingerprintsError
from fingerprints.impostors import decoys_of, impostors_in
from fingerprints.library import SpotLibrary
from fingerprints.onset import OnsetMatcher
from fingerprints.prints import make_print

Pcm = npt.NDArray[np.float32]
Music = Callable[[int, float], Pcm]
PLAIN = Calibration(source="made", spot_hours=1e6, count=10_000, slope=1.0, largest=16.0)


def test_a_stricter_promise_needs_more_evidence() -> None:
    """Ten times fewer false decisions, or ten times more spots, raise the threshold by the same step."""
    base, strict, many = (
        threshold_nats(n_spots=n_spots, false_per_feed_year=promise, calibration=PLAIN)
        for n_spots, promise in ((1000, 1.0), (1000, 0.1), (10_000, 1.0))
    )

    assert strict == pytest.approx(many)
    assert strict - base == pytest.approx(np.log(10), rel=0.05)


def test_at_the_threshold_the_upper_end_of_the_interval_is_the_promise() -> None:
    """Not the middle: what is not known is taken for the worse."""
    threshold = threshold_nats(n_spots=5000, false_per_feed_year=0.5, calibration=PLAIN)
    expected, low, high = PLAIN.a_year(threshold, n_spots=5000)

    assert high == pytest.approx(0.5, rel=1e-6)
    assert low < expected < high


def test_less_measured_means_a_higher_threshold() -> None:
    """A hundredth of the coincidences in a hundredth of the sound."""
    little = Calibration(source="made", spot_hours=1e4, count=100, slope=1.0, largest=12.0)

    assert threshold_nats(n_spots=100, false_per_feed_year=1.0, calibration=little) > 2 + threshold_nats(
        n_spots=100, false_per_feed_year=1.0, calibration=PLAIN
    )


@pytest.mark.parametrize("promise", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_promise_is_refused(promise: float) -> None:
    """The message names the setting and an example."""
    with pytest.raises(FingerprintsError, match=r"false_per_feed_year: .*such as 1\.0"):
        threshold_nats(n_spots=1, false_per_feed_year=promise, calibration=SHIPPED)


def test_however_lax_the_promise_some_evidence_is_needed() -> None:
    """A million false decisions a year are no licence to guess."""
    assert threshold_nats(n_spots=1, false_per_feed_year=1e9, calibration=PLAIN) == MIN_THRESHOLD_NATS


def test_a_known_tail_is_found_again_and_its_interval_holds_the_truth() -> None:
    """Of twenty samples, the true yearly rate at 20 nats lies in the interval of all but at most three."""
    missed = 0
    for seed in range(20):
        scores = FLOOR_NATS + np.random.default_rng(seed).exponential(1 / 0.9, 400)
        made = calibrate(scores.tolist(), spot_hours=1000.0, source="made")
        truth = 400 / 1000.0 * 365.25 * 24 * np.exp(-0.9 * (20.0 - FLOOR_NATS))
        _, low, high = made.a_year(20.0, n_spots=1)
        missed += not low < truth < high

    assert missed <= 3


def test_too_few_coincidences_are_refused() -> None:
    """With what to do about it."""
    with pytest.raises(CalibrationError, match=r"tape\.ts: 29 coincidences .*give more hours"):
        calibrate([FLOOR_NATS + 1] * (COUNT_LEAST - 1) + [FLOOR_NATS - 1] * 50, spot_hours=10.0, source="tape.ts")


def test_it_is_kept_beside_the_prints_and_read_again(tmp_path: Path) -> None:
    """And there is none where there is no file."""
    path = tmp_path / ".prints" / "calibration.json"
    assert read_calibration(path) is None
    write_calibration(path, PLAIN)

    assert read_calibration(path) == PLAIN


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"slope": 1.0', '"slope": -1.0'),
        ('"slope": 1.0', '"slope": NaN'),
        ('"count": 10000', '"count": 3'),
        ('"parameters": "', '"parameters": "0'),
        ('"slope"', '"slop"'),
        ("{", ""),
    ],
)
def test_a_damaged_or_foreign_one_is_refused(tmp_path: Path, old: str, new: str) -> None:
    """The message says how to make it anew; the library says so and goes on with the shipped one."""
    path = tmp_path / ".prints" / "calibration.json"
    write_calibration(path, PLAIN)
    path.write_text(path.read_text().replace(old, new, 1))

    with pytest.raises(CalibrationError):
        read_calibration(path)
    library = SpotLibrary.open(tmp_path)
    assert library.calibration == SHIPPED
    assert [problem.name for problem in library.problems] == ["calibration.json"]


def test_a_folder_s_own_calibration_sets_its_threshold(tmp_path: Path) -> None:
    """Which is what makes a recalibration matter."""
    flat = Calibration(source="a nasty channel", spot_hours=100.0, count=5000, slope=0.4, largest=30.0)
    write_calibration(tmp_path / ".prints" / "calibration.json", flat)
    library = SpotLibrary.open(tmp_path)

    assert library.calibration == flat
    assert library.threshold > SpotLibrary(spots=()).threshold + 10


def test_as_many_coincidences_as_calibrated_are_no_warning_and_many_more_are() -> None:
    """A feed of another kind than the calibration's is told apart within the hour."""
    watch, expected_an_hour = ChanceWatch(PLAIN, n_spots=1000), PLAIN.an_hour(n_spots=1000)
    for minute in range(600):
        watch.note(int(minute % 6 == 0 and expected_an_hour / 10 >= 1), samples=60 * 16_000)
    before = watch.excess
    for _ in range(30):
        watch.note(3, samples=60 * 16_000)
    excess = watch.excess

    assert before is None
    assert excess is not None
    assert excess[0] > 5 * excess[1]
    for _ in range(90):
        watch.note(0, samples=60 * 16_000)
    assert watch.excess is None


def test_music_without_the_spots_scores_little_and_a_spot_in_it_is_no_coincidence(music: Music) -> None:
    """What is really there is marked as repeated, and the matcher is as it was afterwards."""
    prints = [make_print(str(seed), music(seed, 3.0)) for seed in range(60)]
    matcher = OnsetMatcher(prints)
    threshold = matcher.threshold
    pcm = np.concatenate([music(200, 20.0), music(7, 3.0), music(201, 20.0)])
    found = impostors_in(matcher, pcm)
    repeated = [one for one in found if one.repeated]

    assert {one.spot for one in repeated} == {7}
    assert abs(repeated[0].onset_s - 20.0) < 0.01
    assert all(one.score < 15 for one in found if not one.repeated)
    assert matcher.threshold == threshold


def test_decoys_are_heads_of_the_sound_itself(music: Music) -> None:
    """Each is found where it was cut, so a folder of three spots can be calibrated too; silence gives none."""
    pcm = np.concatenate([music(210, 20.0), np.zeros(160_000, np.float32)])
    decoys = decoys_of(pcm)
    found = impostors_in(OnsetMatcher(decoys), pcm)

    assert 6 <= len(decoys) <= 9
    assert {one.spot for one in found if one.repeated} == set(range(len(decoys)))
