"""Finding our own tweet although the service rewrites what was posted."""

from datetime import UTC, datetime, timedelta

import pytest

from sync.posting import TimelineTweet
from sync.timeline import TWITTER_EPOCH_MS, find, since_id

CLAIMED = datetime(2027, 3, 1, 12, tzinfo=UTC)


def tweet(text: str, *, tweet_id: str = "7", second: float = 1) -> TimelineTweet:
    return TimelineTweet(tweet_id=tweet_id, text=text, created_utc=CLAIMED + timedelta(seconds=second))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("Goal! 1:0", "Goal! 1:0"),
        ("Salt & pepper <3", "Salt &amp; pepper &lt;3"),
        ("See https://kaffee.com/now today", "See https://t.co/Ab12 today"),
        ("See kaffee.com today", "See https://t.co/Ab12 today"),
        ("Picture", "Picture https://t.co/Ab12"),
        ("two  spaces\nand a line", "two spaces\nand a line"),
        ("cafe\u0301", "café"),
    ],
)
def test_rewritten_text_is_recognised(ours: str, theirs: str) -> None:
    """Entities, shortened links, media links, spaces and composed letters do not hide it."""
    assert find(ours, [tweet(theirs)], known=frozenset(), after_utc=CLAIMED) == "7"


@pytest.mark.parametrize("theirs", ["Goal! 1:1", "Goal! 1:0!", "RT Goal! 1:0", "Goal!"])
def test_other_text_is_not_ours(theirs: str) -> None:
    """Nearly the same is not the same."""
    assert find("Goal! 1:0", [tweet(theirs)], known=frozenset(), after_utc=CLAIMED) is None


def test_earlier_and_known_tweets_are_not_ours() -> None:
    """A tweet from before the claim, or of another firing, is passed over; of several the oldest counts."""
    tweets = [tweet("x", tweet_id="9"), tweet("x", tweet_id="8"), tweet("x", tweet_id="5", second=-1), tweet("x", tweet_id="6")]
    assert find("x", tweets, known=frozenset({"6"}), after_utc=CLAIMED) == "8"


def test_since_id_is_the_first_id_of_its_millisecond() -> None:
    """Every id made after the instant is greater."""
    millis = int(CLAIMED.timestamp() * 1000) - TWITTER_EPOCH_MS
    assert since_id(CLAIMED) == millis << 22
    assert since_id(datetime(2001, 1, 1, tzinfo=UTC)) == 0
