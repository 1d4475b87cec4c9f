"""Renewed tokens in the ledger: the same on every database."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from sync.accounts import CredentialsError, OAuth2Credentials
from sync.audit import AuditFiles
from sync.errors import FencedError, LedgerConflictError
from sync.ledger import Ledger
from sync.sealing import SealingKey
from sync.states import Mode
from sync.token_records import TokenRecords
from timebase import VirtualClock

KEY, OTHER = SealingKey(b"k" * 32), SealingKey(b"o" * 32)


@pytest.fixture
def ledger(target: Path | str, audit: AuditFiles, clock: VirtualClock) -> Iterator[Ledger]:
    opened = Ledger.open(target, clock=clock, mode=Mode.LIVE, audit=audit)
    yield opened
    opened.close()


@pytest.fixture
def records(ledger: Ledger) -> TokenRecords:
    return TokenRecords(ledger, KEY)


def tokens(clock: VirtualClock, *, number: int = 0) -> OAuth2Credentials:
    now_utc = clock.utc()
    return OAuth2Credentials(
        account_id="anna",
        user_id="17",
        handle="anna",
        client_id="app",
        access_token=SecretStr(f"secret-access-{number}"),
        refresh_token=SecretStr(f"secret-refresh-{number}"),
        scopes=("tweet.read",),
        expires_utc=now_utc + timedelta(hours=2),
        signed_in_utc=now_utc,
    )


def test_a_renewal_is_begun_and_finished_once(ledger: Ledger, records: TokenRecords, clock: VirtualClock) -> None:
    """What is under way or over cannot be begun again; the newest is sealed and opens with the key alone."""
    epoch, old = ledger.become_engine(), tokens(clock)
    records.begin(old, 0, epoch=epoch)
    assert records.all()["anna"].renewing_since_utc == clock.utc()
    with pytest.raises(LedgerConflictError, match="tokens of anna: they have been renewed or signed in elsewhere"):
        records.begin(old, 0, epoch=epoch)
    new = old.model_copy(update={"refresh_token": SecretStr("secret-refresh-1")})
    records.finish(new, 0)
    with pytest.raises(LedgerConflictError):
        records.finish(new, 0)
    with pytest.raises(LedgerConflictError):
        records.begin(old, 0, epoch=epoch)
    record = records.all()["anna"]
    assert (record.generation, record.renewing_since_utc, record.opened(KEY)) == (1, None, new)
    assert "secret" not in record.sealed
    with pytest.raises(CredentialsError, match="sealed with the key"):
        record.opened(OTHER)


def test_only_the_engine_that_fires_begins_a_renewal(ledger: Ledger, records: TokenRecords, clock: VirtualClock) -> None:
    """A fenced one changes nothing; but what it was given before it was overtaken is kept."""
    first, old = ledger.become_engine(), tokens(clock)
    records.begin(old, 0, epoch=first)
    second = ledger.become_engine()
    records.finish(old, 0)
    with pytest.raises(FencedError):
        records.begin(old, 1, epoch=first)
    assert records.all()["anna"].renewing_since_utc is None
    records.begin(old, 1, epoch=second)


def test_a_refusal_stays_and_what_was_not_sent_does_not(ledger: Ledger, records: TokenRecords, clock: VirtualClock) -> None:
    """Both end the renewal that was under way."""
    epoch, old = ledger.become_engine(), tokens(clock)
    for fault in ("", "refused"):
        records.begin(old, 0, epoch=epoch)
        records.give_up(old, 0, fault=fault)
        assert (records.all()["anna"].fault, records.all()["anna"].renewing_since_utc) == (fault, None)


async def test_a_new_sign_in_takes_the_place_of_everything(ledger: Ledger, records: TokenRecords, clock: VirtualClock) -> None:
    """A refusal, a renewal under way, and its late answer."""
    epoch, old = ledger.become_engine(), tokens(clock)
    records.begin(old, 0, epoch=epoch)
    await clock.advance(1)
    new = tokens(clock, number=7)
    records.sign_in(new)
    with pytest.raises(LedgerConflictError):
        records.finish(old, 0)
    record = records.all()["anna"]
    assert (record.opened(KEY), record.generation, record.renewing_since_utc, record.fault) == (new, 0, None, "")
    with pytest.raises(LedgerConflictError):
        records.begin(old, 0, epoch=epoch)


def test_everything_is_sealed_anew(ledger: Ledger, records: TokenRecords, clock: VirtualClock) -> None:
    """And opens with the new key only."""
    records.sign_in(tokens(clock))
    assert records.rekey(lambda record: record.opened(KEY), OTHER) == 1
    assert records.all()["anna"].opened(OTHER) == tokens(clock)
    with pytest.raises(CredentialsError):
        records.all()["anna"].opened(KEY)
