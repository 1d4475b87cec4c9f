"""How long to wait before trying again."""

import random


class Backoff:
    """Full-jitter exponential back-off.

    Each wait is drawn uniformly between `floor_s` and a ceiling that doubles from `first_s` to
    `most_s`, so that many clients of one failed server do not return in step.

    Source:
        M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """

    def __init__(self, *, first_s: float, most_s: float, floor_s: float = 0.0, rng: random.Random | None = None) -> None:
        if not 0 <= floor_s <= first_s <= most_s:
            raise ValueError(f"back-off: floor {floor_s} s, first {first_s} s, most {most_s} s; they must rise from 0")
        self._first_s, self._most_s, self._floor_s = first_s, most_s, floor_s
        # Python's own generator when none is given: a simulation seeds it.
        self._uniform = random.uniform if rng is None else rng.uniform
        self._ceiling_s = first_s

    def next_s(self) -> float:
        """Seconds to wait now; the ceiling doubles for the next time."""
        wait_s = self._uniform(self._floor_s, self._ceiling_s)
        self._ceiling_s = min(self._most_s, self._ceiling_s * 2)
        return wait_s

    def reset(self) -> None:
        """Begin again from `first_s`: the last try worked."""
        self._ceiling_s = self._first_s
