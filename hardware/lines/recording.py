"""What came on a line, kept in a file and played again.

The file holds the bytes as they came, so that everything else that reads a console's bytes reads it
too. Beside it `FILE.times` has a line for each arrival: where its bytes begin in the file, and the
nanoseconds since the first one. Without it a recording is played as fast as its line can carry it.
"""

import logging
import re
from collections.abc import AsyncGenerator, Iterator
from io import BufferedWriter
from pathlib import Path
from typing import Self

from hardware.errors import ConsoleLostError, SettingError
from hardware.lines.line import Chunk, LineCounters, stamped, why
from timebase import Clock

RECORDING_BYTES_MAX = 1 << 30
"""About six days of a line at 19200 baud; a recorder stops there."""
TIMES_BYTES_MAX = 64 << 20
BLOCKS_A_SECOND = 50
"""How finely a recording without times is cut."""
NS_PER_S = 1_000_000_000

log = logging.getLogger(__name__)

_TIME = re.compile(r"(\d{1,12}) (\d{1,18})")


def times_of(recording: Path) -> Path:
    """Where the instants of a recording are."""
    return recording.with_name(recording.name + ".times")


class RecordedLine:
    """A recording, with its own timing or so many times faster; played once."""

    silence_s: float

    def __init__(self, path: Path, *, faster: float = 1.0, line_bytes_s: int, silence_s: float) -> None:
        """`line_bytes_s` is how fast the console's line carries what has no times."""
        self.path, self.faster, self.line_bytes_s, self.silence_s = path, faster, line_bytes_s, silence_s
        self.idle = f"{self}: not begun yet"
        self.remark = f"plays a recording, {self}"
        self.counters = LineCounters()

    def __str__(self) -> str:
        return f"file:{self.path}" + (f" ({self.faster:g} times faster)" if self.faster != 1 else "")

    async def chunks(self, clock: Clock) -> AsyncGenerator[Chunk, None]:
        blocks = self._blocks()
        begin_ns = clock.mono_ns()
        try:
            for due_ns, data in blocks:
                await clock.sleep_until(begin_ns + round(due_ns / self.faster))
                self.counters.received_bytes += len(data)
                yield stamped(data, clock)
        except OSError as error:
            raise ConsoleLostError(f"{self}: cannot be read ({why(error)}); check the path") from error

    def close(self) -> None:
        """Nothing: the file is closed with its reading."""

    def _blocks(self) -> Iterator[tuple[int, bytes]]:
        """Each arrival and its nanoseconds since the first; read piece by piece, at the pace it is played."""
        with self.path.open("rb") as file:
            self.counters.connections += 1
            times = self._times()
            if times is None:
                size, at_ns = max(1, self.line_bytes_s // BLOCKS_A_SECOND), 0
                while data := file.read(size):
                    # The last byte of a block is what arrives then.
                    at_ns += len(data) * NS_PER_S // self.line_bytes_s
                    yield at_ns, data
                return
            for (begin, at_ns), (end, _) in zip(times, [*times[1:], (RECORDING_BYTES_MAX, 0)], strict=True):
                if data := file.read(end - begin):
                    yield at_ns, data

    def _times(self) -> list[tuple[int, int]] | None:
        """Offset and instant of each arrival, None where they were not recorded."""
        path = times_of(self.path)
        if not path.exists():
            return None
        if path.stat().st_size > TIMES_BYTES_MAX:
            raise ConsoleLostError(f"{path}: more than {TIMES_BYTES_MAX} bytes; play a shorter recording")
        times = [(0, 0)]
        for number, line in enumerate(path.read_text("ascii", "replace").splitlines(), start=1):
            found = _TIME.fullmatch(line)
            offset, at_ns = (int(found[1]), int(found[2])) if found else (-1, -1)
            if offset < times[-1][0] or at_ns < times[-1][1] or offset > RECORDING_BYTES_MAX:
                raise ConsoleLostError(
                    f"{path}: line {number}, {line[:40]!r}, is not an offset and nanoseconds that rise; remove the file"
                )
            times.append((offset, at_ns))
        return times


class Recorder:
    """Keeps what comes on a line; where it cannot go on it says so once, and the gateway runs on."""

    def __init__(self, path: Path) -> None:
        """Begin a recording in a new file.

        Raises:
            SettingError: the file exists or cannot be made.
        """
        self.path = path
        self._begin_ns: int | None = None
        self._bytes = 0
        try:
            self._file: BufferedWriter | None = path.open("xb")
            self._times = times_of(path).open("xb")
        except OSError as error:
            raise SettingError(f"{path}: cannot be recorded to ({why(error)}); name a file that does not exist yet") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._stop("")

    def keep(self, chunk: Chunk) -> None:
        """Add what came."""
        if self._file is None:
            return
        self._begin_ns = chunk.mono_ns if self._begin_ns is None else self._begin_ns
        try:
            # Flushed each time: a gateway that dies has still recorded.
            self._times.write(b"%d %d\n" % (self._bytes, chunk.mono_ns - self._begin_ns))
            self._times.flush()
            self._file.write(chunk.data)
            self._file.flush()
        except OSError as error:
            self._stop(why(error))
            return
        self._bytes += len(chunk.data)
        if self._bytes >= RECORDING_BYTES_MAX:
            self._stop(f"{RECORDING_BYTES_MAX} bytes are the limit")

    def _stop(self, reason: str) -> None:
        if reason:
            log.error("gateway.recording_stopped", extra={"file": str(self.path), "reason": reason})
        file, self._file = self._file, None
        for one in (file, self._times):
            if one is not None:
                try:
                    one.close()
                except OSError as error:  # what is still buffered is lost, which the log says above
                    log.debug("gateway.recording_close", extra={"file": str(self.path), "reason": why(error)})
