"""The life of a firing: one table, and nothing goes where it does not lead."""

import enum
from types import MappingProxyType

from sync.errors import IllegalTransitionError
from sync.posting import Certainty


class Mode(enum.StrEnum):
    """How far a firing goes: nowhere, to the rehearsal's dead end, or to the world."""

    OFF = "OFF"
    REHEARSAL = "REHEARSAL"
    LIVE = "LIVE"


class Action(enum.StrEnum):
    """What a firing asks of the account."""

    POST = "post"
    DELETE = "delete"
    CORRECT = "correct"


class FiringState(enum.StrEnum):
    """Where a firing is. docs/firing.md tells what each means to a person."""

    ARMED = "ARMED"
    CLAIMED = "CLAIMED"
    POSTED = "POSTED"
    REFUSED = "REFUSED"
    NOT_SENT = "NOT_SENT"
    UNKNOWN = "UNKNOWN"
    NOT_SEEN = "NOT_SEEN"
    DECLINED = "DECLINED"
    EXPIRED = "EXPIRED"
    WITHDRAWN = "WITHDRAWN"


_S = FiringState

TRANSITIONS = MappingProxyType(
    {
        _S.ARMED: frozenset({_S.CLAIMED, _S.DECLINED, _S.EXPIRED, _S.WITHDRAWN}),
        _S.CLAIMED: frozenset({_S.POSTED, _S.REFUSED, _S.NOT_SENT, _S.UNKNOWN}),
        _S.UNKNOWN: frozenset({_S.POSTED, _S.NOT_SEEN}),
        # Provisional for 24 h: a server may apply a request minutes after it seemed lost.
        _S.NOT_SEEN: frozenset({_S.POSTED}),
        _S.POSTED: frozenset[FiringState](),
        _S.REFUSED: frozenset[FiringState](),
        _S.NOT_SENT: frozenset[FiringState](),
        _S.DECLINED: frozenset[FiringState](),
        _S.EXPIRED: frozenset[FiringState](),
        _S.WITHDRAWN: frozenset[FiringState](),
    }
)

RESERVING = frozenset({_S.ARMED, _S.CLAIMED, _S.POSTED, _S.REFUSED, _S.NOT_SENT, _S.UNKNOWN, _S.NOT_SEEN})
"""States whose firing keeps its (occurrence, cue, account) for itself: nothing else may fire it."""

SETTLED = frozenset(_S) - {_S.ARMED, _S.CLAIMED, _S.UNKNOWN}
"""States in which a firing may rest for good."""

STATE_OF_CERTAINTY = MappingProxyType(
    {
        Certainty.POSTED: _S.POSTED,
        Certainty.REFUSED: _S.REFUSED,
        Certainty.NOT_SENT: _S.NOT_SENT,
        Certainty.UNKNOWN: _S.UNKNOWN,
    }
)


def may_go(current: FiringState, target: FiringState) -> bool:
    """Whether the table leads from one state to the other."""
    return target in TRANSITIONS[current]


def step(current: FiringState, target: FiringState) -> FiringState:
    """The target, when the table leads there.

    Raises:
        IllegalTransitionError: it does not.
    """
    if not may_go(current, target):
        raise IllegalTransitionError(f"a firing cannot go from {current} to {target}")
    return target
