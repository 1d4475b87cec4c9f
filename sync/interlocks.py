"""What must be on air before anything fires: mixers' tally lamps, and which cues wait for them.

Holds values only; instants come as arguments. Fails closed: what is not known to be on air is not.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from hardware.tally import TallyState, TallyStatus
from sync.conditions import SpotCondition
from sync.cues import Cue
from sync.decide import Intent
from sync.snapshot import TallyView
from sync.states import Action

LISTENER_SILENT_NS = 2_000_000_000
"""A tally whose listener has not spoken for this long is not believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TallyLimits:
    """A tally as it is configured.

    Attributes:
        silence_ns: its display must have been told of within this, lit or not.
        hold_ns: for how long after its lamp went out it still counts as on air.
    """

    silence_ns: int
    hold_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class InterlockSetup:
    """Every tally, and who must be on air by which.

    Attributes:
        channels, feeds: tally by channel and by feed; cues name theirs themselves.
        is_judged: False where nobody could know, as in a rehearsal of a record: then everything counts as on air.
    """

    tallies: Mapping[str, TallyLimits]
    channels: Mapping[str, str]
    feeds: Mapping[str, str]
    is_judged: bool = True


NO_INTERLOCKS = InterlockSetup(tallies={}, channels={}, feeds={})
NOT_JUDGED = InterlockSetup(tallies={}, channels={}, feeds={}, is_judged=False)
"""For a rehearsal: a record tells nothing of tallies."""


@dataclass(slots=True)
class _Known:
    """What was last told of a tally, when it was taken, and when its lamp was last known to be on."""

    status: TallyStatus
    taken_mono_ns: int
    lit_mono_ns: int | None = None


class Interlocks:
    """Whether what a cue belongs to is on air."""

    def __init__(self, setup: InterlockSetup) -> None:
        self._setup, self._is_judged = setup, setup.is_judged
        self._required_by_place = bool(setup.channels or setup.feeds)
        self._known: dict[str, _Known] = {}
        self._views = {tally_id: _unheard(tally_id, limits) for tally_id, limits in setup.tallies.items()}

    # --- taking in ------------------------------------------------------------------------------

    def is_configured(self, tally_id: str) -> bool:
        """Whether there is such a tally."""
        return tally_id in self._setup.tallies

    def take(self, status: TallyStatus, *, now_mono_ns: int) -> TallyView:
        """Note how a tally is."""
        before = self._known.get(status.tally_id)
        known = _Known(status, now_mono_ns, before.lit_mono_ns if before else None)
        if status.on_air or (before is not None and before.status.on_air):
            known.lit_mono_ns = now_mono_ns
        self._known[status.tally_id] = known
        self._views[status.tally_id] = _view(status, self._setup.tallies[status.tally_id])
        return self._views[status.tally_id]

    # --- asking ---------------------------------------------------------------------------------

    def fault(self, cue: Cue, feed_id: str, *, now_mono_ns: int) -> str:
        """Why a cue may not fire on what a feed tells; empty when it may. An empty `feed_id` is no feed's."""
        if not self._is_judged or not (cue.on_air or self._required_by_place):
            return ""
        return next(filter(None, (self._tally_fault(one, now_mono_ns) for one in self._required(cue, feed_id))), "")

    def seen_by(self, intent: Intent, *, now_mono_ns: int) -> Intent:
        """The intent with what its tallies say now; a correction leaves whatever is on air."""
        if intent.action is Action.CORRECT:
            return intent
        feed_id = intent.evidence.feed_id if intent.evidence is not None else ""
        fault = self.fault(intent.cue, feed_id, now_mono_ns=now_mono_ns)
        return intent if fault == intent.on_air_fault else replace(intent, on_air_fault=fault)

    def trouble(self, tally_id: str, *, now_mono_ns: int) -> str:
        """Why nobody can know whether it is on air; empty while somebody can, or before its mixer was first heard."""
        known = self._known.get(tally_id)
        if known is None or not known.status.seen_mono_ns:
            return ""
        fault = self._unknown(tally_id, self._setup.tallies[tally_id], known.status, now_mono_ns)
        return f"{fault}; cues that wait for it do not fire" if fault else ""

    def silent(self, *, now_mono_ns: int) -> frozenset[str]:
        """Tallies whose listener has spoken before and has stopped."""
        return frozenset(one for one, known in self._known.items() if now_mono_ns - known.taken_mono_ns > LISTENER_SILENT_NS)

    def views(self) -> tuple[TallyView, ...]:
        """Every tally."""
        return tuple(self._views.values())

    def _required(self, cue: Cue, feed_id: str) -> Iterator[str]:
        on = cue.on
        by_channel = self._setup.channels.get(on.channel, "") if isinstance(on, SpotCondition) else ""
        return filter(None, (cue.on_air, by_channel, self._setup.feeds.get(feed_id, "")))

    def _tally_fault(self, tally_id: str, now_mono_ns: int) -> str:
        setup, known = self._setup.tallies.get(tally_id), self._known.get(tally_id)
        if setup is None:
            return f"tally {tally_id} is not configured; nobody knows whether it is on air"
        if known is None:
            return f"nobody listens to tally {tally_id}"
        age_ns = now_mono_ns - known.taken_mono_ns
        if age_ns > LISTENER_SILENT_NS:
            return f"the listener of tally {tally_id} was last heard of {age_ns / 1e9:.1f} s before"
        return self._lamp_fault(tally_id, setup, known, now_mono_ns)

    def _lamp_fault(self, tally_id: str, setup: TallyLimits, known: _Known, now_mono_ns: int) -> str:
        if fault := self._unknown(tally_id, setup, known.status, now_mono_ns):
            return fault
        held = known.lit_mono_ns is not None and now_mono_ns - known.lit_mono_ns < setup.hold_ns
        return "" if known.status.on_air or held else f"not on air: tally {tally_id} is off"

    def _unknown(self, tally_id: str, setup: TallyLimits, status: TallyStatus, now_mono_ns: int) -> str:
        if status.state is not TallyState.LIVE:
            return f"tally {tally_id}: {status.detail or 'its mixer is not heard'}"
        silent_ns = now_mono_ns - status.seen_mono_ns
        return (
            f"tally {tally_id}: its display was last told of {silent_ns / 1e9:.1f} s before"
            if silent_ns > setup.silence_ns
            else ""
        )


def _view(status: TallyStatus, limits: TallyLimits) -> TallyView:
    return TallyView(
        tally_id=status.tally_id,
        state=status.state.value,
        on_air=status.on_air,
        label=status.label,
        frames=status.frames,
        damaged=status.damaged,
        refused=status.refused,
        seen_mono_ns=status.seen_mono_ns,
        silence_s=limits.silence_ns / 1e9,
        sent_utc=status.sent_utc,
        detail=status.detail,
    )


def _unheard(tally_id: str, limits: TallyLimits) -> TallyView:
    return TallyView(
        tally_id=tally_id,
        state=TallyState.WAITING.value,
        on_air=False,
        label="",
        frames=0,
        damaged=0,
        refused=0,
        seen_mono_ns=0,
        silence_s=limits.silence_ns / 1e9,
        sent_utc=None,
        detail="nobody listens to it yet",
    )
