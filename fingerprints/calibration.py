"""From a promise to a threshold: how often does chance alone bring a score, as measured in sound without spots?

Each spot that is listened for an hour is one *spot-hour*, a chance for a coincidence. The scores of coincidences above a floor
fall off exponentially (`bench/tail.py` asks how straight), so a count, a slope and the spot-hours they were counted in say how
many come above any score in a feed-year, and within which interval. The threshold is where the upper end of that interval meets
the promise: little measured means a higher threshold, never a broken promise.

`SHIPPED` was measured on the benchmark's sound. A library may have a calibration of its own, measured on what its channels
broadcast (`cuebird spots calibrate`); it is kept beside the prints and names every parameter that changes a score.
"""

import hashlib
import json
import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from fingerprints import coherence
from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.errors import CalibrationError, FingerprintsError
from fingerprints.store import HEAD_PARAMETERS, write_whole

CALIBRATION_FILE: Final = "calibration.json"
HOURS_A_YEAR: Final = 365.25 * 24
FLOOR_NATS: Final = 10.0
"""Where the tail begins: below it stands what bits and a waveform that is not spread give together (3.2 and 6 nats)."""
MIN_THRESHOLD_NATS: Final = 14.0
"""However lax the promise: a coincidence of the waveform alone reaches this once in a million."""
COUNT_LEAST: Final = 30
"""Fewer coincidences than this say nothing about a year."""
BYTES_MAX: Final = 65_536
SCORE_PARAMETERS: Final = {
    **HEAD_PARAMETERS,
    "bits_share": coherence.BITS_SHARE,
    "check_frames": coherence.CHECK_FRAMES,
    "check_least_nats": coherence.CHECK_LEAST_NATS,
    "lag_samples": coherence.LAG_SAMPLES,
    "compared_samples_max": coherence.COMPARED_SAMPLES_MAX,
    "floor_nats": FLOOR_NATS,
}
"""Everything that changes a score; a calibration made with other values does not serve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How chance scores.

    Attributes:
        source: what it was measured on, for people.
        spot_hours: hours of sound without spots, times spots listened for.
        count: coincidences above `FLOOR_NATS`.
        slope: of the exponential they fall off by, a nat.
        largest: the highest score among them, nats.
    """

    source: str
    spot_hours: float
    count: int
    slope: float
    largest: float

    def __post_init__(self) -> None:
        numbers = (self.spot_hours, self.slope, self.largest)
        if not all(math.isfinite(number) and number > 0 for number in numbers) or self.count < COUNT_LEAST:
            raise CalibrationError(f"{self.source}: {self}: a calibration needs numbers above 0 and {COUNT_LEAST} coincidences")

    def a_year(self, score: float, *, n_spots: int) -> tuple[float, float, float]:
        """Coincidences at or above a score in a feed-year of `n_spots` spots.

        Returns:
            (expected, lower and upper end of the 95 % interval)

        Source:
            The logarithm of the rate is the sum of that of a Poisson count and of a slope's product with the excess; both have a
            relative error of one over the root of the count (Coles 2001, chapter 2, the delta method).
        """
        over = self.slope * max(0.0, score - FLOOR_NATS)
        log_rate = math.log(self.count / self.spot_hours * HOURS_A_YEAR * max(1, n_spots)) - over
        wobble = 1.96 * math.sqrt((1.0 + over * over) / self.count)
        return math.exp(log_rate), math.exp(log_rate - wobble), math.exp(log_rate + wobble)

    def an_hour(self, *, n_spots: int) -> float:
        """Coincidences above the floor that an hour of a feed brings at most (95 %), on sound as it was calibrated on."""
        return self.a_year(FLOOR_NATS, n_spots=n_spots)[2] / HOURS_A_YEAR


def threshold_nats(*, n_spots: int, false_per_feed_year: float, calibration: Calibration) -> float:
    """The score that keeps a promise about false decisions.

    Raises:
        FingerprintsError: the promise is not a positive number.
    """
    if not (math.isfinite(false_per_feed_year) and false_per_feed_year > 0):
        raise FingerprintsError(f"false_per_feed_year: {false_per_feed_year}; it must be a number above 0, such as 1.0")
    low, high = MIN_THRESHOLD_NATS, 1000.0
    if calibration.a_year(low, n_spots=n_spots)[2] <= false_per_feed_year:
        return low
    for _ in range(60):
        middle = (low + high) / 2
        kept = calibration.a_year(middle, n_spots=n_spots)[2] <= false_per_feed_year
        low, high = (low, middle) if kept else (middle, high)
    return high


def calibrate(scores: Sequence[float], *, spot_hours: float, source: str) -> Calibration:
    """The calibration that coincidences give.

    Args:
        scores: the best score of each coincidence, nats; those below the floor are ignored.
        spot_hours: see `Calibration`.
        source: what was played, for people.

    Raises:
        CalibrationError: too few of them.
    """
    excess = [score - FLOOR_NATS for score in scores if score >= FLOOR_NATS]
    if len(excess) < COUNT_LEAST:
        raise CalibrationError(
            f"{source}: {len(excess)} coincidences in {spot_hours:,.0f} spot-hours; at least {COUNT_LEAST} are needed:"
            " give more hours of programme, or a folder with more spots"
        )
    return Calibration(
        source=source,
        spot_hours=spot_hours,
        count=len(excess),
        slope=len(excess) / max(1e-9, sum(excess)),
        largest=FLOOR_NATS + max(excess),
    )


def write_calibration(path: Path, calibration: Calibration) -> None:
    """Keep a calibration; the file appears all at once.

    Raises:
        OSError: it cannot be written.
    """
    text = json.dumps({"parameters": _parameters_hash(), "calibration": asdict(calibration)}, indent=1) + "\n"
    path.parent.mkdir(exist_ok=True)
    write_whole(path, lambda temporary: Path(temporary).write_text(text, encoding="utf-8"))


def read_calibration(path: Path) -> Calibration | None:
    """What `write_calibration` kept; None where there is no such file.

    Raises:
        CalibrationError: it cannot be read, is damaged, or was made with other parameters.
    """
    again = "measure it again with `cuebird spots calibrate`, or delete it to go back to the shipped one"
    try:
        with path.open("rb") as file:
            kept: Any = json.loads(file.read(BYTES_MAX))
        if kept["parameters"] != _parameters_hash():
            raise CalibrationError(f"{path.name}: made by another version, whose scores are others; {again}")
        return Calibration(**kept["calibration"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise CalibrationError(f"{path.name}: it cannot be read as a calibration; {again}") from error


def _parameters_hash() -> str:
    return hashlib.sha256(json.dumps(SCORE_PARAMETERS, sort_keys=True).encode()).hexdigest()


CLUSTER_S: Final = 0.5
"""Scores of one spot within this are one coincidence: neighbouring alignments, and the same hypothesis a little older."""
BIN_S: Final = 300.0
WATCHED_BINS: Final = 12
"""An hour."""
SURE: Final = 1e-6
"""How unlikely the calibration must make what was counted before it is said to be wrong."""
EXCESS_LEAST: Final = 5


class ChanceWatch:
    """Whether a feed's coincidences still come as the calibration says: the last hour, in steps of five minutes. Pure."""

    def __init__(self, calibration: Calibration, *, n_spots: int) -> None:
        self._an_hour = calibration.an_hour(n_spots=n_spots)
        self._bins: deque[tuple[float, int]] = deque([(0.0, 0)], maxlen=WATCHED_BINS)
        self._last: dict[int, int] = {}

    def note(self, places: Iterable[tuple[int, int]], *, samples: int) -> None:
        """Coincidences above the floor in the next `samples` of 16 kHz.

        Args:
            places: of each, the spot and the sample at which it seemed to begin; one that is told again counts once.
            samples: of 16 kHz.
        """
        heard_s, count = self._bins[-1]
        for spot, onset_sample in places:
            count += abs(onset_sample - self._last.get(spot, -SAMPLE_RATE_HZ)) >= CLUSTER_S * SAMPLE_RATE_HZ
            self._last[spot] = onset_sample
        self._bins[-1] = heard_s + samples / SAMPLE_RATE_HZ, count
        if self._bins[-1][0] >= BIN_S:
            self._bins.append((0.0, 0))
            self._last.clear()

    @property
    def excess(self) -> tuple[int, float] | None:
        """(counted, at most expected) when there were surely too many; else None."""
        hours = sum(heard_s for heard_s, _ in self._bins) / 3600
        counted, expected = sum(count for _, count in self._bins), self._an_hour * hours
        unlikely = counted >= EXCESS_LEAST and _at_least(counted, expected) < SURE
        return (counted, expected) if unlikely else None


def _at_least(count: int, expected: float) -> float:
    """The probability that a Poisson count of this expectation reaches `count`."""
    below, term = 0.0, math.exp(-expected)
    for k in range(count):
        below += term
        term *= expected / (k + 1)
    return max(0.0, 1.0 - below)


SHIPPED: Final = Calibration(
    source="1.7 h of the benchmark's music, speech and made sound, 10,000 spots",
    spot_hours=16_744.5,
    count=56,
    slope=0.518,
    largest=18.5,
)
"""Source: docs/adr/0011; half of it, and all above 13 nats, is one synthetic voice that says the sentences of a spot again."""
