"""Two machines on one ledger: one engine fires, the other stands by, and they change places."""

from typing import TYPE_CHECKING

from sync.lease import SILENT_NS
from sync.simulation.storage import FIRST, SECOND
from sync.simulation.world import SELDOM_S

if TYPE_CHECKING:
    from sync.simulation.process import Process
    from sync.simulation.story import Story

TAKEN_OVER_S = SILENT_NS / 1e9 + 0.6
"""By then whoever stands by has taken over from one that fell silent."""
BEAT_S = 1.0


class Pair:
    """The second machine of a story. Only in a story that has one do engines beat."""

    def __init__(self, story: "Story") -> None:
        self._story, self._world = story, story.world
        self.other: Process | None = None

    def begin(self) -> None:
        """From now on engines beat once a second, as a standby expects."""
        self._world.heartbeat_s = BEAT_S

    async def end(self) -> None:
        """The second machine is switched off; the engine that fires is started anew, and need not beat any more."""
        if self._world.heartbeat_s == BEAT_S:
            self._world.heartbeat_s = SELDOM_S
            if self.other is not None:
                await self.other.kill()
            await self._story.restart()

    def look(self) -> None:
        """See which of the two fires by now."""
        if self.other is not None and self.other.listening is not None and self._story.current.listening is None:
            self._story.current, self.other = self.other, self._story.current

    async def stand_by(self) -> None:
        """The other machine starts an engine; the one that fires goes on."""
        if self.other is None or not self._lives(self.other):
            machine = SECOND if self._story.current.machine == FIRST else FIRST
            self.other = await self._world.start(machine)
            await self._story.pass_time(self._story.rng.uniform(0.1, 3))

    async def fall_silent(self) -> None:
        """The engine that fires is paused until the other has taken over; then it wakes, and both hear what happens."""
        if self.other is None or not self._lives(self.other):
            return
        paused = self._story.current
        self._world.say(f"engine {paused.number} is paused")
        paused.pause()
        await self._story.hear()
        await self._story.pass_time(TAKEN_OVER_S)
        self.look()
        await self._story.rng.choice([self._story.hear, self._story.score])()
        await self._world.clock.advance(0.001)
        self._world.say(f"engine {paused.number} goes on")
        paused.resume()
        await self._story.rng.choice([self._story.hear, self._story.score])()
        await self._story.pass_time(self._story.rng.uniform(0, 2))

    async def take_over(self) -> bool:
        """The one that fired has died: whether the other has taken its place."""
        if self.other is None or not self._lives(self.other):
            return False
        await self._story.pass_time(TAKEN_OVER_S)
        self.look()
        return self._lives(self._story.current)

    @staticmethod
    def _lives(process: "Process") -> bool:
        return process.alive and not process.task.done()
