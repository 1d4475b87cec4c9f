"""What holds for every packet of OSC, whatever the bytes."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from hardware.inputs.osc import OscError, SlipDecoder, parse_packet
from tests.unit.hardware.inputs.test_osc import FOO, bundle, message

messages = st.builds(
    message,
    st.text("ab*/[", max_size=8).map(lambda rest: f"/{rest}"),
    st.text("ifsbTFNI[]", max_size=6),
    st.binary(max_size=24),
)
packets = st.one_of(st.binary(max_size=200), messages)


@given(packets, st.lists(packets, max_size=3))
def test_nothing_raises_but_the_one_error(packet: bytes, elements: list[bytes]) -> None:
    """Neither a message nor a bundle of anything."""
    for candidate in (packet, bundle(*elements), bundle(packet, *elements)):
        try:
            parsed = parse_packet(candidate)
        except OscError:
            continue
        assert all(one.address.startswith("/") and "*" not in one.address for one in parsed)


@given(st.integers(0, len(FOO) - 1))
def test_a_message_that_is_cut_is_none(end: int) -> None:
    """At any byte but where its types begin, from where on an older sender would have left them out."""
    if end == 8:
        return
    try:
        parse_packet(FOO[:end])
    except OscError:
        return
    raise AssertionError(end)


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=5), st.lists(st.integers(0, 500), max_size=8))
def test_slip_gives_back_what_was_sent_however_it_is_cut(sent: list[bytes], cuts: list[int]) -> None:
    """Packets depend on the bytes, not on how they were delivered."""
    stream = b"".join(b"\xc0" + one.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc") + b"\xc0" for one in sent)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    slip = SlipDecoder()
    pieces = [one for begin, end in itertools.pairwise(edges) for one in slip.feed(stream[begin:end])]

    assert (pieces, slip.damaged) == (sent, 0)


@given(st.binary(max_size=400))
def test_noise_in_slip_raises_nothing(noise: bytes) -> None:
    """It is kept within bounds."""
    SlipDecoder().feed(noise)
