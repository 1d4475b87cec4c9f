"""Makes the example spots and the programme they air in, with the truth of what airs when.

    python examples/make_media.py            writes examples/media/

It needs the Debian packages `wesnoth-1.16-music` (the music) and `espeak-ng` (the voices); everything
else is Cuebird's own dependencies. The files are committed, so nobody has to run this to use Cuebird.
The same inputs give the same sound: nothing is drawn at random.

The programme is mixed from the masters, not from the Opus files, and goes through a broadcast chain
(equaliser, compressor, limiter), so that a spot on air is no bit-for-bit copy of its reference.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from scipy import signal

RATE_HZ = 48_000
SPOT_LUFS = -20.0
PROGRAMME_LUFS = -21.0
AUDIBLE_DB = -50.0
"""A spot begins at its first sample above this; everything before is leading silence."""
OPUS_BIT_RATE = 96_000
MUSIC = Path("/usr/share/games/wesnoth/1.16/data/core/music")

Sound = npt.NDArray[np.float32]
"""float32 [shape=(n_samples, 2)] at `RATE_HZ`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A sentence spoken at an instant of a spot or a programme part."""

    at_s: float
    text: str
    voice: str = "en-gb"
    pitch: int = 45


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Music from one place of one track, with sentences over it.

    The music begins on the strongest attack near `music_s`, as an editor would cut.
    """

    track: str
    music_s: float
    length_s: float
    lines: tuple[Line, ...] = ()
    silence_before_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OnAir:
    """One thing in the programme: a spot (by id) or a part, and how it begins.

    Attributes:
        cross_fade_s: 0 for a hard cut, otherwise how long it overlaps what was before.
        cut_after_s: a spot that is cut off, None for one that runs to its end.
    """

    what: str | Part
    cross_fade_s: float = 0.0
    cut_after_s: float | None = None


SPOTS: dict[str, tuple[Part, ...]] = {
    "kaffee-30": (
        Part(
            track="traveling_minstrels",
            music_s=30.0,
            length_s=30.0,
            lines=(
                Line(at_s=0.9, text="Half past six, in the north.", voice="en-gb-x-rp"),
                Line(
                    at_s=4.2,
                    text="The ferry is late. The snow is early. And the kettle has just begun to sing.",
                    voice="en-gb-x-rp",
                ),
                Line(at_s=11.5, text="We roast slowly, over birch wood, because nobody here is in a hurry.", voice="en-gb-x-rp"),
                Line(at_s=18.5, text="One valley, one harvest, one cup.", voice="en-gb-x-rp"),
                Line(at_s=24.0, text="Nord coffee. Worth getting up for.", voice="en-gb-x-rp"),
            ),
        ),
    ),
    "kaffee-20": (
        Part(
            track="traveling_minstrels",
            music_s=96.0,
            length_s=17.0,
            lines=(
                Line(at_s=0.8, text="You could press snooze. Or you could put the kettle on.", voice="en-gb-x-rp"),
                Line(at_s=6.5, text="Now in the yellow bag, with a little more patience in every bean.", voice="en-gb-x-rp"),
                Line(at_s=12.6, text="Nord coffee. Worth getting up for.", voice="en-gb-x-rp"),
            ),
        ),
    ),
    "fjordbank-20": (
        Part(
            track="love_theme",
            music_s=26.6,
            length_s=20.0,
            lines=(
                Line(at_s=1.4, text="She bought the boat before she could sail it.", voice="en-gb-scotland", pitch=60),
                Line(at_s=6.4, text="We said: show us the plan. She drew it on a napkin.", voice="en-gb-scotland", pitch=60),
                Line(at_s=12.4, text="Fjord bank. We read napkins.", voice="en-gb-scotland", pitch=60),
            ),
        ),
    ),
    "sparring-15": (
        Part(
            track="frantic",
            music_s=41.0,
            length_s=15.0,
            lines=(
                Line(at_s=0.5, text="Three rounds. No excuses.", voice="en-us", pitch=30),
                Line(at_s=4.0, text="Sparring protein bars: twenty grams, zero drama.", voice="en-us", pitch=30),
                Line(at_s=9.5, text="Get back up. Sparring.", voice="en-us", pitch=30),
            ),
        ),
    ),
    "vinterdack-20": (
        Part(
            track="northerners",
            music_s=62.0,
            length_s=20.0,
            silence_before_s=0.8,
            lines=(
                Line(
                    at_s=2.2, text="This is what fifty kilometres an hour sounds like, on ice.", voice="en-gb-x-gbcwmd", pitch=35
                ),
                Line(at_s=8.2, text="And this is what stopping sounds like. Exactly: nothing.", voice="en-gb-x-gbcwmd", pitch=35),
                Line(
                    at_s=14.4, text="Hakon winter tyres. Change before the first of December.", voice="en-gb-x-gbcwmd", pitch=35
                ),
            ),
        ),
    ),
    "brus-10": (
        Part(
            track="elf-land",
            music_s=5.0,
            length_s=10.0,
            lines=(
                Line(at_s=0.6, text="Psst. Lingonberry, lime, and a lot of bubbles.", voice="en-gb-x-gbclan", pitch=75),
                Line(at_s=5.6, text="Brus. Open with care.", voice="en-gb-x-gbclan", pitch=75),
            ),
        ),
    ),
}
SHARED_HEAD_S = 3.0
"""kaffee-20 begins with exactly this much of kaffee-30."""

PROGRAMME: tuple[OnAir, ...] = (
    OnAir(
        what=Part(
            track="knolls",
            music_s=20.0,
            length_s=8.0,
            lines=(
                Line(at_s=0.4, text="Good evening, and welcome to channel north."),
                Line(at_s=3.6, text="Tonight: the final. But first, a short break."),
            ),
        )
    ),
    OnAir(what="brus-10"),
    OnAir(what="kaffee-30"),
    OnAir(
        cross_fade_s=0.12,
        what=Part(
            track="wanderer",
            music_s=60.0,
            length_s=7.12,
            lines=(
                Line(
                    at_s=0.5,
                    text="Full house at the ice rink tonight. The teams are on the ice, and the referee looks at his watch.",
                ),
            ),
        ),
    ),
    OnAir(what="sparring-15"),
    OnAir(
        what=Part(
            track="journeys_end",
            music_s=70.0,
            length_s=6.0,
            lines=(Line(at_s=0.3, text="What a save by the young goalkeeper! Let us see that again, in slow motion."),),
        )
    ),
    OnAir(what="vinterdack-20"),
    OnAir(what="brus-10", cross_fade_s=0.08),
    OnAir(
        what=Part(
            track="suspense",
            music_s=100.0,
            length_s=6.08,
            lines=(Line(at_s=0.3, text="Two minutes for hooking, and the home crowd does not agree at all."),),
        )
    ),
    OnAir(what="kaffee-20"),
    OnAir(
        what=Part(
            track="nunc_dimittis",
            music_s=80.0,
            length_s=5.06,
            lines=(Line(at_s=0.2, text="Back in a moment, with the third period."),),
        )
    ),
    OnAir(what="fjordbank-20", cross_fade_s=0.06),
    OnAir(what="sparring-15", cut_after_s=8.0),
    OnAir(
        what=Part(
            track="knolls",
            music_s=140.0,
            length_s=6.4,
            lines=(
                Line(
                    at_s=0.2,
                    text="We leave the break a little early: there is news from the ice. Stay with us, here on channel north.",
                ),
            ),
        )
    ),
)


def decode(source: Path | BytesIO) -> Sound:
    """Everything in an audio file, at `RATE_HZ`, in stereo."""
    parts: list[npt.NDArray[np.float32]] = []
    with av.open(source if isinstance(source, BytesIO) else str(source), "r") as container:
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=RATE_HZ)
        for frame in [*container.decode(audio=0), None]:
            parts.extend(out.to_ndarray().astype(np.float32) for out in resampler.resample(frame))
    return np.ascontiguousarray(np.concatenate(parts, axis=1).T, dtype=np.float32)


def speak(line: Line) -> Sound:
    """The sentence as espeak-ng says it."""
    command = ["espeak-ng", "--stdout", "-v", line.voice, "-s", "158", "-p", str(line.pitch), line.text]
    return decode(BytesIO(subprocess.run(command, check=True, capture_output=True).stdout))


def loudness_lufs(sound: Sound) -> float:
    """Integrated loudness with both gates.

    Source:
        ITU-R BS.1770-4, annex 1: the coefficients of the two filters at 48 kHz, blocks of 400 ms with 75 % overlap.
    """
    shelf = signal.lfilter(
        [1.53512485958697, -2.69169618940638, 1.19839281085285], [1, -1.69065929318241, 0.73248077421585], sound, axis=0
    )
    weighted = signal.lfilter([1.0, -2.0, 1.0], [1, -1.99004745483398, 0.99007225036621], shelf, axis=0)
    block, hop = RATE_HZ * 2 // 5, RATE_HZ // 10
    powers = np.array([np.mean(weighted[at : at + block] ** 2, axis=0).sum() for at in range(0, len(sound) - block, hop)])
    levels = -0.691 + 10 * np.log10(powers + 1e-12)
    heard = powers[levels > -70]
    relative = -0.691 + 10 * np.log10(heard.mean()) - 10
    return float(-0.691 + 10 * np.log10(powers[levels > max(-70, relative)].mean()))


def at_loudness(sound: Sound, lufs: float) -> Sound:
    """The sound brought to a loudness, its peaks rounded off below full scale."""
    return limit(sound * np.float32(10 ** ((lufs - loudness_lufs(sound)) / 20)))


def limit(sound: Sound, knee: float = 0.6, ceiling: float = 0.89) -> Sound:
    """Peaks above `knee` bent so that none passes `ceiling`; the rest untouched. Depends on each sample alone."""
    size = np.abs(sound)
    bent = knee + (ceiling - knee) * np.tanh((size - knee) / (ceiling - knee))
    return np.where(size > knee, np.sign(sound) * bent, sound).astype(np.float32)


def attack_sample(track: Sound, near_s: float, reach_s: float = 1.5) -> int:
    """Where the level of the track rises most within `reach_s` of a place."""
    hop = RATE_HZ // 200
    first = int((near_s - reach_s) * RATE_HZ)
    piece = track[first : first + int(2 * reach_s * RATE_HZ)].mean(axis=1)
    level = np.log(np.mean(piece[: len(piece) // hop * hop].reshape(-1, hop) ** 2, axis=1) + 1e-6)
    rise = level[8:] - level[:-8]
    return first + (int(np.argmax(rise)) + 7) * hop


def render(part: Part, tracks: dict[str, Sound]) -> Sound:
    """Music and voice of a part; the music steps back by 9 dB under the voice."""
    silence, total = round(part.silence_before_s * RATE_HZ), round(part.length_s * RATE_HZ)
    track = tracks[part.track]
    start = attack_sample(track, part.music_s)
    music = track[start : start + total - silence]
    music = music * np.float32(10 ** ((-20 - loudness_lufs(music)) / 20))
    voice = np.zeros((total, 2), dtype=np.float32)
    for line in part.lines:
        spoken = speak(line)
        spoken *= np.float32(10 ** ((-18 - loudness_lufs(spoken)) / 20))
        at = round(line.at_s * RATE_HZ)
        room = min(len(spoken), total - at)
        voice[at : at + room] += spoken[:room]
    speaking = np.abs(voice).max(axis=1) > 0.003
    duck = signal.filtfilt(*signal.butter(1, 2.5 / (RATE_HZ / 2)), signal.convolve(speaking, np.ones(4800) / 4800, mode="same"))
    gain = 1 - 0.65 * np.clip(duck, 0, 1)
    mixed = voice
    mixed[silence:] += (music * gain[silence:, None]).astype(np.float32)
    edge = RATE_HZ // 500  # 2 ms: no click, and still an attack
    mixed[silence : silence + edge] *= np.linspace(0, 1, edge, dtype=np.float32)[:, None]
    mixed[-edge:] *= np.linspace(1, 0, edge, dtype=np.float32)[:, None]
    return mixed


def make_spots(tracks: dict[str, Sound]) -> dict[str, Sound]:
    """The masters of all spots, by id."""
    masters = {
        spot: at_loudness(np.concatenate([render(part, tracks) for part in parts]), SPOT_LUFS) for spot, parts in SPOTS.items()
    }
    head = masters["kaffee-30"][: int(SHARED_HEAD_S * RATE_HZ)]
    masters["kaffee-20"] = np.concatenate([head, masters["kaffee-20"]])
    return masters


def first_audible_sample(sound: Sound) -> int:
    """Index of the first sample above `AUDIBLE_DB`."""
    return int(np.argmax(np.abs(sound).max(axis=1) > 10 ** (AUDIBLE_DB / 20)))


def append(mix: Sound, piece: Sound, cross_fade_s: float) -> tuple[Sound, int]:
    """The mix with a piece after it, and the sample at which the piece begins."""
    overlap = round(cross_fade_s * RATE_HZ)
    begins = len(mix) - overlap
    if overlap:
        rising = np.sin(np.linspace(0, np.pi / 2, overlap, dtype=np.float32))[:, None]
        piece = piece.copy()
        piece[:overlap] = piece[:overlap] * rising + mix[begins:] * np.flip(rising, axis=0)
    return np.concatenate([mix[:begins], piece]), begins


def make_programme(spots: dict[str, Sound], tracks: dict[str, Sound]) -> tuple[Sound, list[dict[str, object]]]:
    """The programme before the broadcast chain, and what airs in it."""
    mix = np.zeros((0, 2), dtype=np.float32)
    airings: list[dict[str, object]] = []
    for item in PROGRAMME:
        if isinstance(item.what, Part):
            mix, _ = append(mix, at_loudness(render(item.what, tracks), PROGRAMME_LUFS), item.cross_fade_s)
            continue
        piece = spots[item.what]
        if item.cut_after_s is not None:
            piece = piece[: round(item.cut_after_s * RATE_HZ)]
        mix, begins = append(mix, piece, item.cross_fade_s)
        airings.append(
            {
                "spot": item.what,
                "onset_s": round((begins + first_audible_sample(piece)) / RATE_HZ, 4),
                "end_s": round(len(mix) / RATE_HZ, 4),
                "complete": item.cut_after_s is None,
            }
        )
    fade = RATE_HZ // 5
    mix[:fade] *= np.linspace(0, 1, fade, dtype=np.float32)[:, None]
    mix[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)[:, None]
    return mix, airings


def broadcast_chain(sound: Sound) -> Sound:
    """What a station does to everything it sends: 80 Hz low cut, presence, 2:1 compression above -24 dB, limiter."""
    low_cut = signal.butter(2, 80, "highpass", fs=RATE_HZ, output="sos")
    presence = signal.butter(1, [2000, 6000], "bandpass", fs=RATE_HZ, output="sos")
    shaped = signal.sosfilt(low_cut, sound, axis=0)
    shaped = shaped + 0.25 * signal.sosfilt(presence, shaped, axis=0)
    release = np.exp(-1 / (0.15 * RATE_HZ))
    power = signal.lfilter([1 - release], [1, -release], np.mean(shaped**2, axis=1))
    over_db = np.maximum(0, 10 * np.log10(power + 1e-9) + 24)
    compressed = shaped * 10 ** (-over_db / 2 / 20)[:, None]
    return at_loudness(compressed.astype(np.float32), PROGRAMME_LUFS)


def write_opus(path: Path, sound: Sound, title: str) -> None:
    """Write an Ogg Opus file that is the same for the same sound."""
    with av.open(str(path), "w", format="ogg", options={"fflags": "+bitexact"}) as container:
        container.metadata["title"] = title
        stream = container.add_stream("libopus", rate=RATE_HZ, options={"vbr": "on", "application": "audio"})
        stream.bit_rate = OPUS_BIT_RATE
        stream.layout = "stereo"
        for first in range(0, len(sound), 960):
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(sound[first : first + 960].reshape(1, -1)), format="flt", layout="stereo"
            )
            frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, first, Fraction(1, RATE_HZ)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def wanted_tracks(parts: Iterable[Part]) -> dict[str, Sound]:
    """Every track the parts use, decoded once."""
    return {name: decode(MUSIC / f"{name}.ogg") for name in sorted({part.track for part in parts})}


def make(target: Path) -> None:
    """Write spots, programme and truth below `target`."""
    in_programme = [item.what for item in PROGRAMME if isinstance(item.what, Part)]
    in_spots = [part for parts in SPOTS.values() for part in parts]
    tracks = wanted_tracks([*in_programme, *in_spots])
    (target / "spots").mkdir(parents=True, exist_ok=True)
    masters = make_spots(tracks)
    for spot, master in masters.items():
        write_opus(target / "spots" / f"{spot}.opus", master, spot)
    mix, airings = make_programme(masters, tracks)
    write_opus(target / "programme.opus", broadcast_chain(mix), "Kanal Nord, an evening with a break too many")
    truth = {"file": "programme.opus", "length_s": round(len(mix) / RATE_HZ, 4), "airings": airings}
    (target / "programme.json").write_text(json.dumps(truth, indent=2) + "\n", encoding="utf-8")


def main() -> int:
    """Make everything; 1 with a sentence when a Debian package is missing."""
    parser = argparse.ArgumentParser(description="Makes the example spots and programme.")
    parser.add_argument("target", nargs="?", type=Path, default=Path(__file__).parent / "media")
    target: Path = parser.parse_args().target
    if not MUSIC.is_dir():
        print(f"{MUSIC} is missing: apt-get install wesnoth-1.16-music", file=sys.stderr)
        return 1
    try:
        make(target)
    except FileNotFoundError as error:
        print(f"{error.filename} is missing: apt-get install espeak-ng", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
