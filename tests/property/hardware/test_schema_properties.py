"""The published schemas and the readers agree on whatever a message may say."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hardware.schemas import MESSAGES, message_schema

WORKED = json.loads((Path(__file__).parents[3] / "docs" / "schemas" / "messages.json").read_text(encoding="utf-8"))["messages"]
PAYLOADS: dict[str, list[dict[str, Any]]] = {
    name: [json.loads(one["message"].partition("\n")[2]) for one in WORKED if one["topic"].endswith(name)] for name in MESSAGES
}
VALIDATORS = {name: jsonschema.Draft202012Validator(message_schema(name)) for name in MESSAGES}
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1001, 1001),
    st.sampled_from(
        [1 << 53, (1 << 63) - 1, 1 << 63, 0.5, "", "home", "away", "goal", "correction", "horn", "timeout", "online"]
    ),
    st.sampled_from(["checked", "a/b", "x" * 16, "x" * 17, "x" * 65, "0" * 26, "0" * 64, "I" * 26, [], {}]),
)
"""Edges of every field, and what belongs into another."""


def refused(name: str, payload: dict[str, Any]) -> str:
    """Why the reader refuses it, empty when it does not."""
    try:
        MESSAGES[name].model_validate_json(json.dumps(payload))
    except ValidationError as error:
        return str(error)
    return ""


def agree(name: str, payload: dict[str, Any]) -> None:
    """Both take it or both refuse it; of an ordinal the schema knows the bounds only."""
    valid, reason = VALIDATORS[name].is_valid(payload), refused(name, payload)
    assert valid == (not reason) or (valid and "ordinal" in reason)


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_schema_and_reader_agree(data: st.DataObject) -> None:
    """Right messages with any few fields changed, left out or added."""
    name = data.draw(st.sampled_from(list(MESSAGES)))
    payload = dict(data.draw(st.sampled_from(PAYLOADS[name])))
    for field in data.draw(st.lists(st.sampled_from([*payload, "wind"]), max_size=3)):
        payload[field] = data.draw(VALUES)
    for field in data.draw(st.lists(st.sampled_from([*payload]), max_size=1)):
        del payload[field]
    agree(name, payload)


@given(delta=st.integers(-3, 3), kind=st.sampled_from(["goal", "correction", "period", "restart", "stop", "horn", "timeout"]),
       side=st.sampled_from(["home", "away", None]), ordinal=st.sampled_from([0, 1, 2, 102]))  # fmt: skip
@example(delta=0, kind="timeout", side="home", ordinal=0)
def test_they_agree_on_what_belongs_together(delta: int, kind: str, side: str | None, ordinal: int) -> None:
    """Every kind with every side and sign."""
    agree("event", {**PAYLOADS["event"][0], "delta": delta, "type": kind, "side": side, "ordinal": ordinal})


@pytest.mark.parametrize("name", list(MESSAGES))
def test_true_is_no_version(name: str) -> None:
    """In Python it is 1, in JSON it is not."""
    payload = {**PAYLOADS[name][0], "version": True}
    assert refused(name, payload)
    agree(name, payload)
