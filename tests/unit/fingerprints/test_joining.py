"""New heads among those a library has."""

from collections.abc import Callable
from dataclasses import fields

import numpy as np
import numpy.typing as npt
import pytest

from fingerprints.heads import Heads, heads_of, stack
from fingerprints.joining import join_heads
from fingerprints.prints import make_print
from fingerprints.store import fits

Pcm = npt.NDArray[np.float32]
Music = Callable[[int, float], Pcm]


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [3, 0, 4, 1, 2], [4, 2, 1, 0, 3]])
def test_joined_heads_are_those_laid_out_anew(order: list[int], music: Music) -> None:
    """Every head's rows and filters are the same; only the rows may lie elsewhere."""
    prints = [make_print(f"spot-{seed}", music(seed, 2.0 + 0.3 * (seed % 4))) for seed in range(340, 345)]
    joined = join_heads(heads_of(prints[:3]), heads_of(prints[3:]), order=np.array(order))
    anew = heads_of([prints[place] for place in order])

    assert fits(joined)
    assert all(np.array_equal(joined.of(spot), anew.of(spot)) for spot in range(5))
    for field in fields(Heads):
        if field.name not in {"rows", "starts"}:
            assert np.array_equal(getattr(joined, field.name), getattr(anew, field.name)), field.name
            assert getattr(joined, field.name).dtype == getattr(anew, field.name).dtype


def test_nothing_new_and_nothing_old_can_be_joined(music: Music) -> None:
    """The first spot of a folder, and a folder as it was."""
    one, none = heads_of([make_print("one", music(345, 2.5))]), stack([])

    for joined in (join_heads(one, none, order=np.array([0])), join_heads(none, one, order=np.array([0]))):
        assert np.array_equal(joined.of(0), one.of(0))
        assert np.array_equal(joined.planes, one.planes)
        assert np.array_equal(joined.waves, one.waves)
