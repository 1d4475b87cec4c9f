"""Two other methods on the same airings: chromaprint with an exhaustive matcher, and landmarks as published in 2003.

Both are given every advantage: their library holds only the spots that air, and their thresholds are set just above whatever the
programme without spots reaches, which nobody could do on air.
"""

import json
import subprocess
import tempfile
import wave
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import scipy.ndimage
import scipy.signal

from bench.errors import BenchError
from bench.material import Pcm
from fingerprints.audio import SAMPLE_RATE_HZ

ITEM_S: Final = 1365 / 11025
ITEM_COMPLETE_S: Final = (4096 + 19 * 1365) / 11025
"""An item of chromaprint is known this long after its first sample: a frame of 4096 samples, 5 frames of chroma filter and 16 of
features after it. `fpcalc` 1.5.1 yields its first item from 2.75 s of sound and none from 2.72 s."""
RUN_ITEMS: Final = 4
"""Consecutive items compared: 128 bits, as few as tell one spot from another."""

LANDMARK_RATE_HZ: Final = 8000
LANDMARK_WINDOW: Final = 512
LANDMARK_HOP: Final = 256
LANDMARK_WINDOW_S: Final = 3.0
FAN_OUT: Final = 5
PEAKS_NEAR: Final = (15, 9)
"""A peak is the largest of this many bins and frames."""
REACH_FRAMES: Final = 32

Words = npt.NDArray[np.uint32]


def chromaprint_items(pcm: Pcm) -> Words:
    """The raw fingerprint `fpcalc` prints for a recording, one item every 0.124 s."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sound.wav"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(SAMPLE_RATE_HZ)
            file.writeframes((np.clip(pcm, -1, 1) * 32767).astype("<i2").tobytes())
        done = subprocess.run(["fpcalc", "-raw", "-json", "-length", "0", path], capture_output=True, check=False)
    # It complains of the end of every file and exits with 3, its fingerprint complete.
    if done.returncode not in {0, 3} or not done.stdout:
        raise BenchError(f"fpcalc: exit code {done.returncode} ({done.stderr.decode().strip()}); reinstall libchromaprint-tools")
    return np.array(json.loads(done.stdout)["fingerprint"], np.uint32)


def chromaprint_evidence(reference: Words, stream: Words) -> npt.NDArray[np.float64]:
    """For each item of the stream, how well the last `RUN_ITEMS` match the reference at its best place: share of equal bits."""
    best = np.zeros(len(stream))
    runs = len(stream) - RUN_ITEMS + 1
    if runs <= 0 or len(reference) < RUN_ITEMS:
        return best
    for at in range(len(reference) - RUN_ITEMS + 1):
        differing = np.zeros(runs, np.int64)
        for k in range(RUN_ITEMS):
            differing += np.bitwise_count(stream[k : k + runs] ^ reference[at + k])
        best[RUN_ITEMS - 1 :] = np.maximum(best[RUN_ITEMS - 1 :], 1.0 - differing / (32.0 * RUN_ITEMS))
    return best


def item_known_s(index: int) -> float:
    """Stream position at which an item can be computed."""
    return index * ITEM_S + ITEM_COMPLETE_S


class Landmarks:
    """The 2003 method: peaks of the spectrogram in pairs, hashes of (frequency, frequency, time between), votes for an offset.

    Source: Wang 2003, "An industrial-strength audio search algorithm", sections 2.1 to 2.3; written for this comparison.
    """

    def __init__(self, references: Sequence[Pcm]) -> None:
        self._index: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for number, pcm in enumerate(references):
            for hashed, frame, _ in landmarks_of(pcm):
                self._index[hashed].append((number, frame))
        self._count = len(references)

    def votes(self, pcm: Pcm, *, every_s: float = 0.1) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        """The most votes any offset of each reference has in the last three seconds.

        Returns:
            (stream positions, s, votes [shape=(n_positions, n_references)])
        """
        hits = [
            (known, number, at - frame)
            for hashed, at, known in landmarks_of(pcm)
            for number, frame in self._index.get(hashed, ())
        ]
        hits.sort()
        frame_s = LANDMARK_HOP / LANDMARK_RATE_HZ
        positions = np.arange(every_s, len(pcm) / SAMPLE_RATE_HZ, every_s)
        votes = np.zeros((len(positions), self._count), np.int64)
        counts: dict[tuple[int, int], int] = defaultdict(int)
        first = last = 0
        window = round(LANDMARK_WINDOW_S / frame_s)
        for i, position_s in enumerate(positions):
            frame = int((position_s * LANDMARK_RATE_HZ - LANDMARK_WINDOW) / LANDMARK_HOP)
            while last < len(hits) and hits[last][0] <= frame:
                counts[hits[last][1:]] += 1
                last += 1
            while first < last and hits[first][0] <= frame - window:
                counts[hits[first][1:]] -= 1
                first += 1
            for number, offset in {hit[1:] for hit in hits[first:last]}:
                votes[i, number] = max(votes[i, number], counts[number, offset] + counts.get((number, offset + 1), 0))
        return positions, votes


def landmarks_of(pcm: Pcm) -> list[tuple[int, int, int]]:
    """(hash, frame of its first peak, frame at which it is known) for each pair of peaks."""
    slow = scipy.signal.resample_poly(pcm, 1, SAMPLE_RATE_HZ // LANDMARK_RATE_HZ)
    _, _, spectrum = scipy.signal.stft(
        slow, nperseg=LANDMARK_WINDOW, noverlap=LANDMARK_WINDOW - LANDMARK_HOP, boundary=None, padded=False
    )
    level = np.log(np.abs(spectrum) + 1e-6)
    near_bins, near_frames = PEAKS_NEAR
    peaks = (level == scipy.ndimage.maximum_filter(level, size=(near_bins, near_frames))) & (level > np.median(level))
    bins, frames = np.nonzero(peaks)
    order = np.lexsort((bins, frames))
    bins, frames = bins[order], frames[order]
    found: list[tuple[int, int, int]] = []
    for i in range(len(frames)):
        pairs = 0
        for j in range(i + 1, len(frames)):
            apart = int(frames[j] - frames[i])
            if apart > REACH_FRAMES or pairs == FAN_OUT:
                break
            if apart > 0:
                hashed = int(bins[i]) << 16 | int(bins[j]) << 6 | apart
                found.append((hashed, int(frames[i]), int(frames[j]) + near_frames // 2))
                pairs += 1
    return found
