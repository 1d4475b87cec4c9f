"""What can go wrong in `sync`, by whose hand it is put right.

SyncError
├── CueError            a cue file or a cue is wrong: its author mends it
│   └── MediaError      a picture or video is not what X takes, or is not there any more
├── PlanError           a plan cannot be imported, compared or rolled back as asked: nothing has changed
├── ApprovalError       an approval is not allowed: another person approves
├── LedgerError         the database cannot be opened, read or written: nothing is claimed
│   ├── FencedError     another engine has taken over: this one stops
│   └── LedgerConflictError   a unique index refused what was written: nothing was written
├── ReportError         a report is too long: its reader asks for less
├── IllegalTransitionError   a firing was asked to go where its state does not lead
├── ControlError        a line on the control socket was refused, with a code for programs
└── EngineUnreachableError   nobody answers on the control socket
"""


class SyncError(Exception):
    """Anything `sync` reports on purpose; its text is one sentence for people."""


class CueError(SyncError):
    """A cue file or a cue is wrong; the message names file, cue and key."""


class MediaError(CueError):
    """A picture or video cannot be used; the message names the file, what is wrong and the fix."""


class PlanError(SyncError):
    """A plan cannot be imported, compared or rolled back as asked; nothing has changed."""


class ApprovalError(SyncError):
    """An approval is not allowed."""


class LedgerError(SyncError):
    """The ledger cannot be opened, read or written."""


class FencedError(LedgerError):
    """Another engine has opened the ledger since; this one may not claim any more."""


class LedgerConflictError(LedgerError):
    """What was to be written stands there already; the transaction was rolled back."""


class ReportError(SyncError):
    """A report would have more lines than anybody reads."""


class IllegalTransitionError(SyncError):
    """A firing cannot go from its state to the one asked for."""


class ControlError(SyncError):
    """A request was refused.

    Attributes:
        code: `bad_request`, `unknown_op`, `refused`, `ledger` or `internal`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class EngineUnreachableError(SyncError):
    """No engine answers on the socket, or it went away before it answered."""
