"""Files of many kinds become blocks; what cannot be read is named with its fix."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from fingerprints.audio import SAMPLE_RATE_HZ, AudioBlock
from fingerprints.capture import Capture, CaptureError, Channel, Timeline, Transport, masked, transport_of
from fingerprints.errors import FingerprintsError
from timebase import VirtualClock

LENGTH_S = 1.0


def tone(*, rate_hz: int, channels: int, left: float = 0.5, right: float = 0.5) -> npt.NDArray[np.float32]:
    """One second of 440 Hz, float32 [shape=(n_samples, channels)]."""
    wave = np.sin(2 * np.pi * 440 * np.arange(round(rate_hz * LENGTH_S)) / rate_hz)
    return np.stack([wave * left, wave * right][:channels], axis=1).astype(np.float32)


def write(path: Path, codec: str, pcm: npt.NDArray[np.float32], rate_hz: int) -> Path:
    layout = "mono" if pcm.shape[1] == 1 else "stereo"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate_hz)
        assert isinstance(stream, av.AudioStream)
        stream.layout = layout
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(pcm.reshape(1, -1)), format="flt", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate_hz, 0, Fraction(1, rate_hz)
        fifo = av.AudioFifo()
        resampler = av.AudioResampler(format=stream.codec_context.format, layout=layout, rate=rate_hz)
        for converted in [*resampler.resample(frame), *resampler.resample(None)]:
            fifo.write(converted)
        size = stream.codec_context.frame_size or 1024
        while (piece := fifo.read(size) or fifo.read()) is not None:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return path


def captured(path: Path, channel: Channel = "mix") -> list[AudioBlock]:
    with Capture(str(path), clock=VirtualClock(), channel=channel) as capture:
        return list(capture.blocks())


def sound(blocks: list[AudioBlock]) -> npt.NDArray[np.float32]:
    return np.concatenate([block.pcm for block in blocks])


def amplitude(pcm: npt.NDArray[np.float32]) -> float:
    """Of the sine in the middle of the file, where no codec fades."""
    middle = pcm[len(pcm) // 4 : -len(pcm) // 4]
    return float(np.sqrt(2 * np.mean(middle**2)))


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    ("suffix", "codec", "rate_hz"),
    [
        ("wav", "pcm_s16le", 44_100),
        ("wav", "pcm_s16le", 8_000),
        ("wav", "pcm_f32le", 16_000),
        ("flac", "flac", 48_000),
        ("opus", "libopus", 48_000),
        ("mp3", "libmp3lame", 44_100),
        ("aac", "aac", 48_000),
        ("m4a", "aac", 44_100),
    ],
)
def test_files_of_every_kind_become_mono_at_one_rate(
    tmp_path: Path, suffix: str, codec: str, rate_hz: int, channels: int
) -> None:
    """Length, level and pitch survive rate, layout and codec."""
    pcm = sound(captured(write(tmp_path / f"tone.{suffix}", codec, tone(rate_hz=rate_hz, channels=channels), rate_hz)))

    assert pcm.dtype == np.float32
    assert len(pcm) / SAMPLE_RATE_HZ == pytest.approx(LENGTH_S, abs=0.09)
    assert amplitude(pcm) == pytest.approx(0.5, rel=0.06)
    spectrum = np.abs(np.fft.rfft(pcm * np.hanning(len(pcm))))
    assert np.argmax(spectrum) * SAMPLE_RATE_HZ / len(pcm) == pytest.approx(440, abs=2)


def test_blocks_follow_each_other_without_holes(tmp_path: Path) -> None:
    """Each block begins where the one before ended, is read-only and short."""
    blocks = captured(write(tmp_path / "tone.opus", "libopus", tone(rate_hz=48_000, channels=2), 48_000))

    ends = [block.first_sample + len(block.pcm) for block in blocks]
    assert [block.first_sample for block in blocks] == [0, *ends[:-1]]
    assert not any(block.gap or block.pcm.flags.writeable for block in blocks)
    assert max(len(block.pcm) for block in blocks) <= 0.05 * SAMPLE_RATE_HZ


@pytest.mark.parametrize(("channel", "expected"), [("mix", 0.36), ("left", 0.6), ("right", 0.0), ("side", 0.3)])
def test_a_channel_can_be_chosen(tmp_path: Path, channel: Channel, expected: float) -> None:
    """The mix is 0.6 of the left and 0.4 of the right; a choice hears one alone."""
    path = write(tmp_path / "left.wav", "pcm_s16le", tone(rate_hz=48_000, channels=2, left=0.6, right=0.0), 48_000)

    assert amplitude(sound(captured(path, channel))) == pytest.approx(expected, abs=0.005)


def test_stop_ends_the_blocks(tmp_path: Path) -> None:
    """A stopped capture yields no further packet's sound."""
    path = write(tmp_path / "tone.opus", "libopus", tone(rate_hz=48_000, channels=1), 48_000)
    with Capture(str(path), clock=VirtualClock()) as capture:
        blocks = capture.blocks()
        next(blocks)
        capture.stop()

        assert len(list(blocks)) <= 2


def write_bytes(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)


def test_noise_is_not_a_file(tmp_path: Path) -> None:
    """Random bytes with an audio suffix are refused with a sentence."""
    noise = np.random.default_rng(1).integers(0, 256, 40_000, dtype=np.uint8).tobytes()

    with pytest.raises(CaptureError, match="not audio in any format") as caught:
        captured(Path(write_bytes(tmp_path / "noise.wav", noise)))
    assert isinstance(caught.value, FingerprintsError)
    assert caught.value.permanent


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    """Nothing is not audio."""
    with pytest.raises(CaptureError, match=r"empty\.mp3"):
        captured(Path(write_bytes(tmp_path / "empty.mp3", b"")))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The message names the file, the cause and what to do."""
    with pytest.raises(CaptureError, match=r"nowhere\.wav: there is no such file; check the name"):
        captured(tmp_path / "nowhere.wav")


def test_a_folder_is_no_source(tmp_path: Path) -> None:
    """A folder is told from a file."""
    with pytest.raises(CaptureError, match="this is a folder; name an audio file"):
        captured(tmp_path)


def test_a_picture_without_sound_is_refused(tmp_path: Path) -> None:
    """A video without an audio stream is a mistake worth its own sentence."""
    path = tmp_path / "mute.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        container.mux(stream.encode(av.VideoFrame(32, 32, "yuv420p")))
        container.mux(stream.encode(None))

    with pytest.raises(CaptureError, match="there is no audio in it"):
        captured(path)


@pytest.mark.parametrize(
    "text",
    ["ffconcat version 1.0\nfile other.mp3\n", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.mp3\n#EXT-X-ENDLIST\n"],
    ids=["concat", "playlist"],
)
def test_a_file_cannot_make_us_open_another(tmp_path: Path, text: str) -> None:
    """Containers that name further files are not opened from the disk."""
    write(tmp_path / "other.mp3", "libmp3lame", tone(rate_hz=44_100, channels=1), 44_100)

    with pytest.raises(CaptureError):
        captured(Path(write_bytes(tmp_path / "list.m3u8", text.encode())))


@pytest.mark.parametrize(
    "url", ["gopher://127.0.0.1:1", "concat:a|b://x", "ftp://127.0.0.1/a", "data://x", "subfile://127.0.0.1/a"]
)
def test_other_protocols_are_refused(url: str) -> None:
    """Only what is documented is opened."""
    with pytest.raises(CaptureError, match="are not opened; use a file name, - for raw samples") as caught:
        transport_of(url)
    assert caught.value.permanent


@pytest.mark.parametrize(
    ("url", "transport"),
    [
        ("a.wav", Transport.FILE),
        ("file:///a.wav", Transport.FILE),
        ("http://h/a", Transport.STREAM),
        ("HTTPS://h/a.m3u8?x=1", Transport.SEGMENTS),
        ("udp://127.0.0.1:5000", Transport.STREAM),
        ("rtp://127.0.0.1:5000", Transport.STREAM),
    ],
)
def test_the_transport_follows_from_the_url(url: str, transport: Transport) -> None:
    """Scheme and suffix decide timeouts before anything is opened."""
    assert transport_of(url) is transport


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://user:secret@host:8000/a?b=c", "http://***@host:8000/a?b=c"),
        ("http://host/a@b", "http://host/a@b"),
        ("my@song.wav", "my@song.wav"),
    ],
)
def test_passwords_never_show(url: str, shown: str) -> None:
    """Neither in messages nor in feed names."""
    assert masked(url) == shown
    assert str(CaptureError(url, "cause", "fix")) == f"{shown}: cause; fix"


def test_a_leap_of_the_time_stamps_is_lost_sound() -> None:
    """The position leaps as far, and the block says so."""
    timeline = Timeline()

    assert timeline.place(320, 10.0, 0.02) == (0, False)
    assert timeline.place(320, 10.02, 0.02) == (320, False)
    assert timeline.place(320, 11.04, 0.02) == (640 + SAMPLE_RATE_HZ, True)
    assert timeline.place(320, 11.06, 0.02) == (960 + SAMPLE_RATE_HZ, False)


@pytest.mark.parametrize("time_s", [0.0, 5_000.0], ids=["back", "far ahead"])
def test_a_new_time_line_goes_on_where_the_old_one_was(time_s: float) -> None:
    """Time stamps that restart lose no position, but matching starts afresh."""
    timeline = Timeline()
    timeline.place(320, 100.0, 0.02)

    assert timeline.place(320, time_s, 0.02) == (320, True)


def test_small_jitter_and_missing_time_stamps_are_no_gap() -> None:
    """Containers round; some have no time at all."""
    timeline = Timeline()

    assert [timeline.place(320, time_s, 0.02)[1] for time_s in (0.0, 0.05, None, 0.07)] == [False] * 4


def test_a_gap_before_an_empty_block_is_told_by_the_next() -> None:
    """The resampler may hold the first samples after a gap back."""
    timeline = Timeline()
    timeline.place(320, 10.0, 0.02)

    assert timeline.place(0, 11.02, 0.02)[1]
    assert timeline.place(320, 11.04, 0.02) == (320 + SAMPLE_RATE_HZ, True)
    assert timeline.place(320, 11.06, 0.02) == (640 + SAMPLE_RATE_HZ, False)
