"""The gate: every reason not to send, judged in one fixed order. Pure.

It is judged inside the claim's transaction, on what the ledger says at that instant, and the first guard
that fails gives the firing its reason. A new reason not to send belongs here and nowhere else.
"""

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sync.conditions import SpotCondition, day_fault
from sync.decide import Evidence, Intent
from sync.media import NOT_LOOKED_AT, MediaStanding
from sync.states import Action, FiringState, Mode

FEED_STATUS_AGE_MAX_NS = 2_000_000_000
"""A feed or a source of markers whose listener has not spoken for this long is not believed."""


class Guard(enum.StrEnum):
    """The guards in the order in which they are judged."""

    KILL = "kill"
    MODE = "mode"
    WINDOW = "window"
    APPROVAL = "approval"
    ACCOUNT = "account"
    OCCURRENCE = "occurrence"
    DEADLINE = "deadline"
    EVIDENCE = "evidence"
    QUORUM = "quorum"
    ON_AIR = "on_air"
    CONDITION = "condition"
    PRIORITY = "priority"
    CAPS = "caps"
    TEXT = "text"
    MEDIA = "media"
    HOLD = "hold"


class CapScope(enum.StrEnum):
    """Whose firings a cap counts, the narrowest first. A cap that trips disarms every cue of its scope."""

    SPOT = "spot"
    CUE = "cue"
    CAMPAIGN = "campaign"
    ACCOUNT = "account"
    EVERYTHING = "everything"


@dataclass(frozen=True, slots=True, kw_only=True)
class CapUse:
    """How much of a cap is used: `used` firings of `allowed` within the period.

    Attributes:
        name: id of the spot, cue, campaign or account; empty for everything.
    """

    scope: CapScope
    name: str
    period: str
    used: int
    allowed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the ledger and the engine know at the instant of the claim.

    Attributes:
        fenced: another engine has taken over the ledger.
        armed_in: the mode it was in when the firing was armed, None when it was not armed before.
        cue_sha256: hash of the cue in the ledger, None if it has been removed.
        approved_sha256: hash its latest approval covers, None without one; one that was voided does not count.
        approvals: how many people's approvals cover the cue in the ledger and have not expired.
        account_fault: why the account cannot post; empty when it can.
        used_by: the firing that already has this occurrence, cue and account.
        rival: the account's cue of another priority that has this occurrence, None if there is none.
        earlier_in_day: airings of the cue's spots that came earlier in the intent's day.
        caps: the caps that count for this firing and are used up; others may be left out.
        used_texts: those of the intent's texts that have left this account before.
        media: which of the account's media can be posted now, by upload key; those left out cannot.
        hold: why the cue is held; empty when it is not.
    """

    now_mono_ns: int
    killed: bool
    kill_reason: str
    fenced: bool
    mode: Mode
    armed_in: Mode | None
    cue_sha256: str | None
    approved_sha256: str | None
    approvals: int
    account_fault: str
    used_by: int | None
    rival: str | None
    earlier_in_day: int
    caps: tuple[CapUse, ...]
    used_texts: frozenset[str]
    hold: str
    media: Mapping[str, MediaStanding] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One guard's answer; `reason` is empty when it lets the firing pass."""

    guard: Guard
    reason: str

    @property
    def passed(self) -> bool:
        """Whether this guard has nothing against it."""
        return not self.reason


_PASSED = {guard: Verdict(guard=guard, reason="") for guard in Guard}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """All verdicts in order, and the text that would leave, with X's ids of its media."""

    verdicts: tuple[Verdict, ...]
    text: str | None
    media_ids: tuple[str, ...] = ()

    @property
    def against(self) -> Verdict | None:
        """The first guard that fails, None when the firing may leave."""
        return next((verdict for verdict in self.verdicts if verdict.reason), None)

    @property
    def state(self) -> FiringState:
        """What becomes of the firing by this judgement."""
        against = self.against
        if against is None:
            return FiringState.CLAIMED
        return FiringState.EXPIRED if against.guard is Guard.DEADLINE else FiringState.DECLINED


def judge(intent: Intent, facts: Facts) -> Judgement:
    """Every guard's verdict on firing this intent now."""
    text = next((text for text in intent.texts if text not in facts.used_texts), None)
    media_ids, media_fault = _media(intent, facts, text)
    judged = _verdicts(intent, facts, text, media_fault)
    verdicts = tuple([Verdict(guard=guard, reason=reason) if reason else _PASSED[guard] for guard, reason in judged])
    return Judgement(verdicts=verdicts, text=text, media_ids=media_ids)


def _media(intent: Intent, facts: Facts, text: str | None) -> tuple[tuple[str, ...], str]:
    """The ids that go with the text, all or none, and why the text may not leave without them; empty when it may."""
    wanted = intent.media.get(text, ()) if text is not None else ()
    found = [facts.media.get(one.upload_key, NOT_LOOKED_AT) for one in wanted]
    ids = [standing.media_id for standing in found if standing.media_id is not None]
    if len(ids) == len(wanted):
        return tuple(ids), ""
    if intent.cue.media_fallback == "text":
        return (), ""
    one, standing = next(pair for pair in zip(wanted, found, strict=True) if pair[1].media_id is None)
    return (), f"its media {one.file} is not ready: {standing.fault}"


def _verdicts(intent: Intent, facts: Facts, text: str | None, media_fault: str) -> Iterator[tuple[Guard, str]]:
    yield Guard.KILL, _kill(facts)
    yield Guard.MODE, _mode(intent, facts)
    yield Guard.WINDOW, _window(intent)
    yield Guard.APPROVAL, _approval(intent, facts)
    yield Guard.ACCOUNT, facts.account_fault
    yield Guard.OCCURRENCE, _occurrence(intent, facts)
    yield Guard.DEADLINE, _deadline(intent, facts)
    yield Guard.EVIDENCE, evidence_fault(intent.evidence)
    yield Guard.QUORUM, intent.quorum.fault if intent.quorum is not None else ""
    yield Guard.ON_AIR, intent.on_air_fault
    # After the evidence: the ledger counts the airings of a day by what their records say, and a doubtful one is none.
    yield Guard.CONDITION, _condition(intent, facts)
    yield Guard.PRIORITY, f"cue {facts.rival}, of another priority, has this occurrence" if facts.rival else ""
    yield Guard.CAPS, _caps(facts)
    yield Guard.TEXT, intent.text_fault or ("" if text is not None else "every variant has been used")
    yield Guard.MEDIA, media_fault
    yield Guard.HOLD, facts.hold


def _kill(facts: Facts) -> str:
    if facts.killed:
        return f"killed: {facts.kill_reason}" if facts.kill_reason else "killed"
    return "FENCED: another engine has taken over" if facts.fenced else ""


def _mode(intent: Intent, facts: Facts) -> str:
    if facts.mode is Mode.OFF:
        return "the mode is OFF"
    if intent.of_mode is not None and intent.of_mode is not facts.mode:
        return f"the tweet was posted in {intent.of_mode}, the mode is {facts.mode}"
    if facts.armed_in is not None and facts.armed_in is not facts.mode:
        return f"it was armed in {facts.armed_in}, the mode is {facts.mode}"
    return ""


def _condition(intent: Intent, facts: Facts) -> str:
    if intent.condition_fault or intent.day is None or not isinstance(intent.cue.on, SpotCondition):
        return intent.condition_fault
    return day_fault(intent.cue.on, facts.earlier_in_day)


def _window(intent: Intent) -> str:
    if intent.off_plan:
        return "off plan: no airing of this spot is planned on this channel now"
    window = intent.window
    if window is None or window.opens_utc <= window.on_air_utc <= window.closes_utc:
        return ""
    return f"outside its window, {window.opens_utc:%H:%M:%S} to {window.closes_utc:%H:%M:%S} UTC"


def _approval(intent: Intent, facts: Facts) -> str:
    if facts.cue_sha256 is None:
        return "the cue has been removed"
    if facts.approved_sha256 is None:
        return "the cue is not approved"
    if facts.approved_sha256 != facts.cue_sha256:
        return "the cue was changed after its approval"
    if intent.cue.sha256() != facts.approved_sha256:
        return "the engine knows another version of the cue; reload"
    return "" if facts.approvals >= intent.cue.approvers else _too_few(facts.approvals, intent.cue.approvers)


def _too_few(approvals: int, approvers: int) -> str:
    return f"{approvals} of {approvers} people approve the cue; the others have not yet, or their approval has expired"


def _occurrence(intent: Intent, facts: Facts) -> str:
    if facts.used_by is not None:
        done = "corrected" if intent.action is Action.CORRECT else "fired"
        return f"{done} already: firing {facts.used_by}"
    return "the goal has been taken back" if intent.taken_back else ""


def _deadline(intent: Intent, facts: Facts) -> str:
    late_ns = facts.now_mono_ns - intent.deadline_mono_ns
    return f"{late_ns / 1e6:.0f} ms after its deadline" if late_ns > 0 else ""


def evidence_fault(evidence: Evidence | None) -> str:
    """Why what an intent rests on is not to be believed; empty when it is."""
    if evidence is None:
        return ""
    if evidence.status_age_ns is None:
        return f"{evidence.source} {evidence.feed_id} has sent no status"
    if evidence.status_age_ns > FEED_STATUS_AGE_MAX_NS:
        return f"{evidence.source} {evidence.feed_id} was last heard of {evidence.status_age_ns / 1e9:.1f} s before"
    if not evidence.score >= evidence.threshold:
        return f"evidence {evidence.score:.1f} is below the threshold {evidence.threshold:.1f}"
    return ""


def _caps(facts: Facts) -> str:
    full = tripped(facts.caps)
    if full is None:
        return ""
    who = f"{full.scope} {full.name}" if full.name else "the engine"
    return f"cap: {who} has fired {full.used} of {full.allowed} {full.period}"


def tripped(caps: tuple[CapUse, ...]) -> CapUse | None:
    """The first cap that is used up, None when none is."""
    return next((cap for cap in caps if cap.used >= cap.allowed), None)
