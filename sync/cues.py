"""Cues: which occurrences fire which tweet from which account, and what an approval covers.

Pure but for `read_cues`, which opens one file. The layout is docs/cues.md.
"""

import dataclasses
import difflib
import functools
import hashlib
import json
import re
import tomllib
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from hardware.topics import NAME
from sync.conditions import ALWAYS, By, FeedDown, GoalCondition, ScoreState, SpotCondition, TriggerCondition, When
from sync.errors import ApprovalError, CueError, MediaError
from sync.media import MEDIA_MAX, Fallback, Media, media_fault, media_warnings
from sync.media_files import MediaRow, read_media
from sync.quorum import TELLING_NS_MAX
from sync.tweets import (
    FIELDS,
    NAME_CHARS_MAX,
    NO_RULES,
    SCOREBOARD_FIELDS,
    TEAM_FIELDS,
    TweetRules,
    braces_fault,
    fields_of,
    text_fault,
    text_warnings,
)

FILE_BYTES_MAX = 1 << 20
CUES_MAX = 1000
VARIANTS_MAX = 200
DUPLICATE_WINDOW_H_MIN = 24
"""Shortest time after which a text may be posted again: X refuses repetitions for hours, and does not say how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """How often something may fire; reaching one of them disarms the cue."""

    per_minute: int
    per_hour: int
    per_day: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """A rule as its author wrote it; any difference makes another `sha256`, which needs a new approval.

    Attributes:
        variants: the pool of texts; each is used once within the duplicate window.
        campaign: whose caps it shares; empty for none.
        priority: of one account's cues that an occurrence could fire, only those of one priority do, the highest first.
        approvers: how many people must approve it, the author not among them.
        duplicate_window_h: hours after which a text may be posted again; 0 means never.
        paid_partnership: marked as such on X.
        when: hours in which it counts.
        confirm_ms: a goal must have stood for so long before it fires.
        confirm_restart: a goal must stand until play goes on before it fires.
        on_air: the tally that must say so before it fires; empty: none.
        media: pictures and videos of its variants.
        media_fallback: what happens when they are not ready at X: nothing is posted, or the text alone.
        taken_back: what happens to the tweet of a goal that is taken back; `correct` posts one of `corrections`.
    """

    cue_id: str
    name: str
    author: str
    account_id: str
    deadline_ms: int
    audience_delay_ms: int
    taken_back: Literal["leave", "delete", "correct"]
    variants: tuple[str, ...]
    caps: Caps
    on: SpotCondition | GoalCondition | TriggerCondition
    campaign: str = ""
    priority: int = 0
    approvers: int = 1
    duplicate_window_h: int = 0
    paid_partnership: bool = False
    when: When = ALWAYS
    confirm_ms: int = 0
    confirm_restart: bool = False
    corrections: tuple[str, ...] = ()
    media: tuple[Media, ...] = ()
    media_fallback: Fallback = "disarm"
    on_air: str = ""

    def __hash__(self) -> int:
        """By its id: each claim looks something up by its cue, and going through all the texts takes as long as the gate."""
        return hash(self.cue_id)

    def canonical_json(self) -> str:
        """The exact bytes an approval covers: keys sorted, no spaces, every field that differs from its default.

        A field that comes with a newer Cuebird has a default that means what was before, and is left out while it
        has it: so an upgrade voids no approval.
        """
        return json.dumps(_canonical(self), ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    def sha256(self) -> str:
        """Hash of the canonical JSON, in hex."""
        return _sha256_of(self)


@functools.lru_cache(maxsize=4096)
def _sha256_of(cue: Cue) -> str:
    # Remembered: each claim compares it with what was approved, and a cue never changes.
    return hashlib.sha256(cue.canonical_json().encode()).hexdigest()


def _canonical(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_canonical(part) for part in value]
    if not dataclasses.is_dataclass(value):
        return value
    fields = ((field, getattr(value, field.name)) for field in dataclasses.fields(value))
    return {field.name: _canonical(part) for field, part in fields if part != field.default}


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A person's yes to exact bytes, until an instant."""

    cue_id: str
    sha256: str
    approved_by: str
    expires_utc: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """What cues may refer to and must keep, as configured; None where it is not known and so not checked.

    Attributes:
        sides: names of home and away by fixture.
        counting_up: fixtures whose game clock counts up, so that it tells the minute.
        rules: what a tweet may hold.
        approvers_min: how many people must approve each cue at least.
        stored_media_fault: why a medium's copy cannot be used, empty when it can; reads the file.
    """

    accounts: frozenset[str] | None = None
    channels: frozenset[str] | None = None
    spots: frozenset[str] | None = None
    devices: frozenset[str] | None = None
    tallies: frozenset[str] | None = None
    sides: Mapping[str, tuple[str, str]] | None = None
    counting_up: frozenset[str] | None = None
    rules: TweetRules = NO_RULES
    approvers_min: int = 1
    stored_media_fault: Callable[[Media], str] | None = None


_CUE: TypeAdapter[Cue] = TypeAdapter(Cue)


@functools.lru_cache(maxsize=4096)
def cue_from_json(text: str) -> Cue:
    """The cue whose `canonical_json` this is; remembered, since cues are read far more often than changed.

    Raises:
        CueError: it is something else.
    """
    try:
        return _CUE.validate_json(text)
    except ValidationError as error:
        raise CueError(f"a stored cue cannot be read: {error.errors()[0]['msg']}") from error


def approve(cue: Cue, *, approved_by: str, expires_utc: datetime) -> Approval:
    """An approval of the cue as it is now.

    Raises:
        ApprovalError: the approver is the cue's author, or nameless.
    """
    if not person(approved_by):
        raise ApprovalError(f"cue {cue.cue_id}: say who approves it")
    if person(approved_by) == person(cue.author):
        raise ApprovalError(f"cue {cue.cue_id}: {approved_by} wrote it and cannot approve it; ask someone else")
    return Approval(cue_id=cue.cue_id, sha256=cue.sha256(), approved_by=approved_by.strip(), expires_utc=expires_utc)


def person(name: str) -> str:
    """A person's name for comparing: whoever writes it differently is still the same one."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


# --- judging a whole cue ------------------------------------------------------------------------


def cue_fault(cue: Cue, catalogue: Catalogue) -> str:
    """Why a cue could not be fired as it may come out; empty when it could.

    About a millisecond a text: done at import, at approval and when a cue is loaded, never while firing.
    """
    if cue.approvers < catalogue.approvers_min:
        return f"approvers: {cue.approvers}, but [approval] approvers asks for {catalogue.approvers_min}; raise it"
    paid = cue.paid_partnership
    for where, text, longest in _texts(cue, catalogue):
        fault = text_fault(text, longest, catalogue.rules, paid_partnership=paid) or _minute_fault(cue, text, catalogue)
        if fault:
            return f"{where}: {fault}"
    return media_fault(cue.media, variants=len(cue.variants))


def stored_media_fault(cue: Cue, catalogue: Catalogue) -> str:
    """Why the copy of one of its media cannot be used; empty when all can, or where that is not known."""
    look = catalogue.stored_media_fault
    return "" if look is None else next(filter(None, map(look, cue.media)), "")


def cue_warnings(cue: Cue, catalogue: Catalogue) -> tuple[str, ...]:
    """What a person should know before approving a cue, one sentence each."""
    paid = cue.paid_partnership
    of_texts = tuple(
        f"{where}: {warning}"
        for where, text, longest in _texts(cue, catalogue)
        for warning in text_warnings(text, longest, catalogue.rules, paid_partnership=paid)
    )
    return of_texts + media_warnings(cue.media)


def _texts(cue: Cue, catalogue: Catalogue) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Each text with its place in the file and the longest values its fields can take."""
    home, away = _side_names(cue, catalogue)
    longer = max(home, away, key=len)
    longest = {**SCOREBOARD_FIELDS, "home": home, "away": away, "side": longer, "opponent": longer}
    for key, texts in (("variants", cue.variants), ("corrections", cue.corrections)):
        yield from ((f"{key}[{number}]", text, longest) for number, text in enumerate(texts, start=1))


def _side_names(cue: Cue, catalogue: Catalogue) -> tuple[str, str]:
    if isinstance(cue.on, GoalCondition) and catalogue.sides and cue.on.fixture in catalogue.sides:
        return catalogue.sides[cue.on.fixture]
    return "語" * NAME_CHARS_MAX, "語" * NAME_CHARS_MAX


def _minute_fault(cue: Cue, text: str, catalogue: Catalogue) -> str:
    counted = catalogue.counting_up
    if "minute" not in fields_of(text) or not isinstance(cue.on, GoalCondition) or counted is None or cue.on.fixture in counted:
        return ""
    return f"{{minute}}: the clock of fixture {cue.on.fixture} counts down and tells no minute; use {{clock}}"


# --- reading files ------------------------------------------------------------------------------

_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name!r} is not an IANA time zone; write one such as 'Europe/Stockholm'")
    return name


def _time(text: str) -> str:
    if not _TIME.fullmatch(text):
        raise ValueError(f"{text!r} is not a time of day; write one such as '06:00', up to '23:59'")
    return text


def _daypart(text: str) -> str:
    opens, _, closes = text.partition("-")
    if not (_TIME.fullmatch(opens) and _TIME.fullmatch(closes)):
        raise ValueError(f"{text!r} is not a daypart; write one such as '06:00-10:00', or '22:00-02:00' over midnight")
    if opens == closes:
        raise ValueError(f"{text!r} begins and ends at the same time; leave it out for the whole day")
    return text


def _event_name(text: str) -> str:
    if text and not NAME.fullmatch(text):
        raise ValueError(f"{text!r}: an event's name has up to 64 letters, digits, - and _")
    return text


def _text(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _window(hours: int) -> int:
    if 0 < hours < DUPLICATE_WINDOW_H_MIN:
        raise ValueError(f"{hours}: X refuses repetitions for hours; give at least {DUPLICATE_WINDOW_H_MIN}, or 0 for never")
    return hours


_Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
_Line = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
_Ref = Annotated[str, StringConstraints(min_length=1, max_length=200)]
_Text = Annotated[str, StringConstraints(min_length=1, max_length=4000), AfterValidator(_text)]
_Nth = Annotated[int, Field(ge=1, le=1000)]
_Daypart = Annotated[str, AfterValidator(_daypart)]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _CapsRow(_Row):
    per_minute: Annotated[int, Field(ge=1, le=60)] = 4
    per_hour: Annotated[int, Field(ge=1, le=600)] = 30
    per_day: Annotated[int, Field(ge=1, le=2400)] = 100


class _SpotRow(_Row):
    kind: Literal["spot"]
    spots: Annotated[list[_Ref], Field(min_length=1, max_length=500)]
    channel: _Ref
    first_in_day: bool = False
    every: _Nth = 1
    by: By = "sound"
    within_ms: Annotated[int, Field(ge=50, le=10_000)] = 1000
    near_plan_s: Annotated[int, Field(ge=0, le=21_600)] = 0
    feed_down: FeedDown = "hold"
    alert_unheard_s: Annotated[int, Field(ge=0, le=3600)] | None = None

    def condition(self) -> SpotCondition:
        return SpotCondition(**{**self.model_dump(), "spots": tuple(self.spots)})

    @property
    def sources(self) -> int:
        return 2 if self.by == "both" else 1


class _GoalRow(_Row):
    kind: Literal["goal"]
    fixture: _Ref
    side: Literal["home", "away", "any"] = "any"
    score_states: Annotated[list[ScoreState], Field(max_length=5)] = []
    goals: Annotated[list[_Nth], Field(max_length=100)] = []
    every: _Nth = 1
    periods: Annotated[list[_Ref], Field(max_length=20)] = []
    players: Annotated[list[_Ref], Field(max_length=100)] = []
    devices: Annotated[list[_Ref], Field(max_length=2)] = []
    witness: Annotated[str, AfterValidator(_event_name)] = ""
    witness_device: Annotated[str, StringConstraints(max_length=64)] = ""
    within_ms: Annotated[int, Field(ge=50, le=10_000)] = 2000

    def condition(self) -> GoalCondition:
        lists = {name: tuple(value) for name, value in self.model_dump().items() if isinstance(value, list)}
        return GoalCondition(**{**self.model_dump(), **lists})

    @property
    def sources(self) -> int:
        return 2 if self.devices or self.witness else 1


class _TriggerRow(_Row):
    kind: Literal["trigger"]
    fixture: _Ref
    name: Annotated[str, StringConstraints(min_length=1), AfterValidator(_event_name)]
    devices: Annotated[list[_Ref], Field(max_length=2)] = []
    within_ms: Annotated[int, Field(ge=50, le=10_000)] = 2000

    def condition(self) -> TriggerCondition:
        return TriggerCondition(**{**self.model_dump(), "devices": tuple(self.devices)})

    @property
    def sources(self) -> int:
        return 2 if self.devices else 1


class _WhenRow(_Row):
    timezone: Annotated[str, AfterValidator(_zone)]
    day_begins: Annotated[str, AfterValidator(_time)] = "00:00"
    dayparts: Annotated[list[_Daypart], Field(max_length=20)] = []

    def hours(self) -> When:
        return When(timezone=self.timezone, day_begins=self.day_begins, dayparts=tuple(self.dayparts))


class _CueRow(_Row):
    id: _Id
    name: _Line
    author: _Line
    account: _Ref
    campaign: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{0,64}$")] = ""
    priority: Annotated[int, Field(ge=-1000, le=1000)] = 0
    approvers: Annotated[int, Field(ge=1, le=2)] | None = None
    deadline_ms: Annotated[int, Field(ge=100, le=600_000)] = 3000
    audience_delay_ms: Annotated[int, Field(ge=0, le=300_000)] = 0
    confirm_ms: Annotated[int, Field(ge=0, le=599_000)] = 0
    confirm_restart: bool = False
    taken_back: Literal["leave", "delete", "correct"] = "leave"
    corrections: Annotated[list[_Text], Field(max_length=VARIANTS_MAX)] = []
    paid_partnership: bool = False
    variants: Annotated[list[_Text], Field(min_length=1, max_length=VARIANTS_MAX)]
    media: Annotated[list[MediaRow], Field(max_length=MEDIA_MAX)] = []
    media_fallback: Fallback = "disarm"
    duplicate_window_h: Annotated[int, Field(ge=0, le=8760), AfterValidator(_window)] = 0
    caps: _CapsRow = _CapsRow()
    on_air: Annotated[str, StringConstraints(max_length=64)] = ""
    on: Annotated[_SpotRow | _GoalRow | _TriggerRow, Field(discriminator="kind")]
    when: _WhenRow | None = None

    @model_validator(mode="after")
    def _hangs_together(self) -> "_CueRow":
        for fault in (*self._faults_of_time(), *self._faults_of_texts(), *self._faults_of_goals()):
            raise ValueError(fault)
        return self

    def _faults_of_time(self) -> Iterator[str]:
        for key in ("audience_delay_ms", "confirm_ms"):
            if self.deadline_ms <= getattr(self, key):
                yield f"deadline_ms ({self.deadline_ms}) must be more than {key} ({getattr(self, key)})"
        least_ms = self.on.within_ms + TELLING_NS_MAX // 1_000_000
        if self.on.sources > 1 and self.deadline_ms <= least_ms:
            yield f"deadline_ms ({self.deadline_ms}) must be more than {least_ms}: that long the second source may take"
        if isinstance(self.on, _SpotRow):
            if self.on.first_in_day and self.on.every > 1:
                yield f"on.every: {self.on.every} contradicts first_in_day; leave one of them out"
            if self.on.feed_down == "fire_as_planned" and self.on.by not in ("sound", "either"):
                yield f'on.feed_down: "fire_as_planned" contradicts by = "{self.on.by}", which asks for the marker; leave one out'
            if self.when is None and (self.on.first_in_day or self.on.every > 1):
                yield 'when: missing; first_in_day and every count the airings of a day: add [cue.when] with timezone = "…"'

    def _faults_of_texts(self) -> Iterator[str]:
        for key, fields in (("variants", FIELDS if isinstance(self.on, _GoalRow) else ()), ("corrections", TEAM_FIELDS)):
            texts: list[str] = getattr(self, key)
            if len(set(texts)) != len(texts):
                yield f"{key}: the same text stands there twice; each is used once"
            for number, text in enumerate(texts, start=1):
                if fault := braces_fault(text, fields):
                    yield f"{key}[{number}]: {fault}"
        if self.taken_back == "correct" and not self.corrections:
            yield 'corrections: missing; taken_back = "correct" posts one of them'
        if self.corrections and self.taken_back != "correct":
            yield f'corrections: never posted with taken_back = "{self.taken_back}"; write taken_back = "correct"'

        if self.media_fallback == "text" and not self.media:
            yield 'media_fallback: "text", but the cue has no media; leave it out'

    def _faults_of_goals(self) -> Iterator[str]:
        if not isinstance(self.on, _SpotRow) and self.on.devices and len(set(self.on.devices)) != 2:
            yield "on.devices: give two different devices, which must both tell of it, or none"
        if isinstance(self.on, _GoalRow):
            if self.on.witness and self.on.devices:
                yield "on.witness: the cue waits for two devices already; leave one of the two out"
            if self.on.witness_device and not self.on.witness:
                yield 'on.witness_device: nothing is asked of it; write witness = "horn" or the name of a trigger'
            return
        if self.taken_back != "leave":
            yield "taken_back: only a goal can be taken back"
        for key in ("confirm_ms", "confirm_restart"):
            if getattr(self, key):
                yield f"{key}: only a goal can be confirmed"

    def cue(self, catalogue: Catalogue, folder: Path | None) -> Cue:
        return Cue(
            cue_id=self.id,
            name=self.name,
            author=self.author,
            account_id=self.account,
            campaign=self.campaign,
            priority=self.priority,
            approvers=self.approvers or catalogue.approvers_min,
            deadline_ms=self.deadline_ms,
            audience_delay_ms=self.audience_delay_ms,
            confirm_ms=self.confirm_ms,
            confirm_restart=self.confirm_restart,
            taken_back=self.taken_back,
            corrections=tuple(self.corrections),
            paid_partnership=self.paid_partnership,
            variants=tuple(self.variants),
            duplicate_window_h=self.duplicate_window_h,
            caps=Caps(per_minute=self.caps.per_minute, per_hour=self.caps.per_hour, per_day=self.caps.per_day),
            on=self.on.condition(),
            media=read_media(self.media, folder),
            media_fallback=self.media_fallback,
            on_air=self.on_air,
            when=ALWAYS if self.when is None else self.when.hours(),
        )


def read_cues(path: Path, catalogue: Catalogue = Catalogue()) -> tuple[Cue, ...]:
    """The cues of a file.

    Raises:
        CueError: the file or one of its cues is wrong; the sentence names file, cue and key.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CueError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    return parse_cues(data, source=str(path), catalogue=catalogue, folder=path.parent)


def parse_cues(data: bytes, *, source: str, catalogue: Catalogue = Catalogue(), folder: Path | None = None) -> tuple[Cue, ...]:
    """The cues of a TOML document.

    Args:
        source: names it in messages.
        folder: what the paths of media are relative to; None where there can be none.

    Raises:
        CueError: as `read_cues`.
    """
    if len(data) > FILE_BYTES_MAX:
        raise CueError(f"{source}: {len(data)} bytes; a cue file has at most {FILE_BYTES_MAX}")
    try:
        document = tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise CueError(f"{source}: byte {error.start} is not UTF-8; save the file as UTF-8") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise CueError(f"{source}: not TOML: {error}") from error
    unknown = sorted(set(document) - {"cue"})
    if unknown:
        raise CueError(f"{source}: {unknown[0]}: unknown key; a cue file holds [[cue]] tables")
    rows = document.get("cue")
    if not isinstance(rows, list) or not rows:
        raise CueError(f"{source}: no [[cue]] in it; see docs/cues.md")
    if len(rows) > CUES_MAX:
        raise CueError(f"{source}: {len(rows)} cues; at most {CUES_MAX} a file")
    cues = tuple(
        _parse_cue(row, catalogue, number=number, source=source, folder=folder) for number, row in enumerate(rows, start=1)
    )
    seen: set[str] = set()
    for cue in cues:
        if cue.cue_id in seen:
            raise CueError(f"{source}: cue {cue.cue_id}: the id stands there twice; ids are unique")
        seen.add(cue.cue_id)
        fault = _reference_fault(cue, catalogue) or cue_fault(cue, catalogue)
        if fault:
            raise CueError(f"{source}: cue {cue.cue_id}: {fault}")
    return cues


def _parse_cue(row: Any, catalogue: Catalogue, *, number: int, source: str, folder: Path | None) -> Cue:
    try:
        return _CueRow.model_validate(row).cue(catalogue, folder)
    except MediaError as error:
        raise CueError(f"{source}: cue {row['id']}: media: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=True)[0]
        named = row.get("id") if isinstance(row, dict) else None
        key = ".".join(str(part) for part in first["loc"] if part not in ("spot", "goal", "trigger"))
        raise CueError(f"{source}: cue {named or f'number {number}'}: {key + ': ' if key else ''}{_mistake(first)}") from error


def _mistake(error: ErrorDetails) -> str:
    """What is wrong with a value, with the value and the way out."""
    message, value = error["msg"], error["input"]
    if error["type"] == "extra_forbidden":
        alike = difflib.get_close_matches(str(error["loc"][-1]), _KEYS, n=1)
        return f"unknown key; did you mean {alike[0]}?" if alike else "unknown key; docs/cues.md lists them"
    if error["type"] == "value_error" or not isinstance(value, str | int | float):
        return message.removeprefix("Value error, ")
    return f"{message}, not {value!r}"


_KEYS = [name for row in (_CueRow, _SpotRow, _GoalRow, _TriggerRow, _WhenRow, _CapsRow, MediaRow) for name in row.model_fields]


def _reference_fault(cue: Cue, catalogue: Catalogue) -> str:
    checks: list[tuple[str, str, frozenset[str] | None]] = [("account", cue.account_id, catalogue.accounts)]
    if isinstance(cue.on, SpotCondition):
        checks.append(("on.channel", cue.on.channel, catalogue.channels))
        checks += [("on.spots", spot_id, catalogue.spots) for spot_id in cue.on.spots]
    else:
        checks += [("on.devices", device, catalogue.devices) for device in cue.on.devices]
        if isinstance(cue.on, GoalCondition) and cue.on.witness_device:
            checks.append(("on.witness_device", cue.on.witness_device, catalogue.devices))
        checks.append(("on.fixture", cue.on.fixture, None if catalogue.sides is None else frozenset(catalogue.sides)))
    if cue.on_air:
        checks.append(("on_air", cue.on_air, catalogue.tallies))
    for key, value, known in checks:
        if known is not None and value not in known:
            return f"{key}: {value!r} is not configured; known are {', '.join(sorted(known)) or 'none'}"
    return ""
