"""Blocks of a recording gathered for speed."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fingerprints.audio import AudioBlock
from fingerprints.scan import gathered


@given(st.lists(st.tuples(st.integers(0, 9000), st.booleans(), st.integers(0, 2)), max_size=30))
@settings(max_examples=60)
def test_gathering_keeps_every_sample_in_its_place_and_every_gap(steps: list[tuple[int, bool, int]]) -> None:
    """The samples, where they lie, and where something is missing before them, are those of the blocks."""
    blocks: list[AudioBlock] = []
    at = 0
    for size, gap, hole in steps:
        at += hole * 100
        blocks.append(AudioBlock(pcm=np.arange(at, at + size, dtype=np.float32), first_sample=at, seen_mono_ns=at, gap=gap))
        at += size
    joined = list(gathered(blocks))

    for block in joined:
        assert np.array_equal(block.pcm, np.arange(block.first_sample, block.first_sample + len(block.pcm), dtype=np.float32))
    assert sum(len(block.pcm) for block in joined) == sum(len(block.pcm) for block in blocks)
    assert [block.first_sample for block in joined if block.gap] == [block.first_sample for block in blocks if block.gap]
    assert all(len(block.pcm) < 16_000 + 9_000 for block in joined)
