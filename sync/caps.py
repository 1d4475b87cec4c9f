"""How often something has fired lately, counted in memory, so that a claim costs the same however full the ledger is.

Only one engine claims from a ledger (an older one is fenced), and each of its claims passes here; so once the last day has been
read, what is counted is what the ledger holds.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from sync.cues import Caps
from sync.gate import CapScope, CapUse
from sync.states import Mode

DAY_S = 86_400
_PERIODS = (("in a minute", 60, "per_minute"), ("in an hour", 3600, "per_hour"), ("in a day", DAY_S, "per_day"))
_NS_PER_S = 1_000_000_000
_NONE: "array[int]" = array("q")
_TIDY_AT = 4096
"""Instants of one scope at which those of more than a day ago are let go."""

SPOT_CAPS = Caps(per_minute=4, per_hour=60, per_day=300)
CAMPAIGN_CAPS = Caps(per_minute=10, per_hour=60, per_day=300)
ACCOUNT_CAPS = Caps(per_minute=10, per_hour=60, per_day=300)
ENGINE_CAPS = Caps(per_minute=30, per_hour=300, per_day=2000)


@dataclass(frozen=True, slots=True, kw_only=True)
class CapLimits:
    """Caps that count besides the cue's own: a spot's, a campaign's, an account's, the whole engine's."""

    spot: Caps = SPOT_CAPS
    campaign: Caps = CAMPAIGN_CAPS
    account: Caps = ACCOUNT_CAPS
    everything: Caps = ENGINE_CAPS


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """Whom a claim counts against; `campaign` is empty for a cue without one."""

    mode: Mode
    cue_id: str
    campaign: str
    account_id: str
    spot_id: str | None

    def scopes(self) -> Iterator[tuple[CapScope, str]]:
        """As (scope, its name), the narrowest first."""
        if self.spot_id is not None:
            yield CapScope.SPOT, self.spot_id
        yield CapScope.CUE, self.cue_id
        if self.campaign:
            yield CapScope.CAMPAIGN, self.campaign
        yield CapScope.ACCOUNT, self.account_id
        yield CapScope.EVERYTHING, ""


class ClaimCounts:
    """The instants of a day's claims, by mode and scope.

    Instants are `mono_ns` of this boot; whoever adds a claim of an earlier boot counts back from now, so that a wall clock
    that steps neither opens nor closes a cap.
    """

    def __init__(self) -> None:
        self._instants: dict[tuple[Mode, str, str], array[int]] = {}

    def add(self, claimed: Claimed, claimed_mono_ns: int) -> None:
        """Count a claim; in the order of their instants."""
        for scope in claimed.scopes():
            instants = self._instants.setdefault((claimed.mode, *scope), array("q"))
            instants.append(claimed_mono_ns)
            if len(instants) % _TIDY_AT == 0:
                del instants[: bisect_right(instants, claimed_mono_ns - DAY_S * _NS_PER_S)]

    def full(self, claimed: Claimed, *, cue_caps: Caps, limits: CapLimits, now_mono_ns: int) -> tuple[CapUse, ...]:
        """The caps that are used up, were this claimed now."""
        caps = {
            CapScope.SPOT: limits.spot,
            CapScope.CUE: cue_caps,
            CapScope.CAMPAIGN: limits.campaign,
            CapScope.ACCOUNT: limits.account,
            CapScope.EVERYTHING: limits.everything,
        }
        found = list[CapUse]()
        for scope, name in claimed.scopes():
            instants, most = self._instants.get((claimed.mode, scope, name), _NONE), caps[scope]
            # Fewer in all than are allowed in any period: most caps need no further look.
            if len(instants) < min(most.per_minute, most.per_hour, most.per_day):
                continue
            for period, seconds, attribute in _PERIODS:
                allowed: int = getattr(most, attribute)
                if len(instants) < allowed:
                    continue
                used = len(instants) - bisect_right(instants, now_mono_ns - seconds * _NS_PER_S)
                if used >= allowed:
                    found.append(CapUse(scope=scope, name=name, period=period, used=used, allowed=allowed))
        return tuple(found)
