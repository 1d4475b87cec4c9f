"""The verifier under attack; `cuebird gateway fuzz` plays the same for as long as asked."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hardware import message_fuzzing
from hardware.events import RefusalKind
from hardware.message_fuzzing import MessageFuzz, MessageFuzzResult, Suspect, fuzz_messages

FUZZ = MessageFuzz()
SELDOM = {RefusalKind.RETAINED, RefusalKind.STALE, RefusalKind.FUTURE, RefusalKind.REPEATED, RefusalKind.OLDER_BOOT,
          RefusalKind.OUT_OF_ORDER, RefusalKind.OTHER_FIXTURE, RefusalKind.TOO_LARGE}  # fmt: skip
"""What needs a right signature over other facts, or the link."""


def test_the_attack_goes_everywhere() -> None:
    """It meets nearly every reason to refuse, and some of it is the device's own and believed; nothing else is."""
    result = MessageFuzzResult()
    for seed in range(3):
        fuzz_messages(FUZZ, result, seed=seed, messages=1000)

    assert result.failures == []
    assert result.messages == 3000
    assert result.believed > 50
    assert set(result.refused) >= {kind.value for kind in set(RefusalKind) - SELDOM}


@settings(max_examples=300, deadline=None)
@given(programme=st.binary(max_size=message_fuzzing.PROGRAMME_BYTES_MAX))
@example(b"")
def test_whatever_is_made_of_bytes_is_refused_or_signed(programme: bytes) -> None:
    """No bytes raise anything else; none forged is believed; the same bytes make the same message."""
    result = MessageFuzzResult()
    FUZZ.run(programme, result)

    assert result.failures == []
    assert FUZZ.suspect(programme) == FUZZ.suspect(programme)


def test_the_judge_sees_a_forgery(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a verifier that looks at no signature, the attack is found to succeed at once."""
    monkeypatch.setattr("hardware.messages._is_signature", lambda _signature, _signed, _key: True)
    result = MessageFuzzResult()
    fuzz_messages(FUZZ, result, seed=1, messages=2000)

    assert result.failures
    assert "no device signed it; bytes" in result.failures[0]


def test_the_judge_sees_an_ended_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was rightly signed, but with a key that is over, counts as a forgery too."""
    monkeypatch.setattr(message_fuzzing, "NOW_UTC_NS", message_fuzzing.NOW_UTC_NS - 1)
    result = MessageFuzzResult()
    fuzz_messages(FUZZ, result, seed=1, messages=2000)

    assert any("no device signed it" in failure for failure in result.failures)


def test_the_judge_sees_a_crash() -> None:
    """Any other error is a failure, with the bytes that repeat it."""
    result = MessageFuzzResult()
    broken = Suspect(topic="cuebird/v1/arena/a/event", message=None, signed=frozenset())  # type: ignore[arg-type]

    assert FUZZ.judge(broken, result).startswith("raised TypeError")
