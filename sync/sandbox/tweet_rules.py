"""What X accepts in the body of POST /2/tweets."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from sync.sandbox import problems
from sync.tweet_text import weight

_TEXT_WEIGHT_MAX = 280
_REPLY_SETTINGS = frozenset({"following", "mentionedUsers", "subscribers", "verified", "everyone"})


def check_tweet(body: bytes) -> dict[str, Any]:
    """The tweet's fields.

    Raises:
        Problem: 400 for JSON that is none, unknown fields and wrong values; 403 for a text that is too long.
    """
    try:
        fields = json.loads(body)
    except ValueError as error:
        raise problems.invalid("body", "", "The request body is not valid JSON.") from error
    if not isinstance(fields, dict):
        raise problems.invalid("body", type(fields).__name__, "The request body must be a JSON object.")
    _check_object(fields, _FIELDS, "")
    if not any(fields.get(name) for name in ("text", "media", "poll", "quote_tweet_id", "card_uri", "direct_message_deep_link")):
        raise problems.invalid("text", "", "A Tweet needs text, media, a poll, a quote or a card.")
    if "media" in fields and "poll" in fields:
        raise problems.invalid("poll", "", "A Tweet has either media or a poll.")
    if weight(fields.get("text", "")) > _TEXT_WEIGHT_MAX:
        raise problems.too_long()
    return fields


Check = Callable[[str, Any], None]


def _check_object(value: object, fields: Mapping[str, Check], path: str) -> None:
    if not isinstance(value, dict):
        raise problems.invalid(f"$.{path.rstrip('.')}", value, f"$.{path.rstrip('.')}: is not an object")
    for name, given in value.items():
        if name not in fields:
            raise problems.invalid(
                f"{path}{name}", given, f"$.{path}{name}: is not defined in the schema and additional properties are not allowed"
            )
        fields[name](f"{path}{name}", given)


def _object(fields: Mapping[str, Check]) -> Check:
    return lambda path, value: _check_object(value, fields, path + ".")


def _requires(accept: Callable[[Any], bool], wanted: str) -> Check:
    def check(path: str, value: Any) -> None:
        if not accept(value):
            raise problems.invalid(path, value, f"$.{path}: must be {wanted}")

    return check


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 19


def _is_ids(value: Any, *, most: int, least: int = 1) -> bool:
    return isinstance(value, list) and least <= len(value) <= most and all(map(_is_id, value))


def _is_options(value: Any) -> bool:
    return isinstance(value, list) and 2 <= len(value) <= 4 and all(isinstance(it, str) and 1 <= len(it) <= 25 for it in value)


def _is_minutes(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 5 <= value <= 10_080


_TEXT = _requires(lambda value: isinstance(value, str), "a string")
_BOOLEAN = _requires(lambda value: isinstance(value, bool), "a boolean")
_ID = _requires(_is_id, "a numeric string")

_FIELDS: Mapping[str, Check] = {
    "text": _TEXT,
    "media": _object(
        {
            "media_ids": _requires(lambda value: _is_ids(value, most=4), "1 to 4 numeric strings"),
            "tagged_user_ids": _requires(lambda value: _is_ids(value, most=10, least=0), "at most 10 numeric strings"),
        }
    ),
    "poll": _object(
        {
            "options": _requires(_is_options, "2 to 4 strings of at most 25 characters"),
            "duration_minutes": _requires(_is_minutes, "a whole number from 5 to 10080"),
            "reply_settings": _requires(_REPLY_SETTINGS.__contains__, "a known reply setting"),
        }
    ),
    "reply": _object(
        {
            "in_reply_to_tweet_id": _ID,
            "exclude_reply_user_ids": _requires(lambda value: _is_ids(value, most=50, least=0), "numeric strings"),
            "auto_populate_reply_metadata": _BOOLEAN,
        }
    ),
    "quote_tweet_id": _ID,
    "reply_settings": _requires(lambda value: isinstance(value, str) and value in _REPLY_SETTINGS, "a known reply setting"),
    "community_id": _ID,
    "share_with_followers": _BOOLEAN,
    "geo": _object({"place_id": _TEXT}),
    "nullcast": _BOOLEAN,
    "for_super_followers_only": _BOOLEAN,
    "card_uri": _TEXT,
    "direct_message_deep_link": _TEXT,
    "edit_options": _object({"previous_post_id": _ID}),
    "made_with_ai": _BOOLEAN,
    "paid_partnership": _BOOLEAN,
}
"""Source: xdevplatform/docs, OpenAPI 2.167 (August 2026)."""
