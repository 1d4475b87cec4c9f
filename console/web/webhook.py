"""Devices' signed messages over HTTP: the same message as over MQTT, the same verifier (docs/webhook.md)."""

import ipaddress
import math
from collections import OrderedDict
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, HTTPException, Request
from fastapi import Path as PathParameter
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from console.web.api import EngineDoor, ErrorAnswer
from console.web.engine import EngineRefusedError
from console.web.guard import SIGNED_FOLDER
from console.web.live import EngineLostError
from hardware.messages import MAX_MESSAGE_BYTES
from hardware.topics import NAME
from timebase import Clock

PER_ADDRESS: Final = (10.0, 40.0)
"""Messages a second from one address, and how many at once."""
ALTOGETHER: Final = (200.0, 400.0)
"""The same of all addresses: what is verified takes the engine's time."""
_TRACKED_MAX: Final = 4096

router = APIRouter()


class Taken(BaseModel):
    """A message was taken, now or when it came the first time."""

    answer: Literal["accepted", "duplicate"]
    reason: str = ""


class _Bucket:
    """Tokens that come back at a steady rate, as many as there is room for."""

    def __init__(self, per_s: float, room: float, now_mono_ns: int) -> None:
        self._per_s, self._room, self._left, self._at_mono_ns = per_s, room, room, now_mono_ns

    def wait_s(self, now_mono_ns: int) -> float:
        """Take one, and 0; or how long until there is one."""
        self._left = min(self._room, self._left + (now_mono_ns - self._at_mono_ns) / 1e9 * self._per_s)
        self._at_mono_ns = now_mono_ns
        if self._left < 1:
            return (1 - self._left) / self._per_s
        self._left -= 1
        return 0.0


class MessageRate:
    """How often messages may come, from each address and from all. Bounded: of too many addresses the oldest is forgotten."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._all = _Bucket(*ALTOGETHER, clock.mono_ns())
        self._of: OrderedDict[str, _Bucket] = OrderedDict()

    def wait_s(self, address: str) -> float:
        """Count a message from an address, and 0; or how long it has to wait."""
        now_ns, network = self._clock.mono_ns(), _network(address)
        bucket = self._of.setdefault(network, _Bucket(*PER_ADDRESS, now_ns))
        self._of.move_to_end(network)
        while len(self._of) > _TRACKED_MAX:
            self._of.popitem(last=False)
        # Its own first: one that sends too much takes nothing from the others.
        return bucket.wait_s(now_ns) or self._all.wait_s(now_ns)


def _network(address: str) -> str:
    """What one sender can choose its addresses from: with IPv6 the last 64 bits are its own."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return address if parsed.version == 4 else str(ipaddress.ip_network((parsed, 64), strict=False))


_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": text}
    for status, text in (
        (409, "The message is not believed, with the reason"),
        (413, f"More than {MAX_MESSAGE_BYTES} bytes"),
        (429, "Too many messages; Retry-After says how long to wait"),
        (503, "The engine does not answer; the message may be sent again"),
    )
}
_Name = Annotated[str, PathParameter(pattern=f"^{NAME.pattern}$")]


@router.post(
    SIGNED_FOLDER + "{venue}/{device}/{leaf}",
    status_code=202,
    response_model=Taken,
    responses={200: {"model": Taken, "description": "It was taken before"}, **_ERRORS},
    tags=["devices"],
)
async def device_message(
    request: Request, engine: EngineDoor, venue: _Name, device: _Name, leaf: Literal["event", "state"]
) -> JSONResponse:
    """A device's signed message, as it would be published under `cuebird/v1/<venue>/<device>/<leaf>`."""
    rate: MessageRate = request.app.state.message_rate
    if wait_s := rate.wait_s(request.client.host if request.client else ""):
        headers = {"retry-after": str(math.ceil(wait_s))}
        raise HTTPException(429, f"too many messages; the next one in {math.ceil(wait_s)} s", headers)
    topic, message = f"cuebird/v1/{venue}/{device}/{leaf}", _as_text(await _body(request))
    try:
        told = await engine.request("device_message", topic=topic, message=message)
    except EngineRefusedError as error:
        raise HTTPException(409, str(error)) from error
    except EngineLostError as error:
        raise HTTPException(503, f"The engine did not take the message: {error}") from error
    if told["admission"] == "refused":
        raise HTTPException(409, str(told["reason"]))
    status = 202 if told["admission"] == "accepted" else 200
    return JSONResponse({"answer": told["admission"], "reason": told["reason"]}, status)


async def _body(request: Request) -> bytes:
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_MESSAGE_BYTES:
                raise HTTPException(413, f"a message has at most {MAX_MESSAGE_BYTES} bytes")
    except ClientDisconnect as error:
        raise HTTPException(400, "the connection ended before the message did") from error
    return body


def _as_text(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise HTTPException(409, "not a signed message") from error
