"""Identifiers of spots, checked by their grammar: Ad-ID, ISCI, UK clock number, PubID and IDcrea.

A mistyped identifier is found when a spot is added, not when the as-run report does not add up. Only the form is checked; no
registry is asked.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fingerprints.errors import SpotError


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """One kind of identifier.

    Attributes:
        key: its name in files and on the command line.
        name: its name for people.
        form: what it must look like.
        example: one that does.
        says: the form in words.
    """

    key: str
    name: str
    form: re.Pattern[str]
    example: str
    says: str


SCHEMES: Final[tuple[Scheme, ...]] = (
    Scheme(
        key="ad_id",
        name="Ad-ID",
        form=re.compile(r"[A-Z1-9][A-Z0-9]{10}[HD]?"),
        example="ABCD1234000H",
        says="11 letters and digits, the first never 0, and an H (HD) or D (3D) after them if need be",
    ),
    Scheme(
        key="isci",
        name="ISCI",
        form=re.compile(r"[A-Z]{4}[0-9]{4}"),
        example="ABCD1234",
        says="4 letters and 4 digits",
    ),
    Scheme(
        key="clock_number",
        name="UK clock number",
        form=re.compile(r"[A-Z0-9]{3}/[A-Z0-9]{4}[0-9]{3}/[0-9]{3}"),
        example="DIR/CORP001/030",
        says="3 letters or digits of the agency, 4 of the client and 3 digits, 3 digits of seconds, with / between them",
    ),
    Scheme(
        key="pub_id",
        name="PubID",
        form=re.compile(r"FR_[A-Z0-9]{4}_[A-Z0-9]{4}_[A-Z0-9]{4}_[0-9]{4}_[0-9]{3}_[A-Z]"),
        example="FR_ABCD_EFGH_IJKL_0001_030_F",
        says="FR, three times 4 letters or digits, 4 digits, 3 digits of seconds and a letter, with _ between them",
    ),
    Scheme(
        key="id_crea",
        name="IDcrea",
        form=re.compile(r"AV-[A-Z0-9]{10}-[0-9]{4}"),
        example="AV-AGEN123456-0025",
        says="AV, 10 letters and digits, 4 digits of seconds, with - between them",
    ),
)
"""Source: the registries' public descriptions of each (Ad-ID, ISCI, Clearcast, ARPP)."""

KEYS: Final = tuple(scheme.key for scheme in SCHEMES)


def checked(identifiers: Mapping[str, str]) -> dict[str, str]:
    """Identifiers in capital letters, each in the form of its kind; empty ones left out.

    Args:
        identifiers: by the kind's key.

    Raises:
        SpotError: an unknown kind, or one that is not in its form; the sentence shows the form and an example.
    """
    schemes = {scheme.key: scheme for scheme in SCHEMES}
    found: dict[str, str] = {}
    for key, text in identifiers.items():
        if key not in schemes:
            raise SpotError(f"{key!r}: no known kind of identifier; use one of {', '.join(schemes)}")
        value = text.strip().upper()
        if not value:
            continue
        scheme = schemes[key]
        if not scheme.form.fullmatch(value):
            raise SpotError(f"{scheme.name} {text.strip()!r}: not in its form: {scheme.says}, such as {scheme.example}")
        found[key] = value
    return found


def seconds_in(identifiers: Mapping[str, str]) -> dict[str, int]:
    """The length each identifier claims, in seconds, for the kinds that hold one.

    Args:
        identifiers: as `checked` returns them.
    """
    claims: dict[str, int] = {}
    if "clock_number" in identifiers:
        claims["clock_number"] = int(identifiers["clock_number"].rsplit("/", 1)[1])
    if "pub_id" in identifiers:
        claims["pub_id"] = int(identifiers["pub_id"].split("_")[5])
    if "id_crea" in identifiers:
        claims["id_crea"] = int(identifiers["id_crea"].rsplit("-", 1)[1])
    return claims


def form_of(text: str) -> str:
    """What kinds of identifier a text has the form of, for people: `an Ad-ID`; empty when of none."""
    plain = text.strip().upper()
    kinds = [scheme.name for scheme in SCHEMES if scheme.form.fullmatch(plain)]
    return " or ".join(f"{'an' if name[0] in 'AI' else 'a'} {name}" for name in kinds)


def near_miss(text: str) -> str:
    """How a text that nearly is an identifier breaks its form, as a sentence's part; empty when it is one, or nothing like one.

    Only kinds with marks of their own (`/`, `_`, `AV-`) can be told from an ordinary name.
    """
    plain = text.strip().upper()
    if form_of(plain):
        return ""
    for key, looks in _LOOKS.items():
        scheme = next(scheme for scheme in SCHEMES if scheme.key == key)
        if looks.match(plain):
            return f"it is no {scheme.name}, which must be {scheme.says}, such as {scheme.example}"
    return ""


_LOOKS: Final = {
    "clock_number": re.compile(r"[A-Z0-9]{2,4}/[A-Z0-9]{5,9}/"),
    "pub_id": re.compile(r"FR_"),
    "id_crea": re.compile(r"AV-[A-Z0-9]{6}"),
}
"""How a text begins that was meant to be an identifier of that kind."""
