"""What a plan's names are looked up in: channels and spots, by id, alias or identifier. Pure."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

NEAREST_LOOKUPS_MAX = 50
"""Wrong names that get "did you mean"; a plan with more was made for another installation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownChannel:
    """A channel airings may be planned on.

    Attributes:
        id: its id.
        timezone: IANA name of the zone its clock hangs in.
        aliases: other names plans give it.
    """

    id: str
    timezone: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSpot:
    """A spot that may be planned.

    Attributes:
        id: its id.
        aliases: other names plans give it.
        identifiers: its Ad-ID, ISCI, clock number and so on.
        length_s: of its recording; None when that is not known.
        doubt: why it may not be heard or told apart from another, with what to do, as one sentence; empty when nothing is known
            against it.
    """

    id: str
    aliases: tuple[str, ...] = ()
    identifiers: tuple[str, ...] = ()
    length_s: float | None = None
    doubt: str = ""


def no_remark(_text: str) -> str:
    """For those who know no identifiers."""
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """The channels and spots of an installation.

    Attributes:
        channels: by id.
        spots: by id.
        remark_of: what an unknown spot's name looks like, as a clause (`it has the form of an Ad-ID`); empty when nothing.
    """

    channels: Mapping[str, KnownChannel]
    spots: Mapping[str, KnownSpot]
    remark_of: Callable[[str], str] = field(default=no_remark)

    @classmethod
    def of(
        cls,
        channels: Iterable[KnownChannel],
        spots: Iterable[KnownSpot],
        *,
        remark_of: Callable[[str], str] = no_remark,
    ) -> "Catalogue":
        """A catalogue of these."""
        return cls(channels={one.id: one for one in channels}, spots={one.id: one for one in spots}, remark_of=remark_of)


class Names:
    """Looks up the names of one kind of thing. An id counts as it is written, other names whatever their case and spaces."""

    def __init__(self, known: Mapping[str, Collection[str]]) -> None:
        self._ids = frozenset(known)
        self._hints: dict[str, tuple[str, ...]] = {}
        self._by_name: dict[str, set[str]] = {}
        for id_, others in known.items():
            for other in others:
                self._by_name.setdefault(_plain(other), set()).add(id_)
        self._spellings: dict[str, str] = {}
        for id_, others in sorted(known.items()):
            for name in (id_, *others):
                self._spellings.setdefault(name.lower(), id_)

    def meant(self, text: str) -> tuple[str, ...]:
        """Ids of what the text names: one when all is well, none when it is unknown, several when it is ambiguous."""
        if text in self._ids:
            return (text,)
        return tuple(sorted(self._by_name.get(_plain(text), ())))

    def nearest(self, text: str) -> tuple[str, ...]:
        """Ids of what is named most alike, at most three."""
        if text not in self._hints:
            if len(self._hints) >= NEAREST_LOOKUPS_MAX:
                return ()
            alike = get_close_matches(text.lower(), self._spellings, n=3, cutoff=0.7)
            self._hints[text] = tuple(dict.fromkeys(self._spellings[name] for name in alike))
        return self._hints[text]


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
