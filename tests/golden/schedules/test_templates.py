"""The templates that buyers download are right, and each is recognised as what it is."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from schedules import Catalogue, Choices, Field, KnownChannel, KnownSpot, Severity, read_plan
from schedules.layouts import LAYOUTS

PLANS = Path(__file__).parents[3] / "examples" / "plans"
CATALOGUE = Catalogue.of(
    [KnownChannel(id="kanal-nord", timezone="Europe/Stockholm", aliases=("Kanal Nord", "NORD", "26"))],
    [KnownSpot(id="kaffee-30", aliases=("00000002303",)), KnownSpot(id="kaffee-20"), KnownSpot(id="sparring-15")],
)
SAID = {"ccms": {Field.YEAR: "2027"}, "arl": {Field.DATE: "2027-03-01"}}
LAYOUT_OF = {"30126001.SCH": "ccms", "as-run.arl": "arl", "schedule.bxf.xml": "bxf"}


@pytest.mark.parametrize("file", sorted(PLANS.iterdir()), ids=lambda file: file.name)
def test_a_template_is_a_plan(file: Path) -> None:
    """Nothing to complain about, and every row an airing on the first of March or later."""
    layout = LAYOUT_OF.get(file.name, file.stem)

    plan = read_plan(
        file.read_bytes(),
        name=file.name,
        catalogue=CATALOGUE,
        now_utc=datetime(2027, 2, 1, tzinfo=UTC),
        choices=Choices(constants=SAID.get(layout, {})),
    )

    assert plan.reading.layout == layout
    assert [str(problem) for problem in plan.problems if problem.severity is not Severity.NOTE] == []
    assert plan.airings[0].planned_utc.replace(second=0) == datetime(2027, 3, 1, 19, 15, tzinfo=UTC)


def test_every_layout_has_a_template() -> None:
    """And the other way round."""
    assert {LAYOUT_OF.get(file.name, file.stem) for file in PLANS.iterdir()} == {layout.name for layout in LAYOUTS}
