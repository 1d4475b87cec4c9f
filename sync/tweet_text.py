"""What X makes of a text: its weight, its links, what may not stand in it.

Source: twitter-text-parser, which passes X's own conformance cases. It is loaded at the first use, since
it takes a while, and it still asks setuptools for its tables, which warns of that at each import.
"""

import warnings
from functools import cache, lru_cache
from types import ModuleType


@cache
def _parser() -> ModuleType:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        import twitter_text
        import twitter_text.has_invalid_characters
    return twitter_text  # type: ignore[no-any-return]  # the library is not typed


@lru_cache(maxsize=4096)
def weight(text: str) -> int:
    """The weighted length, of which 280 are allowed: a link counts 23, most CJK letters and emoji 2."""
    return int(_parser().parse_tweet(text).weightedLength)


def holds_forbidden_characters(text: str) -> bool:
    """Whether a character stands in it that X refuses, such as a change of direction."""
    return bool(_parser().has_invalid_characters.has_invalid_characters(text))


def link_spans(text: str) -> list[tuple[int, int]]:
    """Start and end of each part that X takes for a link, in order."""
    return [(start, end) for start, end in (found["indices"] for found in _parser().extract_urls_with_indices(text))]
