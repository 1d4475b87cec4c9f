"""Events that never came: told once, after a while, and never of what was not ours to take."""

from hardware.gaps import GRACE_NS, Gaps, missing_sentence
from hardware.replay import ReplayState
from hardware.ulid import new_ulid

DEVICE = ("eishalle", "oes-1")
OLD, BOOT, NEXT = (new_ulid(at_ns * 10**9) for at_ns in (1, 2, 3))


FRESHNESS_S = 5.0
LAST_NS = GRACE_NS + 5 * 10**9


def gaps(*, boot: str = BOOT, taken: int = 3) -> Gaps:
    return Gaps(ReplayState().admit(DEVICE, boot=boot, sequence=taken, message_id=new_ulid(1)), freshness_s=FRESHNESS_S)


def told(found: Gaps, sequence: int, *, boot: str = BOOT, mono_ns: int = 0) -> None:
    found.take_state(DEVICE, boot=boot, sequence=sequence, mono_ns=mono_ns)


def test_what_states_tell_of_and_never_comes_is_missing() -> None:
    """Not before it had its time to come, and once."""
    found = gaps()
    told(found, 5)
    told(found, 5, mono_ns=GRACE_NS - 1)
    assert found.due(GRACE_NS - 1) == {}
    told(found, 6, mono_ns=GRACE_NS)
    assert found.due(GRACE_NS) == {DEVICE: ((4, 5),)}
    found.take_event(DEVICE, boot=BOOT, sequence=6)
    told(found, 6, mono_ns=3 * GRACE_NS)
    assert found.due(10 * LAST_NS) == {}


def test_an_event_that_comes_after_its_state_is_not_missing() -> None:
    """States overtake events at a broker."""
    found = gaps()
    told(found, 4)
    found.take_event(DEVICE, boot=BOOT, sequence=4)
    told(found, 4, mono_ns=2 * GRACE_NS)

    assert found.due(2 * LAST_NS) == {}


def test_a_hole_before_an_event_is_missing_at_once() -> None:
    """Events of a device come in order; the one that arrives late is refused."""
    found = gaps()
    found.take_event(DEVICE, boot=BOOT, sequence=6)

    assert found.due(0) == {DEVICE: ((4, 5),)}


def test_a_gateway_that_tells_again_is_waited_for() -> None:
    """It goes back to before what it tells again; the broker had lost that."""
    found = gaps()
    told(found, 5)
    told(found, 3, mono_ns=3 * GRACE_NS)
    told(found, 4, mono_ns=4 * GRACE_NS)
    found.take_event(DEVICE, boot=BOOT, sequence=4)
    found.take_event(DEVICE, boot=BOOT, sequence=5)
    told(found, 5, mono_ns=5 * GRACE_NS)

    assert found.due(10 * LAST_NS) == {}


def test_a_way_that_was_closed_gives_everything_its_time_again() -> None:
    """What the broker kept for us comes now."""
    found = gaps()
    told(found, 4)
    found.hold(GRACE_NS)
    told(found, 4, mono_ns=GRACE_NS + 1)
    assert found.due(GRACE_NS + 1) == {}
    told(found, 4, mono_ns=2 * GRACE_NS)
    assert found.due(2 * GRACE_NS) == {DEVICE: ((4, 4),)}


def test_what_a_gateway_told_of_last_is_missing_once_it_would_be_too_old() -> None:
    """It died, and the broker with it: nobody confirms any more."""
    found = gaps()
    told(found, 4)

    assert found.due(LAST_NS - 1) == {}
    assert found.due(LAST_NS) == {DEVICE: ((4, 4),)}


def test_a_gateway_that_starts_while_we_listen_counts_from_one() -> None:
    """Its first event may be the one that was lost; what its last boot told of and never came is missing too."""
    found = gaps()
    told(found, 4)
    told(found, 1, boot=NEXT)
    told(found, 1, boot=NEXT, mono_ns=GRACE_NS)

    assert found.due(GRACE_NS) == {DEVICE: ((4, 4), (1, 1))}


def test_what_happened_before_we_listened_is_not_missing() -> None:
    """Neither of a device that is new to us, nor of a boot that began while we were away."""
    unknown, away = Gaps(ReplayState(), freshness_s=FRESHNESS_S), gaps(boot=OLD)
    for found in (unknown, away):
        told(found, 7)
        told(found, 7, mono_ns=GRACE_NS)
        assert found.due(LAST_NS) == {}
        found.take_event(DEVICE, boot=BOOT, sequence=9)
        assert found.due(LAST_NS) == {DEVICE: ((8, 8),)}


def test_what_was_lost_while_we_were_away_is_missing() -> None:
    """The same boot went on: a process that died had not taken it."""
    found = gaps(taken=6)
    told(found, 7)
    told(found, 7, mono_ns=GRACE_NS)

    assert found.due(GRACE_NS) == {DEVICE: ((7, 7),)}


def test_a_boot_that_is_over_says_nothing() -> None:
    """A message of it may come after the next boot's first."""
    found = gaps()
    told(found, 99, boot=OLD)
    found.take_event(DEVICE, boot=OLD, sequence=99)

    assert found.due(LAST_NS) == {}


def test_people_are_told_which() -> None:
    """Devices and numbers, a few of them by name."""
    assert missing_sentence({DEVICE: ((4, 4),)}) == (
        "1 event was not taken (no. 4 of oes-1): refused, too old at the gateway, or lost by the broker; look at the scoreboard"
    )
    many = {("eishalle", f"oes-{number}"): ((1, 2), (4, 4)) for number in range(1, 8)}
    told = missing_sentence(many)
    assert told.startswith("21 events were not taken (no. 1 to 2, 4 of oes-1; no. 1 to 2, 4 of oes-2;")
    assert "; those of 2 more devices): refused" in told
