"""Any text as a source: an answer or a `CaptureError`, and never a password shown."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fingerprints.capture import Capture, CaptureError, Transport, masked, transport_of
from timebase import VirtualClock

TEXT = st.text(max_size=60)


@given(url=st.one_of(TEXT, st.builds("{}://{}".format, st.sampled_from(["http", "https", "udp", "rtp", "file", "x"]), TEXT)))
def test_any_text_has_a_transport_or_is_refused(url: str) -> None:
    """Judging a source by its name raises nothing else."""
    with suppress(CaptureError):
        assert transport_of(url) in Transport


@given(
    scheme=st.sampled_from(["http", "HTTPS", "rtp"]),
    user=st.text(st.characters(exclude_characters="/?#"), max_size=10),
    rest=st.text(st.characters(exclude_characters="@"), max_size=20),
)
def test_credentials_never_show(scheme: str, user: str, rest: str) -> None:
    """Whatever the user part is made of, all of it is replaced and the rest kept."""
    assert masked(f"{scheme}://{user}:PASSWORD@{rest}") == f"{scheme}://***@{rest}"


@settings(max_examples=60, deadline=None)
@given(name=st.text(min_size=1, max_size=300).filter(lambda text: "://" not in text))
def test_any_name_is_opened_or_refused(name: str) -> None:
    """Names too long, with NUL, with surrogates: one error of ours."""
    with pytest.raises(CaptureError), Capture(f"/nowhere/{name}", clock=VirtualClock()):
        pass
