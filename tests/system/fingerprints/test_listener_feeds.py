"""A listener on real connections that end, stall, fall silent, are refused and come back."""

import asyncio
import itertools
import threading
import wave
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from fingerprints.audio import SAMPLE_RATE_HZ, AudioBlock
from fingerprints.broadcast import encode
from fingerprints.capture import Capture, CaptureError
from fingerprints.events import Detection, FeedState, FeedStatus, FollowEnd
from fingerprints.listener import Listener, Report
from fingerprints.onset import Onset
from timebase import Backoff, SystemClock

pytestmark = pytest.mark.system

Script = Callable[[asyncio.StreamWriter, int], Awaitable[None]]
"""What a server does with a connection, and the number of that connection."""

HEAD = b"HTTP/1.0 200 OK\r\nContent-Type: audio/aac\r\nConnection: close\r\n\r\n"
PATIENCE_S = 20.0


class FakeMatcher:
    """Recognises whatever is at a position, and that it ended a second later; keeps what it was fed."""

    def __init__(self, onset_sample: int | None = None) -> None:
        self.onset_sample, self.blocks = onset_sample, list[AudioBlock]()
        self.finished = 0

    def finish(self) -> Sequence[Onset | FollowEnd]:
        self.finished += 1
        return []

    def feed(self, block: AudioBlock) -> Sequence[Onset | FollowEnd]:
        self.blocks.append(block)
        if self.onset_sample is None or not block.first_sample <= self.onset_sample < block.first_sample + len(block.pcm):
            return []
        onset = Onset(
            spot_id="kaffee-30",
            spot_ids=("kaffee-20", "kaffee-30"),
            onset_sample=self.onset_sample - 100,
            decided_sample=self.onset_sample,
            score=41.0,
            threshold=38.0,
        )
        end = FollowEnd(spot_id="kaffee-30", feed_id="f", onset_s=0.1, end_s=1.1, coverage=1.0)
        return [onset, end]


class SlowMatcher(FakeMatcher):
    """Holds the first block until it may go on."""

    def __init__(self) -> None:
        super().__init__()
        self.may_go_on = threading.Event()

    def feed(self, block: AudioBlock) -> Sequence[Onset | FollowEnd]:
        self.may_go_on.wait(PATIENCE_S)
        return super().feed(block)


class Reports:
    """Every report in order; `until` waits for one."""

    def __init__(self) -> None:
        self.all: list[Report] = []
        self._changed = asyncio.Event()

    async def sink(self, report: Report) -> None:
        self.all.append(report)
        self._changed.set()

    def states(self) -> list[FeedState]:
        """Each state once for every time it was entered."""
        return [state for state, _ in itertools.groupby(report.state for report in self.all if isinstance(report, FeedStatus))]

    async def until(self, wanted: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not wanted():
                self._changed.clear()
                await self._changed.wait()


def adts(folder: Path, *pieces: tuple[float, float], seed: int = 3) -> bytes:
    """AAC of (seconds, amplitude) pieces of noise."""
    rng = np.random.default_rng(seed)
    pcm = np.concatenate([rng.normal(0, 1, round(seconds * SAMPLE_RATE_HZ)) * amplitude for seconds, amplitude in pieces])
    path = folder / "piece.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE_HZ, 0, "NONE", ""))
        file.writeframes((pcm * 32_767).clip(-32_768, 32_767).astype("<i2").tobytes())
    return b"".join(chunk.data for chunk in encode(path, codec="aac", bit_rate=64_000, loop=False))


async def listen_to(script: Script, matcher: FakeMatcher, wanted: Callable[[Reports], bool]) -> Reports:
    """Run a listener against a server until the reports are as wanted."""
    reports, numbers = Reports(), itertools.count()
    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            await reader.readuntil(b"\r\n\r\n")
            await script(writer, next(numbers))
        except (asyncio.CancelledError, ConnectionError):
            writer.transport.abort()
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    listener = Listener(
        feed_id="nord-main",
        url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/live.aac",
        make_matcher=lambda: matcher,
        silence_db=-60.0,
        clock=SystemClock(),
        sink=reports.sink,
        backoff=Backoff(first_s=0.1, most_s=0.1, floor_s=0.1),
    )
    running = asyncio.create_task(listener.run())
    try:
        await reports.until(lambda: wanted(reports) or running.done())
    finally:
        running.cancel()
        for task in connections:
            task.cancel()
        await asyncio.gather(running, *connections, return_exceptions=True)
        server.close()
        await server.wait_closed()
    return reports


async def test_a_stream_that_ends_is_reported_and_opened_again(tmp_path: Path) -> None:
    """Live, ended, connecting, live; positions go on, and the matcher is told of the gap."""
    data, matcher = [adts(tmp_path, (1.0, 0.1), seed=seed) for seed in range(4)], FakeMatcher()

    async def script(writer: asyncio.StreamWriter, number: int) -> None:
        writer.write(HEAD + data[number])
        await writer.drain()

    reports = await listen_to(script, matcher, lambda reports: reports.states().count(FeedState.ENDED) == 2)

    assert reports.states() == [FeedState.CONNECTING, FeedState.LIVE, FeedState.ENDED] * 2
    assert [block.gap for block in matcher.blocks].count(True) == 1
    assert matcher.finished == 0  # a break this short may be none for the airings
    firsts = [block.first_sample for block in matcher.blocks]
    assert firsts == sorted(set(firsts))


async def test_what_a_server_repeats_after_a_break_is_heard_once(tmp_path: Path) -> None:
    """A burst of the last seconds, as Icecast sends it: the matcher gets each sample once, with no gap between."""
    spot = Path(__file__).parents[3] / "examples" / "media" / "spots" / "brus-10.opus"
    data = b"".join(chunk.data for chunk in encode(spot, codec="aac", bit_rate=64_000, loop=False))[:50_000]
    matcher = FakeMatcher()
    frames = data.split(b"\xff\xf1")[1:]
    first, second = (b"".join(b"\xff\xf1" + frame for frame in part) for part in (frames[:160], frames[60:]))

    async def script(writer: asyncio.StreamWriter, number: int) -> None:
        writer.write(HEAD + (second if number else first))
        await writer.drain()
        if number:
            await asyncio.Event().wait()

    await listen_to(script, matcher, lambda _: sum(len(block.pcm) for block in matcher.blocks) > 5.7 * SAMPLE_RATE_HZ)

    assert not any(block.gap for block in matcher.blocks)
    ends = [block.first_sample + len(block.pcm) for block in matcher.blocks]
    assert [block.first_sample for block in matcher.blocks] == [0, *ends[:-1]]
    whole = np.concatenate([block.pcm for block in matcher.blocks])
    (tmp_path / "whole.aac").write_bytes(data)
    with Capture(str(tmp_path / "whole.aac"), clock=SystemClock()) as capture:
        expected = np.concatenate([block.pcm for block in capture.blocks()])[: len(whole)]
    assert np.corrcoef(whole, expected[: len(whole)])[0, 1] > 0.98


async def test_a_server_that_hangs_is_stalled_and_then_given_up(tmp_path: Path) -> None:
    """The connection stays open and silent: stalled first; later the read times out and it is tried again."""
    data = adts(tmp_path, (1.0, 0.1))

    async def script(writer: asyncio.StreamWriter, number: int) -> None:
        writer.write(HEAD + data)
        await writer.drain()
        await asyncio.Event().wait()

    reports = await listen_to(script, FakeMatcher(), lambda reports: FeedState.FAILED in reports.states())

    states = reports.states()
    assert states.index(FeedState.LIVE) < states.index(FeedState.STALLED) < states.index(FeedState.FAILED)
    failed = [report for report in reports.all if isinstance(report, FeedStatus) and report.state is FeedState.FAILED]
    assert "no data came in time" in failed[0].detail
    assert "trying again" in failed[0].detail


async def test_a_stream_of_silence_is_silent(tmp_path: Path) -> None:
    """Sound that turns to digital silence shows as such, though blocks keep coming."""
    data = adts(tmp_path, (0.5, 0.1), (2.2, 0.0))

    async def script(writer: asyncio.StreamWriter, number: int) -> None:
        writer.write(HEAD + data)
        await writer.drain()
        await asyncio.Event().wait()

    reports = await listen_to(script, FakeMatcher(), lambda reports: FeedState.SILENT in reports.states())

    silent = [report for report in reports.all if isinstance(report, FeedStatus) and report.state is FeedState.SILENT]
    assert silent[0].level_db < -60
    assert silent[0].position_s > 2.2


async def test_a_server_that_answers_with_an_error_is_asked_again(tmp_path: Path) -> None:
    """404 is told with its meaning; when the mount appears the feed is live."""
    data = adts(tmp_path, (1.0, 0.1))

    async def script(writer: asyncio.StreamWriter, number: int) -> None:
        writer.write(HEAD + data if number else b"HTTP/1.0 404 Not Found\r\nConnection: close\r\n\r\n")
        await writer.drain()
        if number:
            await asyncio.Event().wait()

    reports = await listen_to(script, FakeMatcher(), lambda reports: FeedState.LIVE in reports.states())

    failed = next(report for report in reports.all if isinstance(report, FeedStatus) and report.state is FeedState.FAILED)
    assert "no such stream (404)" in failed.detail


async def test_a_server_that_sends_rubbish_is_a_failure_not_a_crash(tmp_path: Path) -> None:
    """Random bytes for a stream are told as such and tried again."""
    rubbish = np.random.default_rng(5).integers(0, 256, 60_000, dtype=np.uint8).tobytes()

    async def script(writer: asyncio.StreamWriter, number: int) -> None:
        writer.write(HEAD + rubbish)
        await writer.drain()

    reports = await listen_to(script, FakeMatcher(), lambda reports: reports.states().count(FeedState.FAILED) >= 2)

    assert FeedState.LIVE not in reports.states()


async def test_a_detection_leaves_before_the_status_of_its_block(tmp_path: Path) -> None:
    """The sink sees the detection, then the end; its instants lie in order."""
    data, clock = adts(tmp_path, (2.0, 0.1)), SystemClock()

    async def script(writer: asyncio.StreamWriter, number: int) -> None:
        writer.write(HEAD + data)
        await writer.drain()
        await asyncio.Event().wait()

    begun_mono_ns = clock.mono_ns()
    matcher = FakeMatcher(onset_sample=SAMPLE_RATE_HZ)
    reports = await listen_to(script, matcher, lambda reports: any(isinstance(report, FollowEnd) for report in reports.all))

    detection, end = (report for report in reports.all if not isinstance(report, FeedStatus))
    assert isinstance(detection, Detection)
    assert isinstance(end, FollowEnd)
    assert (detection.spot_ids, detection.feed_id) == (("kaffee-20", "kaffee-30"), "nord-main")
    assert (detection.onset_s, detection.decided_s) == ((SAMPLE_RATE_HZ - 100) / SAMPLE_RATE_HZ, 1.0)
    assert begun_mono_ns < detection.onset_mono_ns <= detection.decided_mono_ns <= clock.mono_ns()


async def listen_to_file(url: str, matcher: FakeMatcher, reports: Reports) -> None:
    await Listener(
        feed_id="f", url=url, make_matcher=lambda: matcher, silence_db=-60, clock=SystemClock(), sink=reports.sink
    ).run()


async def test_a_file_is_heard_whole_and_ends(tmp_path: Path) -> None:
    """However much faster than the matcher a file is read, no block of it is dropped."""
    (tmp_path / "stream.aac").write_bytes(adts(tmp_path, (30.0, 0.1)))
    matcher, reports = SlowMatcher(), Reports()

    listening = asyncio.create_task(listen_to_file(str(tmp_path / "stream.aac"), matcher, reports))
    await asyncio.sleep(0.5)  # the capture could read it all
    matcher.may_go_on.set()
    await listening

    assert reports.states()[-1] is FeedState.ENDED
    assert sum(len(block.pcm) for block in matcher.blocks) == pytest.approx(30 * SAMPLE_RATE_HZ, abs=1_000)
    assert not any(block.gap for block in matcher.blocks)


async def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    """Waiting for a file to appear would hide a mistyped name."""
    reports = Reports()

    with pytest.raises(CaptureError, match="there is no such file"):
        await listen_to_file(str(tmp_path / "nowhere.wav"), FakeMatcher(), reports)
    assert reports.states()[-1] is FeedState.FAILED


async def test_an_inverted_channel_is_turned_over_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The matcher gets the mix of a right feed; the status says why; a new connection knows it from its first block."""
    pcm = np.random.default_rng(8).normal(0, 0.1, 20 * SAMPLE_RATE_HZ)
    with wave.open(str(tmp_path / "inverted.wav"), "wb") as file:
        file.setparams((2, 2, SAMPLE_RATE_HZ, 0, "NONE", ""))
        file.writeframes((np.stack([pcm, -pcm], axis=1) * 32_767).clip(-32_768, 32_767).astype("<i2").tobytes())
    data = b"".join(chunk.data for chunk in encode(tmp_path / "inverted.wav", codec="aac", bit_rate=128_000, loop=False))
    frames, matcher = [b"\xff\xf1" + frame for frame in data.split(b"\xff\xf1")[1:]], FakeMatcher()

    async def script(writer: asyncio.StreamWriter, number: int) -> None:
        writer.write(HEAD + b"".join(frames[500:] if number else frames[:400]))
        await writer.drain()

    reports = await listen_to(script, matcher, lambda reports: reports.states().count(FeedState.ENDED) == 2)

    details = [report.detail for report in reports.all if isinstance(report, FeedStatus) and report.state is FeedState.LIVE]
    assert "one channel arrives inverted" in details[-1]
    assert [record.message for record in caplog.records].count("feed.polarity") == 1
    again = next(number for number, block in enumerate(matcher.blocks) if block.gap)
    heard = np.concatenate([block.pcm for block in matcher.blocks[again : again + 10]])
    assert np.sqrt(np.mean(np.square(heard))) > 0.05  # the plain mix would be 0.02


async def test_a_slow_matcher_loses_the_oldest_sound_and_says_so(tmp_path: Path) -> None:
    """The queue is bounded: what is lost is counted, marked as a gap, and shown in the status."""
    data, matcher = adts(tmp_path, (15.0, 0.1)), SlowMatcher()

    async def script(writer: asyncio.StreamWriter, number: int) -> None:
        writer.write(HEAD + data)
        await writer.drain()
        await asyncio.sleep(1.0)  # for the capture to read it all while the matcher holds
        matcher.may_go_on.set()
        await asyncio.Event().wait()

    def told(reports: Reports) -> bool:
        return any(isinstance(report, FeedStatus) and "blocks were dropped" in report.detail for report in reports.all)

    await listen_to(script, matcher, told)

    gaps = [block for block in matcher.blocks if block.gap]
    assert len(gaps) == 1
    assert gaps[0].first_sample > SAMPLE_RATE_HZ
