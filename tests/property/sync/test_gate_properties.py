"""Each guard, when it alone is violated, declines with its own reason; when several are, the first in order speaks."""

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.conditions import SpotCondition
from sync.cues import Caps, Cue
from sync.decide import Evidence, Intent, Window
from sync.gate import FEED_STATUS_AGE_MAX_NS, CapScope, CapUse, Facts, Guard, judge
from sync.media import Fallback, Media, MediaStanding
from sync.quorum import Quorum
from sync.signals import OccurrenceId
from sync.states import FiringState, Mode

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
CUE = Cue(
    cue_id="kaffee",
    name="Coffee",
    author="sponsor",
    account_id="coffee",
    deadline_ms=3000,
    audience_delay_ms=0,
    taken_back="leave",
    variants=("one", "two"),
    caps=Caps(per_minute=1, per_hour=2, per_day=3),
    on=SpotCondition(kind="spot", spots=("kaffee-30",), channel="nord"),
)


@st.composite
def good(draw: st.DrawFn) -> tuple[Intent, Facts]:
    """Any intent and facts that every guard lets pass."""
    on_air_ns = draw(st.integers(1, 10**15))
    deadline_ns = on_air_ns + draw(st.integers(0, 10**10))
    threshold = draw(st.floats(0, 100))
    opens = draw(st.integers(0, 100))
    evidence = Evidence(
        feed_id="main",
        score=threshold + draw(st.floats(0, 100)),
        threshold=threshold,
        status_age_ns=draw(st.integers(0, FEED_STATUS_AGE_MAX_NS)),
    )
    intent = Intent(
        cue=CUE,
        occurrence_id=OccurrenceId("airing:x"),
        texts=("one", "two"),
        text_fault="",
        spot_id="kaffee-30",
        off_plan=False,
        window=draw(
            st.sampled_from(
                [
                    None,
                    Window(
                        opens_utc=NOON - timedelta(seconds=opens),
                        closes_utc=NOON + timedelta(seconds=draw(st.integers(0, 100))),
                        on_air_utc=NOON,
                    ),
                ]
            )
        ),
        evidence=draw(st.sampled_from([None, evidence])),
        taken_back=False,
        on_air_mono_ns=on_air_ns,
        on_air_utc=NOON,
        heard_mono_ns=on_air_ns,
        decided_mono_ns=on_air_ns,
        decided_utc=NOON,
        fire_mono_ns=on_air_ns,
        deadline_mono_ns=deadline_ns,
    )
    allowed, scope = draw(st.integers(1, 50)), draw(st.sampled_from(CapScope))
    facts = Facts(
        now_mono_ns=draw(st.integers(on_air_ns, deadline_ns)),
        killed=False,
        kill_reason=draw(st.text(max_size=5)),
        fenced=False,
        mode=draw(st.sampled_from([Mode.REHEARSAL, Mode.LIVE])),
        armed_in=None,
        cue_sha256=CUE.sha256(),
        approved_sha256=CUE.sha256(),
        approvals=draw(st.integers(CUE.approvers, 5)),
        account_fault="",
        used_by=None,
        rival=None,
        earlier_in_day=draw(st.integers(0, 50)),
        caps=(CapUse(scope=scope, name="x", period="in a minute", used=draw(st.integers(0, allowed - 1)), allowed=allowed),),
        used_texts=draw(st.sampled_from([frozenset(), frozenset({"one"}), frozenset({"two"})])),
        hold="",
    )
    return intent, facts


Break = Callable[[Intent, Facts], tuple[Intent, Facts]]


def in_facts(**change: object) -> Break:
    return lambda intent, facts: (intent, dataclasses.replace(facts, **change))  # type: ignore[arg-type]  # any field


def in_intent(**change: object) -> Break:
    return lambda intent, facts: (dataclasses.replace(intent, **change), facts)  # type: ignore[arg-type]  # any field


def with_evidence(**change: object) -> Break:
    whole = {"feed_id": "main", "score": 50.0, "threshold": 40.0, "status_age_ns": 0, **change}
    return in_intent(evidence=Evidence(**whole))  # type: ignore[arg-type]  # any field


def with_window(opens_s: int, closes_s: int) -> Break:
    second = timedelta(seconds=1)
    return in_intent(window=Window(opens_utc=NOON + opens_s * second, closes_utc=NOON + closes_s * second, on_air_utc=NOON))


def not_the_first(intent: Intent, facts: Facts) -> tuple[Intent, Facts]:
    return of_the_day(intent, facts, earlier=1, first_in_day=True)


def not_the_third(intent: Intent, facts: Facts) -> tuple[Intent, Facts]:
    return of_the_day(intent, facts, earlier=3, every=3)


def of_the_day(intent: Intent, facts: Facts, *, earlier: int, **condition: object) -> tuple[Intent, Facts]:
    on = dataclasses.replace(intent.cue.on, **condition)  # type: ignore[arg-type]  # any field
    cue = dataclasses.replace(intent.cue, on=on)
    day = (NOON - timedelta(hours=12), NOON + timedelta(hours=12))
    changed = dataclasses.replace(facts, earlier_in_day=earlier, cue_sha256=cue.sha256(), approved_sha256=cue.sha256())
    return dataclasses.replace(intent, cue=cue, day=day), changed


def for_two(intent: Intent, facts: Facts) -> tuple[Intent, Facts]:
    cue = dataclasses.replace(intent.cue, approvers=2)
    approved = {"cue_sha256": cue.sha256(), "approved_sha256": cue.sha256(), "approvals": 1}
    return dataclasses.replace(intent, cue=cue), dataclasses.replace(facts, **approved)  # type: ignore[arg-type]  # any field


MEDIA = Media(file="cup.png", sha256="a" * 64, media_type="image/png", category="tweet_image", size_bytes=9, width=4, height=4)
BOTH_WITH_MEDIA = {"one": (MEDIA,), "two": (MEDIA,)}


def without_media(intent: Intent, facts: Facts) -> tuple[Intent, Facts]:
    return dataclasses.replace(intent, media=BOTH_WITH_MEDIA), facts


def media_still_processed(intent: Intent, facts: Facts) -> tuple[Intent, Facts]:
    waiting = {MEDIA.upload_key: MediaStanding(media_id=None, fault="X is processing it")}
    return dataclasses.replace(intent, media=BOTH_WITH_MEDIA), dataclasses.replace(facts, media=waiting)


def too_late(intent: Intent, facts: Facts) -> tuple[Intent, Facts]:
    return intent, dataclasses.replace(facts, now_mono_ns=intent.deadline_mono_ns + 1)


ALONE = Quorum(key="sound:x", told_by="the marker", wanted="the sound", at_mono_ns=5, within_ns=1_000_000_000)

BREAKS: list[tuple[Guard, Break]] = [
    (Guard.KILL, in_facts(killed=True)),
    (Guard.KILL, in_facts(fenced=True)),
    (Guard.MODE, in_facts(mode=Mode.OFF)),
    (Guard.WINDOW, in_intent(off_plan=True)),
    (Guard.WINDOW, with_window(1, 9)),
    (Guard.WINDOW, with_window(-9, -1)),
    (Guard.MODE, in_intent(of_mode=Mode.OFF)),
    (Guard.MODE, in_facts(armed_in=Mode.OFF)),
    (Guard.CONDITION, in_intent(condition_fault="not an equaliser")),
    (Guard.CONDITION, not_the_first),
    (Guard.CONDITION, not_the_third),
    (Guard.APPROVAL, in_facts(approvals=0)),
    (Guard.APPROVAL, for_two),
    (Guard.APPROVAL, in_facts(cue_sha256=None)),
    (Guard.APPROVAL, in_facts(approved_sha256=None)),
    (Guard.APPROVAL, in_facts(approved_sha256="0" * 64)),
    (Guard.APPROVAL, in_facts(cue_sha256="0" * 64, approved_sha256="0" * 64)),
    (Guard.ACCOUNT, in_facts(account_fault="not configured")),
    (Guard.OCCURRENCE, in_facts(used_by=7)),
    (Guard.OCCURRENCE, in_intent(taken_back=True)),
    (Guard.PRIORITY, in_facts(rival="other")),
    (Guard.DEADLINE, too_late),
    (Guard.EVIDENCE, with_evidence(status_age_ns=None)),
    (Guard.EVIDENCE, with_evidence(status_age_ns=FEED_STATUS_AGE_MAX_NS + 1)),
    (Guard.EVIDENCE, with_evidence(score=39.99)),
    (Guard.EVIDENCE, with_evidence(score=float("nan"))),
    (Guard.QUORUM, in_intent(quorum=ALONE)),
    (Guard.ON_AIR, in_intent(on_air_fault="not on air: tally pgm is off")),
    (Guard.QUORUM, in_intent(quorum=dataclasses.replace(ALONE, later_ns=1_000_000_001))),
    (Guard.QUORUM, in_intent(quorum=dataclasses.replace(ALONE, later_ns=-1_000_000_001))),
    (Guard.CAPS, in_facts(caps=(CapUse(scope=CapScope.ACCOUNT, name="x", period="in a day", used=3, allowed=3),))),
    (Guard.TEXT, in_facts(used_texts=frozenset({"one", "two"}))),
    (Guard.TEXT, in_intent(text_fault="too long")),
    (Guard.MEDIA, without_media),
    (Guard.MEDIA, media_still_processed),
    (Guard.HOLD, in_facts(hold="by a person")),
]


@given(good())
@settings(max_examples=100)
def test_what_every_guard_lets_pass_is_claimed(case: tuple[Intent, Facts]) -> None:
    """With nothing against it a firing is claimed, with a text that has not left before."""
    intent, facts = case
    judgement = judge(intent, facts)
    assert judgement.state is FiringState.CLAIMED
    assert judgement.text in set(intent.texts) - facts.used_texts
    assert [verdict.guard for verdict in judgement.verdicts] == list(Guard)


@given(case=good(), later_ns=st.integers(-1_000_000_000, 1_000_000_000), awaited=st.booleans())
@settings(max_examples=50)
def test_two_sources_that_agree_pass(case: tuple[Intent, Facts], later_ns: int, *, awaited: bool) -> None:
    """Within the window, whichever came first; and an intent that is only armed may still wait."""
    intent, facts = case
    quorum = dataclasses.replace(ALONE, later_ns=None if awaited else later_ns, awaited=awaited)
    assert judge(dataclasses.replace(intent, quorum=quorum), facts).state is FiringState.CLAIMED


@pytest.mark.parametrize(("guard", "change"), BREAKS)
@given(case=good())
@settings(max_examples=20)
def test_each_guard_alone_declines(guard: Guard, change: Break, case: tuple[Intent, Facts]) -> None:
    """One violation: exactly that guard speaks, in words, and nothing is claimed."""
    judgement = judge(*change(*case))
    assert [verdict.guard for verdict in judgement.verdicts if not verdict.passed] == [guard]
    assert judgement.against is not None
    assert judgement.against.reason
    assert judgement.state is (FiringState.EXPIRED if guard is Guard.DEADLINE else FiringState.DECLINED)


@given(case=good(), picks=st.lists(st.sampled_from(BREAKS), min_size=2, max_size=4))
@settings(max_examples=100)
def test_first_guard_in_order_speaks(case: tuple[Intent, Facts], picks: list[tuple[Guard, Break]]) -> None:
    """Of several violations the first in the fixed order gives the reason."""
    intent, facts = case
    for _, change in picks:
        intent, facts = change(intent, facts)
    failed = [verdict.guard for verdict in judge(intent, facts).verdicts if not verdict.passed]
    assert failed == sorted(failed, key=list(Guard).index)
    against = judge(intent, facts).against
    assert against is not None
    assert against.guard is failed[0]


@given(case=good(), fallback=st.sampled_from(["disarm", "text"]), ready=st.booleans())
@settings(max_examples=50)
def test_media_go_all_or_the_text_goes_alone_where_its_author_chose_that(
    case: tuple[Intent, Facts], fallback: Fallback, ready: bool
) -> None:
    """Two media, of which the second is ready or not: two ids, or none and only with `text`."""
    intent, facts = case
    second = dataclasses.replace(MEDIA, sha256="b" * 64)
    pair = {"one": (MEDIA, second), "two": (MEDIA, second)}
    cue = dataclasses.replace(intent.cue, media_fallback=fallback)
    standing = {MEDIA.upload_key: MediaStanding(media_id="1")}
    if ready:
        standing[second.upload_key] = MediaStanding(media_id="2")
    approved = dataclasses.replace(facts, media=standing, cue_sha256=cue.sha256(), approved_sha256=cue.sha256())
    judgement = judge(dataclasses.replace(intent, cue=cue, media=pair), approved)
    assert judgement.media_ids == (("1", "2") if ready else ())
    assert judgement.state is (FiringState.CLAIMED if ready or fallback == "text" else FiringState.DECLINED)


def test_every_guard_is_broken_once() -> None:
    """A guard without a violation here would be a guard nobody has seen work."""
    assert {guard for guard, _ in BREAKS} == set(Guard)
