"""What the engine was told, kept as one JSON object a line, so that an evening can be rehearsed again (docs/operating.md).

Written a little later and aside, so that no claim waits for it; read whole.
"""

import dataclasses
import json
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import to_jsonable_python

from fingerprints.events import Detection
from hardware.events import ScoreEvent
from hardware.markers import MarkerReport
from sync.errors import SyncError
from sync.writer import Writer
from timebase import Clock

WRITTEN_EVERY_S = 1.0
WAITING_MAX = 10_000
"""Signals that wait to be written; of more, the newest are left out, with an alarm."""
RECORD_BYTES_MAX = 256 << 20
"""Where a record ends, with an alarm: some 500,000 signals."""
LINE_BYTES_MAX = 1 << 16
SIGNALS_MAX = 1_000_000


Taken = Detection | ScoreEvent | MarkerReport
"""What an engine takes."""


class RecordingError(SyncError):
    """A record cannot be read; the message names file, line and fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A signal and when the engine took it.

    Attributes:
        utc, mono_ns: the same instant; `mono_ns` by the clock the event's own instants are given in.
        status_age_ns: for a detection or a marker, how long ago its listener had last spoken; None if it had not.
    """

    utc: datetime
    mono_ns: int
    event: Taken
    status_age_ns: int | None = None

    def at(self, mono_ns: int) -> Taken:
        """The event as it would be had it been taken at that instant of another monotonic clock."""
        shift_ns = mono_ns - self.mono_ns
        event = self.event
        if isinstance(event, Detection):
            return dataclasses.replace(
                event, onset_mono_ns=event.onset_mono_ns + shift_ns, decided_mono_ns=event.decided_mono_ns + shift_ns
            )
        if isinstance(event, MarkerReport):
            return dataclasses.replace(event, at_mono_ns=event.at_mono_ns + shift_ns, seen_mono_ns=event.seen_mono_ns + shift_ns)
        return dataclasses.replace(
            event, event_mono_ns=event.event_mono_ns + shift_ns, received_mono_ns=event.received_mono_ns + shift_ns
        )

    def line(self) -> bytes:
        """It as a line of a record."""
        facts: dict[str, object] = {"utc": self.utc, "mono_ns": self.mono_ns}
        if isinstance(self.event, Detection):
            facts |= {"detection": self.event, "status_age_ns": self.status_age_ns}
        elif isinstance(self.event, MarkerReport):
            facts |= {"marker": self.event, "status_age_ns": self.status_age_ns}
        else:
            facts |= {"score": self.event}
        return json.dumps(to_jsonable_python(facts), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


class Recorder:
    """Writes signals to the end of a file.

    Args:
        alarm: told when signals are missing from the record.
    """

    def __init__(self, path: Path, *, writer: Writer, clock: Clock, alarm: Callable[[str, str], Awaitable[None]]) -> None:
        self._path, self._writer, self._clock, self._alarm = path, writer, clock, alarm
        self._waiting: deque[Recorded] = deque()
        self._lost = 0
        self._fault = self._told = ""

    def note(self, event: Taken, *, status_age_ns: int | None = None) -> None:
        """Keep a signal that is taken now; never waits."""
        if len(self._waiting) >= WAITING_MAX:
            self._lost += 1
            return
        now_ns, now_utc = self._clock.mono_ns(), self._clock.utc()
        self._waiting.append(Recorded(utc=now_utc, mono_ns=now_ns, event=event, status_age_ns=status_age_ns))

    async def run(self) -> None:
        """Write what waits, until cancelled."""
        while True:
            await self._clock.sleep(WRITTEN_EVERY_S)
            if self._waiting:
                await self._writer.aside(self.write)
            if self._lost:
                lost, self._lost = self._lost, 0
                await self._tell(f"record {self._path}: {lost} signals are missing; more came than can be written")
            elif self._fault:
                await self._tell(self._fault)

    def write(self) -> None:
        """Write what waits, now."""
        lines = [self._waiting.popleft().line() for _ in range(len(self._waiting))]
        try:
            with self._path.open("ab") as file:
                if file.tell() >= RECORD_BYTES_MAX:
                    self._fault = (
                        f"record {self._path}: {RECORD_BYTES_MAX >> 20} MiB, and ends here; move it away to begin another"
                    )
                    return
                file.write(b"".join(lines))
            self._fault = ""
        except OSError as error:
            self._fault = f"record {self._path}: cannot be written ({error.strerror}); the engine goes on without it"

    async def _tell(self, sentence: str) -> None:
        if sentence != self._told:
            self._told = sentence
            await self._alarm("warning", sentence)


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    utc: AwareDatetime
    mono_ns: int
    detection: Detection | None = None
    score: ScoreEvent | None = None
    marker: MarkerReport | None = None
    status_age_ns: int | None = None

    @model_validator(mode="after")
    def _one_event(self) -> "_Line":
        if [self.detection, self.score, self.marker].count(None) != 2:
            raise ValueError("give a detection, a score or a marker, and only one of them")
        return self


def read_recording(path: Path) -> Iterator[Recorded]:
    """The signals of a record, in its order.

    Raises:
        RecordingError: a line is none, or there are too many.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        for number in range(1, SIGNALS_MAX + 1):
            line = file.readline(LINE_BYTES_MAX)
            if not line:
                return
            yield _parsed(line, where=f"{path}, line {number}")
    raise RecordingError(f"{path}: more than {SIGNALS_MAX} signals; split it")


def _parsed(line: bytes, *, where: str) -> Recorded:
    try:
        found = _Line.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        name = ".".join(str(part) for part in first["loc"]) or "the line"
        raise RecordingError(f"{where}: {name}: {first['msg']}; docs/operating.md shows the format") from error
    event = found.detection or found.score or found.marker
    assert event is not None
    return Recorded(utc=found.utc, mono_ns=found.mono_ns, event=event, status_age_ns=found.status_age_ns)
