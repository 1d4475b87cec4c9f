"""The sandbox's pure parts: rules, faults, windows, memory, certificates."""

import json
import ssl
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from sync.accounts import Credentials
from sync.sandbox import Fault, FaultKind, SandboxSettings
from sync.sandbox.authority import Authority
from sync.sandbox.faults import Faults
from sync.sandbox.problems import Problem
from sync.sandbox.tweet_rules import check_tweet
from sync.sandbox.world import World
from timebase import VirtualClock


def account(name: str) -> Credentials:
    return Credentials.model_validate(
        {
            "account_id": name,
            "user_id": str(sum(map(ord, name))),
            "handle": name,
            "consumer_key": "k",
            "consumer_secret": "s",
            "access_token": name,
            "access_token_secret": "t",
        }
    )


ANNA, BEN = account("anna"), account("ben")


def world(clock: VirtualClock, settings: SandboxSettings | None = None, journal: Path | None = None) -> World:
    accounts = {it.account_id: it for it in (ANNA, BEN)}
    return World(settings=settings or SandboxSettings(), accounts=accounts, clock=clock, journal_file=journal)


def status_of(problem: pytest.ExceptionInfo[Problem]) -> int:
    return problem.value.answer.status


@pytest.mark.parametrize(
    "fields",
    [
        {"text": "Goal!"},
        {"text": "x" * 280, "paid_partnership": True, "made_with_ai": False},
        {"text": "https://example.com/" + "a" * 400},
        {"text": "", "media": {"media_ids": ["1", "2"]}},
        {"text": "?", "poll": {"options": ["a", "b"], "duration_minutes": 5}},
        {"text": "!", "reply": {"in_reply_to_tweet_id": "5"}, "reply_settings": "following"},
    ],
)
def test_what_x_accepts_is_accepted(fields: dict[str, object]) -> None:
    """The documented fields in their documented forms."""
    assert check_tweet(json.dumps(fields).encode()) == fields


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"text": "a", "status": "b"}, 400),
        ({"text": 5}, 400),
        ({}, 400),
        ({"text": ""}, 400),
        (["text"], 400),
        ({"text": "a", "media": {"media_ids": []}}, 400),
        ({"text": "a", "media": {"media_ids": ["1"], "alt": "x"}}, 400),
        ({"text": "a", "media": {"media_ids": ["1"]}, "poll": {"options": ["a", "b"]}}, 400),
        ({"text": "a", "poll": {"options": ["a", "b"], "duration_minutes": True}}, 400),
        ({"text": "a", "reply_settings": ["following"]}, 400),
        ({"text": "a", "paid_partnership": "yes"}, 400),
        ({"text": "x" * 281}, 403),
        ({"text": "語" * 141}, 403),
    ],
)
def test_what_x_refuses_is_refused(fields: object, status: int) -> None:
    """Unknown fields, wrong values, texts over 280 weighted characters."""
    with pytest.raises(Problem) as problem:
        check_tweet(json.dumps(fields).encode())
    assert status_of(problem) == status


def test_a_fault_strikes_the_requests_it_names_and_no_other() -> None:
    """Method, how many pass first, how many are struck."""
    faults = Faults()
    faults.add(Fault(kind=FaultKind.DROP, after=1, times=2))
    faults.add(Fault(kind=FaultKind.HANG, method="GET"))

    struck = [faults.strike(method, "/2/tweets") for method in ("POST", "GET", "POST", "DELETE", "POST", "POST")]
    assert [fault and fault.kind for fault in struck] == [None, "hang", "drop", None, "drop", None]
    assert faults.waiting() == []


async def test_a_window_refuses_when_used_up_and_opens_again() -> None:
    """429 with the headers that say when; each account has its own."""
    clock = VirtualClock()
    known = world(clock, SandboxSettings(user_posts_per_window=2))
    assert known.count(ANNA, "POST", "tweets")["x-rate-limit-remaining"] == "1"
    known.count(ANNA, "POST", "tweets")
    with pytest.raises(Problem) as problem:
        known.count(ANNA, "POST", "tweets")
    assert status_of(problem) == 429
    reset_s = int(problem.value.answer.headers["x-rate-limit-reset"])
    assert 0 < reset_s - clock.utc().timestamp() <= 900
    assert known.count(BEN, "POST", "tweets")["x-rate-limit-remaining"] == "1"

    await clock.advance(901)
    assert known.count(ANNA, "POST", "tweets")["x-rate-limit-remaining"] == "1"


def test_refused_requests_use_up_nothing() -> None:
    """The app's day is not charged for what the user's window refused."""
    known = world(VirtualClock(), SandboxSettings(user_posts_per_window=1))
    known.count(ANNA, "POST", "tweets")
    with pytest.raises(Problem):
        known.count(ANNA, "POST", "tweets")
    assert known.count(BEN, "POST", "tweets")["x-app-limit-24hour-remaining"] == "9998"


def test_duplicates_stay_two_tweets_unless_asked_otherwise() -> None:
    """A stand-in that removed duplicates would hide ours."""
    known = world(VirtualClock())
    first, second = (known.post(ANNA, {"text": "Goal!"}, arrived_mono_ns=0) for _ in range(2))
    assert int(second.tweet_id) > int(first.tweet_id)

    strict = world(VirtualClock(), SandboxSettings(check_duplicates=True))
    strict.post(ANNA, {"text": "Goal!"}, arrived_mono_ns=0)
    strict.post(BEN, {"text": "Goal!"}, arrived_mono_ns=0)
    with pytest.raises(Problem, match="duplicate content") as problem:
        strict.post(ANNA, {"text": "Goal!"}, arrived_mono_ns=0)
    assert status_of(problem) == 403


def test_credits_and_permissions_run_out() -> None:
    """402 after the last paid post, 403 for an app that may only read."""
    paid = world(VirtualClock(), SandboxSettings(credits=1))
    paid.post(ANNA, {"text": "a"}, arrived_mono_ns=0)
    with pytest.raises(Problem) as problem:
        paid.post(ANNA, {"text": "b"}, arrived_mono_ns=0)
    assert status_of(problem) == 402
    with pytest.raises(Problem, match="oauth1-permissions"):
        world(VirtualClock(), SandboxSettings(read_only=True)).post(ANNA, {"text": "a"}, arrived_mono_ns=0)


async def test_the_id_holds_the_instant_and_the_timeline_may_lag() -> None:
    """Snowflakes tell when; a tweet shows up only after the lag."""
    clock = VirtualClock()
    known = world(clock, SandboxSettings(timeline_lag_s=5.0))
    tweet = known.post(ANNA, {"text": "a"}, arrived_mono_ns=0)
    created_ms = (int(tweet.tweet_id) >> 22) + 1_288_834_974_657
    assert abs(created_ms - clock.utc().timestamp() * 1000) <= 1
    assert known.timeline(ANNA.user_id, since_id=0, before_id=None) == []

    await clock.advance(5)
    assert known.timeline(ANNA.user_id, since_id=0, before_id=None) == [tweet]
    assert known.timeline(ANNA.user_id, since_id=int(tweet.tweet_id), before_id=None) == []


def test_only_the_author_deletes_and_a_deleted_tweet_is_gone() -> None:
    """403 for others, 404 the second time."""
    known = world(VirtualClock())
    tweet = known.post(ANNA, {"text": "a"}, arrived_mono_ns=0)
    with pytest.raises(Problem) as problem:
        known.delete(BEN, tweet.tweet_id)
    assert status_of(problem) == 403
    known.delete(ANNA, tweet.tweet_id)
    with pytest.raises(Problem) as problem:
        known.delete(ANNA, tweet.tweet_id)
    assert status_of(problem) == 404


def test_a_journal_survives_a_kill_in_the_middle_of_a_line(tmp_path: Path) -> None:
    """What was posted is there again; the half line is not; ids go on rising."""
    journal = tmp_path / "tweets.jsonl"
    first = world(VirtualClock(), journal=journal)
    kept, removed = (first.post(ANNA, {"text": text}, arrived_mono_ns=0) for text in ("kept", "removed"))
    first.delete(ANNA, removed.tweet_id)
    first.close()
    journal.write_text(journal.read_text() + '{"tweet_id": "99", "acc', encoding="utf-8")

    second = world(VirtualClock(), journal=journal)
    assert [tweet.text for tweet in second.timeline(ANNA.user_id, since_id=0, before_id=None)] == ["kept"]
    new = second.post(ANNA, {"text": "new"}, arrived_mono_ns=0)
    assert int(new.tweet_id) > int(removed.tweet_id)
    second.close()
    third = world(VirtualClock(), journal=journal)
    third.close()
    assert [tweet for tweet in third.tweets() if not tweet.deleted_utc] == [new, kept]


def test_the_authority_is_reused_bound_and_private(tmp_path: Path) -> None:
    """The same certificate at the second start; constrained names; keys for their owner only."""
    now_utc = VirtualClock().utc()
    first = Authority(tmp_path, now_utc=now_utc)
    assert isinstance(first.server_context(), ssl.SSLContext)
    pem = first.ca_file.read_bytes()
    Authority(tmp_path, now_utc=now_utc + timedelta(days=300))
    assert first.ca_file.read_bytes() == pem

    certificate = x509.load_pem_x509_certificate(pem)
    constraints = certificate.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    permitted = {str(it.value) for it in constraints.value.permitted_subtrees or ()}
    assert permitted == {"api.twitter.com", "api.x.com", "localhost", "127.0.0.1/32", "::1/128"}
    for name in ("ca.key", "leaf.pem"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600

    Authority(tmp_path, now_utc=now_utc + timedelta(days=340))
    assert first.ca_file.read_bytes() != pem
