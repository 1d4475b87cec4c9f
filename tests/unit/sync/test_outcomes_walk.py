"""Every exception of the HTTP and X libraries has its certainty, and none claims too much."""

import asyncio
import inspect
import json
import socket
import ssl
from types import ModuleType, SimpleNamespace
from typing import Any

import aiohttp
import aiohttp.client_exceptions
import aiohttp.http_exceptions
import pytest
import tweepy.errors
from aiohttp.client_reqrep import ConnectionKey
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from sync.outcomes import DeadConnectionError, SecondWriteError, UnreadableAnswerError, WithheldError, judge_answer, judge_error
from sync.posting import Certainty

SECRET = "OAuth oauth_signature=verysecret"
KEY = ConnectionKey("api.twitter.com", 443, True, True, None, None, None)
REQUEST = aiohttp.RequestInfo(
    URL("https://api.twitter.com/2/tweets"), "POST", CIMultiDictProxy(CIMultiDict({"Authorization": SECRET}))
)
MODULES = (tweepy.errors, aiohttp.client_exceptions, aiohttp.http_exceptions, ssl, socket, json, asyncio.exceptions)

PROVEN_BY_THE_HOOK = {
    "BlockingIOError", "ClientConnectionError", "ClientConnectionResetError", "ClientConnectorCertificateError",
    "ClientConnectorDNSError", "ClientConnectorError", "ClientConnectorSSLError", "ClientOSError",
    "ClientProxyConnectionError", "ClientSSLError", "ConnectionTimeoutError", "InvalidURL",
    "InvalidUrlClientError", "InvalidUrlRedirectClientError",
    "SSLCertVerificationError", "SSLEOFError", "SSLError", "SSLSyscallError", "SSLWantReadError", "SSLWantWriteError",
    "SSLZeroReturnError", "ServerConnectionError", "ServerDisconnectedError", "ServerFingerprintMismatch",
    "ServerTimeoutError", "SocketTimeoutError", "TimeoutError", "UnixClientConnectorError",
    "OSError", "gaierror", "herror", "CancelledError",
}  # fmt: skip
"""By name: those that mean NOT_SENT when no byte was written. A new one in a library lands in UNKNOWN."""

REFUSED_BY_CLASS = {"BadRequest", "Unauthorized", "Forbidden", "TooManyRequests"}
STATUS = {"BadRequest": 400, "Unauthorized": 401, "Forbidden": 403, "NotFound": 404, "TooManyRequests": 429}


def classes() -> list[type[BaseException]]:
    seen = {
        found
        for module in MODULES
        for found in _public_exceptions(module)
        if found.__module__.split(".")[0] in {"tweepy", "aiohttp", "ssl", "socket", "json", "asyncio"}
        or found in (OSError, TimeoutError)
    }
    return sorted(seen, key=lambda found: (found.__module__, found.__name__))


def _public_exceptions(module: ModuleType) -> list[type[BaseException]]:
    return [kind for _, kind in inspect.getmembers(module, inspect.isclass) if issubclass(kind, BaseException)]


def made(kind: Any) -> Any:  # noqa: PLR0911
    """An instance as its library would raise it."""
    if issubclass(kind, tweepy.errors.HTTPException):
        response = SimpleNamespace(status=STATUS.get(kind.__name__, 500), reason="why", headers={})
        return kind(response, response_json={"detail": "told"})
    if issubclass(kind, aiohttp.ClientConnectorCertificateError):
        return kind(KEY, ssl.SSLCertVerificationError("bad"))
    if issubclass(kind, aiohttp.client_exceptions.UnixClientConnectorError):
        return kind("/tmp/none", KEY, OSError(2, "none"))
    if issubclass(kind, aiohttp.ClientConnectorError | aiohttp.ClientSSLError):
        return kind(KEY, OSError(111, "refused"))
    if issubclass(kind, aiohttp.ClientResponseError):
        return kind(REQUEST, (), status=500, message="why")
    if issubclass(kind, aiohttp.InvalidURL):
        return kind(URL("https://x.com"))
    if kind is aiohttp.ServerFingerprintMismatch:
        return kind(b"a", b"b", "host", 443)
    if kind is json.JSONDecodeError:
        return kind("bad", "doc", 0)
    for arguments in ((), ("one",), ("one", "two"), (b"one", 2), ("one", 2, "three")):
        try:
            return kind(*arguments)
        except TypeError:
            continue
    raise AssertionError(f"{kind}: how is it made?")


@pytest.mark.parametrize("kind", classes(), ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_no_exception_after_the_first_byte_claims_not_sent(kind: type[BaseException]) -> None:
    """A byte written means only an answer can make it certain."""
    verdict = judge_error(made(kind), byte_written=True)

    refused = kind.__name__ in REFUSED_BY_CLASS
    assert verdict.certainty is (Certainty.REFUSED if refused else Certainty.UNKNOWN)
    assert verdict.reason
    assert "verysecret" not in verdict.reason


@pytest.mark.parametrize("kind", classes(), ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_no_exception_before_the_first_byte_is_classed_by_accident(kind: type[BaseException]) -> None:
    """NOT_SENT only for the listed ones; everything else is UNKNOWN or an answer."""
    verdict = judge_error(made(kind), byte_written=False)

    if kind.__name__ in PROVEN_BY_THE_HOOK:
        assert verdict.certainty is Certainty.NOT_SENT
    elif kind.__name__ not in REFUSED_BY_CLASS:
        assert verdict.certainty is Certainty.UNKNOWN


def test_the_walk_is_long() -> None:
    """An emptied list would make the walk pass without walking."""
    names = {kind.__name__ for kind in classes()}
    assert len(names) > 50
    assert names >= {"ContentTypeError", "ClientPayloadError", "TwitterServerError", "JSONDecodeError", "gaierror"}


@pytest.mark.parametrize(
    ("status", "told", "certainty"),
    [
        (400, "bad field", Certainty.REFUSED),
        (401, "", Certainty.REFUSED),
        (402, "CreditsDepleted", Certainty.REFUSED),
        (403, "You are not permitted to perform this action.", Certainty.REFUSED),
        (403, "You are not allowed to create a Tweet with duplicate content.", Certainty.UNKNOWN),
        (403, "", Certainty.UNKNOWN),
        (404, "Not Found", Certainty.UNKNOWN),
        (408, "", Certainty.UNKNOWN),
        (429, "", Certainty.REFUSED),
        (302, "", Certainty.UNKNOWN),
        (500, "Internal", Certainty.UNKNOWN),
        (503, "", Certainty.UNKNOWN),
    ],
)
def test_answers_are_judged_by_status_and_words(status: int, told: str, certainty: Certainty) -> None:
    """A duplicate may be our own success; an unreadable 403 may be a duplicate."""
    assert judge_answer(status, told).certainty is certainty


def test_our_own_stops_say_what_they_know() -> None:
    """The last look's reasons reach the receipt, as NOT_SENT only while no byte was written."""
    for error in (WithheldError("killed by ops"), DeadConnectionError("closed")):
        assert judge_error(error, byte_written=False).certainty is Certainty.NOT_SENT
        assert judge_error(error, byte_written=False).reason == str(error)
        assert judge_error(error, byte_written=True).certainty is Certainty.UNKNOWN
    assert judge_error(SecondWriteError("again"), byte_written=True).certainty is Certainty.UNKNOWN
    assert judge_error(UnreadableAnswerError("201", http_status=201), byte_written=True).http_status == 201
