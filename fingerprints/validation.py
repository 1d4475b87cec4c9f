"""What a recording must be to serve as a spot, and what is worth saying about one that may: judged when it is added.

A fault refuses the spot; a warning does not, because a station may still deliver it so.
"""

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from fingerprints.downmix import Downmix
from fingerprints.errors import MediaError
from fingerprints.identifiers import KEYS, seconds_in
from fingerprints.loudness import TARGET_LUFS, TOLERANCE_LU, Channels, Loudness, measure

LONGEST_S: Final = 660.0
CLIPPED_RUNS_MAX: Final = 10
"""A flat top here and there is a hard limiter's; more than this is distortion, and its bits are not those that will air."""
TOO_QUIET_LUFS: Final = -45.0
LENGTH_TOLERANCE_S: Final = 1.0


class Advice(enum.StrEnum):
    """What a warning is about."""

    LOUDNESS = "loudness"
    CLIPPING = "clipping"
    LENGTH = "length"
    POLARITY = "polarity"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """Something a person should know about a recording.

    Attributes:
        about: what it concerns.
        message: one sentence.
    """

    about: Advice
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """A recording as it is stored: all channels, its own sample rate.

    Attributes:
        channels: float64 [shape=(n_channels, n_samples)], -1 to 1.
        rate_hz: samples a second.
    """

    channels: Channels
    rate_hz: int

    @property
    def length_s(self) -> float:
        """Its length, silence and all."""
        return float(self.channels.shape[1] / self.rate_hz)


def read_sound(path: Path) -> Sound:
    """A recording, all channels at its own rate.

    Raises:
        MediaError: not readable as audio.
    """
    import av
    import av.error
    from av.audio.frame import AudioFrame
    from av.audio.resampler import AudioResampler

    parts: list[Channels] = []
    samples, rate_hz = 0, 0
    try:
        with av.open(str(path), options={"protocol_whitelist": "file"}) as container:
            if not container.streams.audio:
                raise MediaError(f"{path}: there is no sound in it; give a recording with an audio track")
            resampler = AudioResampler(format="fltp")
            for frame in container.decode(container.streams.audio[0]):
                assert isinstance(frame, AudioFrame)
                rate_hz = frame.sample_rate
                for planar in resampler.resample(frame):
                    parts.append(planar.to_ndarray().astype(np.float64))
                    samples += parts[-1].shape[1]
                if samples > LONGEST_S * rate_hz:
                    break
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise MediaError(f"{path}: not readable as audio ({error}); give a recording in a usual format") from error
    if not parts:
        raise MediaError(f"{path}: there is no sound in it; give a recording with an audio track")
    return Sound(channels=np.concatenate(parts, axis=1), rate_hz=rate_hz)


def warnings_of(sound: Sound, *, identifiers: Mapping[str, str]) -> tuple[Loudness, tuple[Warned, ...]]:
    """How loud a recording is, and what is worth saying about it.

    Args:
        sound: the recording.
        identifiers: as `identifiers.checked` returns them; some say how long the spot is.
    """
    measured = measure(sound.channels, sound.rate_hz)
    said = [_about_loudness(measured), _about_clipping(measured), _about_polarity(sound.channels)]
    said += _about_length(sound.length_s, identifiers)
    return measured, tuple(one for one in said if one is not None)


def _about_loudness(measured: Loudness) -> Warned | None:
    lufs = measured.integrated_lufs
    if math.isfinite(lufs) and abs(lufs - TARGET_LUFS) <= TOLERANCE_LU:
        return None
    if lufs < TOO_QUIET_LUFS:
        message = f"{lufs:.1f} LUFS: so quiet that it is hardly what will air; EBU R 128 asks for {TARGET_LUFS:.0f}"
    else:
        message = (
            f"{lufs:.1f} LUFS, {lufs - TARGET_LUFS:+.1f} LU from the {TARGET_LUFS:.0f} of EBU R 128: ask for the delivery master"
        )
    return Warned(about=Advice.LOUDNESS, message=message)


def _about_clipping(measured: Loudness) -> Warned | None:
    if measured.clipped_runs <= CLIPPED_RUNS_MAX:
        return None
    message = f"clipped in {measured.clipped_runs} places: ask for a recording that was not turned up"
    return Warned(about=Advice.CLIPPING, message=message)


def _about_polarity(channels: Channels) -> Warned | None:
    if len(channels) != 2:
        return None
    downmix = Downmix(follows=False)
    downmix.feed(channels[0].astype(np.float32), channels[1].astype(np.float32))
    if not downmix.seems_inverted:
        return None
    message = "one channel is inverted: where it is aired in mono little is left of it; ask for a recording in phase"
    return Warned(about=Advice.POLARITY, message=message)


def _about_length(length_s: float, identifiers: Mapping[str, str]) -> list[Warned]:
    said: list[Warned] = []
    for key, claimed_s in seconds_in({key: identifiers[key] for key in KEYS if key in identifiers}).items():
        if abs(length_s - claimed_s) > LENGTH_TOLERANCE_S:
            message = f"{length_s:.1f} s long, but its {key} {identifiers[key]} says {claimed_s} s: is it the right file?"
            said.append(Warned(about=Advice.LENGTH, message=message))
    return said
