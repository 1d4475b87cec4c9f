"""Whether the engine may fire: the switch as the ledger has it, and what stops this process by itself."""

from dataclasses import dataclass

from sync.ledger import Switch
from sync.states import Mode


@dataclass(slots=True)
class Standing:
    """One value for everybody who asks: what a command changes holds at once.

    Attributes:
        epoch: the engine's own; the switch shows that of another one that has taken over.
        switch: mode, kill and epoch as last read from the ledger.
        stop_reason: why nothing may be sent any more from this process, empty while it may; asked right before
            the first byte.
    """

    epoch: int
    switch: Switch
    stop_reason: str = ""

    @classmethod
    def of(cls, switch: Switch) -> "Standing":
        """As an engine finds it when it takes over."""
        return cls(switch.epoch, switch, f"killed: {switch.kill_reason}" if switch.killed else "")

    @property
    def mode(self) -> Mode:
        """OFF, REHEARSAL or LIVE."""
        return self.switch.mode

    @property
    def killed(self) -> bool:
        """Whether a kill stands, in the ledger or, should it refuse it, here."""
        return self.switch.killed or self.stop_reason.startswith("killed")

    @property
    def kill_reason(self) -> str:
        """Why it was killed, or why it stops."""
        return self.switch.kill_reason or self.stop_reason.removeprefix("killed: ")
