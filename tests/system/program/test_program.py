"""The program as a whole, in real processes: what must never happen, however it is disturbed."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from console.config import load_config
from console.wiring import SEALING_KEY_NAME
from sync.accounts import write_sealed
from sync.client import ControlClient
from sync.ledger import Ledger
from sync.oauth2_sign_in import OAuth2SignIn
from sync.reconciler import NOT_SEEN_AFTER
from sync.sealing import SealingKey
from sync.token_records import TokenRecords
from tests.sandbox_owner import REDIRECT, decide
from tests.system.program.house import ACCOUNTS, House, subscribed
from timebase import SystemClock

CLAIMED = {"CLAIMED", "POSTED", "REFUSED", "NOT_SENT", "UNKNOWN", "NOT_SEEN"}
OPEN = {"ARMED", "CLAIMED", "UNKNOWN"}
BURST_GOALS_MAX = 50
GOALS_AFTER = 3
UNSEEN_S = NOT_SEEN_AFTER.total_seconds()
"""A request that was killed before it left stays unknown until the timeline has not shown it for this long."""

pytestmark = pytest.mark.system


@dataclass(frozen=True)
class Place:
    """Where the sandbox is."""

    api_base: str
    ca_file: Path


def fired(firings: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that were claimed, so that something may have left."""
    return [firing for firing in firings if firing["state"] in CLAIMED]


async def no_more_comes(house: House, tweets_count: int) -> None:
    """Wait longer than anything takes that is still under way, and see that no tweet has been added."""
    await asyncio.sleep(1.0)
    assert len(await house.tweets()) == tweets_count


async def test_a_goal_is_posted_once_by_every_cue_that_wants_it(house: House) -> None:
    """One signed event, eight sponsors, eight tweets with the score in them."""
    await house.scoreboard.publish(house.scoreboard.goal())
    await house.until(lambda: [one["state"] for one in house.firings()] == ["POSTED"] * len(ACCOUNTS), "all posted")

    tweets = await house.tweets()
    assert {tweet["handle"] for tweet in tweets} == set(ACCOUNTS)
    assert all(tweet["text"].endswith(": 1") for tweet in tweets)
    receipts = house.firings()
    assert all(
        one["on_air_mono_ns"] <= one["heard_mono_ns"] <= one["decided_mono_ns"] <= one["claimed_mono_ns"]
        <= one["first_byte_mono_ns"] <= one["answered_mono_ns"]
        for one in receipts
    )  # fmt: skip


async def test_a_message_twice_replayed_retained_or_forged_fires_nothing_more(house: House) -> None:
    """The broker may deliver what it likes, as often as it likes: one goal is one tweet a cue."""
    goal = house.scoreboard.goal()
    await house.scoreboard.publish(goal)
    await house.until(lambda: [one["state"] for one in house.firings()] == ["POSTED"] * len(ACCOUNTS), "all posted")
    known = len(house.firings())

    await house.scoreboard.publish(goal, goal, pause_s=0.05)
    await house.scoreboard.publish(house.scoreboard.goal(key=b"somebody else's key of some length"), pause_s=0.05)
    retained = house.scoreboard.goal()
    await house.scoreboard.publish(b"", b"{}", b"\xff" * 70_000, goal[:-1] + b" ", pause_s=0.05)
    await house.kill_engine()
    await house.scoreboard.publish(goal, pause_s=0.05)
    await no_more_comes(house, known)

    # Retained while nobody listens: it meets the engine when that subscribes again.
    process = house.engine.process
    assert process is not None
    process.kill()
    await house.scoreboard.publish(retained, retain=True)
    async with asyncio.timeout(30):
        await process.wait()
        while house.engine.process is process or not house.engine.ready.is_set():
            await asyncio.sleep(0.02)
    await no_more_comes(house, known)
    assert len(fired(house.firings())) == known
    (device,) = (await house.snapshot())["devices"]
    assert device["refused"] >= 1


async def test_the_engine_killed_in_the_middle_of_a_burst_posts_nothing_twice(house: House) -> None:
    """kill -9 at random instants, again and again: everything ends posted, refused or reconciled, and once."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    await house.fault(kind="latency", times=100_000, latency_ms=30)
    await house.fault(kind="drop", after=7, times=2, commit=True)
    await house.fault(kind="drop", after=20, times=2)

    over = asyncio.Event()

    async def burst() -> None:
        for _ in range(BURST_GOALS_MAX):
            await house.scoreboard.publish(house.scoreboard.goal())
            await asyncio.sleep(rng.uniform(0.0, 0.3))
            if over.is_set():
                return

    async def kills() -> None:
        for _ in range(3):
            await asyncio.sleep(rng.uniform(0.1, 0.8))
            await house.kill_engine()
        over.set()

    await asyncio.gather(burst(), kills())
    await subscribed(house)
    for _ in range(GOALS_AFTER):
        await house.scoreboard.publish(house.scoreboard.goal())
    await asyncio.sleep(0.5)
    await house.until(
        lambda: not any(one["state"] in OPEN for one in house.firings()), "everything settled", patience_s=UNSEEN_S + 60
    )

    firings, tweets = house.firings(), await house.tweets()
    claimed = fired(firings)
    keys = Counter((one["occurrence_id"], one["cue_id"], one["account_id"]) for one in claimed)
    texts = Counter((tweet["handle"], tweet["text"]) for tweet in tweets)
    posted = {one["tweet_id"] for one in claimed if one["state"] == "POSTED"}
    assert max(keys.values()) == 1, f"claimed twice, seed {seed}"
    assert max(texts.values()) == 1, f"posted twice, seed {seed}"
    assert {tweet["id"] for tweet in tweets} == posted, f"the ledger and the timeline disagree, seed {seed}"
    assert len(posted) >= GOALS_AFTER * len(ACCOUNTS) // 2, f"the engine did not recover, seed {seed}"
    assert house.engine.starts == 4


async def test_a_kill_that_is_acknowledged_lets_nothing_leave(house: House) -> None:
    """Goals keep coming while the operator kills: after the answer not one POST begins."""
    await house.fault(kind="latency", times=100_000, latency_ms=20)

    killed = asyncio.Event()

    async def burst() -> None:
        while not killed.is_set():
            await house.scoreboard.publish(house.scoreboard.goal(), pause_s=0.01)
        await house.scoreboard.publish(house.scoreboard.goal())

    async with ControlClient(house.socket_path) as client:
        bursting = asyncio.create_task(burst())
        await house.until(lambda: len(fired(house.firings())) >= len(ACCOUNTS), "the burst is under way")
        pressed = time.monotonic()
        assert (await client.request("kill", actor="operator", reason="wrong creative")) == {"killed": True}
        print(f"kill acknowledged after {(time.monotonic() - pressed) * 1000:.1f} ms")
        acknowledged_ns = (await client.request("ping"))["mono_ns"]
        killed.set()
        await bursting
        await house.until(lambda: any(one["guard"] == "kill" for one in house.firings()), "what came after is declined")
        await no_more_comes(house, len(await settled_tweets(house)))
    late = [one for one in house.firings() if (one["first_byte_mono_ns"] or 0) > acknowledged_ns]
    assert late == []
    assert {one["guard"] for one in house.firings() if one["state"] == "DECLINED"} == {"kill"}


async def settled_tweets(house: House) -> list[dict[str, Any]]:
    await house.until(lambda: not any(one["state"] in OPEN for one in house.firings()), "everything settled")
    return await house.tweets()


async def test_killing_the_console_changes_nothing_for_a_firing(house: House) -> None:
    """The engine fires with no console: before, while and after it is killed."""
    console = await house.family.start_ready(house.child("console", "run", "console"))
    assert console.process is not None
    await house.scoreboard.publish(house.scoreboard.goal())
    console.process.kill()
    await house.scoreboard.publish(house.scoreboard.goal())
    await house.family.stop("console")
    await house.scoreboard.publish(house.scoreboard.goal())
    await house.until(lambda: len(house.firings()) == 3 * len(ACCOUNTS), "three goals decided")
    await house.until(lambda: {one["state"] for one in house.firings()} == {"POSTED"}, "all posted")

    assert len(await house.tweets()) == 3 * len(ACCOUNTS)


async def test_no_secret_is_written_into_a_log(house: House) -> None:
    """Neither keys nor tokens nor signatures leave the files they were made in."""
    await house.scoreboard.publish(house.scoreboard.goal())
    await house.until(lambda: bool(fired(house.firings())), "fired")
    key = house.scoreboard.key.signing_key
    assert isinstance(key, bytes)
    secrets = [key.decode()]
    for file in (house.folder / "sandbox" / "credentials").glob("*.json"):
        credentials = json.loads(file.read_text())
        secrets += [value for name, value in credentials.items() if name.endswith(("secret", "token", "key"))]
    written = "".join(log.read_text() for log in (house.folder / "log").glob("*.log"))

    assert len(secrets) > len(ACCOUNTS)
    assert not [secret for secret in secrets if secret in written]
    assert "oauth_signature" not in written


async def test_no_token_of_oauth2_is_written_into_a_log(house: House) -> None:
    """An account changes to OAuth 2.0; its token is due, is renewed in the real engine, and posts: none of it is written."""
    place = Place(
        api_base=load_config(house.folder / "cuebird.toml").publisher.api_base, ca_file=house.folder / "sandbox" / "ca.pem"
    )
    app = json.loads((house.folder / "sandbox" / "apps" / "sponsor1.json").read_text())
    sign_in = OAuth2SignIn(
        app["client_id"], app["client_secret"], redirect_uri=REDIRECT, api_base=place.api_base, ca_file=place.ca_file
    )
    back = await decide(sign_in.begin(), place, account="sponsor1")
    now_utc = SystemClock().utc() - timedelta(minutes=100)  # due: twenty minutes are left
    first = await asyncio.to_thread(sign_in.finish, back, account_id="sponsor1", handle="sponsor1", now_utc=now_utc)
    key = SealingKey.make(house.folder / "state" / SEALING_KEY_NAME)
    write_sealed(house.folder / "sandbox" / "credentials" / "sponsor1.json", first, key=key)
    await house.kill_engine()
    ledger = Ledger.open(house.folder / "state" / "ledger.db", mode=None)
    records = TokenRecords(ledger, key)
    await house.until(lambda: [one.generation for one in records.all().values()] == [1], "renewed")
    await subscribed(house)
    await house.scoreboard.publish(house.scoreboard.goal())
    await house.until(lambda: [one["state"] for one in house.firings()] == ["POSTED"] * len(ACCOUNTS), "all posted")
    second = records.all()["sponsor1"].opened(key)
    ledger.close()
    secrets = [one.get_secret_value() for tokens in (first, second) for one in (tokens.access_token, tokens.refresh_token)]
    written = "".join(log.read_text() for log in (house.folder / "log").glob("*.log"))

    assert len({*secrets, app["client_secret"]}) == 5
    assert not [secret for secret in (*secrets, app["client_secret"]) if secret in written]
    assert "Bearer" not in written
