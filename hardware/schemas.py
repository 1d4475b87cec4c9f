"""The JSON Schemas of the signed messages, made from the models that read them; docs/schemas has them as files.

The models are the one truth. What fields say together is added here, because a model says it in code.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from hardware.messages import VERSION, EventBody, StateBody

MESSAGES: Mapping[str, type[EventBody | StateBody]] = MappingProxyType({"event": EventBody, "state": StateBody})
"""Every message that travels signed, by its topic's last word."""

JsonSchema = dict[str, Any]


def file_name(message: str) -> str:
    """The name of the schema's file in docs/schemas."""
    return f"{message}-{VERSION}.json"


def message_schema(message: str) -> JsonSchema:
    """The JSON Schema (draft 2020-12) of a message's payload, what follows the envelope's line.

    All that a reader accepts is valid by it. The other way round one rule has no words in JSON Schema: an event's
    `ordinal` is the points of its side.
    """
    schema = _without_titles(MESSAGES[message].model_json_schema())
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:cuebird:message:{message}:{VERSION}",
        "title": f"Cuebird {message}, version {VERSION}",
        **schema,
        **(
            {"allOf": [_changes("goal", minimum=1), _changes("correction", maximum=-1), *_CHANGES_NOTHING]}
            if message == "event"
            else {}
        ),
    }


def _changes(kind: str, **delta: int) -> JsonSchema:
    sided = {"side": {"enum": ["home", "away"]}, "delta": delta}
    return {"if": {"properties": {"type": {"const": kind}}}, "then": {"properties": sided}}


_CHANGES_NOTHING = (
    {
        "if": {"properties": {"type": {"enum": ["period", "restart", "stop", "horn", "timeout", "trigger"]}}},
        "then": {"properties": {"delta": {"const": 0}, "ordinal": {"const": 0}}},
    },
    {
        "if": {"properties": {"type": {"enum": ["period", "restart", "stop", "horn", "trigger"]}}},
        "then": {"properties": {"side": {"const": None}}},
    },
    {
        "if": {"properties": {"type": {"const": "trigger"}}},
        "then": {"required": ["name"], "properties": {"name": {"minLength": 1}}},
        "else": {"properties": {"name": {"const": ""}}},
    },
)


def _without_titles(schema: Any) -> Any:
    """The schema without the titles that repeat each field's name."""
    if isinstance(schema, dict):
        return {
            key: {name: _without_titles(one) for name, one in value.items()}
            if key in ("properties", "$defs")
            else _without_titles(value)
            for key, value in schema.items()
            if key != "title"
        }
    return [_without_titles(one) for one in schema] if isinstance(schema, list) else schema
