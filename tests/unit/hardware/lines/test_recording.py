"""What came on a line, kept and played again with its own timing."""

import asyncio
from pathlib import Path

import pytest

from hardware.errors import ConsoleLostError, SettingError
from hardware.lines import Chunk, RecordedLine, Recorder
from hardware.lines.recording import times_of
from timebase import VirtualClock

NS_PER_S = 1_000_000_000
CAME = [(0.0, b"one"), (0.5, b"two"), (4.0, b"three")]


def recorded(path: Path) -> Path:
    with Recorder(path) as recorder:
        for at_s, data in CAME:
            recorder.keep(Chunk(data, 77 + round(at_s * NS_PER_S), 0))
    return path


async def played(line: RecordedLine, seconds: float) -> list[tuple[float, bytes]]:
    """Each arrival of a whole recording, with its seconds on a virtual clock."""
    clock = VirtualClock()
    begin_ns = clock.mono_ns()

    async def play() -> list[tuple[float, bytes]]:
        return [((chunk.mono_ns - begin_ns) / NS_PER_S, chunk.data) async for chunk in line.chunks(clock)]

    playing = asyncio.create_task(play())
    await clock.advance(seconds)
    return await playing


@pytest.mark.parametrize("faster", [1.0, 10.0])
async def test_a_recording_plays_as_it_came(tmp_path: Path, faster: float) -> None:
    """The file has the bytes and nothing else; the instants are as recorded, or so many times sooner."""
    file = recorded(tmp_path / "match.bin")
    line = RecordedLine(file, faster=faster, line_bytes_s=960, silence_s=3.0)

    assert file.read_bytes() == b"onetwothree"
    assert await played(line, 4.0 / faster) == [(at_s / faster, data) for at_s, data in CAME]
    assert line.counters.received_bytes == 11


async def test_bytes_without_times_come_as_fast_as_their_line_carries_them(tmp_path: Path) -> None:
    """Fifty blocks a second, each when its last byte would be there."""
    (tmp_path / "capture.bin").write_bytes(bytes(500))
    blocks = await played(RecordedLine(tmp_path / "capture.bin", line_bytes_s=1000, silence_s=3.0), 0.5)

    assert [len(data) for _, data in blocks] == [20] * 25
    assert (blocks[0][0], blocks[-1][0]) == (0.02, 0.5)


async def test_a_recording_that_cannot_be_played_is_named(tmp_path: Path) -> None:
    """No file, or times that do not rise."""
    file = recorded(tmp_path / "match.bin")
    times_of(file).write_text("0 0\n3 500\n2 900\n")
    for path, message in ((file, r"match.bin.times: line 3, '2 900', is not"), (tmp_path / "none.bin", "cannot be read")):
        with pytest.raises(ConsoleLostError, match=message):
            await anext(RecordedLine(path, line_bytes_s=960, silence_s=3.0).chunks(VirtualClock()))


def test_a_recording_is_never_written_over(tmp_path: Path) -> None:
    """The match in it could not be played again."""
    recorded(tmp_path / "match.bin")

    with pytest.raises(SettingError, match=r"match.bin: cannot be recorded to \(File exists\); name a file that does not exist"):
        Recorder(tmp_path / "match.bin")
    assert (tmp_path / "match.bin").read_bytes() == b"onetwothree"


def test_a_full_disk_ends_the_recording_not_the_gateway(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is said once."""
    with Recorder(tmp_path / "match.bin") as recorder:
        assert recorder._file is not None
        recorder._file.close()
        recorder._file = open("/dev/full", "wb")  # noqa: SIM115  the recorder closes it
        recorder.keep(Chunk(b"one", 0, 0))
        recorder.keep(Chunk(b"two", 1, 0))

    assert [record.message for record in caplog.records] == ["gateway.recording_stopped"]
