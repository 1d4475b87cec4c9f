"""Tokens are renewed in time, once, by one engine; what has no outcome is never tried again, and everybody is told."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from sync.accounts import OAuth2Credentials
from sync.errors import FencedError, LedgerError
from sync.ledger import Ledger
from sync.posting import Certainty
from sync.renewals import KEEP_ATTEMPTS_MAX, Renewals, TokenSetup, newest, time_left
from sync.sealing import SealingKey
from sync.token_records import TokenRecords
from sync.tokens import Renewal
from sync.writer import InlineWriter
from timebase import VirtualClock

KEY = SealingKey(b"k" * 32)
HOURS_2 = timedelta(hours=2)


def credentials_of(clock: VirtualClock, *, number: int = 0, account_id: str = "anna") -> OAuth2Credentials:
    return OAuth2Credentials(
        account_id=account_id,
        user_id="17",
        handle=account_id,
        client_id="app",
        access_token=SecretStr(f"secret-access-{number}"),
        refresh_token=SecretStr(f"secret-refresh-{number}"),
        scopes=("tweet.read",),
        expires_utc=clock.utc() + HOURS_2,
        signed_in_utc=clock.utc(),
    )


class Endpoint:
    """Renews as told, and counts how often each refresh token is shown and how many ask at once."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.outcomes: list[Renewal | str] = []
        self.shown: list[str] = []
        self.under_way = self.under_way_max = 0
        self.takes_s = 0.0

    async def renew(self, credentials: OAuth2Credentials) -> Renewal:
        self.shown.append(credentials.refresh_token.get_secret_value())
        self.under_way += 1
        self.under_way_max = max(self.under_way_max, self.under_way)
        await self.clock.sleep(self.takes_s)
        self.under_way -= 1
        outcome = self.outcomes.pop(0) if self.outcomes else "new"
        if isinstance(outcome, Renewal):
            return outcome
        number = len(self.shown)
        new = {"access_token": SecretStr(f"secret-access-{number}"), "refresh_token": SecretStr(f"secret-refresh-{number}")}
        expires = {"expires_utc": self.clock.utc() + HOURS_2}
        return Renewal(certainty=Certainty.POSTED, credentials=credentials.model_copy(update=new | expires))


class Desk:
    """One ledger, and engines over it."""

    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock()
        self.ledger = Ledger.open(folder / "ledger.db", clock=self.clock)
        self.records = TokenRecords(self.ledger, KEY)
        self.endpoint = Endpoint(self.clock)
        self.file = credentials_of(self.clock)
        self.taken: list[str] = []
        self.alarms: list[tuple[str, str]] = []
        self.wanted = True

    def renewals(self, *, accounts: tuple[OAuth2Credentials, ...] | None = None) -> Renewals:
        async def alarm(level: str, text: str) -> None:
            self.alarms.append((level, text))

        def take(credentials: OAuth2Credentials) -> None:
            self.taken.append(credentials.access_token.get_secret_value())

        return Renewals(
            TokenSetup(accounts=accounts or (self.file,), key=KEY, endpoint=self.endpoint, take=take),
            self.records,
            writer=InlineWriter(),
            clock=self.clock,
            epoch=self.ledger.become_engine(),
            wanted=lambda: self.wanted,
            changed=lambda: None,
            alarm=alarm,
        )

    @asynccontextmanager
    async def running(self, renewals: Renewals | None = None) -> AsyncIterator[Renewals]:
        renewals = renewals or self.renewals()
        task = asyncio.create_task(renewals.run())
        await self.clock.advance(0.1)
        try:
            yield renewals
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def pass_minutes(self, minutes: float) -> None:
        for _ in range(int(minutes * 2)):
            await self.clock.advance(30)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.ledger.close()


def failure(certainty: Certainty, reason: str = "told why") -> Renewal:
    return Renewal(certainty=certainty, reason=reason)


async def test_tokens_are_renewed_half_an_hour_before_their_end_and_again(desk: Desk) -> None:
    """Every ninety minutes; each refresh token is shown once, and the ledger has the newest."""
    async with desk.running() as renewals:
        await desk.pass_minutes(89)
        assert desk.endpoint.shown == []
        await desk.pass_minutes(2)
        assert desk.taken == ["secret-access-1"]
        await desk.pass_minutes(180)
        assert desk.endpoint.shown == ["secret-refresh-0", "secret-refresh-1", "secret-refresh-2"]
        assert (renewals.fault("anna"), renewals.detail("anna"), desk.alarms) == ("", "", [])
    record = desk.records.all()["anna"]
    assert (record.generation, record.renewing_since_utc) == (3, None)
    assert record.opened(KEY).refresh_token.get_secret_value() == "secret-refresh-3"
    assert "secret" not in record.sealed


async def test_nothing_is_asked_where_nothing_may_leave(desk: Desk) -> None:
    """Out of LIVE; on the way into it, at once."""
    desk.wanted = False
    async with desk.running() as renewals:
        await desk.pass_minutes(130)
        assert desk.endpoint.shown == []
        desk.wanted = True
        renewals.look()
        await desk.clock.advance(0.1)
        assert desk.taken == ["secret-access-1"]


async def test_one_renewal_at_a_time_however_often_somebody_looks(desk: Desk) -> None:
    """In one process: one task, one account after the other."""
    desk.endpoint.takes_s = 8.0
    both = (desk.file, credentials_of(desk.clock, account_id="ben"))
    async with desk.running(desk.renewals(accounts=both)) as renewals:
        await desk.pass_minutes(89)
        for _ in range(300):
            renewals.look()
            await desk.clock.advance(0.5)
    assert desk.endpoint.under_way_max == 1
    assert len(desk.endpoint.shown) == 2


async def test_two_engines_do_not_renew_the_same_tokens(desk: Desk) -> None:
    """The one that was taken over is fenced before it asks; the newer one has the tokens of the ledger."""
    first = desk.renewals()
    second = desk.renewals()
    await desk.pass_minutes(95)
    with pytest.raises(FencedError, match="another engine renews"):
        await first.run()
    assert desk.endpoint.shown == []
    async with desk.running(second):
        assert desk.taken == ["secret-access-1"]
    third = desk.renewals()
    await third.remember()
    assert desk.taken == ["secret-access-1", "secret-access-1"]
    assert desk.endpoint.shown == ["secret-refresh-0"]


async def test_an_engine_that_is_overtaken_while_it_asks_still_keeps_what_it_was_given(desk: Desk) -> None:
    """The other one, in doubt until then, goes on with the new tokens and uses no token twice."""
    desk.endpoint.takes_s = 20.0
    async with desk.running():
        await desk.pass_minutes(90)
        await desk.clock.advance(16)
        assert desk.endpoint.under_way == 1
        other = desk.renewals()
        async with desk.running(other):
            assert "needs a sign-in before" in other.detail("anna")
            await desk.clock.advance(31)
            assert other.detail("anna") == ""
    assert desk.endpoint.shown == ["secret-refresh-0"]
    assert desk.taken == ["secret-access-1", "secret-access-1"]


async def test_a_refusal_is_an_alarm_and_the_account_cannot_post(desk: Desk) -> None:
    """For good, over a restart, until it is signed in again; then at once, without a restart."""
    desk.endpoint.outcomes = [failure(Certainty.REFUSED, "X answered 400: Value passed for the token was invalid.")]
    async with desk.running() as renewals:
        await desk.pass_minutes(95)
        expected = "X refused to renew its tokens (X answered 400: Value passed for the token was invalid.)"
        assert renewals.fault("anna") == f"{expected}; cuebird account sign-in anna --oauth2"
        assert desk.alarms == [("critical", f"account anna: {renewals.fault('anna')}")]
    async with desk.running() as again:
        assert "X refused" in again.fault("anna")
        await desk.pass_minutes(60)
        assert len(desk.endpoint.shown) == 1
        desk.records.sign_in(credentials_of(desk.clock, number=9))
        await desk.clock.advance(16)
        assert again.fault("anna") == ""
        assert desk.taken == ["secret-access-9"]


async def test_a_renewal_without_an_answer_is_not_tried_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token may be used up: the account goes on with what it has, and needs a sign-in, also after a restart."""
    desk.endpoint.outcomes = [failure(Certainty.UNKNOWN)]
    begun = list[int]()
    whole = desk.records.begin

    def begin(credentials: OAuth2Credentials, generation: int, *, epoch: int) -> None:
        begun.append(generation)
        whole(credentials, generation, epoch=epoch)

    monkeypatch.setattr(desk.records, "begin", begin)
    for _ in range(2):
        async with desk.running() as renewals:
            await desk.pass_minutes(100)
            assert renewals.fault("anna") == ""
            assert "needs a sign-in before 14:00:00 UTC" in renewals.detail("anna")
            assert "cuebird account sign-in anna --oauth2" in renewals.detail("anna")
    assert (desk.endpoint.shown, begun) == (["secret-refresh-0"], [0])
    assert [level for level, _ in desk.alarms] == ["critical", "critical"]


@pytest.mark.parametrize("lost", ["begin", "renew", "finish"])
async def test_a_crash_at_each_step_uses_no_token_twice(desk: Desk, lost: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the ledger knows: it is simply renewed. After: the account says that it needs a sign-in."""

    class CrashError(BaseException):
        pass

    def crash(*_: Any, **__: Any) -> Any:
        raise CrashError

    with monkeypatch.context() as patched:
        where = desk.endpoint if lost == "renew" else desk.records
        patched.setattr(where, lost, crash)
        renewals = desk.renewals()
        await desk.pass_minutes(95)
        with pytest.raises(CrashError):
            await renewals.run()
    before = list(desk.endpoint.shown)
    async with desk.running() as after:
        await desk.pass_minutes(20)
        in_doubt = "needs a sign-in" in after.detail("anna")
    assert in_doubt == (lost != "begin")
    assert desk.endpoint.shown == (["secret-refresh-0"] if lost == "begin" else before)


async def test_a_renewal_that_is_under_way_is_no_reason_to_worry(desk: Desk) -> None:
    """The engine that asks knows better than the ledger, for as long as it asks."""
    desk.endpoint.takes_s = 8.0
    async with desk.running() as renewals:
        await desk.pass_minutes(90)
        for _ in range(30):
            assert renewals.detail("anna") == ""
            await desk.clock.advance(1)
    assert desk.taken == ["secret-access-1"]


async def test_what_was_not_sent_is_tried_again_until_it_works(desk: Desk) -> None:
    """With pauses, and one alarm, not one a try."""
    desk.endpoint.outcomes = [failure(Certainty.NOT_SENT, "connecting took too long")] * 3
    async with desk.running() as renewals:
        await desk.pass_minutes(100)
        assert renewals.detail("anna") == ""
    assert desk.endpoint.shown == ["secret-refresh-0"] * 4
    assert desk.taken == ["secret-access-4"]
    assert desk.alarms == [("warning", "the tokens of anna are not renewed yet (connecting took too long); trying again")]


async def test_a_ledger_in_trouble_keeps_the_renewal_away_or_keeps_trying(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not begun: nothing is asked. Not kept: the new access token is used all the same, and it is kept later."""
    troubles = {"begin": 2, "finish": 3}

    def troubled(name: str) -> Callable[..., None]:
        whole = getattr(desk.records, name)

        def work(*arguments: Any, **named: Any) -> None:
            if troubles[name] > 0:
                troubles[name] -= 1
                raise LedgerError("disk full")
            whole(*arguments, **named)

        return work

    for name in troubles:
        monkeypatch.setattr(desk.records, name, troubled(name))
    async with desk.running() as renewals:
        await desk.pass_minutes(100)
        assert renewals.detail("anna") == ""
    assert desk.endpoint.shown == ["secret-refresh-0"]
    assert desk.taken == ["secret-access-1"]
    assert desk.records.all()["anna"].opened(KEY).refresh_token.get_secret_value() == "secret-refresh-1"
    assert {text for _, text in desk.alarms} == {
        "the tokens of anna are not renewed: disk full",
        "what became of the tokens of anna is not kept: disk full",
    }
    assert KEEP_ATTEMPTS_MAX > 3


async def test_a_stop_waits_for_the_outcome(desk: Desk) -> None:
    """Or an ordinary restart would cost a sign-in."""
    desk.endpoint.takes_s = 3.0
    renewals = desk.renewals()
    await desk.pass_minutes(95)
    task = asyncio.create_task(renewals.run())
    await desk.clock.advance(1)
    task.cancel()
    await desk.clock.advance(3)
    await asyncio.wait({task})
    assert desk.records.all()["anna"].generation == 1


async def test_a_wall_clock_that_steps_makes_no_renewal_late(desk: Desk) -> None:
    """The monotonic one decides."""
    async with desk.running():
        await desk.pass_minutes(60)
        desk.clock.step_utc(-timedelta(hours=5))
        await desk.pass_minutes(31)
    assert desk.taken == ["secret-access-1"]


async def test_tokens_sealed_with_another_key_are_a_fault(desk: Desk) -> None:
    """The engine runs, the account does not."""
    other = TokenRecords(desk.ledger, SealingKey(b"o" * 32))
    await desk.clock.advance(5)
    other.sign_in(credentials_of(desk.clock, number=5))
    async with desk.running() as renewals:
        assert "sealed with the key" in renewals.fault("anna")
    assert desk.taken == []


def test_the_newest_tokens_are_the_later_sign_ins(desk: Desk) -> None:
    """The ledger's of the same sign-in, the file's when it is later than the ledger's."""
    desk.records.sign_in(desk.file.model_copy(update={"access_token": SecretStr("secret-renewed")}))
    (kept,) = newest([desk.file], desk.records.all(), KEY)
    later = desk.file.model_copy(update={"signed_in_utc": desk.file.signed_in_utc + timedelta(seconds=1)})
    assert kept.access_token.get_secret_value() == "secret-renewed"
    assert newest([later], desk.records.all(), KEY) == [later]


def test_time_left_is_told_in_hours_and_minutes() -> None:
    """For lists."""
    now_utc = VirtualClock().utc()
    told = [time_left(now_utc + timedelta(minutes=minutes), now_utc) for minutes in (119, 5, 0, -1)]
    assert told == ["1 h 59 min left", "5 min left", "ended", "ended"]
