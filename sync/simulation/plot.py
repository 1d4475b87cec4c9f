"""What a seed decides about its story before it begins."""

import random
from dataclasses import dataclass
from typing import Self

LONG_SHARE = 1 / 80
"""Of stories. Most bugs need few things to happen, and many short stories find them in less time than few long ones."""
STEPS_LONG = 40
STEPS_SHORT = (3, 6)
"""The fewest and the most steps of the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """How long a story is, and in what kind of house it plays.

    Attributes:
        steps: how much happens before all is quiet.
        corrects: the goal's cue corrects what it has said when a goal is taken back, instead of deleting it.
        confirm_restart: it waits until play goes on.
        caps_are_tight: it may fire so seldom that a burst reaches its cap.
        has_standby: a second machine stands by.
        has_media: the goal's cue has a picture.
        text_alone: its text may leave without the picture.
        has_tokens: an account has OAuth 2.0 tokens, which end before long.
        needs_both: the goal's cue fires only when both gateways tell of the goal.
    """

    seed: int = 0
    steps: int = 0
    corrects: bool = False
    confirm_restart: bool = False
    caps_are_tight: bool = False
    has_standby: bool = False
    has_media: bool = False
    text_alone: bool = False
    has_tokens: bool = False
    needs_both: bool = False

    @classmethod
    def of(cls, seed: int, *, steps: int | None = None) -> Self:
        """The seed's own; `steps` makes its story shorter or longer."""
        rng = random.Random(f"plot {seed}")
        is_long = rng.random() < LONG_SHARE
        drawn = STEPS_LONG if is_long else rng.randint(*STEPS_SHORT)
        return cls(
            seed=seed,
            steps=drawn if steps is None else steps,
            corrects=rng.random() < 1 / 2,
            confirm_restart=rng.random() < 1 / 3,
            caps_are_tight=rng.random() < (0 if is_long else 1 / 2),
            has_standby=rng.random() < 1 / 4,
            has_media=rng.random() < 1 / 6,
            text_alone=rng.random() < 1 / 2,
            has_tokens=rng.random() < 1 / 6,
            needs_both=rng.random() < 1 / 8,
        )
