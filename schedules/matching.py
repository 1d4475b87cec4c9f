"""Pairs of two sorts of things, as many as there can be, and of all such pairings the cheapest. Pure.

Taking the nearest first can leave an airing without the only broadcast it could have had; this cannot.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

Edge = tuple[int, int, int]
"""A pair that may be made: left, right, cost (whole and not negative)."""


def best_pairs(edges: Iterable[Edge]) -> dict[int, int]:
    """The right of each left that gets one.

    Most pairs win, then the least total cost; the answer does not depend on the order of `edges`.

    Source:
        Jonker & Volgenant 1987, as in scipy.sparse.csgraph.min_weight_full_bipartite_matching.
    """
    pairs: dict[int, int] = {}
    for part in _parts(sorted(set(edges))):
        pairs.update(((part[0][:2],)) if len(part) == 1 else _matched(part))
    return pairs


def _parts(edges: Sequence[Edge]) -> Iterator[list[Edge]]:
    """The edges by what hangs together: most parts are a single pair, and small ones are matched quickly."""
    root: dict[tuple[bool, int], tuple[bool, int]] = {}

    def find(node: tuple[bool, int]) -> tuple[bool, int]:
        path = []
        while (above := root.setdefault(node, node)) != node:
            path.append(node)
            node = above
        for passed in path:
            root[passed] = node
        return node

    for left, right, _ in edges:
        root[find((False, left))] = find((True, right))
    parts = defaultdict[tuple[bool, int], list[Edge]](list)
    for edge in edges:
        parts[find((False, edge[0]))].append(edge)
    yield from parts.values()


def _matched(edges: Sequence[Edge]) -> dict[int, int]:
    import numpy as np
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    lefts, rights = sorted({left for left, _, _ in edges}), sorted({right for _, right, _ in edges})
    row_of, column_of = {left: row for row, left in enumerate(lefts)}, {right: column for column, right in enumerate(rights)}
    # Each left also has a column of its own that means nobody, dearer than any other pairing of all: so none takes it in vain.
    nobody = (max(cost for _, _, cost in edges) + 1) * (len(lefts) + 1)
    rows = [row_of[left] for left, _, _ in edges] + list(range(len(lefts)))
    columns = [column_of[right] for _, right, _ in edges] + [len(rights) + row for row in range(len(lefts))]
    costs = [float(cost + 1) for _, _, cost in edges] + [float(nobody + 1)] * len(lefts)  # a cost of 0 would be no edge
    graph = csr_array((np.array(costs), (rows, columns)), shape=(len(lefts), len(rights) + len(lefts)))
    taken_rows, taken_columns = min_weight_full_bipartite_matching(graph)
    return {
        lefts[row]: rights[column]
        for row, column in zip(taken_rows.tolist(), taken_columns.tolist(), strict=True)
        if column < len(rights)
    }
