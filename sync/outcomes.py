"""What became of a request, judged by how certain we are of it.

X has no idempotency key, so a wrong NOT_SENT or REFUSED could lead to a second tweet. Hence two rules: once a
byte was written nothing but an answer can make an outcome certain, and whatever is not listed here is UNKNOWN.
"""

import asyncio
import json
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import aiohttp
import tweepy

from sync.errors import SyncError
from sync.posting import Certainty, Limits

_REASON_CHARS_MAX = 300
_DUPLICATE = "duplicate content"

_REFUSED_STATUS = frozenset({400, 401, 402, 429})
"""Answered so, X did not create the tweet, whatever the body says."""

_BEFORE_ANY_BYTE = (
    aiohttp.ClientConnectorError,  # DNS, TCP and TLS, with their subclasses
    aiohttp.ServerFingerprintMismatch,
    aiohttp.InvalidURL,
    aiohttp.ClientConnectionError,
    ssl.SSLError,
    OSError,  # with socket.gaierror, ConnectionError and the three TimeoutErrors, which are one in Python 3.11
)
"""What connecting can raise; proof that nothing left only together with the hook that saw no byte written."""

_SENTENCES: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((aiohttp.ClientConnectorDNSError, socket.gaierror), "the service's name could not be resolved"),
    ((aiohttp.ClientConnectorCertificateError, ssl.SSLCertVerificationError), "the service's certificate is not trusted"),
    ((aiohttp.ConnectionTimeoutError,), "connecting took too long"),
    ((TimeoutError,), "no answer in time"),
    ((aiohttp.ClientPayloadError,), "the answer was cut short"),
    ((aiohttp.ServerDisconnectedError,), "the connection was closed without an answer"),
    ((json.JSONDecodeError,), "the answer was not readable JSON"),
)


class WithheldError(SyncError):
    """The last look before the first byte said no: a kill, a hold or the deadline. Nothing was sent."""


class DeadConnectionError(SyncError):
    """The connection turned out closed by the other side before a byte was written. Nothing was sent."""


class SecondWriteError(SyncError):
    """The HTTP library was about to repeat a request that may have arrived; it was stopped."""


class UnreadableAnswerError(SyncError):
    """An answer of success came, but not the one that proves it."""

    def __init__(self, message: str, *, http_status: int) -> None:
        super().__init__(message)
        self.http_status = http_status


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How certain we are, why (one sentence), and the answer's status if there was an answer."""

    certainty: Certainty
    reason: str
    http_status: int | None = None


def judge_error(error: BaseException, *, byte_written: bool) -> Verdict:
    """What an exception from tweepy, aiohttp, ssl, json or asyncio says of the request.

    Args:
        error: what the call raised.
        byte_written: whether the request's first byte was handed to a connection; True when not known.
    """
    not_sent = Certainty.UNKNOWN if byte_written else Certainty.NOT_SENT
    match error:
        case WithheldError() | DeadConnectionError():
            verdict = Verdict(certainty=not_sent, reason=str(error))
        case UnreadableAnswerError():
            verdict = Verdict(certainty=Certainty.UNKNOWN, reason=str(error), http_status=error.http_status)
        case tweepy.HTTPException():
            verdict = judge_answer(int(error.response.status), "; ".join(map(str, error.api_messages)))
        case aiohttp.ClientResponseError() if error.status:
            # Raised for an answer that is not JSON: its status stands, its text is lost.
            verdict = judge_answer(error.status, "")
        case asyncio.CancelledError():
            verdict = Verdict(certainty=not_sent, reason="the request was cancelled")
        case _ if isinstance(error, _BEFORE_ANY_BYTE):
            verdict = Verdict(certainty=not_sent, reason=_describe(error))
        case _:
            verdict = Verdict(certainty=Certainty.UNKNOWN, reason=_describe(error))
    return verdict


def judge_answer(http_status: int, told: str) -> Verdict:
    """What an answer other than success says.

    Args:
        http_status: of the answer.
        told: X's own words, empty when its body could not be read.
    """
    reason = f"X answered {http_status}: {told or 'no readable reason'}"[:_REASON_CHARS_MAX]
    refused = http_status in _REFUSED_STATUS or (http_status == 403 and bool(told) and _DUPLICATE not in told.lower())
    # A duplicate may be our own earlier success, and an unreadable 403 may be a duplicate.
    return Verdict(certainty=Certainty.REFUSED if refused else Certainty.UNKNOWN, reason=reason, http_status=http_status)


def read_limits(headers: Mapping[str, str]) -> Limits:
    """The rate windows an answer's headers tell of; None where they are absent or not numbers."""
    return Limits(
        limit=_number(headers, "x-rate-limit-limit"),
        remaining=_number(headers, "x-rate-limit-remaining"),
        reset_utc=_instant(headers, "x-rate-limit-reset"),
        user_day_limit=_number(headers, "x-user-limit-24hour-limit"),
        user_day_remaining=_number(headers, "x-user-limit-24hour-remaining"),
        user_day_reset_utc=_instant(headers, "x-user-limit-24hour-reset"),
        app_day_limit=_number(headers, "x-app-limit-24hour-limit"),
        app_day_remaining=_number(headers, "x-app-limit-24hour-remaining"),
        app_day_reset_utc=_instant(headers, "x-app-limit-24hour-reset"),
    )


def _describe(error: BaseException) -> str:
    # Never repr: aiohttp's response errors carry the request's headers, and with them the Authorization.
    for kinds, sentence in _SENTENCES:
        if isinstance(error, kinds):
            return sentence
    return f"{type(error).__name__}: {error}"[:_REASON_CHARS_MAX]


def _number(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else None


def _instant(headers: Mapping[str, str], name: str) -> datetime | None:
    seconds = _number(headers, name)
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError):
        return None
