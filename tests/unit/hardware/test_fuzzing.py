"""No damage makes a scoreboard tell what did not happen; `cuebird scoreboard fuzz` plays the same for as long as asked."""

import pytest

from hardware.events import ScoreKind, Side
from hardware.fuzzing import FuzzResult, _Judge, fuzz_match, fuzz_noise
from hardware.scoreboards.board import Board
from hardware.scoreboards.oes import decoder, encode
from hardware.scoreboards.protocols import PROTOCOLS
from hardware.scoring import Confidence, ScoreChange, Seen


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_a_match_on_a_bad_line_tells_nothing_false(name: str) -> None:
    """A minute of goals, corrections and damage: some of it is seen, none of it is made up."""
    result = FuzzResult()
    for seed in (1, 2):
        result += fuzz_match(PROTOCOLS[name], seed=seed, length_s=60)

    assert result.false_events == ()
    assert result.true_events > 0
    assert result.bad_frames > 0


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_noise_tells_nothing(name: str) -> None:
    """Random bytes with scraps of real frames among them."""
    result = fuzz_noise(PROTOCOLS[name], seed=1)

    assert (result.true_events, result.false_events) == (0, ())


@pytest.mark.parametrize(
    ("kind", "delta", "home", "false"),
    [
        (ScoreKind.GOAL, 1, 2, 0),
        (ScoreKind.GOAL, 1, 3, 1),
        (ScoreKind.GOAL, 2, 2, 1),
        (ScoreKind.CORRECTION, -1, 1, 0),
        (ScoreKind.CORRECTION, -2, 0, 1),
        (ScoreKind.PERIOD, 0, 9, 0),
    ],
)
def test_the_judge_knows_what_happened(kind: ScoreKind, delta: int, home: int, false: int) -> None:
    """The board went 1, 2, 1: nothing else may be told."""
    judge, result = _Judge("test"), FuzzResult()
    for points in (1, 2, 1):
        judge.show(points, 0)
    change = ScoreChange(
        kind=kind, side=Side.HOME, delta=delta, home=home, away=0, ordinal=home, first=_seen(), confidence=Confidence.CHECKED
    )
    judge.hear(change, 3, result)

    assert len(result.false_events) == false


def _seen() -> Seen:
    (reading,) = decoder().feed(encode(Board())[0])
    return Seen(reading=reading, mono_ns=0, utc_ns=0)
