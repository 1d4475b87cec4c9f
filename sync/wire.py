"""The lines of the control socket, read and written (docs/engine-socket.md)."""

import json
import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NoReturn, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from fingerprints.events import Detection, FeedStatus, FollowEnd
from hardware.markers import MarkerReport, MarkerSourceStatus
from hardware.messages import MAX_MESSAGE_BYTES
from hardware.tally import TallyStatus
from sync.errors import ControlError
from sync.snapshot import JsonObject

LINE_BYTES_MAX = 1 << 20
"""Longest line either side accepts; a longer one ends the connection."""

_Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
_Sentence = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
_AWARE = TypeAdapter(AwareDatetime)
_Told = TypeVar("_Told", MarkerReport, MarkerSourceStatus, TallyStatus)


def _aware_detection(detection: Detection) -> Detection:
    _AWARE.validate_python(detection.decided_utc)
    if not detection.spot_ids or detection.spot_id not in detection.spot_ids:
        raise ValueError("spot_ids must hold spot_id")
    return detection


def _aware_feed(feed: FeedStatus) -> FeedStatus:
    _AWARE.validate_python(feed.sent_utc)
    return feed


def _aware(told: _Told) -> _Told:
    _AWARE.validate_python(told.sent_utc)
    return told


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Ping(_Request):
    """Is anybody there?"""

    op: Literal["ping"]


class SnapshotRequest(_Request):
    """Show everything, once."""

    op: Literal["snapshot"]


class Subscribe(_Request):
    """Show everything, then tell what changes."""

    op: Literal["subscribe"]


class DetectionReport(_Request):
    """A listener heard a spot begin."""

    op: Literal["detection"]
    detection: Annotated[Detection, AfterValidator(_aware_detection)]


class FollowEndReport(_Request):
    """A listener heard how far a spot ran."""

    op: Literal["follow_end"]
    follow_end: FollowEnd


class FeedReport(_Request):
    """How a feed is."""

    op: Literal["feed"]
    feed: Annotated[FeedStatus, AfterValidator(_aware_feed)]


class MarkerMessage(_Request):
    """A broadcaster's marker was heard, or cancelled."""

    op: Literal["marker"]
    marker: Annotated[MarkerReport, AfterValidator(_aware)]


class MarkerSourceMessage(_Request):
    """How a source of markers is."""

    op: Literal["marker_source"]
    marker_source: Annotated[MarkerSourceStatus, AfterValidator(_aware)]


class TallyMessage(_Request):
    """How a mixer's tally is."""

    op: Literal["tally"]
    tally: Annotated[TallyStatus, AfterValidator(_aware)]


class DeviceMessage(_Request):
    """A device's signed message that came another way than through the broker."""

    op: Literal["device_message"]
    topic: Annotated[str, StringConstraints(max_length=200)]
    message: Annotated[str, StringConstraints(max_length=MAX_MESSAGE_BYTES)]


class SetMode(_Request):
    """Change between OFF, REHEARSAL and LIVE."""

    op: Literal["mode"]
    mode: Literal["OFF", "REHEARSAL", "LIVE"]
    actor: _Name


class Kill(_Request):
    """Let no POST start any more."""

    op: Literal["kill"]
    actor: _Name
    reason: _Sentence


class Release(_Request):
    """Undo a kill; what fell into it stays unsent."""

    op: Literal["release"]
    actor: _Name
    reason: _Sentence


class Settle(_Request):
    """A person looked, and says what became of an unknown firing."""

    op: Literal["settle"]
    firing_id: int
    state: Literal["POSTED", "NOT_SEEN"]
    actor: _Name
    reason: _Sentence
    tweet_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,25}$")] | None = None


class Veto(_Request):
    """A person stops a firing that waits for its audience delay."""

    op: Literal["veto"]
    firing_id: int
    actor: _Name
    reason: _Sentence


class Reload(_Request):
    """Read cues, approvals and airings again."""

    op: Literal["reload"]


Report = DetectionReport | FollowEndReport | FeedReport | MarkerMessage | MarkerSourceMessage | TallyMessage
"""What listeners tell."""

Request = Ping | SnapshotRequest | Subscribe | Report | DeviceMessage | SetMode | Kill | Release | Settle | Veto | Reload

_OPS = (
    *("ping", "snapshot", "subscribe", "detection", "follow_end", "feed", "marker", "marker_source", "tally", "device_message"),
    *("mode", "kill", "release", "settle", "veto", "reload"),
)
_REQUEST: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="op")])


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A request with the number its reply carries; None for a report, which gets no reply."""

    reply_id: int | str | None
    request: Request


def parse_object(line: bytes) -> JsonObject:
    """A line as a JSON object.

    Raises:
        ControlError: it is not one, or it holds a number that is not finite.
    """
    try:
        value = json.loads(line, parse_constant=_refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise ControlError("bad_request", f"the line is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ControlError("bad_request", f"a line is a JSON object, not {type(value).__name__}")
    return value


def reply_id_of(message: JsonObject) -> int | str | None:
    """The request's `id`, or None for a report.

    Raises:
        ControlError: it is neither a number nor a short text.
    """
    reply_id = message.get("id")
    if reply_id is None:
        return None
    if isinstance(reply_id, bool) or not isinstance(reply_id, int | str) or len(str(reply_id)) > 64:
        raise ControlError("bad_request", "id: give an integer or a text of at most 64 characters")
    return reply_id


def parse_request(message: JsonObject) -> Request:
    """The request a JSON object asks for.

    Raises:
        ControlError: the op is unknown, or a field is missing, wrong or superfluous; the sentence names it.
    """
    op = message.get("op")
    if op not in _OPS:
        raise ControlError("unknown_op", f"op: {str(op)[:40]!r} is unknown; known are {', '.join(_OPS)}")
    fields = {key: value for key, value in message.items() if key != "id"}
    try:
        return _REQUEST.validate_python(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"][1:]) or "the request"
        raise ControlError("bad_request", f"{op}: {where}: {first['msg']}") from error


def dump_line(message: JsonObject) -> bytes:
    """A JSON object as one line, dataclasses and instants inside it converted.

    Raises:
        ControlError: it would be longer than a line may be.
    """
    line = json.dumps(to_jsonable_python(message), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    if len(line) > LINE_BYTES_MAX:
        raise ControlError("refused", f"the line would have {len(line)} bytes; at most {LINE_BYTES_MAX} are allowed")
    return line


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> Any:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is out of range")
    return number
