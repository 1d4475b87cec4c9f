"""The sandbox's endpoints, as X documents them, with faults struck in between."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from aiohttp import web

from sync.accounts import Credentials
from sync.sandbox import problems
from sync.sandbox.arrivals import Arrivals
from sync.sandbox.faults import Fault, FaultKind, Faults
from sync.sandbox.media_api import ROUTES as MEDIA_ROUTES
from sync.sandbox.media_api import MediaApi
from sync.sandbox.oauth1 import Verifier
from sync.sandbox.oauth2 import OAuth2
from sync.sandbox.problems import Answer, Problem, as_json
from sync.sandbox.sign_in import SignIns
from sync.sandbox.tweet_rules import check_tweet
from sync.sandbox.world import RequestRecord, SandboxTweet, World

_HANG_S_MAX = 600.0
_CLOSE_IDLE_AFTER_S = 0.02
_APPLIED_BEFORE_FAILING = frozenset({FaultKind.CUT_201, FaultKind.GARBLED_201})
_ANSWERS_AS_USUAL = frozenset({FaultKind.LATENCY, FaultKind.CLOSE_IDLE, FaultKind.MEDIA_FAILED})
_BODY_BYTES_MAX = 65_536
"""Longest body of anything but media."""


class Api:
    """Answers requests; the one place where faults, authorisation, counting and the world meet.

    Args:
        on_change: told of every tweet that appears or goes.
    """

    def __init__(
        self,
        world: World,
        faults: Faults,
        verifier: Verifier,
        oauth2: OAuth2,
        arrivals: Arrivals,
        *,
        on_change: Callable[[SandboxTweet], None],
        on_request: Callable[[RequestRecord], None],
    ) -> None:
        self._world, self._faults, self._arrivals = world, faults, arrivals
        self._verifier, self._oauth2 = verifier, oauth2
        self._media = MediaApi(world)
        self._sign_ins = SignIns(world.accounts.values())
        self._on_change, self._on_request = on_change, on_request
        self._closing = asyncio.Event()

    def close(self) -> None:
        """Let hanging requests go."""
        self._closing.set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """The answer to any request that reached the TLS port."""
        transport = request.transport
        if transport is None:
            return web.Response(status=400)
        arrival = self._arrivals.begin(transport)
        record = self._world.begin_request(
            method=request.method,
            path=request.path,
            connection=arrival.connection,
            arrived_mono_ns=arrival.first_byte_mono_ns,
        )
        try:
            body = await request.read()
            if len(body) > _BODY_BYTES_MAX and not request.path.startswith(MEDIA_ROUTES):
                raise web.HTTPRequestEntityTooLarge(max_size=_BODY_BYTES_MAX, actual_size=len(body))
            return await self._respond(request, transport, body, record)
        finally:
            # What arrives from here on belongs to the next request.
            self._arrivals.end(transport)
            self._on_request(record)

    async def _respond(
        self, request: web.Request, transport: asyncio.Transport, body: bytes, record: RequestRecord
    ) -> web.StreamResponse:
        fault = self._faults.strike(request.method, request.path)
        if fault is not None:
            record.fault = fault.kind
            await self._world.clock.sleep(fault.latency_ms / 1000)
        answer = self._struck(request, body, record, fault) if fault else self._answer(request, body, record)
        if fault is not None and await self._cut_off(fault, transport, answer):
            return web.Response(status=499)
        if fault is not None and fault.kind is FaultKind.CLOSE_IDLE:
            asyncio.get_running_loop().call_later(_CLOSE_IDLE_AFTER_S, transport.close)
        record.status = answer.status
        record.answered_mono_ns = self._world.clock.mono_ns()
        record.answered_ms = (record.answered_mono_ns - record.arrived_mono_ns) / 1e6
        headers = {**answer.headers, "Content-Type": f"{answer.content_type}; charset=utf-8"}
        return web.Response(status=answer.status, body=answer.body, headers=headers)

    def _struck(self, request: web.Request, body: bytes, record: RequestRecord, fault: Fault) -> Answer:
        """The answer of a request with a fault; it is applied first where the fault says so."""
        if fault.kind in _ANSWERS_AS_USUAL:
            answer = self._answer(request, body, record)
            if fault.kind is FaultKind.MEDIA_FAILED:
                self._world.media.spoil(request.path.strip("/").split("/")[-2])
            return answer
        if fault.commit or fault.kind in _APPLIED_BEFORE_FAILING:
            applied = self._answer(request, body, record)
            if not 200 <= applied.status < 300:
                return applied
        else:
            applied = as_json(201, {})
        return self._failures().get(fault.kind, applied)

    def _failures(self) -> dict[FaultKind, Answer]:
        """The wrong answers; the other kinds give none, or a part of the right one."""
        reset_s = int(self._world.clock.utc().timestamp()) + 900
        window = {"x-rate-limit-limit": "100", "x-rate-limit-remaining": "0", "x-rate-limit-reset": str(reset_s)}
        return {
            FaultKind.HTML_503: problems.html_503(),
            FaultKind.GARBLED_201: replace(problems.html_503(), status=201),
            FaultKind.DUPLICATE_403: problems.duplicate().answer,
            FaultKind.RATE_429: problems.too_many_requests(window).answer,
            FaultKind.RATE_429_BARE: problems.too_many_requests({}).answer,
        }

    async def _cut_off(self, fault: Fault, transport: asyncio.Transport, answer: Answer) -> bool:
        """Whether the connection was ended without a whole answer."""
        match fault.kind:
            case FaultKind.DROP:
                transport.abort()
            case FaultKind.HANG:
                await self._hang(transport)
            case FaultKind.CUT_201 if 200 <= answer.status < 300:
                head = (
                    f"HTTP/1.1 {answer.status} OK\r\nContent-Type: application/json\r\nContent-Length: {len(answer.body)}\r\n\r\n"
                )
                transport.write(head.encode() + answer.body[: len(answer.body) // 2])
                transport.close()
            case _:
                return False
        return True

    async def _hang(self, transport: asyncio.Transport) -> None:
        try:
            async with asyncio.timeout(_HANG_S_MAX):
                await self._closing.wait()
        except TimeoutError:
            pass
        transport.abort()

    def _answer(self, request: web.Request, body: bytes, record: RequestRecord) -> Answer:
        try:
            return self._route(request, body, record)
        except Problem as problem:
            return problem.answer

    def _route(self, request: web.Request, body: bytes, record: RequestRecord) -> Answer:
        authorization, url = request.headers.get("Authorization"), f"https://{request.host}{request.raw_path}"
        token, query = request.query.get("oauth_token", ""), request.rel_url.raw_query_string
        method, path = request.method, request.path
        signing_in = self._sign_ins.answer(method, path, url=url, authorization=authorization, token=token)
        signing_in = signing_in or self._oauth2.answer(method, path, query=query, authorization=authorization, body=body)
        if signing_in is not None:
            return signing_in
        account = self._oauth2.holder(authorization, method=method, path=path) or self._verifier.verify(
            method=method,
            url=url,
            authorization=authorization,
            now_s=self._world.clock.utc().timestamp(),
        )
        record.account_id = account.account_id
        if request.path.startswith(MEDIA_ROUTES):
            return self._media.answer(request, account, body)
        return self._signed(request, account, body, record)

    def _signed(self, request: web.Request, account: Credentials, body: bytes, record: RequestRecord) -> Answer:
        match request.method, request.path.strip("/").split("/"):
            case "POST", ["2", "tweets"]:
                return self._post(request, account, body, record)
            case "DELETE", ["2", "tweets", tweet_id]:
                return self._delete(account, tweet_id, record)
            case "GET", ["2", "tweets", tweet_id]:
                headers = self._world.count(account, "GET", "tweet")
                return as_json(200, {"data": _shown(self._world.get(tweet_id), request)}, headers=headers)
            case "GET", ["2", "users", "me"]:
                access = "read" if self._world.settings.read_only else "read-write"
                headers = self._world.count(account, "GET", "me") | {"x-access-level": access}
                data = {"id": account.user_id, "name": account.handle, "username": account.handle}
                return as_json(200, {"data": data}, headers=headers)
            case "GET", ["2", "users", user_id, "tweets"]:
                return self._timeline(request, account, user_id)
            case _:
                raise problems.no_route()

    def _post(self, request: web.Request, account: Credentials, body: bytes, record: RequestRecord) -> Answer:
        if request.content_type != "application/json":
            raise problems.invalid("Content-Type", request.content_type, "The content type must be application/json.")
        headers = self._world.count(account, "POST", "tweets")
        tweet = self._world.post(account, check_tweet(body), arrived_mono_ns=record.arrived_mono_ns)
        record.tweet_id = tweet.tweet_id
        self._on_change(tweet)
        data = {"id": tweet.tweet_id, "text": tweet.text, "edit_history_tweet_ids": [tweet.tweet_id]}
        return as_json(201, {"data": data}, tweet_id=tweet.tweet_id, headers=headers)

    def _delete(self, account: Credentials, tweet_id: str, record: RequestRecord) -> Answer:
        headers = self._world.count(account, "DELETE", "tweets")
        tweet = self._world.delete(account, tweet_id)
        record.tweet_id = tweet_id
        self._on_change(tweet)
        return as_json(200, {"data": {"deleted": True}}, headers=headers)

    def _timeline(self, request: web.Request, account: Credentials, user_id: str) -> Answer:
        if user_id not in {known.user_id for known in self._world.accounts.values()}:
            raise problems.not_found("id", user_id, "user")
        headers = self._world.count(account, "GET", "timeline")
        most = _number(request, "max_results", 10, least=5, most=100)
        since_id = _number(request, "since_id", 0)
        before_id = _number(request, "pagination_token", 0) or None
        found = self._world.timeline(user_id, since_id=since_id, before_id=before_id)
        page = found[:most]
        meta: dict[str, object] = {"result_count": len(page)}
        if not page:
            return as_json(200, {"meta": meta}, headers=headers)
        meta |= {"newest_id": page[0].tweet_id, "oldest_id": page[-1].tweet_id}
        if len(found) > most:
            meta["next_token"] = page[-1].tweet_id
        return as_json(200, {"data": [_shown(tweet, request) for tweet in page], "meta": meta}, headers=headers)


def _shown(tweet: SandboxTweet, request: web.Request) -> dict[str, object]:
    asked = request.query.get("tweet.fields", "").split(",")
    data: dict[str, object] = {"id": tweet.tweet_id, "text": tweet.text, "edit_history_tweet_ids": [tweet.tweet_id]}
    if "created_at" in asked:
        data["created_at"] = tweet.created().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if "author_id" in asked:
        data["author_id"] = tweet.user_id
    return data


def _number(request: web.Request, name: str, default: int, *, least: int = 0, most: int = 2**63) -> int:
    text = request.query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and least <= int(text) <= most):
        raise problems.invalid(name, text, f"The `{name}` query parameter value [{text}] is not valid")
    return int(text)
