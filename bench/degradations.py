"""What happens to sound between the playout and us: mixes, filters and the real codecs of broadcast, through ffmpeg."""

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.corpus import STREAM_RATE_HZ
from bench.material import Pcm
from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.capture import Capture, Channel
from fingerprints.rates import Rate
from timebase import SystemClock

CODEC_DELAY_S_MAX: Final = 0.2
CORRELATED: Final = 0.2
"""Below this the decoded sound is too unlike the original to measure the codec's delay by correlation; none is assumed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One way for airings to reach us.

    Attributes:
        name: what the report calls it.
        filters: an ffmpeg audio filter chain, applied to everything on air.
        encode: ffmpeg options of the codec; the last is the file's suffix.
        speed: how much faster it plays than delivered.
        rates: other playback rates the channel is known to use.
        channel: which channels of it the listener takes.
        cross_fade_s: the programme before still sounds this long under the spot.
        voice_over_db: level of a presenter's voice against the spot; None for none.
        head_cut_s_max: up to this much of the head is not aired.
        noise_db: level of pink and white noise against everything else; None for none.
        dropouts: 20 ms of silence about every 0.7 s.
        headline: measured against the whole library, not only against the aired spots.
        median_ms: what issue-level targets ask of the median; None where only being heard counts.
        p99_ms: the same for the 99th percentile.
        recall: share that must be heard.
        late: heard by the whole-spot index, not by the head.
    """

    name: str
    filters: str = "anull"
    encode: tuple[str, ...] = ("-c:a", "pcm_s16le", "wav")
    speed: float = 1.0
    rates: tuple[Rate, ...] = ()
    channel: Channel = "mix"
    cross_fade_s: float = 0.0
    voice_over_db: float | None = None
    head_cut_s_max: float = 0.0
    noise_db: float | None = None
    dropouts: bool = False
    headline: bool = False
    median_ms: float | None = None
    p99_ms: float | None = None
    recall: float = 0.999
    late: bool = False


_TEMPOS: Final = (Rate(speed=1.04, keeps_pitch=True), Rate(speed=0.96, keeps_pitch=True))
_SPEEDS: Final = (Rate(speed=1.042), Rate(speed=0.958))
_AAC_64: Final = ("-c:a", "aac", "-b:a", "64k", "m4a")
CHAIN: Final = (
    "acompressor=threshold=0.05:ratio=4:attack=5:release=80:makeup=2,"
    "equalizer=f=120:t=q:w=0.8:g=4,equalizer=f=2500:t=q:w=1:g=-3,equalizer=f=6000:t=q:w=0.8:g=5,alimiter=limit=0.8"
)
"""A station's compressor, equaliser and limiter."""


def _codec(name: str, *encode: str) -> Condition:
    return Condition(name=name, encode=encode)


CONDITIONS: Final[tuple[Condition, ...]] = (
    Condition(name="broadcast chain, AAC 64k", filters=CHAIN, encode=_AAC_64, headline=True, median_ms=150, p99_ms=350),
    Condition(name="MP3 32k mono", encode=("-ac", "1", "-c:a", "libmp3lame", "-b:a", "32k", "mp3"), headline=True, median_ms=200),
    Condition(name="cross-fade 200 ms, AAC 64k", filters=CHAIN, encode=_AAC_64, cross_fade_s=0.2, headline=True, median_ms=300),
    Condition(name="voice-over -6 dB, AAC 64k", filters=CHAIN, encode=_AAC_64, voice_over_db=-6, headline=True, median_ms=400),
    Condition(name="clean"),
    _codec("AAC 32k mono", "-ac", "1", "-c:a", "aac", "-b:a", "32k", "m4a"),
    _codec("AAC 48k", "-c:a", "aac", "-b:a", "48k", "m4a"),
    _codec("AAC 128k", "-c:a", "aac", "-b:a", "128k", "m4a"),
    _codec("MP2 96k", "-c:a", "mp2", "-b:a", "96k", "mp2"),
    _codec("MP2 192k", "-c:a", "mp2", "-b:a", "192k", "mp2"),
    _codec("MP3 64k", "-c:a", "libmp3lame", "-b:a", "64k", "mp3"),
    _codec("MP3 128k", "-c:a", "libmp3lame", "-b:a", "128k", "mp3"),
    _codec("AC-3 96k", "-c:a", "ac3", "-b:a", "96k", "ac3"),
    _codec("AC-3 192k", "-c:a", "ac3", "-b:a", "192k", "ac3"),
    _codec("Opus 24k", "-c:a", "libopus", "-b:a", "24k", "opus"),
    _codec("Opus 64k", "-c:a", "libopus", "-b:a", "64k", "opus"),
    Condition(name="compressor", filters="acompressor=threshold=0.03:ratio=9:attack=2:release=50:makeup=4"),
    Condition(name="equaliser ±9 dB", filters="bass=g=9:f=200,treble=g=-9:f=3000"),
    Condition(name="limiter +12 dB", filters="volume=12dB,alimiter=limit=0.9:level=0"),
    Condition(name="clipping +18 dB", filters="volume=18dB"),
    Condition(name="gain -40 dB", filters="volume=-40dB"),
    Condition(name="AM band 300–3400 Hz", filters="highpass=f=300:p=2,highpass=f=300:p=2,lowpass=f=3400:p=2,lowpass=f=3400:p=2"),
    Condition(name="sampled at 22.05 kHz", filters="aresample=22050"),
    Condition(name="noise 20 dB below", noise_db=-20),
    Condition(name="noise 10 dB below", noise_db=-10, recall=0.0),
    Condition(name="dropouts", dropouts=True),
    Condition(name="clock 100 ppm fast", filters="asetrate=48005,aresample=48000", speed=48005 / 48000),
    Condition(name="mono", encode=("-ac", "1", "-c:a", "pcm_s16le", "wav")),
    Condition(name="one channel inverted", filters="pan=stereo|c0=c0|c1=-1*c1"),
    # Shown without a target: the left channel of wide stereo is another sound than the mix it is compared with.
    Condition(name="one channel inverted, left taken", filters="pan=stereo|c0=c0|c1=-1*c1", channel="left", recall=0.0),
    Condition(name="tempo +4 %", filters="atempo=1.04", speed=1.04, rates=_TEMPOS),
    Condition(name="tempo -4 %", filters="atempo=0.96", speed=0.96, rates=_TEMPOS),
    Condition(name="speed +4.2 %", filters="asetrate=50016,aresample=48000", speed=1.042, rates=_SPEEDS),
    Condition(name="speed -4.2 %", filters="asetrate=45984,aresample=48000", speed=0.958, rates=_SPEEDS),
    Condition(name="head cut off by up to 2 s", filters=CHAIN, encode=_AAC_64, head_cut_s_max=2.0, recall=0.99, late=True),
)
"""Noise 10 dB below is shown without a target: it is the place where the method begins to fail."""


def through(condition: Condition, pcm: Pcm) -> tuple[Pcm, float]:
    """What the listener receives of a stream.

    Args:
        condition: its filters and codec are applied here; its mixes were when the stream was made.
        pcm: float32 [shape=(n_samples, 2)], 48 kHz.

    Returns:
        (float32 [shape=(n_samples,)], mono, 16 kHz, by the program's own capture; seconds by which the codec delayed it)
    """
    *options, suffix = condition.encode
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / f"stream.{suffix}"
        command = ["ffmpeg", "-v", "error", "-f", "f32le", "-ar", str(STREAM_RATE_HZ), "-ac", "2", "-i", "-"]
        subprocess.run([*command, "-threads", "1", "-af", condition.filters, *options, out], input=pcm.tobytes(), check=True)
        heard = received(out, channel=condition.channel)
    return heard, delay_s(pcm, heard) if condition.speed == 1.0 else 0.0


def received(path: Path, *, channel: Channel) -> Pcm:
    """A recording as a listener captures it, float32 [shape=(n_samples,)], mono, 16 kHz."""
    with Capture(str(path), clock=SystemClock(), channel=channel) as capture:
        parts = [block.pcm for block in capture.blocks()]
    return np.concatenate(parts) if parts else np.empty(0, np.float32)


def delay_s(sent: Pcm, heard: Pcm) -> float:
    """How much later the sound is than it was sent, by correlation of the first 20 s; 0 when they are too unlike."""
    length, most = 20 * SAMPLE_RATE_HZ, round(CODEC_DELAY_S_MAX * SAMPLE_RATE_HZ)
    # Every third sample of a smoothed 48 kHz signal is 16 kHz well enough to align by.
    mono = sent.mean(axis=1)
    kernel = np.ones(3, np.float32) / 3
    before = np.convolve(mono, kernel, mode="same")[::3][:length]
    after = heard[:length]
    n = min(len(before), len(after))
    size = 2 * n
    cross: NDArray[np.float64] = np.fft.irfft(np.fft.rfft(after[:n], size) * np.conj(np.fft.rfft(before[:n], size)), size)
    near = np.abs(np.concatenate([cross[-most:], cross[: most + 1]]))
    norm = float(np.linalg.norm(before[:n]) * np.linalg.norm(after[:n])) or 1.0
    top = int(np.argmax(near))
    return (top - most) / SAMPLE_RATE_HZ if near[top] / norm >= CORRELATED else 0.0
