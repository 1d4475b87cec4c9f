"""The example station: what it sends, when, and to whom."""

import asyncio
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from fingerprints.audio import SAMPLE_RATE_HZ, AudioBlock
from fingerprints.broadcast import RATE_HZ, Broadcast, Codec, encode
from fingerprints.capture import Capture, CaptureError
from timebase import Clock, SystemClock

pytestmark = pytest.mark.system


def write_wav(path: Path, seconds: float) -> Path:
    """Noise that fades up, so that every place is like no other."""
    import wave

    n_samples = round(seconds * SAMPLE_RATE_HZ)
    noise = np.random.default_rng(7).normal(0, 0.1, n_samples) * np.linspace(0.2, 1, n_samples)
    smooth = np.convolve(noise, np.ones(4) / 2, mode="same")
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE_HZ, 0, "NONE", ""))
        file.writeframes((smooth * 32_767).clip(-32_768, 32_767).astype("<i2").tobytes())
    return path


def hear(url: str, clock: Clock, seconds: float = 1e9) -> list[AudioBlock]:
    heard: list[AudioBlock] = []
    with Capture(url, clock=clock) as capture:
        for block in capture.blocks():
            heard.append(block)
            if block.first_sample >= seconds * SAMPLE_RATE_HZ:
                break
    return heard


def pcm_of(source: list[AudioBlock]) -> npt.NDArray[np.float32]:
    return np.concatenate([block.pcm for block in source])


def delay_samples(heard: npt.NDArray[np.float32], original: npt.NDArray[np.float32], *, at: int, reach: int = 4_000) -> int:
    """How much later than in `original` the sound at sample `at` was `heard`."""
    piece = original[at : at + 4_000]
    return int(np.argmax(np.correlate(heard[at : at + len(piece) + reach], piece, mode="valid")))


async def request(url: str, text: str) -> bytes:
    """The first line of the answer to raw bytes."""
    host, port = url.split("/")[2].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(text.encode())
    line = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return line


@pytest.mark.parametrize("codec", ["aac", "mp3"])
async def test_a_file_is_heard_once_whole_and_in_real_time(tmp_path: Path, codec: Codec) -> None:
    """All listeners hear it to its end, no sample leaves before it is on air, and the codec delays it by less than 0.1 s."""
    path, clock, passes = write_wav(tmp_path / "programme.wav", 1.5), SystemClock(), list[tuple[int, int]]()
    on_pass = lambda number, mono_ns: passes.append((number, mono_ns))  # noqa: E731
    async with Broadcast(path, clock=clock, codec=codec, loop=False, on_pass=on_pass) as station:
        listeners = [asyncio.create_task(asyncio.to_thread(hear, station.url, clock)) for _ in range(2)]
        await station.finished.wait()
        assert await request(station.url, "GET /live.aac HTTP/1.0\r\n\r\n") == b"HTTP/1.0 410 Gone\r\n"

    original = pcm_of(hear(str(path), clock))
    for heard in await asyncio.gather(*listeners):
        assert len(pcm_of(heard)) >= len(original) - 200
        assert delay_samples(pcm_of(heard), original, at=8_000) < 0.1 * SAMPLE_RATE_HZ
        assert [number for number, _ in passes] == [0]
        ends = np.array([block.first_sample + len(block.pcm) for block in heard])
        early_ns = ends * 1e9 / SAMPLE_RATE_HZ - (np.array([block.seen_mono_ns for block in heard]) - passes[0][1])
        # A decoded sample was on air at least a codec frame before it could be sent.
        assert np.max(early_ns) < 0.05e9


async def test_a_loop_goes_on_and_tells_each_pass(tmp_path: Path) -> None:
    """Passes follow each other in step with their length."""
    path, clock, passes = write_wav(tmp_path / "short.wav", 0.5), SystemClock(), list[int]()
    async with Broadcast(path, clock=clock, on_pass=lambda _, mono_ns: passes.append(mono_ns)) as station:
        await asyncio.to_thread(hear, station.url, clock, 1.2)

    assert len(passes) >= 3
    assert np.diff(passes) == pytest.approx(0.5e9, abs=1e6)


async def test_a_listener_that_comes_later_joins_what_is_on_air(tmp_path: Path) -> None:
    """Nothing is repeated for a late listener."""
    path, clock = write_wav(tmp_path / "programme.wav", 2.0), SystemClock()
    async with Broadcast(path, clock=clock, loop=False) as station:
        first = asyncio.create_task(asyncio.to_thread(hear, station.url, clock))
        await clock.sleep(1.0)
        late = await asyncio.to_thread(hear, station.url, clock)
        early = await first

    assert len(pcm_of(late)) < 0.75 * len(pcm_of(early))


async def test_other_requests_do_not_start_the_station(tmp_path: Path) -> None:
    """A health check, a wrong path or noise gets an answer and leaves the programme at its start."""
    path, passes = write_wav(tmp_path / "programme.wav", 0.5), list[int]()
    async with Broadcast(path, clock=SystemClock(), on_pass=lambda number, _: passes.append(number)) as station:
        assert (await request(station.url, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")).startswith(b"HTTP/1.0 404")
        assert (await request(station.url, "POST /live.aac HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.0 405")
        assert await request(station.url, "x" * 20_000) == b""
        assert (passes, station.clients) == ([], 0)


async def test_a_file_that_is_no_audio_is_refused_on_entering(tmp_path: Path) -> None:
    """The mistake shows before anybody waits for a stream."""
    path = tmp_path / "notes.txt"
    path.write_text("no sound")

    with pytest.raises(CaptureError, match=r"notes\.txt"):
        async with Broadcast(path, clock=SystemClock()):
            pass


async def test_a_taken_port_is_an_error_of_the_system(tmp_path: Path) -> None:
    """Two stations cannot share a port."""
    path, clock = write_wav(tmp_path / "programme.wav", 0.5), SystemClock()
    async with Broadcast(path, clock=clock) as station:
        with pytest.raises(OSError, match="address already in use"):
            async with Broadcast(path, clock=clock, port=int(station.url.split(":")[2].split("/")[0])):
                pass


def test_encoding_loops_without_a_seam(tmp_path: Path) -> None:
    """The third pass sounds as the second: the encoder never starts again."""
    path = write_wav(tmp_path / "short.wav", 0.5)
    chunks = []
    for chunk in encode(path, codec="aac", bit_rate=64_000, loop=True):
        if chunk.pass_number == 3:
            break
        chunks.append(chunk)
    stream = tmp_path / "looped.aac"
    stream.write_bytes(b"".join(chunk.data for chunk in chunks))
    heard, original = pcm_of(hear(str(stream), SystemClock())), pcm_of(hear(str(path), SystemClock()))

    assert [chunks[-1].pass_first_sample, chunks[-1].pass_number] == [RATE_HZ, 2]
    delays = [delay_samples(heard[number * len(original) :], original, at=2_000, reach=1_500) for number in (0, 1)]
    assert delays[0] == delays[1]
