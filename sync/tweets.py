"""The texts of a cue: filling them in, what may not stand in them, and the bytes that leave.

Pure. What X itself makes of a text (its weight, its links) is `sync.tweet_text`.
"""

import functools
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sync.tweet_text import holds_forbidden_characters, link_spans, weight

WEIGHTED_LENGTH_MAX = 280
"""What a tweet may weigh; x.com counts most CJK and emoji twice and every URL as 23."""
CASHTAGS_MAX = 1
"""Source: the self-serve rules of X, 2026."""
POST_USD, LINK_POST_USD = 0.015, 0.200
"""What a post costs, and one with a link in it; a bare domain counts. Source: X's price list, 2026."""

TEAM_FIELDS = ("home", "away", "side", "opponent")
"""Names of sides: configured, never from a device. `side` scored, `opponent` did not."""
SCOREBOARD_FIELDS = {"home_score": "188", "away_score": "188", "period": "8888", "clock": "188:88", "minute": "189"}
"""What the scoreboard fills in, with the longest value each can take."""
FIELDS = (*TEAM_FIELDS, *SCOREBOARD_FIELDS)
"""All that may stand between braces in a goal's text."""
NAME_CHARS_MAX = 50
"""Longest name of a side; used, at double weight, where the fixture's names are not known."""

_FIELD = re.compile(r"\{([^{}]*)\}")
_FROM_DEVICE = re.compile(r"[0-9A-Za-z:.+' -]*")
"""What a scoreboard may put into a tweet: never a mention, a link or a hashtag."""
_MINUTES = re.compile(r"(\d{1,3}):\d\d")
_CASHTAG = re.compile(r"(?<![\w$])\$[A-Za-z]{1,6}(?![A-Za-z])")
_MENTION = re.compile(r"(?<![\w@＠])[@＠](\w{1,20})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class TweetRules:
    """What this installation allows in a tweet.

    Attributes:
        banned_words: words and phrases no tweet may hold, whatever their case.
        mentions: handles a tweet may name, without the @; None allows any.
        disclosures: one of these must stand in each text of a paid partnership; empty asks for none.
    """

    banned_words: tuple[str, ...] = ()
    mentions: frozenset[str] | None = None
    disclosures: tuple[str, ...] = ()


NO_RULES = TweetRules()
"""Nothing is forbidden but what X forbids."""


# --- filling in ---------------------------------------------------------------------------------


@functools.lru_cache(maxsize=4096)
def fields_of(variant: str) -> tuple[str, ...]:
    """The fields a text uses, in their order."""
    return tuple(_FIELD.findall(variant))


def is_template(variant: str) -> bool:
    """Whether the text has fields, so that it reads differently at each goal."""
    return bool(fields_of(variant))


def fill(variant: str, fields: Mapping[str, str]) -> str:
    """The text with its fields filled in, in one pass: a value that looks like a field stays as it is."""
    return _FIELD.sub(lambda match: fields[match.group(1)], variant)


def fillable(variants: Iterable[str], fields: Mapping[str, str]) -> tuple[str, ...]:
    """The texts filled in, without those that use a field which has no value now, and without doubles."""
    return tuple(dict.fromkeys(fill(one, fields) for one in variants if all(fields[name] for name in fields_of(one))))


def minute_of(clock: str) -> str:
    """The minute that runs while a clock that counts up shows this; empty when it shows none."""
    shown = _MINUTES.fullmatch(clock)
    return str(int(shown.group(1)) + 1) if shown else ""


def field_fault(fields: Mapping[str, str]) -> str:
    """Why a scoreboard's values must not go into a tweet; empty when they may."""
    for name, longest in SCOREBOARD_FIELDS.items():
        value = fields.get(name, "")
        if len(value) > len(longest):
            return f"the scoreboard gives {name} as {value[:20]!r}, longer than the {len(longest)} characters that were checked"
        if not _FROM_DEVICE.fullmatch(value):
            return f"the scoreboard gives {name} as {value[:20]!r}, which may not stand in a tweet"
    return ""


# --- judging ------------------------------------------------------------------------------------


def braces_fault(variant: str, known: Iterable[str]) -> str:
    """Why the braces of a text are wrong; empty when they are not."""
    rest = _FIELD.sub("", variant)
    if "{" in rest or "}" in rest:
        return "a brace without its partner"
    wrong = next((name for name in fields_of(variant) if name not in known), None)
    if wrong is None:
        return ""
    names = ", ".join(known)
    return f"{{{wrong}}} is not a field here; known are {names}" if names else f"{{{wrong}}}: only a goal's text has fields"


def text_fault(variant: str, longest: Mapping[str, str], rules: TweetRules, *, paid_partnership: bool) -> str:
    """Why a text could not be posted as it may come out; empty when it could.

    Judged with the longest values its fields can take. Costs about a millisecond: done at import, at
    approval and when a cue is loaded, never while firing.
    """
    text = fill(variant, longest)
    return next(filter(None, _text_faults(text, rules, paid_partnership=paid_partnership)), "")


def _text_faults(text: str, rules: TweetRules, *, paid_partnership: bool) -> Iterator[str]:
    if not text.strip():
        yield "is blank; write what is to be posted"
    if holds_forbidden_characters(text) or any(unicodedata.category(char) == "Cc" and char != "\n" for char in text):
        yield "holds a character that cannot be posted"
    weighted = weight(text)
    if weighted > WEIGHTED_LENGTH_MAX:
        yield f"weighs up to {weighted}, at most {WEIGHTED_LENGTH_MAX} are allowed; shorten it"
    cashtags = _CASHTAG.findall(text)
    if len(cashtags) > CASHTAGS_MAX:
        yield f"holds the cashtags {', '.join(cashtags)}; X allows {CASHTAGS_MAX}"
    allowed = None if rules.mentions is None else {handle.casefold() for handle in rules.mentions}
    stranger = next((name for name in _MENTION.findall(text) if allowed is not None and name.casefold() not in allowed), None)
    if stranger:
        yield f"names @{stranger}; X forbids mentions nobody asked for: take it out, or add it to [tweets] mentions"
    banned = next((word for word in rules.banned_words if _holds_word(text, word)), None)
    if banned:
        yield f"holds the banned word {banned!r}; take it out"
    if paid_partnership and rules.disclosures and not any(_holds_word(text, word) for word in rules.disclosures):
        yield f"is a paid partnership and does not say so; add {' or '.join(rules.disclosures)}"


def text_warnings(variant: str, longest: Mapping[str, str], rules: TweetRules, *, paid_partnership: bool) -> tuple[str, ...]:
    """What a person should know before approving a text that may be posted all the same."""
    text = fill(variant, longest)
    warnings = []
    if link_spans(text):
        warnings.append(f"holds a link: each post costs ${LINK_POST_USD:.3f} instead of ${POST_USD:.3f}")
    said = next((word for word in rules.disclosures if _holds_word(text, word)), None)
    if said and not paid_partnership:
        warnings.append(f"says {said}, but the cue is not marked; set paid_partnership = true")
    return tuple(warnings)


def _holds_word(text: str, word: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(_plain(word))}(?!\w)", _plain(text)) is not None


def _plain(text: str) -> str:
    """For comparing: one case, one composition, no invisible characters, one kind of space."""
    visible = (char for char in unicodedata.normalize("NFKC", text) if unicodedata.category(char) != "Cf")
    return " ".join("".join(visible).casefold().split())


# --- the bytes ----------------------------------------------------------------------------------


def request_body(text: str, *, paid_partnership: bool, media_ids: Sequence[str] = ()) -> str:
    """The JSON body of the one request that posts a text with its media, as it leaves, byte for byte."""
    body: dict[str, object] = {"text": text}
    if media_ids:
        body["media"] = {"media_ids": list(media_ids)}
    if paid_partnership:
        body["paid_partnership"] = True
    return _COMPACT.encode(body)


_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
