"""The heads a library has and those of new spots as one, without laying all of them out again."""

from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt

from fingerprints import kernels
from fingerprints.heads import BIRTH_FRAMES, Heads

_BY_SPOT = ("lengths", "skipped", "waves")
_BY_FILTER = tuple(field.name for field in fields(Heads) if field.name not in {"rows", "starts", *_BY_SPOT})


def join_heads(old: Heads, new: Heads, *, order: npt.NDArray[np.int64]) -> Heads:
    """Old and new heads in an order.

    The rows stay where they are, the new ones after the old; only where each head begins is told in the order.

    Args:
        old: all of them are kept.
        new: may be none.
        order: int64 [shape=(old.n_spots + new.n_spots,)]: the head that stands at each place, new ones counted on from the old.
    """
    n_old, n_new = old.n_spots, new.n_spots
    padding = -(n_old + n_new) * len(BIRTH_FRAMES) % kernels.BLOCK

    def by_filter(name: str) -> npt.NDArray[Any]:
        parts = [getattr(heads, name)[: n * len(BIRTH_FRAMES)].reshape(-1, n) for heads, n in ((old, n_old), (new, n_new)) if n]
        joined = np.concatenate(parts, axis=1)[:, order].reshape(-1)
        return np.concatenate([joined, np.zeros(padding, joined.dtype)])

    def by_spot(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> npt.NDArray[Any]:
        joined: npt.NDArray[Any] = np.concatenate([one, other])[order]
        return joined

    return Heads(
        rows=np.concatenate([old.rows, new.rows]),
        starts=by_spot(old.starts, new.starts + len(old.rows)),
        **{name: by_spot(getattr(old, name), getattr(new, name)) for name in _BY_SPOT},
        **{name: by_filter(name) for name in _BY_FILTER},
    )
