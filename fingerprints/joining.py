"""The heads a library has and those of new spots as one, without laying all of them out again."""

from typing import Any

import numpy as np
import numpy.typing as npt

from fingerprints.heads import BIRTH_FRAMES, Heads, grouped


def join_heads(old: Heads, new: Heads, *, order: npt.NDArray[np.int64]) -> Heads:
    """Old and new heads in an order.

    The rows stay where they are, the new ones after the old; only where each head begins is told in the order.

    Args:
        old: all of them are kept.
        new: may be none.
        order: int64 [shape=(old.n_spots + new.n_spots,)]: the head that stands at each place, new ones counted on from the old.
    """
    n_old, n_new = old.n_spots, new.n_spots

    def by_spot(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> npt.NDArray[Any]:
        joined: npt.NDArray[Any] = np.concatenate([one, other])[order]
        return joined

    def by_filter(name: str) -> npt.NDArray[Any]:
        # Filters stand birth after birth, so each birth's are joined by themselves.
        columns = [(getattr(heads, name), n) for heads, n in ((old, n_old), (new, n_new)) if n]
        births = range(len(BIRTH_FRAMES))
        return np.concatenate([
            np.concatenate([column[birth * n : (birth + 1) * n] for column, n in columns])[order] for birth in births
        ])  # fmt: skip

    births, filters, limits, planes = grouped(*(by_filter(name) for name in ("births", "filters", "limits")))
    return Heads(
        rows=np.concatenate([old.rows, new.rows]),
        starts=by_spot(old.starts, new.starts + len(old.rows)),
        lengths=by_spot(old.lengths, new.lengths),
        skipped=by_spot(old.skipped, new.skipped),
        waves=by_spot(old.waves, new.waves),
        births=births,
        filters=filters,
        limits=limits,
        planes=planes,
    )
