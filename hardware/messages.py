"""The signed messages between gateways and the engine. docs/mqtt.md is their specification.

    cuebird1 <key id> <HMAC-SHA256, 64 hex digits>\n
    {"version": 1, …}

The signature covers the topic, a zero byte and the raw bytes after the first line, so no byte of the
whole can change unnoticed and nothing needs a canonical form. Pure: the instant of reading, the keys
and the replay state are arguments.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hardware.errors import RefusedMessage, RepeatedMessage
from hardware.events import ScoreKind, Side
from hardware.replay import ReplayState
from hardware.sports import SET_ORDINALS
from hardware.topics import NAME, DeviceTopic, parse_topic

VERSION = 1
MAX_MESSAGE_BYTES = 4096
FRESHNESS_S = 5.0
"""An event older than this is not believed: its moment has passed."""
FUTURE_S = 1.0
"""How far a gateway's clock may be ahead of the engine's."""

DETAIL_LETTERS_MAX = 300
NS_PER_S = 1_000_000_000
_ENVELOPE = re.compile(rb"cuebird1 ([0-9a-f]{16}) ([0-9a-f]{64})\n(.*)", re.DOTALL)

Name = Annotated[str, Field(pattern=rf"^{NAME.pattern}$")]
Ulid = Annotated[str, Field(pattern=r"^[0-9A-HJKMNP-TV-Z]{26}$")]
Points = Annotated[int, Field(ge=0, le=999)]
Instant = Annotated[int, Field(ge=0, lt=1 << 63)]
Shown = Annotated[str, Field(max_length=16)]
Confidence = Literal["checked", "repeated"]


class _Body(BaseModel):
    """Unknown fields are ignored, so that a newer gateway may tell more; a newer version is refused."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    version: Literal[1]
    boot: Ulid
    venue: Name
    device: Name
    fixture: Name
    t_pub_ns: Instant


B = TypeVar("B", bound=_Body)


class EventBody(_Body):
    """What happened on a scoreboard as it travels; the fields are explained in docs/mqtt.md."""

    id: Ulid
    sequence: Annotated[int, Field(ge=1, lt=1 << 53)]
    type: ScoreKind = Field(strict=False)
    side: Side | None = Field(strict=False)
    delta: Annotated[int, Field(ge=-999, le=999)]
    home: Points
    away: Points
    ordinal: Points
    period: Shown
    clock: Shown
    player: Annotated[str, Field(max_length=64)] = ""
    t_event_ns: Instant
    clock_source: Annotated[str, Field(max_length=32)]
    clock_error_us: Annotated[int, Field(ge=0)] | None
    confidence: Confidence
    protocol: Annotated[str, Field(max_length=32)]
    frame_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    key: str
    repeated: bool = False

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        sign = {ScoreKind.GOAL: 1, ScoreKind.CORRECTION: -1}.get(self.type, 0)
        sided = self.side is not None
        if (self.delta > 0) - (self.delta < 0) != sign or (self.type is not ScoreKind.TIMEOUT and sided != bool(sign)):
            raise ValueError(f"a {self.type} with side {self.side} and delta {self.delta} makes no sense")
        shown = {Side.HOME: self.home, Side.AWAY: self.away, None: 0}[self.side] if sign else 0
        # In a sport in sets the sets before count, which no points do.
        sets, rest = divmod(self.ordinal - shown, SET_ORDINALS)
        if rest or sets < 0 or (sets and (not sign or shown >= SET_ORDINALS)):
            raise ValueError(f"ordinal {self.ordinal} does not name the side's points, {shown}")
        return self


class StateBody(_Body):
    """How a device is; retained by the broker, never fires anything."""

    state: Literal["online", "console_silent", "offline"]
    sequence: Annotated[int, Field(ge=0, lt=1 << 53)] | None = None
    home: Points | None = None
    away: Points | None = None
    clock: Shown = ""
    period: Shown = ""
    running: bool | None = None
    good_frames: Annotated[int, Field(ge=0)] = 0
    bad_frames: Annotated[int, Field(ge=0)] = 0
    dropped_events: Annotated[int, Field(ge=0)] = 0
    connections: Annotated[int, Field(ge=0)] = 0
    refused: Annotated[int, Field(ge=0)] = 0
    received_bytes: Annotated[int, Field(ge=0)] = 0
    detail: Annotated[str, Field(max_length=DETAIL_LETTERS_MAX)] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """An event that may be believed, and the replay state to keep from now on."""

    event: EventBody
    replay: ReplayState


def key_id(key: bytes) -> str:
    """Sixteen hex digits that name a key without telling it."""
    return hashlib.sha256(b"cuebird key id\0" + key).hexdigest()[:16]


def sign(topic: DeviceTopic, body: EventBody | StateBody, key: bytes) -> bytes:
    """The message to publish under `topic`."""
    payload = json.dumps(body.model_dump(mode="json"), ensure_ascii=False, separators=(",", ":")).encode()
    return b"cuebird1 %s %s\n%s" % (key_id(key).encode(), _signature(str(topic), payload, key), payload)


def _signature(topic: str, payload: bytes, key: bytes) -> bytes:
    return hmac.new(key, topic.encode() + b"\0" + payload, hashlib.sha256).hexdigest().encode()


def _opened(topic: str, message: bytes, keys: Mapping[tuple[str, str], bytes]) -> tuple[DeviceTopic, bytes]:
    """The topic's device and the payload, once the signature is right."""
    if len(message) > MAX_MESSAGE_BYTES:
        raise RefusedMessage(f"{len(message)} bytes; at most {MAX_MESSAGE_BYTES} are read")
    named = parse_topic(topic)
    if named is None:
        raise RefusedMessage("the topic is not a device's")
    envelope = _ENVELOPE.fullmatch(message)
    if envelope is None:
        raise RefusedMessage("not a signed message")
    key = keys.get((named.venue, named.device))
    if key is None:
        raise RefusedMessage("no key is known for this device")
    if not hmac.compare_digest(envelope[1], key_id(key).encode()):
        raise RefusedMessage(f"signed with key {envelope[1].decode()}; the device's is {key_id(key)}")
    if not hmac.compare_digest(envelope[2], _signature(topic, envelope[3], key)):
        raise RefusedMessage("bad signature")
    return named, envelope[3]


def verify(
    topic: str,
    message: bytes,
    *,
    keys: Mapping[tuple[str, str], bytes],
    fixtures: Mapping[tuple[str, str], str],
    now_utc_ns: int,
    replay: ReplayState,
    freshness_s: float = FRESHNESS_S,
) -> Verified:
    """The event in `message`, if it is to be believed.

    Args:
        topic: as received.
        message: as received.
        keys: each device's key, by (venue, device).
        fixtures: the fixture each device keeps the score of, by (venue, device).
        now_utc_ns: the wall clock now.
        replay: what was heard before.
        freshness_s: how old an event may be.

    Raises:
        RefusedMessage: it is not; nothing else is raised, whatever the bytes. A `RepeatedMessage` where a gateway only tells
            again what it had told, as it does after a lost connection.
    """
    named, payload = _opened(topic, message, keys)
    if named.leaf != "event":
        raise RefusedMessage("a state is not an event")
    event = _parsed(EventBody, payload)
    _check_names(named, event, fixtures)
    if event.key != key_id(keys[named.venue, named.device]):
        raise RefusedMessage(f"key {event.key} in the message is not the one it is signed with")
    oldest_ns = now_utc_ns - round(freshness_s * NS_PER_S)
    latest_ns = now_utc_ns + round(FUTURE_S * NS_PER_S)
    for what, instant_ns in (("published", event.t_pub_ns), ("happened", event.t_event_ns)):
        if instant_ns < oldest_ns:
            raise RefusedMessage(f"{what} {(now_utc_ns - instant_ns) / NS_PER_S:.1f} s ago; {freshness_s:g} s is the limit")
        if instant_ns > latest_ns:
            raise RefusedMessage(f"{what} {(instant_ns - now_utc_ns) / NS_PER_S:.1f} s in the future; set the clocks")
    known = replay.devices.get((named.venue, named.device))
    if event.repeated and known is not None and event.boot == known.boot and event.sequence <= known.sequence:
        raise RepeatedMessage(f"event {event.sequence} is told again, which was taken or is too late")
    admitted = replay.admit((named.venue, named.device), boot=event.boot, sequence=event.sequence, message_id=event.id)
    return Verified(event=event, replay=admitted)


def verify_state(
    topic: str,
    message: bytes,
    *,
    keys: Mapping[tuple[str, str], bytes],
    fixtures: Mapping[tuple[str, str], str],
) -> StateBody:
    """The state in `message`, if the device signed it; how old it is, is for the reader to judge.

    Raises:
        RefusedMessage: it did not; nothing else is raised, whatever the bytes.
    """
    named, payload = _opened(topic, message, keys)
    if named.leaf != "state":
        raise RefusedMessage("an event is not a state")
    state = _parsed(StateBody, payload)
    _check_names(named, state, fixtures)
    return state


def _check_names(named: DeviceTopic, body: _Body, fixtures: Mapping[tuple[str, str], str]) -> None:
    if (body.venue, body.device) != (named.venue, named.device):
        raise RefusedMessage(f"says it is from {body.venue}/{body.device}, which is not its topic's device")
    expected = fixtures.get((named.venue, named.device))
    if body.fixture != expected:
        raise RefusedMessage(f"tells of fixture {body.fixture}; this device keeps {expected or 'none'}")


def _parsed(model: type[B], payload: bytes) -> B:
    try:
        return model.model_validate_json(payload)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "message"
        raise RefusedMessage(f"{where}: {first['msg']}") from error
