"""The life of a firing, as the table has it."""

import itertools

import pytest

from sync.errors import IllegalTransitionError
from sync.posting import Certainty
from sync.states import RESERVING, SETTLED, STATE_OF_CERTAINTY, TRANSITIONS, FiringState, may_go, step

S = FiringState
LEGAL = {
    (S.ARMED, S.CLAIMED),
    (S.ARMED, S.DECLINED),
    (S.ARMED, S.EXPIRED),
    (S.ARMED, S.WITHDRAWN),
    (S.CLAIMED, S.POSTED),
    (S.CLAIMED, S.REFUSED),
    (S.CLAIMED, S.NOT_SENT),
    (S.CLAIMED, S.UNKNOWN),
    (S.UNKNOWN, S.POSTED),
    (S.UNKNOWN, S.NOT_SEEN),
    (S.NOT_SEEN, S.POSTED),
}


@pytest.mark.parametrize(("current", "target"), list(itertools.product(S, S)))
def test_only_these_transitions_are_legal(current: FiringState, target: FiringState) -> None:
    """Everything that the design does not name raises."""
    assert may_go(current, target) is ((current, target) in LEGAL)
    if (current, target) in LEGAL:
        assert step(current, target) is target
    else:
        with pytest.raises(IllegalTransitionError):
            step(current, target)


def test_nothing_claimed_ever_frees_its_occurrence() -> None:
    """From a claim on, every state that can be reached keeps the occurrence: it cannot be claimed again."""
    reached, todo = set[FiringState](), {S.CLAIMED}
    while todo:
        state = todo.pop()
        reached.add(state)
        todo |= TRANSITIONS[state] - reached
    assert reached <= RESERVING


def test_every_state_leads_to_rest() -> None:
    """No firing is stuck in a state that is neither settled nor leads on."""
    assert all(TRANSITIONS[state] for state in set(S) - SETTLED)
    assert set(STATE_OF_CERTAINTY) == set(Certainty)
