"""The guarantees of docs/guarantees.md, judged after each step from outside: by the wire, the timelines and the truth."""

import hashlib
import json
from collections import Counter
from datetime import timedelta
from typing import Any, NamedTuple

from sync.audit import verify
from sync.gate import Guard
from sync.lease import SILENT_NS
from sync.simulation.service import Sent
from sync.simulation.storage import PICTURE
from sync.simulation.upkeep import Begun
from sync.simulation.world import World
from sync.states import SETTLED, TRANSITIONS, FiringState, Mode

MINUTE_NS = 60_000_000_000
SILENT_NS_MIN = SILENT_NS - 1_000_000_000
"""How long an engine has been unable to beat, at least, when another one takes its silence for its end."""


WITHIN = timedelta(seconds=2)
"""How far apart two gateways may tell of one goal, where both must."""
NOTICED_NS = 30_000_000_000
"""Two looks of whoever renews tokens."""


class BrokenGuaranteeError(Exception):
    """A guarantee does not hold; `guarantee` is its name in docs/guarantees.md.

    Attributes:
        guarantee: `G1` to `G12`, or `approval`, `caps`, `lease`, `media`, `mode`, `settle`, `sources`, `tokens`, `veto`.
    """

    def __init__(self, guarantee: str, sentence: str) -> None:
        super().__init__(f"{guarantee}: {sentence}")
        self.guarantee = guarantee


class _Row(NamedTuple):
    firing_id: int
    occurrence_id: str
    cue_id: str
    account_id: str
    mode: str
    action: str
    state: str
    epoch: int
    tweet_id: str | None
    of_firing_id: int | None
    on_air_mono_ns: int
    on_air_us: int
    decided_mono_ns: int
    claimed_mono_ns: int | None
    deadline_mono_ns: int
    body: str
    body_sha256: str | None
    settled_by: str
    guard: str
    claimed_us: int | None


_ROWS = (
    "SELECT firing_id, occurrence_id, cue_id, account_id, mode, action, state, epoch, tweet_id, of_firing_id, "
    "on_air_mono_ns, on_air_utc, decided_mono_ns, claimed_mono_ns, deadline_mono_ns, body, body_sha256, settled_by, guard, "
    "claimed_utc "
    "FROM firing ORDER BY firing_id"
)


class Invariants:
    """Judges a world step by step; what has been judged once is not judged again."""

    def __init__(self, world: World) -> None:
        self._world, self._truth = world, world.truth
        self._rows: dict[int, _Row] = {}
        self._judged, self._written, self._asked = 0, -1, 0
        self._secrets = set[str]()
        self._posts: Counter[tuple[str, str, str, str]] = Counter()
        self._by_firing: Counter[int] = Counter()
        self._deletes: Counter[str] = Counter()
        self._priorities: dict[tuple[str, str], int] = {}
        self._tripped: dict[str, int] = {}
        self._lease: tuple[str, int] = ("", 0)

    def check(self) -> None:
        """Judge what has happened since the last call.

        Raises:
            BrokenGuaranteeError: by the first that does not hold.
        """
        written = self._world.storage.driver.total_changes
        if written != self._written:
            self._written = written
            self._take_rows()
            self._judge_lease()
        for sent in self._world.x.sent[self._judged :]:
            self._judged += 1
            if sent.kind == "post":
                self._judge_post(sent)
            else:
                self._judge_delete(sent)
        for begun in self._world.upkeep.begun[self._asked :]:
            self._asked += 1
            self._judge_upkeep(begun)

    def check_at_rest(self) -> None:
        """Judge a world in which nothing is under way any more.

        Raises:
            BrokenGuaranteeError: as `check`.
        """
        self.check()
        for row in self._rows.values():
            if FiringState(row.state) not in SETTLED:
                raise BrokenGuaranteeError("G2", f"firing {row.firing_id} rests in {row.state}")
        for account_id, tweets in self._world.x.tweets.items():
            posted = {row.tweet_id for row in self._rows.values() if row.account_id == account_id and row.state == "POSTED"}
            for tweet in tweets:
                if tweet.tweet_id not in posted:
                    raise BrokenGuaranteeError("G2", f"tweet {tweet.text!r} is on the timeline, and no firing knows of it")
            if len({tweet.text for tweet in tweets}) < len(tweets):
                raise BrokenGuaranteeError("G6", f"a text stands twice on the timeline of {account_id}")
        for row in self._rows.values():
            live_post = row.state == "POSTED" and row.mode == Mode.LIVE and row.action == "post"
            if live_post and row.tweet_id not in self._world.x.ever:
                raise BrokenGuaranteeError("G2", f"firing {row.firing_id} says it posted {row.tweet_id}, which never was")
        for firing_id, state in self._truth.settled.items():
            row = self._rows[firing_id]
            if (row.state, row.settled_by) != (state, "ops"):
                raise BrokenGuaranteeError("settle", f"firing {firing_id} was settled as {state}, and is {row.state}")
        tokens_were_due = (
            self._world.plot.has_tokens and self._world.clock.mono_ns() > self._world.upkeep.due_mono_ns + NOTICED_NS
        )
        if tokens_were_due and not self._secrets:
            raise BrokenGuaranteeError("tokens", "they were due, and nobody renewed them")
        fault = verify(self._world.storage.database, self._world.storage.chain.key, None).fault
        if fault is not None:
            raise BrokenGuaranteeError("G12", fault.sentence)

    # --- the ledger -----------------------------------------------------------------------------

    def _take_rows(self) -> None:
        before, self._rows = self._rows, {row[0]: _Row(*row) for row in self._world.rows(_ROWS)}
        claimed = False
        for firing_id, row in self._rows.items():
            known = before.get(firing_id)
            if known is None or known.state != row.state:
                claimed = claimed or row.claimed_mono_ns is not None
                if known is not None and FiringState(row.state) not in _REACHABLE[FiringState(known.state)]:
                    raise BrokenGuaranteeError("G2", f"firing {firing_id} went from {known.state} to {row.state}")
                if row.guard == Guard.CAPS:
                    self._judge_disarmed(row)
        if claimed:
            self._judge_caps()

    def _judge_disarmed(self, row: _Row) -> None:
        self._tripped[row.cue_id] = self._world.clock.mono_ns()
        ((hold,),) = self._world.rows("SELECT hold_reason FROM cue WHERE cue_id = ?", row.cue_id)
        if not hold:
            raise BrokenGuaranteeError("caps", f"cue {row.cue_id} has reached a cap and is not held")

    def _judge_lease(self) -> None:
        """An engine on another machine takes over from one that cannot beat any more, or has let go."""
        (lease,) = self._world.rows("SELECT holder, epoch FROM lease") or [self._lease]
        (holder, epoch), (before, epoch_before) = lease, self._lease
        self._lease = lease
        fired = next((one for one in self._world.processes if epoch_before and one.epoch == epoch_before), None)
        if fired is None or epoch == epoch_before or before in ("", holder) or fired.task.done():
            return
        if fired.halted_ns is None or self._world.clock.mono_ns() - fired.halted_ns < SILENT_NS_MIN:
            raise BrokenGuaranteeError("lease", f"another machine took over from engine {fired.number}, which was alive")

    def _judge_caps(self) -> None:
        for cue_id, most in self._truth.caps.items():
            claims = sorted(
                row.claimed_mono_ns
                for row in self._rows.values()
                if row.cue_id == cue_id and row.action == "post" and row.mode == Mode.LIVE and row.claimed_mono_ns is not None
            )
            for first, last in zip(claims, claims[most:], strict=False):
                if last - first < MINUTE_NS:
                    sentence = f"cue {cue_id} was claimed {most + 1} times within a minute, {most} are allowed"
                    raise BrokenGuaranteeError("caps", sentence)

    # --- the wire -------------------------------------------------------------------------------

    def _judge_post(self, sent: Sent) -> None:
        row = self._rows.get(sent.firing_id)
        if row is None or row.claimed_mono_ns is None:
            raise BrokenGuaranteeError("G1", f"{sent.text!r} was sent without a claim")
        if sent.body != row.body or row.body_sha256 != hashlib.sha256(sent.body.encode()).hexdigest():
            raise BrokenGuaranteeError("G9", f"{sent.text!r} is not what was claimed")
        self._judge_once(sent, row)
        self._judge_time(sent, row)
        self._judge_mode(sent, row)
        self._judge_person(sent, row)
        self._judge_media(sent, row)
        self._judge_sources(sent, row)

    def _judge_once(self, sent: Sent, row: _Row) -> None:
        if sent.epoch != sent.newest_epoch:
            raise BrokenGuaranteeError("G1", f"engine {sent.engine} sent {sent.text!r} after another had taken over")
        self._by_firing[sent.firing_id] += 1
        if self._by_firing[sent.firing_id] > 1:
            raise BrokenGuaranteeError("G3", f"firing {sent.firing_id} was sent again, though the first may have been accepted")
        real = self._real(row)
        key = (f"{row.action} {real}", row.cue_id, row.account_id, row.mode)
        self._posts[key] += 1
        if self._posts[key] > 1:
            raise BrokenGuaranteeError("G1", f"cue {row.cue_id} was sent twice for {real}")
        priority = self._truth.priorities[row.cue_id]
        if row.action == "post" and self._priorities.setdefault((real, row.account_id), priority) != priority:
            raise BrokenGuaranteeError("G11", f"{row.account_id} sent tweets of two priorities for {real}")

    def _judge_time(self, sent: Sent, row: _Row) -> None:
        if sent.at_mono_ns > row.deadline_mono_ns:
            raise BrokenGuaranteeError("G4", f"{sent.text!r} was sent after its deadline")
        if sent.epoch != row.epoch:
            raise BrokenGuaranteeError("G4", f"engine {sent.engine} caught up what another had claimed: {sent.text!r}")
        reported_utc = self._utc_of(row) if row.action == "post" else None
        if reported_utc is not None and (sent.engine, reported_utc) not in self._truth.heard_live:
            raise BrokenGuaranteeError("G4", f"{sent.text!r} was sent for an event that this engine did not hear as it happened")
        for span in self._truth.killed:
            if span.holds(sent.at_mono_ns):
                raise BrokenGuaranteeError("G5", f"{sent.text!r} was sent after a kill was acknowledged")
            if span.holds(row.decided_mono_ns):
                raise BrokenGuaranteeError("G4", f"{sent.text!r} was decided during a kill and caught up after it")
        tripped_ns = self._tripped.get(row.cue_id)
        if tripped_ns is not None and self._truth.rearmed.get(row.cue_id, 0) < tripped_ns < (row.claimed_mono_ns or 0):
            raise BrokenGuaranteeError("caps", f"{sent.text!r} was sent although a cap had disarmed its cue")
        for span in self._truth.held.get(row.cue_id, []):
            if span.holds(row.decided_mono_ns) or span.holds(row.claimed_mono_ns or 0):
                raise BrokenGuaranteeError("G4", f"{sent.text!r} was sent although its cue was held")

    def _judge_mode(self, sent: Sent, row: _Row) -> None:
        if row.mode != Mode.LIVE:
            raise BrokenGuaranteeError("mode", f"{sent.text!r} was sent for a firing of {row.mode}")
        for span in self._truth.not_live:
            if span.holds(sent.at_mono_ns) or span.holds(row.decided_mono_ns):
                raise BrokenGuaranteeError("mode", f"{sent.text!r} was sent or decided while the mode was not LIVE")

    def _judge_person(self, sent: Sent, row: _Row) -> None:
        vetoed = [self._rows[firing_id] for firing_id in self._truth.vetoed]
        if any((one.cue_id, self._real(one)) == (row.cue_id, self._real(row)) for one in vetoed):
            raise BrokenGuaranteeError("veto", f"{sent.text!r} was sent although a person had stopped it")
        if any(span.holds(row.claimed_mono_ns or 0) for span in self._truth.unapproved.get(row.cue_id, [])):
            raise BrokenGuaranteeError("approval", f"{sent.text!r} was sent although nobody had approved its cue")
        texts = self._truth.texts.get(row.cue_id)
        if texts is not None and "{" not in "".join(texts) and sent.text not in texts:
            raise BrokenGuaranteeError("approval", f"{sent.text!r} is no text that was approved")

    def _judge_media(self, sent: Sent, row: _Row) -> None:
        plot, uploads = self._world.plot, self._world.upkeep.uploads
        if row.action != "post" or row.cue_id != "goal" or not plot.has_media:
            return
        media_ids = json.loads(sent.body).get("media", {}).get("media_ids", [])
        if not media_ids and not plot.text_alone:
            raise BrokenGuaranteeError("approval", f"{sent.text!r} was sent without its picture")
        for media_id in media_ids:
            upload, sha256, _ = uploads.get(media_id, (None, "", 0))
            if upload is None or sha256 != PICTURE.sha256 or upload.account_id != row.account_id:
                raise BrokenGuaranteeError("approval", f"{sent.text!r} was sent with media {media_id}, which is not its picture")
            if not upload.usable(self._world.utc_of(row.claimed_us or 0)):
                raise BrokenGuaranteeError("media", f"{sent.text!r} was claimed with media {media_id}, which was about to end")

    def _judge_sources(self, sent: Sent, row: _Row) -> None:
        if row.action != "post" or row.cue_id != "goal" or not self._world.plot.needs_both:
            return
        told = [
            (device, utc)
            for engine, device, utc in self._truth.told
            if engine == sent.engine and self._truth.of_goal.get(utc) == self._real(row)
        ]
        if not any(one != other and abs(at - when) <= WITHIN for one, at in told for other, when in told):
            raise BrokenGuaranteeError("sources", f"{sent.text!r} was sent, and only one gateway had told of the goal")

    def _judge_upkeep(self, begun: Begun) -> None:
        if begun.secret in self._secrets:
            raise BrokenGuaranteeError("tokens", f"engine {begun.engine} used a refresh token for the second time")
        if begun.secret:
            self._secrets.add(begun.secret)
        elif begun.epoch == begun.newest_epoch and any(span.holds(begun.at_mono_ns) for span in self._truth.stopped):
            raise BrokenGuaranteeError("G5", f"engine {begun.engine} began {begun.what} after it had acknowledged a kill")

    def _judge_delete(self, sent: Sent) -> None:
        self._deletes[sent.tweet_id] += 1
        if self._deletes[sent.tweet_id] > 1:
            raise BrokenGuaranteeError("G7", f"tweet {sent.tweet_id} was deleted twice")
        row = next((row for row in self._rows.values() if row.tweet_id == sent.tweet_id and row.action == "post"), None)
        if row is None or (self._utc_of(row) in self._truth.of_goal and self._real(row) not in self._truth.taken_back):
            raise BrokenGuaranteeError("G7", f"tweet {sent.tweet_id} was deleted, but its goal stands")
        for span in self._truth.killed:
            if span.holds(sent.at_mono_ns):
                raise BrokenGuaranteeError("G5", f"tweet {sent.tweet_id} was deleted after a kill was acknowledged")

    def _real(self, row: _Row) -> str:
        """The real event behind a firing; what follows a tweet belongs to that."""
        if row.action != "post":
            return f"firing {row.of_firing_id}"
        utc = self._utc_of(row)
        real = self._truth.of_onset.get(row.on_air_mono_ns) if utc is None else self._truth.of_goal.get(utc)
        return real or row.occurrence_id

    def _utc_of(self, row: _Row) -> Any:
        return None if row.cue_id != "goal" else self._world.utc_of(row.on_air_us)


def _reachable() -> dict[FiringState, frozenset[FiringState]]:
    """Every state that a firing may be in later; a step of the story may take it several states on."""
    reached = {state: set(targets) for state, targets in TRANSITIONS.items()}
    for _ in FiringState:
        for targets in reached.values():
            targets.update(*(TRANSITIONS[target] for target in tuple(targets)))
    return {state: frozenset(targets) for state, targets in reached.items()}


_REACHABLE = _reachable()
