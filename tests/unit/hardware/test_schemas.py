"""The published schemas say what the reader does."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from console.commands.gateway_messages import Message
from hardware.keys import DeviceKey, key_id, key_ring, parse_pem_key, verifying
from hardware.messages import EventBody, verify, verify_state
from hardware.replay import ReplayState
from hardware.schemas import MESSAGES, file_name, message_schema
from hardware.topics import parse_topic

SCHEMAS = Path(__file__).parents[3] / "docs" / "schemas"
WORKED = json.loads((SCHEMAS / "messages.json").read_text(encoding="utf-8"))
MQTT_PAGE = (SCHEMAS.parent / "mqtt.md").read_text(encoding="utf-8")
GOAL: dict[str, Any] = json.loads(WORKED["messages"][0]["message"].partition("\n")[2])


def worked_key(device: str) -> DeviceKey:
    facts = WORKED["keys"][device]
    if facts["kind"] == "HMAC-SHA256":
        return DeviceKey(venue="eishalle", device=device, fixture=WORKED["fixture"], key=facts["file"].strip().encode())
    private = parse_pem_key(facts["file"].encode(), named="worked")
    public = parse_pem_key(facts["public_file"].encode(), named="worked")
    assert verifying(private) == public
    return DeviceKey(venue="eishalle", device=device, fixture=WORKED["fixture"], key=public)


DEVICES = {device: worked_key(device) for device in WORKED["keys"]}


def is_valid(message: str, payload: object) -> bool:
    return not list(jsonschema.Draft202012Validator(message_schema(message)).iter_errors(payload))


@pytest.mark.parametrize("message", MESSAGES)
def test_the_published_schema_is_the_readers(message: str) -> None:
    """A change of the models is a change of the file: `cuebird gateway schema NAME > docs/schemas/NAME-1.json`."""
    published = json.loads((SCHEMAS / file_name(message)).read_text(encoding="utf-8"))

    assert published == message_schema(message)
    jsonschema.Draft202012Validator.check_schema(published)


def test_every_message_has_its_schema_and_its_page() -> None:
    """On the command line, in the folder, and each field in the specification."""
    assert list(MESSAGES) == [one.value for one in Message]
    assert {file.name for file in SCHEMAS.iterdir()} == {*map(file_name, MESSAGES), "messages.json"}
    for model in MESSAGES.values():
        assert [name for name in model.model_fields if f"`{name}`" not in MQTT_PAGE] == []


@pytest.mark.parametrize("worked", WORKED["messages"], ids=lambda one: f"{one['topic'].split('/')[3]}: {one['what']}")
def test_the_worked_messages_are_believed_and_valid(worked: dict[str, str]) -> None:
    """What the documentation gives to implementers passes the verifier, byte for byte, and the schema."""
    named = parse_topic(worked["topic"])
    assert named is not None
    message, payload = worked["message"].encode(), json.loads(worked["message"].partition("\n")[2])
    keys = {(one.venue, one.device): key_ring(one) for one in DEVICES.values()}
    fixtures = {(one.venue, one.device): one.fixture for one in DEVICES.values()}
    now_utc_ns = WORKED["now_utc_ns"]
    believed = (
        verify(worked["topic"], message, keys=keys, fixtures=fixtures, now_utc_ns=now_utc_ns, replay=ReplayState()).event
        if named.leaf == "event"
        else verify_state(worked["topic"], message, keys=keys, fixtures=fixtures, now_utc_ns=now_utc_ns).state
    )

    assert believed.model_dump(mode="json", exclude_unset=True) == payload
    assert is_valid(named.leaf, payload)


def test_the_worked_keys_are_named_right() -> None:
    """The ids beside them, which an implementer computes too."""
    assert {device: key_id(one.key) for device, one in DEVICES.items()} == {
        device: facts["id"] for device, facts in WORKED["keys"].items()
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"delta": -1},
        {"delta": 0},
        {"side": None},
        {"side": "both"},
        {"ordinal": -99},
        {"type": "whistle"},
        {"type": "correction"},
        {"type": "horn", "delta": 0, "ordinal": 0},
        {"type": "timeout", "delta": 0},
        {"type": "period", "side": None, "delta": 0},
        {"home": 1000},
        {"home": 1.5},
        {"home": "1"},
        {"id": "no-ulid"},
        {"venue": "a/b"},
        {"clock": "x" * 17},
        {"frame_sha256": "F" * 64},
        {"t_event_ns": -1},
        {"clock_error_us": -1},
    ],
)
def test_what_the_reader_refuses_the_schema_refuses(changes: dict[str, Any]) -> None:
    """And an unchanged goal neither."""
    payload = {**GOAL, **changes}

    assert is_valid("event", GOAL)
    assert not is_valid("event", payload)
    with pytest.raises(ValidationError):
        EventBody.model_validate_json(json.dumps(payload))


@pytest.mark.parametrize("name", ["version", "boot", "id", "sequence", "side", "t_event_ns", "key"])
def test_what_is_left_out_is_refused_by_both(name: str) -> None:
    """Side and error may be null, never missing."""
    payload = {key: value for key, value in GOAL.items() if key != name}

    assert not is_valid("event", payload)
    with pytest.raises(ValidationError):
        EventBody.model_validate_json(json.dumps(payload))
