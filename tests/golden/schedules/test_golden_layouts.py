"""Files as other tools and their users make them: what each row means, and every complaint, written out beside them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fingerprints.identifiers import near_miss
from schedules import Catalogue, Choices, Field, KnownChannel, KnownSpot, Plan, Severity, read_plan

HERE = Path(__file__).parent / "layouts"
TEMPLATES = Path(__file__).parents[3] / "examples" / "plans"
EXPECTED = json.loads((HERE / "expected.json").read_text())
CATALOGUE = Catalogue.of(
    [KnownChannel(id="kanal-nord", timezone="Europe/Stockholm", aliases=("Kanal Nord", "NORD", "26"))],
    [
        KnownSpot(id="kaffee-30", aliases=("Nordkaffee Spring 30", "00000002303"), identifiers=("ABCD1234", "ABCD1234000H")),
        KnownSpot(id="kaffee-20", length_s=19.6),
        KnownSpot(id="sparring-15"),
    ],
    remark_of=near_miss,
)


def understood(file: Path, constants: dict[str, str]) -> dict[str, Any]:
    """All that is made of a file, in a form that JSON can hold."""
    choices = Choices(constants={Field(name): value for name, value in constants.items()})

    def read(data: bytes) -> Plan:
        return read_plan(data, name=file.name, catalogue=CATALOGUE, now_utc=datetime(2027, 2, 1, tzinfo=UTC), choices=choices)

    plan = read(file.read_bytes())
    return {
        "constants": constants,
        "layout": plan.reading.layout,
        "date_order": plan.reading.date_order,
        "airings": {airing.row: f"{airing.airing_id} {airing.planned_utc:%Y-%m-%dT%H:%M:%SZ}" for airing in plan.airings},
        "complaints": [f"{one.severity} {one}" for one in plan.problems if one.severity is not Severity.NOTE],
        "notes": [str(one) for one in plan.problems if one.severity is Severity.NOTE],
    }


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_file_means_what_is_written_beside_it(name: str) -> None:
    """Airings by row, complaints in full, notes in full."""
    expected = EXPECTED[name]

    file = TEMPLATES / name.removeprefix("examples/") if name.startswith("examples/") else HERE / name
    found = json.loads(json.dumps(understood(file, expected["constants"])))

    assert found == expected


def test_every_file_has_its_expectation() -> None:
    """And the other way round."""
    templates = {f"examples/{file.name}" for file in TEMPLATES.iterdir()}
    assert {file.name for file in HERE.iterdir()} - {"expected.json"} | templates == set(EXPECTED)
