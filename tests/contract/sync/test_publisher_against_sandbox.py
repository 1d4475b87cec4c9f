"""XPublisher keeps the promises of its port against a server that checks everything and can fail."""

import asyncio
import json
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from sync.accounts import load_credentials
from sync.posting import Certainty, Shot
from sync.publisher import PublisherError, XPublisher
from sync.sandbox import Fault, FaultKind, Sandbox, SandboxSettings
from sync.warm_connections import IDLE_S_MAX, RedirectingResolver, WarmConnector, peer_has_closed
from timebase import SystemClock, VirtualClock

CLOCK = SystemClock()


def shot(text: str) -> Shot:
    body = json.dumps({"text": text}, ensure_ascii=False).encode()
    return Shot(firing_id=1, account_id="anna", body=body, deadline_mono_ns=CLOCK.mono_ns() + 10_000_000_000)


def go() -> None:
    return None


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # what is waited for lies behind two event loops and a kernel
            await asyncio.sleep(0.005)


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with Sandbox(tmp_path, [("anna", "anna_tv"), ("ben", "ben_tv")]) as running:
        yield running


def publisher_to(sandbox: Sandbox, *, timeout_s: float = 5.0, connections: int = 2) -> XPublisher:
    accounts = [load_credentials(sandbox.credentials_file(name)) for name in ("anna", "ben")]
    return XPublisher(
        accounts, clock=CLOCK, api_base=sandbox.api_base, ca_file=sandbox.ca_file, timeout_s=timeout_s, connections=connections
    )


@pytest.fixture
async def publisher(sandbox: Sandbox) -> AsyncIterator[XPublisher]:
    made = publisher_to(sandbox)
    yield made
    await made.close()


async def test_a_post_is_a_tweet_and_reads_back(sandbox: Sandbox, publisher: XPublisher) -> None:
    """Signed, verified, posted once, on the author's timeline only, with all instants in order."""
    outcome = await publisher.post(shot("Tor! 🥅 „Eisbären“ 2:1"), go)

    assert (outcome.certainty, outcome.reason, outcome.http_status) == (Certainty.POSTED, "", 201)
    assert [(tweet.tweet_id, tweet.text, tweet.handle) for tweet in sandbox.tweets] == [
        (outcome.tweet_id, "Tor! 🥅 „Eisbären“ 2:1", "anna_tv")
    ]
    record = sandbox.requests[-1]
    assert outcome.first_byte_mono_ns is not None
    assert outcome.first_byte_mono_ns <= record.arrived_mono_ns <= outcome.answered_mono_ns
    assert outcome.limits.remaining == 99
    assert outcome.limits.app_day_remaining == 9_999

    timeline = await publisher.timeline("anna", since_id=0)
    assert timeline is not None
    assert [(tweet.tweet_id, tweet.text) for tweet in timeline] == [(outcome.tweet_id, "Tor! 🥅 „Eisbären“ 2:1")]
    assert timeline[0].created_utc.tzinfo is not None
    assert await publisher.timeline("anna", since_id=int(outcome.tweet_id or 0)) == []
    assert await publisher.timeline("ben", since_id=0) == []
    assert publisher.health("anna").limits.remaining == 99, "the timeline's own window must not hide the posting window"


async def test_a_delete_is_confirmed_and_a_second_one_is_not(sandbox: Sandbox, publisher: XPublisher) -> None:
    """POSTED means it is gone; 404 afterwards is unknown to us."""
    posted = await publisher.post(shot("taken back"), go)
    assert posted.tweet_id is not None

    assert (await publisher.delete("anna", posted.tweet_id, go)).certainty is Certainty.POSTED
    assert sandbox.tweets[0].deleted_utc is not None
    assert (await publisher.delete("anna", posted.tweet_id, go)).certainty is Certainty.UNKNOWN
    assert await publisher.timeline("anna", since_id=0) == []


async def test_a_long_timeline_is_read_to_its_end_or_not_at_all(sandbox: Sandbox) -> None:
    """Part of a timeline would let NOT_SEEN be said of a tweet that is there."""
    generous = SandboxSettings(user_posts_per_window=1_000, user_posts_per_day=1_000)
    async with Sandbox(sandbox.ca_file.parent / "many", [("anna", "a"), ("ben", "b")], settings=generous) as many:
        anna = load_credentials(many.credentials_file("anna"))
        world = many._world
        for number in range(205):
            world.post(anna, {"text": str(number)}, arrived_mono_ns=0)
        publisher = publisher_to(many)
        timeline = await publisher.timeline("anna", since_id=0)
        assert timeline is not None
        assert [tweet.text for tweet in timeline] == [str(number) for number in reversed(range(205))]

        for number in range(300):
            world.post(anna, {"text": str(number)}, arrived_mono_ns=0)
        assert await publisher.timeline("anna", since_id=0) is None
        await publisher.close()


@pytest.mark.parametrize(
    ("fault", "certainty", "tweets"),
    [
        (Fault(kind=FaultKind.LATENCY, latency_ms=20), Certainty.POSTED, 1),
        (Fault(kind=FaultKind.DROP), Certainty.UNKNOWN, 0),
        (Fault(kind=FaultKind.DROP, commit=True), Certainty.UNKNOWN, 1),
        (Fault(kind=FaultKind.HANG), Certainty.UNKNOWN, 0),
        (Fault(kind=FaultKind.HANG, commit=True), Certainty.UNKNOWN, 1),
        (Fault(kind=FaultKind.CUT_201), Certainty.UNKNOWN, 1),
        (Fault(kind=FaultKind.GARBLED_201), Certainty.UNKNOWN, 1),
        (Fault(kind=FaultKind.HTML_503), Certainty.UNKNOWN, 0),
        (Fault(kind=FaultKind.HTML_503, commit=True), Certainty.UNKNOWN, 1),
        (Fault(kind=FaultKind.RATE_429), Certainty.REFUSED, 0),
        (Fault(kind=FaultKind.RATE_429_BARE), Certainty.REFUSED, 0),
        (Fault(kind=FaultKind.DUPLICATE_403), Certainty.UNKNOWN, 0),
        (Fault(kind=FaultKind.DUPLICATE_403, commit=True), Certainty.UNKNOWN, 1),
        (Fault(kind=FaultKind.CLOSE_IDLE), Certainty.POSTED, 1),
    ],
    ids=lambda value: f"{value.kind}-{'applied' if value.commit else 'not'}" if isinstance(value, Fault) else None,
)
@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
async def test_each_fault_gets_its_certainty_and_one_request(
    fault: Fault, certainty: Certainty, tweets: int, warm: bool, sandbox: Sandbox
) -> None:
    """Never POSTED without the tweet, never REFUSED or NOT_SENT with it, and never a second POST."""
    publisher = publisher_to(sandbox, timeout_s=0.5)
    if warm:
        await publisher.warm("anna")
    sandbox.faults.add(fault)
    outcome = await publisher.post(shot("once"), go)
    await publisher.close()

    assert outcome.certainty is certainty
    assert outcome.warm is warm
    assert len(sandbox.tweets) == tweets
    assert len(sandbox.requests) == 1
    assert (outcome.tweet_id is not None) == (certainty is Certainty.POSTED)
    assert (outcome.reason == "") == (certainty is Certainty.POSTED)


async def test_a_delete_whose_connection_drops_is_not_repeated(sandbox: Sandbox, publisher: XPublisher) -> None:
    """aiohttp repeats a DELETE by itself; here it is stopped before the second write."""
    posted = await publisher.post(shot("a"), go)
    await publisher.warm("anna")
    sandbox.faults.add(Fault(kind=FaultKind.DROP, method="DELETE"))
    outcome = await publisher.delete("anna", posted.tweet_id or "", go)

    assert outcome.certainty is Certainty.UNKNOWN
    assert [record.method for record in sandbox.requests] == ["POST", "DELETE"]


async def test_a_slow_answer_that_comes_after_our_patience_is_unknown(sandbox: Sandbox) -> None:
    """The tweet appears later all the same; only the timeline tells."""
    publisher = publisher_to(sandbox, timeout_s=0.2)
    sandbox.faults.add(Fault(kind=FaultKind.LATENCY, latency_ms=400))
    outcome = await publisher.post(shot("late"), go)

    assert (outcome.certainty, outcome.reason) == (Certainty.UNKNOWN, "no answer in time")
    assert await publisher.timeline("anna", since_id=0) == []
    await until(lambda: len(sandbox.tweets) == 1)
    await publisher.close()


async def test_warm_connections_wait_ready_without_a_request(sandbox: Sandbox, publisher: XPublisher) -> None:
    """Opened by handshake alone, so no quota is spent; used by the next posts; closed by cool."""
    await publisher.warm("anna")
    health = publisher.health("anna")
    assert (health.connections, health.warm, health.handle) == (2, True, "anna_tv")
    assert sandbox.requests == []

    outcomes = [await publisher.post(shot(text), go) for text in "abc"]
    assert [outcome.warm for outcome in outcomes] == [True, True, True]
    assert {record.connection for record in sandbox.requests} <= {1, 2}

    await publisher.cool("anna")
    assert not publisher.health("anna").warm


async def test_connections_that_die_while_armed_are_replaced(sandbox: Sandbox, publisher: XPublisher) -> None:
    """The keeper is woken by the loss itself."""
    await publisher.warm("anna")
    await until(lambda: sandbox.open_connections == 2)
    sandbox.reset_connections()
    await until(lambda: sandbox.connections_made == 4)
    await until(lambda: publisher.health("anna").connections == 2)

    outcome = await publisher.post(shot("on a new one"), go)
    assert (outcome.certainty, outcome.warm) == (Certainty.POSTED, True)
    assert sandbox.requests[-1].connection > 2


@pytest.mark.parametrize("send", ["post", "delete"])
async def test_connections_closed_just_before_the_write_are_passed_over(
    send: str, sandbox: Sandbox, publisher: XPublisher
) -> None:
    """The kernel knows of the close before the loop does; nothing was written, so another connection may be taken."""
    target = await publisher.post(shot("target"), go)
    await publisher.warm("anna")
    withheld: list[None] = []

    def withhold() -> None:
        withheld.append(None)

    await until(lambda: sandbox.open_connections == 2)
    sandbox.reset_connections()
    await asyncio.sleep(0)  # the turn in which the server closes its sockets; ours have not been read yet
    if send == "post":
        outcome = await publisher.post(shot("through"), withhold)
    else:
        outcome = await publisher.delete("anna", target.tweet_id or "", withhold)

    assert outcome.certainty is Certainty.POSTED
    assert len(sandbox.requests) == 2
    assert len(withheld) == 1


async def test_a_burst_is_sent_each_once(sandbox: Sandbox, publisher: XPublisher) -> None:
    """More shots than kept connections: the rest open their own."""
    await publisher.warm("anna")
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(publisher.post(shot(f"burst {number}"), go)) for number in range(12)]
    outcomes = [task.result() for task in tasks]

    assert {outcome.certainty for outcome in outcomes} == {Certainty.POSTED}
    assert len({outcome.tweet_id for outcome in outcomes}) == len(sandbox.tweets) == len(sandbox.requests) == 12
    assert sum(outcome.warm for outcome in outcomes) >= 2


async def test_nobody_there_is_not_sent_and_shown(tmp_path: Path) -> None:
    """Refused connections are certain; the tile says why; warming does not raise."""
    async with Sandbox(tmp_path, [("anna", "a"), ("ben", "b")]) as gone:
        publisher = publisher_to(gone)
    await publisher.warm("anna")
    outcome = await publisher.post(shot("?"), go)

    assert (outcome.certainty, outcome.first_byte_mono_ns, outcome.warm) == (Certainty.NOT_SENT, None, False)
    assert "Cannot connect" in publisher.health("anna").detail
    assert await publisher.timeline("anna", since_id=0) is None
    await publisher.close()


async def test_an_account_without_credentials_sends_nothing(sandbox: Sandbox, publisher: XPublisher) -> None:
    """No exception: an outcome, and a tile that says so."""
    await publisher.warm("nobody")
    outcome = await publisher.delete("nobody", "1", go)

    assert outcome.certainty is Certainty.NOT_SENT
    assert "'nobody' has no credentials" in outcome.reason
    assert "'nobody' has no credentials" in publisher.health("nobody").detail
    assert await publisher.timeline("nobody", since_id=0) is None


async def test_refused_credentials_are_refused(sandbox: Sandbox) -> None:
    """A wrong secret: 401 with X's words, nothing posted."""
    good = load_credentials(sandbox.credentials_file("anna"))
    bad = good.model_copy(update={"consumer_secret": load_credentials(sandbox.credentials_file("ben")).consumer_secret})
    publisher = XPublisher([bad], clock=CLOCK, api_base=sandbox.api_base, ca_file=sandbox.ca_file)
    outcome = await publisher.post(shot("?"), go)
    await publisher.close()

    assert (outcome.certainty, outcome.http_status) == (Certainty.REFUSED, 401)
    assert "Could not authenticate you." in outcome.reason
    assert sandbox.tweets == []


async def test_a_wrong_clock_is_refused_and_named(sandbox: Sandbox) -> None:
    """A timestamp of another year: 401, and the tile tells of the difference."""
    publisher = XPublisher(
        [load_credentials(sandbox.credentials_file("anna"))],
        clock=VirtualClock(),
        api_base=sandbox.api_base,
        ca_file=sandbox.ca_file,
    )
    outcome = await publisher.post(Shot(firing_id=1, account_id="anna", body=b'{"text":"?"}', deadline_mono_ns=10**18), go)
    detail = publisher.health("anna").detail
    await publisher.close()

    assert (outcome.certainty, outcome.http_status) == (Certainty.REFUSED, 401)
    assert "Timestamp out of bounds" in outcome.reason
    assert "clock differs" in detail


async def test_no_secret_reaches_a_log_an_outcome_or_a_health(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """At DEBUG, in asyncio's debug mode, with failures of every kind, also through tweepy's own logger."""
    asyncio.get_running_loop().set_debug(True)
    said: list[object] = []
    with caplog.at_level(logging.DEBUG):
        publisher = publisher_to(sandbox, timeout_s=0.3)
        await publisher.warm("anna")
        for kind in FaultKind:
            sandbox.faults.add(Fault(kind=kind))
            said.append(await publisher.post(shot(kind), go))
        said += [await publisher.timeline("anna", since_id=0), await publisher.delete("anna", "1", go)]
        said.append(publisher.health("anna"))
        logging.getLogger("tweepy.asynchronous.client").debug("Headers: %s", {"Authorization": "OAuth oauth_nonce=1"})
        await publisher.close()
    everything = "\n".join([caplog.text, *(repr(vars(record)) for record in caplog.records), repr(said)])

    credentials = load_credentials(sandbox.credentials_file("anna"))
    assert "oauth_" not in everything
    for name in ("consumer_key", "consumer_secret", "access_token", "access_token_secret"):
        assert getattr(credentials, name).get_secret_value() not in everything
    assert len(said) > len(FaultKind)


async def test_unused_connections_are_renewed_before_the_edge_closes_them(sandbox: Sandbox) -> None:
    """Past IDLE_S_MAX they are closed and opened anew; before it they stay."""
    clock = VirtualClock()
    port = URL(sandbox.api_base).port
    assert port is not None
    connector = WarmConnector(
        url=URL("https://api.twitter.com"),
        keep=2,
        connect_timeout_s=5.0,
        clock=clock,
        ssl_context=ssl.create_default_context(cafile=str(sandbox.ca_file)),
        resolver=RedirectingResolver(host="127.0.0.1", port=port),
    )
    await connector.fill()
    first = list(connector._ready)
    await clock.advance(IDLE_S_MAX - 1)
    await connector.fill()
    assert list(connector._ready) == first

    await clock.advance(2)
    await connector.fill()
    assert connector.ready_count == 2
    assert not set(map(id, connector._ready)) & set(map(id, first))
    await until(lambda: sandbox.open_connections == 2)
    connector.let_go()
    await connector.close()


async def test_a_close_is_seen_before_the_loop_reads_it() -> None:
    """Asked synchronously, right after the other side closed, with no turn of the loop in between."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        _, writer = await asyncio.open_connection("127.0.0.1", listener.getsockname()[1])
        peer, _ = listener.accept()
        transport = writer.transport
        assert isinstance(transport, asyncio.Transport)
        assert not peer_has_closed(transport)
        peer.sendall(b"a session ticket is no farewell")
        assert not peer_has_closed(transport)
        peer.close()
        assert not transport.is_closing()
        assert peer_has_closed(transport)
        writer.close()


@pytest.mark.parametrize(
    "api_base",
    [
        "http://127.0.0.1:8443",
        "https://127.0.0.1:8443/2",
        "ftp://x",
        "127.0.0.1:8443",
        "https://u:p@host:1",
        "https://h:x",
        "https://",
    ],
)
def test_an_unusable_api_base_is_named(api_base: str) -> None:
    """Clear HTTP above all would send the tokens in the open."""
    with pytest.raises(PublisherError, match=r"publisher\.api_base"):
        XPublisher([], clock=CLOCK, api_base=api_base)


def test_an_unusable_ca_file_is_named(tmp_path: Path) -> None:
    """Missing, or no certificate in it."""
    (tmp_path / "empty.pem").write_text("nothing", encoding="utf-8")
    for name in ("none.pem", "empty.pem"):
        with pytest.raises(PublisherError, match=name):
            XPublisher([], clock=CLOCK, ca_file=tmp_path / name)


async def test_cancelling_before_the_first_byte_leaves_nothing_behind(sandbox: Sandbox) -> None:
    """A cancelled request frees its connection, and the next one is as good as any."""
    publisher = publisher_to(sandbox)
    sandbox.faults.add(Fault(kind=FaultKind.HANG))
    task = asyncio.ensure_future(publisher.post(shot("cancelled"), go))
    await until(lambda: len(sandbox.requests) == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await publisher.post(shot("next"), go)).certainty is Certainty.POSTED
    await publisher.close()
    assert isinstance(publisher.health("anna").limits.remaining, int | None)


def test_aiohttp_still_has_what_the_keeper_builds_on() -> None:
    """Public names of aiohttp that carry no promise; a new version that drops one fails here by name."""
    assert callable(aiohttp.TCPConnector.connect)
    assert {"protocol", "transport", "closed", "close"} <= set(dir(aiohttp.connector.Connection))


async def test_what_was_signed_long_ago_is_signed_anew(tmp_path: Path) -> None:
    """A signature made while arming serves a post half an hour later no more: X would refuse its timestamp."""
    clock = VirtualClock(start_utc=CLOCK.utc())
    async with Sandbox(tmp_path, [("anna", "anna_tv")], clock=clock) as sandbox:
        publisher = XPublisher(
            [load_credentials(sandbox.credentials_file("anna"))], clock=clock, api_base=sandbox.api_base, ca_file=sandbox.ca_file
        )
        await publisher.warm("anna")
        await publisher.cool("anna")
        await clock.advance(1800)
        body = b'{"text":"late, and well signed"}'
        outcome = await publisher.post(Shot(firing_id=1, account_id="anna", body=body, deadline_mono_ns=2**62), go)
        await publisher.close()

    assert (outcome.certainty, outcome.http_status) == (Certainty.POSTED, 201)


async def test_a_connection_that_answered_is_held_again(sandbox: Sandbox) -> None:
    """At once, not when the keeper next looks; and no handshake is made for it."""
    publisher = publisher_to(sandbox, connections=2)
    await publisher.warm("anna")
    for turn in range(4):
        outcome = await publisher.post(shot(f"number {turn}"), go)
        assert (outcome.certainty, outcome.warm, publisher.health("anna").connections) == (Certainty.POSTED, True, 2)
    assert sandbox.connections_made == 2
    await publisher.close()
