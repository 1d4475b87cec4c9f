"""People who take their approval back, or let it end, while the engine runs."""

from datetime import timedelta
from typing import TYPE_CHECKING

from sync.simulation.world import Span
from sync.wire import Reload

if TYPE_CHECKING:
    from sync.simulation.story import Story

CUES = ("now", "else", "later", "goal")


class Approvers:
    """What they do in a story; what is not approved must not be claimed, whether or not an engine has read so."""

    def __init__(self, story: "Story") -> None:
        self._story, self._world, self._rng = story, story.world, story.rng

    async def withdraw(self) -> None:
        """Take an approval back, and give it again later."""
        cue_id = self._rng.choice(CUES)
        self._world.ledger.withdraw_approval(cue_id, by="approver")
        self._world.say(f"the approval of cue {cue_id} is withdrawn")
        await self._without(cue_id, Span(self._world.clock.mono_ns()))

    async def let_end(self) -> None:
        """Approve for a second only, as if it had been given long ago."""
        cue_id, valid_s = self._rng.choice(CUES), self._rng.uniform(0.1, 1.5)
        self._world.ledger.approve_cue(cue_id, approved_by="approver", valid_for=timedelta(seconds=valid_s))
        self._world.say(f"the approval of cue {cue_id} ends in {valid_s:.1f} s")
        ends = Span(self._world.clock.mono_ns() + round(valid_s * 1e9))
        await self._tell_of_something()
        await self._story.pass_time(valid_s)
        await self._without(cue_id, ends)

    async def _without(self, cue_id: str, span: Span) -> None:
        self._story.truth.unapproved.setdefault(cue_id, []).append(span)
        await self._world.clock.advance(0.001)
        await self._tell_of_something()
        await self._story.pass_time(self._rng.uniform(0.1, 2))
        span.until_ns = self._world.clock.mono_ns()
        self._world.ledger.approve_cue(cue_id, approved_by="approver")
        self._world.say(f"cue {cue_id} is approved again")
        if self._rng.random() < 0.5:
            await self._story.ask(Reload(op="reload"))

    async def _tell_of_something(self) -> None:
        await self._rng.choice([self._story.hear, self._story.score])()
