"""Finding our own tweet in an account's timeline, although x.com rewrites what was posted. Pure."""

import html
import re
import unicodedata
from collections.abc import Iterable
from datetime import datetime

from sync.posting import TimelineTweet
from sync.tweet_text import link_spans

TWITTER_EPOCH_MS = 1_288_834_974_657
"""Instant zero of tweet ids, in milliseconds since 1970. Source: Twitter's Snowflake, 2010."""
_SHORT_LINK = r"https?://t\.co/[0-9A-Za-z]+"


def since_id(after_utc: datetime) -> int:
    """The id that every tweet made after that instant exceeds."""
    return max(0, int(after_utc.timestamp() * 1000) - TWITTER_EPOCH_MS) << 22


def find(text: str, tweets: Iterable[TimelineTweet], *, known: frozenset[str], after_utc: datetime) -> str | None:
    """The id of the oldest tweet that says `text`, was made after that instant and belongs to no other firing."""
    pattern = _pattern(text)
    ours = [
        tweet
        for tweet in tweets
        if tweet.tweet_id not in known and tweet.created_utc >= after_utc and pattern.fullmatch(_plain(tweet.text))
    ]
    return min(ours, key=lambda tweet: int(tweet.tweet_id)).tweet_id if ours else None


def _plain(text: str) -> str:
    """What a reader sees: entities resolved, composed, runs of spaces as one."""
    return " ".join(unicodedata.normalize("NFC", html.unescape(text)).split())


def _pattern(text: str) -> re.Pattern[str]:
    """Matches the text with each of its links shortened or not, and perhaps a link to its media at the end."""
    plain = _plain(text)
    parts, end = list[str](), 0
    for start, stop in link_spans(plain):
        parts += [re.escape(plain[end:start]), f"(?:{_SHORT_LINK}|{re.escape(plain[start:stop])})"]
        end = stop
    parts += [re.escape(plain[end:]), rf"(?: {_SHORT_LINK})?"]
    return re.compile("".join(parts))
