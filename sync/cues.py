"""Cues: which occurrences fire which tweet from which account, and what an approval covers.

Pure but for `read_cues`, which opens one file. The layout is docs/cues.md.
"""

import dataclasses
import functools
import hashlib
import json
import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError, model_validator

from sync.errors import ApprovalError, CueError
from sync.tweet_text import holds_forbidden_characters, weight

WEIGHTED_LENGTH_MAX = 280
"""What a tweet may weigh; x.com counts most CJK and emoji twice and every URL as 23."""
FILE_BYTES_MAX = 1 << 20
CUES_MAX = 1000
VARIANTS_MAX = 200

FIELDS = ("home", "away", "home_score", "away_score", "period", "clock")
"""All that may stand between braces in a goal's text."""
LONGEST = {"home_score": "188", "away_score": "188", "period": "8888", "clock": "188:88"}
"""The longest values the fields of a goal can take, besides the sides' names."""
NAME_CHARS_MAX = 50
"""Longest name of a side; used, at double weight, where the fixture's names are not known."""

_FIELD = re.compile(r"\{([^{}]*)\}")
_FROM_DEVICE = re.compile(r"[0-9A-Za-z:.+' -]*")
"""What a scoreboard may put into a tweet: never a mention, a link or a hashtag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """How often something may fire; reaching one of them disarms the cue."""

    per_minute: int
    per_hour: int
    per_day: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotCondition:
    """A spot heard inside the window of a planned airing."""

    kind: Literal["spot"]
    spots: tuple[str, ...]
    channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalCondition:
    """A goal of a side of a fixture."""

    kind: Literal["goal"]
    fixture: str
    side: Literal["home", "away", "any"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """A rule as its author wrote it; any difference makes another `sha256`, which needs a new approval."""

    cue_id: str
    name: str
    author: str
    account_id: str
    deadline_ms: int
    audience_delay_ms: int
    taken_back: Literal["leave", "delete"]
    variants: tuple[str, ...]
    caps: Caps
    on: SpotCondition | GoalCondition

    def canonical_json(self) -> str:
        """The exact bytes an approval covers: every field, keys sorted, no spaces."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    def sha256(self) -> str:
        """Hash of the canonical JSON, in hex."""
        return _sha256_of(self)


@functools.lru_cache(maxsize=4096)
def _sha256_of(cue: Cue) -> str:
    # Remembered: each claim compares it with what was approved, and a cue never changes.
    return hashlib.sha256(cue.canonical_json().encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A person's yes to exact bytes."""

    cue_id: str
    sha256: str
    approved_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """What cues may refer to, as configured; None where it is not known and so not checked."""

    accounts: frozenset[str] | None = None
    channels: frozenset[str] | None = None
    spots: frozenset[str] | None = None
    sides: Mapping[str, tuple[str, str]] | None = None
    """Names of home and away by fixture."""


_CUE: TypeAdapter[Cue] = TypeAdapter(Cue)


def cue_from_json(text: str) -> Cue:
    """The cue whose `canonical_json` this is.

    Raises:
        CueError: it is something else.
    """
    try:
        return _CUE.validate_json(text)
    except ValidationError as error:
        raise CueError(f"a stored cue cannot be read: {error.errors()[0]['msg']}") from error


def approve(cue: Cue, *, approved_by: str) -> Approval:
    """An approval of the cue as it is now.

    Raises:
        ApprovalError: the approver is the cue's author, or nameless.
    """
    name = _person(approved_by)
    if not name:
        raise ApprovalError(f"cue {cue.cue_id}: say who approves it")
    if name == _person(cue.author):
        raise ApprovalError(f"cue {cue.cue_id}: {approved_by} wrote it and cannot approve it; ask someone else")
    return Approval(cue_id=cue.cue_id, sha256=cue.sha256(), approved_by=approved_by.strip())


def _person(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip().casefold()


# --- filling in ---------------------------------------------------------------------------------


def fill(variant: str, fields: Mapping[str, str]) -> str:
    """The text with its fields filled in, in one pass: a value that looks like a field stays as it is."""
    return _FIELD.sub(lambda match: fields[match.group(1)], variant)


def is_template(variant: str) -> bool:
    """Whether the text has fields, so that it reads differently at each goal."""
    return _FIELD.search(variant) is not None


def field_fault(fields: Mapping[str, str]) -> str:
    """Why a scoreboard's values must not go into a tweet; empty when they may."""
    for name, longest in LONGEST.items():
        value = fields.get(name, "")
        if len(value) > len(longest):
            return f"the scoreboard gives {name} as {value[:20]!r}, longer than the {len(longest)} characters that were checked"
        if not _FROM_DEVICE.fullmatch(value):
            return f"the scoreboard gives {name} as {value[:20]!r}, which may not stand in a tweet"
    return ""


def text_fault(cue: Cue, catalogue: Catalogue) -> str:
    """Why one of the cue's texts could not be posted as it may come out; empty when all could.

    Weighs every variant with the longest values its fields can take. Costs about a millisecond a
    variant: done at import and when a cue is loaded, never while firing.
    """
    longest = {**LONGEST, **dict(zip(("home", "away"), _side_names(cue, catalogue), strict=True))}
    for number, variant in enumerate(cue.variants, start=1):
        text = fill(variant, longest)
        if holds_forbidden_characters(text) or any(unicodedata.category(char) == "Cc" and char != "\n" for char in text):
            return f"variants[{number}]: holds a character that cannot be posted"
        weighted = weight(text)
        if weighted > WEIGHTED_LENGTH_MAX:
            return f"variants[{number}]: weighs up to {weighted}, at most {WEIGHTED_LENGTH_MAX} are allowed; shorten it"
    return ""


def _side_names(cue: Cue, catalogue: Catalogue) -> tuple[str, str]:
    if isinstance(cue.on, GoalCondition) and catalogue.sides and cue.on.fixture in catalogue.sides:
        return catalogue.sides[cue.on.fixture]
    return "語" * NAME_CHARS_MAX, "語" * NAME_CHARS_MAX


# --- reading files ------------------------------------------------------------------------------

_Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
_Line = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
_Ref = Annotated[str, StringConstraints(min_length=1, max_length=200)]


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


class _GoalRow(_Row):
    kind: Literal["goal"]
    fixture: _Ref
    side: Literal["home", "away", "any"] = "any"


class _CueRow(_Row):
    id: _Id
    name: _Line
    author: _Line
    account: _Ref
    deadline_ms: Annotated[int, Field(ge=100, le=600_000)] = 3000
    audience_delay_ms: Annotated[int, Field(ge=0, le=300_000)] = 0
    taken_back: Literal["leave", "delete"] = "leave"
    variants: Annotated[
        list[Annotated[str, StringConstraints(min_length=1, max_length=4000)]], Field(min_length=1, max_length=VARIANTS_MAX)
    ]
    caps: _CapsRow = _CapsRow()
    on: Annotated[_SpotRow | _GoalRow, Field(discriminator="kind")]

    @model_validator(mode="after")
    def _hangs_together(self) -> "_CueRow":
        if self.deadline_ms <= self.audience_delay_ms:
            raise ValueError(f"deadline_ms ({self.deadline_ms}) must be more than audience_delay_ms ({self.audience_delay_ms})")
        if len(set(self.variants)) != len(self.variants):
            raise ValueError("variants: the same text stands there twice; each is used once")
        if self.taken_back != "leave" and self.on.kind != "goal":
            raise ValueError("taken_back: only a goal can be taken back")
        for number, variant in enumerate(self.variants, start=1):
            _check_braces(variant, number=number, has_fields=self.on.kind == "goal")
        return self

    def cue(self) -> Cue:
        on: SpotCondition | GoalCondition
        if isinstance(self.on, _SpotRow):
            on = SpotCondition(kind="spot", spots=tuple(self.on.spots), channel=self.on.channel)
        else:
            on = GoalCondition(kind="goal", fixture=self.on.fixture, side=self.on.side)
        return Cue(
            cue_id=self.id,
            name=self.name,
            author=self.author,
            account_id=self.account,
            deadline_ms=self.deadline_ms,
            audience_delay_ms=self.audience_delay_ms,
            taken_back=self.taken_back,
            variants=tuple(unicodedata.normalize("NFC", variant) for variant in self.variants),
            caps=Caps(per_minute=self.caps.per_minute, per_hour=self.caps.per_hour, per_day=self.caps.per_day),
            on=on,
        )


def _check_braces(variant: str, *, number: int, has_fields: bool) -> None:
    rest = _FIELD.sub("", variant)
    if "{" in rest or "}" in rest:
        raise ValueError(f"variants[{number}]: a brace without its partner")
    for name in _FIELD.findall(variant):
        if not has_fields:
            raise ValueError(f"variants[{number}]: {{{name}}}: only a goal's text has fields")
        if name not in FIELDS:
            raise ValueError(f"variants[{number}]: {{{name}}} is not a field; known are {', '.join(FIELDS)}")


def read_cues(path: Path, catalogue: Catalogue = Catalogue()) -> tuple[Cue, ...]:
    """The cues of a file.

    Raises:
        CueError: the file or one of its cues is wrong; the sentence names file, cue and key.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CueError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    return parse_cues(data, source=str(path), catalogue=catalogue)


def parse_cues(data: bytes, *, source: str, catalogue: Catalogue = Catalogue()) -> tuple[Cue, ...]:
    """The cues of a TOML document; `source` names it in messages.

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
    cues = tuple(_parse_cue(row, number=number, source=source) for number, row in enumerate(rows, start=1))
    seen: set[str] = set()
    for cue in cues:
        if cue.cue_id in seen:
            raise CueError(f"{source}: cue {cue.cue_id}: the id stands there twice; ids are unique")
        seen.add(cue.cue_id)
        fault = _reference_fault(cue, catalogue) or text_fault(cue, catalogue)
        if fault:
            raise CueError(f"{source}: cue {cue.cue_id}: {fault}")
    return cues


def _parse_cue(row: Any, *, number: int, source: str) -> Cue:
    try:
        return _CueRow.model_validate(row).cue()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=True)[0]
        named = row.get("id") if isinstance(row, dict) else None
        key = ".".join(str(part) for part in first["loc"] if part not in ("spot", "goal"))
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            message = "unknown key"
        raise CueError(f"{source}: cue {named or f'number {number}'}: {key + ': ' if key else ''}{message}") from error


def _reference_fault(cue: Cue, catalogue: Catalogue) -> str:
    checks: list[tuple[str, str, frozenset[str] | None]] = [("account", cue.account_id, catalogue.accounts)]
    if isinstance(cue.on, SpotCondition):
        checks.append(("on.channel", cue.on.channel, catalogue.channels))
        checks += [("on.spots", spot_id, catalogue.spots) for spot_id in cue.on.spots]
    else:
        checks.append(("on.fixture", cue.on.fixture, None if catalogue.sides is None else frozenset(catalogue.sides)))
    for key, value, known in checks:
        if known is not None and value not in known:
            return f"{key}: {value!r} is not configured; known are {', '.join(sorted(known)) or 'none'}"
    return ""
