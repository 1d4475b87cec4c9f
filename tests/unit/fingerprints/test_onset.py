"""The matcher: what decides, what never does, and what it costs."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from fingerprints.coherence import WAVE_WORDS
from fingerprints.features import FeatureStream
from fingerprints.heads import FILTER_ROWS, head_of, heads_of, stack
from fingerprints.onset import ALIVE_MAX, COMPARED_MAX, PASSED_LEAST, OnsetMatcher, earliest_decision_s
from fingerprints.prints import Print, make_print

Pcm = npt.NDArray[np.float32]
Music = Callable[[int, float], Pcm]
RNG = np.random.default_rng(8)
T = np.arange(16_000 * 20) / 16_000
NOTHING = {
    "silence": np.zeros(len(T)),
    "tone": 0.3 * np.sin(2 * np.pi * 997.0 * T),
    "white noise": 0.2 * RNG.standard_normal(len(T)),
    "clicks": (np.arange(len(T)) % 4000 == 0) * 0.9,
    "sweep": 0.3 * np.sin(2 * np.pi * (100 * T + 150 * T**2)),
    "beating tones": 0.2 * (np.sin(2 * np.pi * 400 * T) + np.sin(2 * np.pi * 407 * T)),
    "noise at full scale": np.sign(RNG.standard_normal(len(T))),
    "constant": np.full(len(T), 0.5),
}


@pytest.mark.parametrize("name", NOTHING)
def test_sound_that_is_no_spot_decides_nothing(name: str, music: Music) -> None:
    """Silence, tones, noise and clicks never reach the threshold, and the living hypotheses stay bounded."""
    matcher = OnsetMatcher([make_print(str(seed), music(seed, 4.0)) for seed in range(8)])
    bits = FeatureStream().feed(NOTHING[name].astype(np.float32))

    assert matcher.advance(bits) == []
    assert matcher.alive <= ALIVE_MAX
    assert matcher.evidence < 1.0


def test_spots_of_noise_and_fades_are_not_heard_in_other_noise(music: Music) -> None:
    """Heads that tell little wait for evidence instead of guessing."""
    fade = music(30, 4.0) * np.linspace(0.02, 1.0, 64_000, dtype=np.float32)
    hum = (0.2 * np.sin(2 * np.pi * 50 * T[:64_000])).astype(np.float32)
    noise = (0.2 * np.random.default_rng(9).standard_normal(64_000)).astype(np.float32)
    matcher = OnsetMatcher([make_print("fade", fade), make_print("hum", hum + music(31, 4.0) * 0.01), make_print("noise", noise)])

    for pcm in (*NOTHING.values(), music(32, 20.0)):
        matcher.restart()
        assert matcher.advance(FeatureStream().feed(np.asarray(pcm, np.float32))) == []


def test_the_head_is_heard_where_it_begins(music: Music) -> None:
    """A crossing names the spot, and its onset to half a hop."""
    head = music(40, 4.0)
    matcher = OnsetMatcher([make_print("other", music(41, 4.0)), make_print("spot", head)])
    crossings = matcher.advance(FeatureStream().feed(np.concatenate([music(42, 3.0), head])))

    assert {crossing.spot for crossing in crossings} == {1}
    assert abs(crossings[0].onset * 64 - 48_000) <= 64
    assert crossings[0].score >= matcher.threshold


def test_no_spots_no_crossings(music: Music) -> None:
    """An empty library listens to nothing."""
    assert OnsetMatcher([]).advance(FeatureStream().feed(music(1, 1.0))) == []


def test_a_tone_can_never_be_decided() -> None:
    """Nothing moves in it, so no bit tells anything."""
    assert earliest_decision_s(make_print("tone", NOTHING["tone"].astype(np.float32)), threshold=30.0) is None


def test_silence_does_not_agree_with_a_falling_spectrum() -> None:
    """Contrasts of 0 have no sign: digital silence is not the spot whose bits all say "falling"."""
    rows = 400
    table = np.stack([*[np.zeros(rows, np.uint32)] * 2, *[np.full(rows, 0xFFFF_FFFF, np.uint32)] * 2], axis=1)
    falling = Print.of("falling", table, wave=np.zeros(WAVE_WORDS, np.uint32), lead_in_samples=0, audible_samples=rows * 128)

    assert OnsetMatcher([falling]).advance(FeatureStream().feed(NOTHING["silence"].astype(np.float32))) == []


def test_one_attack_alone_decides_nothing(music: Music) -> None:
    """A frame adds little, so the first 60 ms of a spot are not enough, however well they fit."""
    head = music(43, 4.0)
    broken_off = np.concatenate([music(44, 2.0), head[:960], music(45, 2.0)])

    assert OnsetMatcher([make_print("spot", head)]).advance(FeatureStream().feed(broken_off)) == []


@pytest.mark.parametrize("name", [*NOTHING, "music", "the spots themselves"])
def test_work_is_bounded_whatever_the_sound(name: str, music: Music) -> None:
    """Counted, not timed: words compared and rows scored a frame stay below what the caps allow."""
    heads = heads_of([make_print(str(seed), music(seed, 4.0)) for seed in range(4)] * 10)
    sounds = {
        **NOTHING,
        "music": music(60, 10.0),
        "the spots themselves": np.concatenate([music(seed, 4.0) for seed in range(4)] * 2),
    }
    matcher = OnsetMatcher(heads)
    matcher.threshold = 1e9  # nothing is ever decided, so nothing leaves by crossing
    bits = FeatureStream().feed(np.asarray(sounds[name], np.float32))
    matcher.advance(bits)
    n_filters = len(heads.filters)

    assert n_filters * len(bits) <= matcher.work.compared <= 2 * n_filters * len(bits)
    assert matcher.work.passed <= min(n_filters, 2 * PASSED_LEAST) * len(bits)
    assert matcher.work.scored <= len(bits) * ALIVE_MAX + 2 * FILTER_ROWS * matcher.work.passed
    assert matcher.work.checked <= COMPARED_MAX * len(bits)
    assert matcher.alive <= ALIVE_MAX


def test_more_passing_than_the_cap_allows_are_cut_to_the_closest(music: Music) -> None:
    """Two thousand spots with one head: a frame lets through no more than the cap, and one of them is still decided."""
    print_ = make_print("one", music(61, 4.0))
    matcher = OnsetMatcher(stack([head_of(print_.table, print_.wave)] * 2_000))
    bits = FeatureStream().feed(np.concatenate([music(62, 1.0), music(61, 4.0)]))
    crossings = matcher.advance(bits)

    assert crossings
    assert matcher.alive <= ALIVE_MAX
    assert matcher.work.passed <= 2 * PASSED_LEAST * len(bits)
