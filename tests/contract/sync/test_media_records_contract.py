"""Uploads in the ledger, and claims that name them: the same on every database."""

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from sync.audit import AuditFiles
from sync.firings import ClaimResult
from sync.gate import Guard
from sync.ledger import Ledger
from sync.media import Fallback, Media, MediaStanding, Upload
from sync.media_records import MediaRecords
from sync.states import FiringState, Mode
from tests.contract.sync.test_cues_contract import GOAL, engine_of, goal, store
from timebase import VirtualClock

CUP = Media(file="cup.png", sha256="a" * 64, media_type="image/png", category="tweet_image", size_bytes=9, width=4, height=4)


@pytest.fixture
def ledger(target: Path | str, audit: AuditFiles, clock: VirtualClock) -> Iterator[Ledger]:
    opened = Ledger.open(target, clock=clock, mode=Mode.LIVE, audit=audit)
    yield opened
    opened.close()


def upload(clock: VirtualClock, media_id: str, *, account_id: str = "anna") -> Upload:
    now_utc = clock.utc()
    return Upload(
        account_id=account_id,
        upload_key=CUP.upload_key,
        media_id=media_id,
        uploaded_utc=now_utc,
        expires_utc=now_utc + timedelta(days=1),
    )


async def test_an_upload_is_kept_by_account_and_content_until_it_expires(ledger: Ledger, clock: VirtualClock) -> None:
    """A newer one of the same medium takes its place."""
    records = MediaRecords(ledger)
    for one in (upload(clock, "1"), upload(clock, "2"), upload(clock, "3", account_id="ben")):
        records.keep(one, sha256=CUP.sha256)
    assert sorted(records.uploads(), key=lambda one: one.account_id) == [
        upload(clock, "2"),
        upload(clock, "3", account_id="ben"),
    ]
    await clock.advance(86_400)
    assert records.uploads() == ()


def test_what_x_refused_is_forgotten_and_recorded(ledger: Ledger, clock: VirtualClock) -> None:
    """Of that account only."""
    records = MediaRecords(ledger)
    records.keep(upload(clock, "1"), sha256=CUP.sha256)
    records.forget("ben", ["1"])
    assert len(records.uploads()) == 1
    records.forget("anna", ["1"])
    assert records.uploads() == ()
    assert ledger.events(limit=1) == (("media_refused", {"account_id": "anna", "media_ids": ["1"]}),)


def claim(ledger: Ledger, clock: VirtualClock, *, fallback: Fallback = "disarm", media_id: str | None = "77") -> ClaimResult:
    cue = dataclasses.replace(GOAL, media=(CUP,), media_fallback=fallback)
    store(ledger, cue)
    standing = {Mode.LIVE: {CUP.upload_key: MediaStanding(media_id=media_id, fault="" if media_id else "X is busy")}}
    return engine_of(ledger).claim(goal(clock, cue=cue), account_faults={}, media=standing)


def test_the_claim_holds_the_media_ids_in_the_bytes_that_leave(ledger: Ledger, clock: VirtualClock) -> None:
    """With their hash, as every body."""
    record = claim(ledger, clock).record
    assert record is not None
    assert record.state is FiringState.CLAIMED
    assert json.loads(record.body)["media"] == {"media_ids": ["77"]}
    assert record.body_sha256 == hashlib.sha256(record.body.encode()).hexdigest()


def test_without_its_media_a_cue_declines(ledger: Ledger, clock: VirtualClock) -> None:
    """With the reason; nothing is used up."""
    result = claim(ledger, clock, media_id=None)
    assert result.judgement.against is not None
    assert result.judgement.against.guard is Guard.MEDIA
    assert result.record is not None
    assert result.record.reason == "its media cup.png is not ready: X is busy"
    assert (result.record.state, result.record.body) == (FiringState.DECLINED, "")


def test_or_posts_its_text_alone_when_that_was_approved(ledger: Ledger, clock: VirtualClock) -> None:
    """The choice is a part of what the approval covers."""
    record = claim(ledger, clock, fallback="text", media_id=None).record
    assert record is not None
    assert record.state is FiringState.CLAIMED
    assert "media" not in json.loads(record.body)


def test_changed_media_need_a_new_approval(ledger: Ledger, clock: VirtualClock) -> None:
    """Another file, another alternative text, another fallback, none at all: each voids what was approved."""
    cue = dataclasses.replace(GOAL, media=(CUP,))
    standing = {Mode.LIVE: {CUP.upload_key: MediaStanding(media_id="77")}}
    for changed in (
        dataclasses.replace(cue, media=(dataclasses.replace(CUP, sha256="b" * 64),)),
        dataclasses.replace(cue, media=(dataclasses.replace(CUP, alt="a cup"),)),
        dataclasses.replace(cue, media_fallback="text"),
        dataclasses.replace(cue, media=()),
    ):
        store(ledger, cue)
        ledger.import_cues([changed], actor="sponsor")
        result = engine_of(ledger).claim(goal(clock, cue=changed), account_faults={}, media=standing)
        assert result.judgement.against is not None
        assert result.judgement.against.guard is Guard.APPROVAL
