from datetime import UTC, datetime, timedelta

from schedules import Airing, Supply, shortages

NOW = datetime(2027, 3, 1, tzinfo=UTC)


def airing(day: int, spot: str = "kaffee-30", channel: str = "nord") -> Airing:
    planned = NOW + timedelta(days=day)
    return Airing(
        airing_id=f"{channel}/{spot}/{day}/1", channel=channel, spot_id=spot, number=1, planned_utc=planned, opens_utc=planned,
        closes_utc=planned, raw="", row=day + 10,
    )  # fmt: skip


def supply(texts_left: int) -> Supply:
    return Supply(cue_id="spring", channel="nord", spot_ids=frozenset({"kaffee-30", "kaffee-20"}), texts_left=texts_left)


def test_the_first_airing_without_a_text_is_named() -> None:
    """Two texts for three airings: the third fires nothing."""
    (problem,) = shortages([airing(3), airing(1), airing(2)], [supply(2)], now_utc=NOW)

    assert str(problem) == (
        "row 13: the cue spring has 2 approved texts left for 3 airings to come; from this one on it fires nothing; "
        "give it more variants and have them approved"
    )


def test_enough_texts_need_no_word() -> None:
    """Nor do other spots, other channels, or airings that are over."""
    airings = [airing(1), airing(2), airing(3, spot="x"), airing(4, channel="sud"), airing(-1)]

    assert list(shortages(airings, [supply(2)], now_utc=NOW)) == []


def test_airings_of_other_plans_use_texts_too() -> None:
    """The row is one of this plan."""
    (problem,) = shortages([airing(3)], [supply(1)], others=[airing(1), airing(2, spot="kaffee-20")], now_utc=NOW)

    assert problem.row == 13
    assert "1 approved text left for 3 airings" in problem.reason
    assert list(shortages([airing(1)], [supply(1)], others=[airing(2)], now_utc=NOW)) == []


def test_no_text_at_all_is_said_so() -> None:
    """An unapproved cue has none left."""
    (problem,) = shortages([airing(1)], [supply(0)], now_utc=NOW)

    assert "has no approved text left for 1 airing to" in problem.reason
