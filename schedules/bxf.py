"""BXF schedules and as-run logs (SMPTE ST 2021) to a table of cells. Pure.

Read with expat as it comes, so that memory follows the rows and not the markup. A document type is refused before anything of it
is read: no entity is ever declared, expanded or fetched.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from xml.parsers import expat

from schedules.cells import ROWS_MAX, Record, Sheet, about, sheet_of
from schedules.clock_time import split_instant
from schedules.errors import BroadcastTimeError, PlanFileError
from schedules.plan import Problem, Severity

DEPTH_MAX = 64
TEXT_LETTERS_MAX = 10_000
_MORNING = 6
"""Hours of a broadcast day count to 29:59:59, so a later hour need not be of the night before."""
_HEADER = (
    "event_id",
    "bxf_channel",
    "broadcast_date",
    "timecode",
    "utc_zone",
    "duration",
    "house_number",
    "title",
    "identifiers",
)
_ROOT = "BxfMessage"
_EVENT = "ScheduledEvent"
_AS_RUN = "BasicAsRun"
_TEXTS = {
    ("EventId", "EventId"): "event_id",
    ("AsRunEventId", "EventId"): "event_id",
    ("AsRunDetail", "Duration", "SmpteDuration", "SmpteTimeCode"): "duration",
    ("AsRunDetail", "Status"): "status",
    ("AsRunDetail", "Type"): "type",
    ("StartDateTime", "SmpteDateTime", "SmpteTimeCode"): "timecode",
    ("StartDateTime", "UtcDateTime"): "timecode",
    ("LengthOption", "Duration", "SmpteDuration", "SmpteTimeCode"): "duration",
    ("Content", "ContentId", "HouseNumber"): "house_number",
    ("Content", "Name"): "title",
    ("EventTitle",): "event_title",
}
"""Where the texts of an event stand: the ends of their paths below it."""


@dataclass(slots=True)
class _Event:
    """One scheduled event while it is read."""

    line: int
    texts: dict[str, str] = field(default_factory=dict)
    identifiers: list[str] = field(default_factory=list)
    kind: str = ""
    action: str = ""
    broadcast_date: str = ""


def bxf_sheet(data: bytes) -> Sheet:
    """The commercials (non-program events) a BXF message schedules, or what it logs as run, which has a status besides.

    Raises:
        PlanFileError: no XML, no BXF, with a document type, too deep, or without any event.
    """
    reader = _Reader()
    try:
        reader.parser.Parse(data, True)
    except expat.ExpatError as error:
        reason = expat.errors.messages[error.code]
        raise PlanFileError(f"row {error.lineno}: the XML is broken ({reason}); is the file whole?") from error
    if not reader.n_events:
        raise PlanFileError(
            "the BXF message holds no scheduled event and none as run; ask for the schedule, not a query or an acknowledgement"
        )
    if reader.n_programmes:
        reader.problems.append(about(Severity.NOTE, 1, f"{reader.n_programmes} programmes and secondary events skipped"))
    if reader.is_as_run:
        return sheet_of("BXF as-run", (*_HEADER, "status"), reader.records, reader.problems)
    return sheet_of("BXF", _HEADER, reader.records, reader.problems)


class _Reader:
    """Gathers the events as expat tells of elements."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.problems: list[Problem] = []
        self.n_events = 0
        self.n_programmes = 0
        self.is_as_run = False
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self._path: list[str] = []
        self._letters: list[str] = []
        self._n_letters = 0
        self._channel = ""
        self._schedule_action = ""
        self._event: _Event | None = None

    def _doctype(self, *_: object) -> None:
        raise PlanFileError(
            f"row {self.parser.CurrentLineNumber}: the XML has a document type (DOCTYPE), which BXF never has; "
            "it is refused unread, since it could declare entities"
        )

    def _start(self, tag: str, attributes: Mapping[str, str]) -> None:
        name = tag.rpartition(" ")[2]
        if not self._path and name != _ROOT:
            hint = "; it is a web page" if name.lower() == "html" else ""
            raise PlanFileError(f"this is XML, but its root is <{name[:40]}> and not <{_ROOT}>{hint}; of XML only BXF is read")
        if len(self._path) >= DEPTH_MAX:
            raise PlanFileError(f"row {self.parser.CurrentLineNumber}: elements nested deeper than {DEPTH_MAX}; this is no BXF")
        self._path.append(name)
        self._letters, self._n_letters = [], 0
        said = {key.rpartition(" ")[2].lower(): value.strip() for key, value in attributes.items()}
        if self._event is None:
            self._outside(name, said)
        else:
            self._inside(self._event, name, said)

    def _outside(self, name: str, said: Mapping[str, str]) -> None:
        if name == "Schedule":
            self._channel, self._schedule_action = "", said.get("action", "")
        elif name == "Channel" and self._path[-2] == "Schedule":
            self._channel = said.get("shortname", "") or said.get("channelnumber", "")
        elif name == _EVENT:
            self.n_events += 1
            self._event = _Event(line=self.parser.CurrentLineNumber, action=said.get("action", "") or self._schedule_action)
        elif name == _AS_RUN:
            self.n_events += 1
            self.is_as_run = True
            self._event = _Event(line=self.parser.CurrentLineNumber, kind=_AS_RUN)

    def _inside(self, event: _Event, name: str, said: Mapping[str, str]) -> None:
        if name == "EventData":
            event.action = said.get("action", "") or event.action
            event.kind = "secondary" if said.get("eventtype", "").lower().startswith("nonprimary") else event.kind
        elif name == "SmpteDateTime":
            event.broadcast_date = said.get("broadcastdate", "")
        elif name in ("ProgramEvent", "NonProgramEvent") and not event.kind:
            event.kind = name

    def _text(self, letters: str) -> None:
        self._n_letters += len(letters)
        if self._n_letters > TEXT_LETTERS_MAX:
            raise PlanFileError(f"row {self.parser.CurrentLineNumber}: more than {TEXT_LETTERS_MAX} letters in one element")
        self._letters.append(letters)

    def _end(self, _tag: str) -> None:
        text = "".join(self._letters).strip()
        name = self._path[-1]
        if self._event is None:
            if name == "Name" and self._path[-2] == "Channel" and not self._channel:
                self._channel = text
        elif name in (_EVENT, _AS_RUN):
            self._finish(self._event)
            self._event = None
        elif text:
            self._keep(self._event, name, text)
        self._path.pop()
        self._letters = []

    def _keep(self, event: _Event, name: str, text: str) -> None:
        if name == "AlternateId":
            event.identifiers.append(text)
        for ending, key in _TEXTS.items():
            if name == ending[-1] and tuple(self._path[-len(ending) :]) == ending:
                event.texts.setdefault(key, text)

    def _finish(self, event: _Event) -> None:
        ran_beside = event.kind == _AS_RUN and event.texts.get("type", "primary").lower() != "primary"
        if event.kind in ("ProgramEvent", "secondary") or ran_beside:
            self.n_programmes += 1
        elif event.action.lower() in ("remove", "delete"):
            fix = "ask for the whole schedule; a plan lists what is to air"
            self.problems.append(about(Severity.ERROR, event.line, f"the event is to be taken out (action {event.action})", fix))
        elif len(self.records) >= ROWS_MAX:
            raise PlanFileError(f"row {event.line}: more than {ROWS_MAX} events; split the plan")
        else:
            self.records.append(Record(line=event.line, cells=self._cells(event)))

    def _cells(self, event: _Event) -> tuple[str, ...]:
        texts = event.texts
        day, time, zone = event.broadcast_date, texts.get("timecode", ""), ""
        if "T" in time:
            try:
                day, time, zone = split_instant(time)
            except BroadcastTimeError:  # said of the cell
                day = day or time
            if zone:
                day, time = _of_night(day, time)
        title = texts.get("title", "") or texts.get("event_title", "")
        spot = texts.get("house_number", "") or next(iter(event.identifiers), "") or title
        duration, identifiers = texts.get("duration", ""), " ".join(event.identifiers)
        cells = (texts.get("event_id", ""), self._channel, day, time, zone, duration, spot, title, identifiers)
        return (*cells, texts.get("status", "")) if event.kind == _AS_RUN else cells


def _of_night(day: str, time: str) -> tuple[str, str]:
    """An instant whose zone is written, so that no reading of small hours moves it: before six it is of the night before."""
    try:
        before = date.fromisoformat(day) - timedelta(days=1)
        hour = int(time[:2])
    except ValueError:  # said of the cell
        return day, time
    return (before.isoformat(), f"{hour + 24}{time[2:]}") if hour < _MORNING else (day, time)
