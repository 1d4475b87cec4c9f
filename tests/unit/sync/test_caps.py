"""How often something has fired: counted by scope and period, whatever the wall clock does."""

from sync.caps import _TIDY_AT, CapLimits, ClaimCounts, Claimed
from sync.cues import Caps
from sync.states import Mode

NS = 1_000_000_000
FEW = Caps(per_minute=2, per_hour=3, per_day=4)
MANY = Caps(per_minute=10**6, per_hour=10**6, per_day=10**6)
LIMITS = CapLimits(spot=MANY, account=MANY, everything=MANY)


def claimed(cue_id: str = "goal", *, mode: Mode = Mode.LIVE, spot_id: str | None = None) -> Claimed:
    return Claimed(mode=mode, cue_id=cue_id, campaign="", account_id="bank", spot_id=spot_id)


def full(counts: ClaimCounts, at_s: float, *, who: Claimed | None = None, limits: CapLimits = LIMITS) -> list[str]:
    found = counts.full(who or claimed(), cue_caps=FEW, limits=limits, now_mono_ns=round(at_s * NS))
    return [f"{cap.scope} {cap.name}: {cap.used} of {cap.allowed} {cap.period}" for cap in found]


def test_each_period_has_its_own_end() -> None:
    """Two a minute, three an hour, four a day: each opens again when its oldest claim has left the period."""
    counts = ClaimCounts()
    for at_s in (0, 10):
        counts.add(claimed(), at_s * NS)
    assert full(counts, 59) == ["cue goal: 2 of 2 in a minute"]
    assert full(counts, 60) == []
    counts.add(claimed(), 100 * NS)
    assert full(counts, 200) == ["cue goal: 3 of 3 in an hour"]
    counts.add(claimed(), 4000 * NS)
    assert full(counts, 8000) == ["cue goal: 4 of 4 in a day"]
    assert full(counts, 86_400) == []


def test_scopes_and_modes_are_counted_apart() -> None:
    """A rehearsal uses up nothing live; another cue's claims count for the account and the engine alone."""
    counts = ClaimCounts()
    for at_s in (1, 2):
        counts.add(claimed("other", spot_id="coffee"), at_s * NS)
        counts.add(claimed(mode=Mode.REHEARSAL), at_s * NS)
    tight = CapLimits(spot=FEW, account=FEW, everything=FEW)
    assert full(counts, 3, limits=tight) == ["account bank: 2 of 2 in a minute", "everything : 2 of 2 in a minute"]
    assert full(counts, 3, who=claimed(spot_id="coffee"), limits=tight)[0] == "spot coffee: 2 of 2 in a minute"


def test_the_day_before_is_let_go() -> None:
    """Memory follows the day's claims, not the year's."""
    counts = ClaimCounts()
    for number in range(4 * _TIDY_AT):
        counts.add(claimed(), number * 60 * NS)
    assert all(len(instants) < 2 * _TIDY_AT for instants in counts._instants.values())
