"""`cuebird cues`: what a person sees, and what lies in the ledger afterwards."""

import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from console.commands import cues as command
from schedules.airing import Airing
from sync.conditions import SpotCondition
from sync.errors import ApprovalError, CueError
from sync.ledger import Ledger
from sync.plan_versions import PlanSource, PlanVersions
from tests.media_makers import png

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture
def cues(tmp_path: Path) -> Callable[..., Result]:
    """Runs `cuebird cues` with the demonstration's configuration and a state folder of its own."""
    shutil.copy(EXAMPLES / "cues.toml", tmp_path / "cues.toml")
    text = (EXAMPLES / "cuebird.toml").read_text().replace("../var/demo", str(tmp_path / "state"))
    (tmp_path / "media" / "spots").mkdir(parents=True)
    (tmp_path / "cuebird.toml").write_text(text)

    app = typer.Typer()
    command.register(app)

    def run(*words: str) -> Result:
        return CliRunner().invoke(app, ["cues", *words, "--config", str(tmp_path / "cuebird.toml")], catch_exceptions=True)

    return run


def test_import_list_approve(cues: Callable[..., Result], tmp_path: Path) -> None:
    """Imported cues wait for an approval; an approved one says by whom; a second import changes nothing."""
    first = json.loads(cues("import", str(tmp_path / "cues.toml"), "--json").output)
    assert first["new"]
    assert sorted(first["new"]) == sorted(first["unapproved"])
    shown = cues("approve", first["new"][0], "--by", "ops")
    assert shown.exit_code == 0
    assert "approved by ops" in shown.output
    again = json.loads(cues("import", str(tmp_path / "cues.toml"), "--json").output)
    assert (again["new"], len(again["unchanged"])) == ([], len(first["new"]))
    listed = {one["cue_id"]: one["approved_by"] for one in json.loads(cues("list", "--json").output)["cues"]}
    assert listed[first["new"][0]] == "ops"
    assert list(listed.values()).count("") == len(listed) - 1


def test_hold_and_rearm(cues: Callable[..., Result], tmp_path: Path) -> None:
    """A held cue is held in the ledger, with its reason, until it is rearmed."""
    cues("import", str(tmp_path / "cues.toml"))
    cues("hold", "goal-home", "--by", "ops", "--reason", "wrong match")
    ledger = Ledger.open(tmp_path / "state" / "ledger.db")
    assert {one.hold_reason for one in ledger.cues() if one.cue.cue_id == "goal-home"} == {"wrong match"}
    assert "wrong match" in cues("list", "--json").output
    assert cues("rearm", "goal-home", "--by", "ops").exit_code == 0
    assert {one.hold_reason for one in ledger.cues()} == {""}
    ledger.close()


def test_mistakes_are_sentences(cues: Callable[..., Result], tmp_path: Path) -> None:
    """A missing file, a wrong reference, an author's approval: an error the command line prints as one sentence."""
    assert isinstance(cues("import", str(tmp_path / "none.toml")).exception, CueError)
    wrong = (tmp_path / "cues.toml").read_text().replace('account = "eisbank"', 'account = "nobody"')
    (tmp_path / "wrong.toml").write_text(wrong)
    error = cues("import", str(tmp_path / "wrong.toml")).exception
    assert isinstance(error, CueError)
    assert "'nobody' is not configured" in str(error)
    assert "No cues yet" in cues("list").output
    cues("import", str(tmp_path / "cues.toml"))
    assert isinstance(cues("approve", "goal-home", "--by", "jonas@eisbank.example").exception, ApprovalError)


def test_show_tells_everything(cues: Callable[..., Result], tmp_path: Path) -> None:
    """What an approver should see: texts, conditions, limits, who approves it until when, and what to mind."""
    text = (tmp_path / "cues.toml").read_text()
    rich = text.replace(
        'id = "goal-away"', 'id = "goal-away"\npriority = 7\nconfirm_ms = 2000\nconfirm_restart = true\ncampaign = "final"', 1
    ).replace('side = "away"', 'side = "away"\nscore_states = ["equaliser"]\ngoals = [1, 2]\nperiods = ["3"]\nevery = 2')
    rich = rich.replace("Quiet in our corner", "Quiet in our corner, see example.com")
    (tmp_path / "rich.toml").write_text(rich)
    imported = cues("import", str(tmp_path / "rich.toml"))
    assert "goal-away: mind that variants[2]: holds a link: each post costs $0.200 instead of $0.015" in imported.output
    cues("approve", "goal-away", "--by", "ops")
    shown = cues("show", "goal-away").output
    for words in (
        "fires on:    goal, final, away; every 2nd; equaliser; number 1, 2; period 3",
        "account:     eisbank, campaign final, priority 7",
        "once the goal has stood for 2000 ms, once play has gone on",
        "marked as:   paid partnership",
        "variant 1:   {away} score",
        "approved:    by ops until 20",
        "mind that variants[2]: holds a link",
    ):
        assert words in shown, words
    facts = json.loads(cues("show", "goal-away", "--json").output)
    assert (facts["priority"], facts["approved"], [one["approved_by"] for one in facts["approvals"]]) == (7, True, ["ops"])
    assert isinstance(cues("show", "nobody").exception, CueError)


def test_two_approvers_and_several_rearmed(cues: Callable[..., Result], tmp_path: Path) -> None:
    """The configuration asks for two: the first approval says that another is needed; `rearm` takes several cues."""
    config = tmp_path / "cuebird.toml"
    config.write_text(config.read_text().replace("[publisher]", "[approval]\napprovers = 2\nvalid_days = 3\n\n[publisher]", 1))
    cues("import", str(tmp_path / "cues.toml"))
    first = cues("approve", "goal-home", "--by", "anna")
    assert "It needs 1 more approval by somebody else" in first.output
    assert "1 of 2, by anna" in cues("show", "goal-home").output
    second = cues("approve", "goal-home", "--by", "bert")
    assert "more approval" not in second.output
    assert "by anna, bert until 20" in cues("show", "goal-home").output
    for cue_id in ("goal-home", "goal-away"):
        cues("hold", cue_id, "--by", "ops", "--reason", "wrong match")
    assert cues("rearm", "goal-home", "goal-away", "--by", "ops").exit_code == 0
    assert {one["hold_reason"] for one in json.loads(cues("list", "--json").output)["cues"]} == {""}


def test_rules_of_the_configuration_hold_at_import_and_at_approval(cues: Callable[..., Result], tmp_path: Path) -> None:
    """A word that is banned after the import stops the approval; a file that holds it cannot be imported."""
    cues("import", str(tmp_path / "cues.toml"))
    config = tmp_path / "cuebird.toml"
    config.write_text(config.read_text().replace("[publisher]", '[tweets]\nbanned_words = ["kettle"]\n\n[publisher]', 1))
    for words in (("approve", "kaffee-spot", "--by", "ops"), ("import", str(tmp_path / "cues.toml"))):
        error = cues(*words).exception
        assert isinstance(error, ApprovalError | CueError)
        assert "cue kaffee-spot: variants[6]: holds the banned word 'kettle'; take it out" in str(error)


def test_media_are_imported_shown_and_approved_with_the_text(cues: Callable[..., Result], tmp_path: Path) -> None:
    """Each text is shown with what goes with it; without its copy a cue is not approved."""
    (tmp_path / "cup.png").write_bytes(png())
    lines = (
        (tmp_path / "cues.toml")
        .read_text()
        .replace(
            'id = "kaffee-spot"',
            'id = "kaffee-spot"\nmedia = [{ file = "cup.png", alt = "a cup", variants = [2] }]\nmedia_fallback = "text"',
        )
    )
    (tmp_path / "cues.toml").write_text(lines)
    assert cues("import", str(tmp_path / "cues.toml")).exit_code == 0
    (copy,) = (tmp_path / "state" / "media").iterdir()
    shown = cues("show", "kaffee-spot").output
    before, _, after = shown.partition("with:")
    assert "variant 2:" in before
    assert "variant 3:" not in before
    assert f"cup.png (image/png, 64×48, 0 kB, SHA-256 {copy.stem[:12]}…), alt: a cup" in after
    assert "when the media is not ready at X, the text leaves alone" in after
    approved = cues("approve", "kaffee-spot", "--by", "ops")
    assert "cup.png (image/png" in approved.output
    copy.unlink()
    with pytest.raises(ApprovalError, match=r"cup\.png: its copy .* cannot be read"):
        raise cues("approve", "kaffee-spot", "--by", "eve").exception or AssertionError
    assert cues("import", str(tmp_path / "cues.toml")).exit_code == 0
    assert cues("approve", "kaffee-spot", "--by", "eve").exit_code == 0


def test_a_picture_x_would_refuse_stops_the_import(cues: Callable[..., Result], tmp_path: Path) -> None:
    """With the cue, the file, the value and what to do."""
    (tmp_path / "cup.png").write_bytes(b"not a picture")
    text = (tmp_path / "cues.toml").read_text()
    (tmp_path / "cues.toml").write_text(text.replace('id = "kaffee-spot"', 'id = "kaffee-spot"\nmedia = [{ file = "cup.png" }]'))
    with pytest.raises(CueError, match=r"cue kaffee-spot: media: .*cup\.png: neither a picture nor a video X takes"):
        raise cues("import", str(tmp_path / "cues.toml")).exception or AssertionError


def test_an_approval_is_withdrawn_by_whoever_gave_it(cues: Callable[..., Result], tmp_path: Path) -> None:
    """From then on the cue waits; whoever has not approved it is told who has."""
    cues("import", str(tmp_path / "cues.toml"))
    cues("approve", "goal-home", "--by", "ops")
    shown = cues("withdraw", "goal-home", "--by", "ops", "--reason", "wrong sponsor")
    assert shown.output == "goal-home: the approval by ops is withdrawn; it fires nothing until it is approved again.\n"
    listed = {one["cue_id"]: one["approved"] for one in json.loads(cues("list", "--json").output)["cues"]}
    assert not listed["goal-home"]
    again = cues("withdraw", "goal-home", "--by", "ops")
    assert isinstance(again.exception, ApprovalError)
    assert "`cuebird cues show goal-home` says who has" in str(again.exception)


def test_an_approval_that_ends_before_a_planned_window_is_warned_of(cues: Callable[..., Result], tmp_path: Path) -> None:
    """`list` says which window; one whose plan ends before is not warned of."""
    cues("import", str(tmp_path / "cues.toml"))
    ledger = Ledger.open(tmp_path / "state" / "ledger.db")
    cue = next(one.cue for one in ledger.cues() if isinstance(one.cue.on, SpotCondition))
    ledger.approve_cue(cue.cue_id, approved_by="ops", valid_for=timedelta(hours=2))
    assert isinstance(cue.on, SpotCondition)
    now_utc = ledger.clock.utc()

    def plan(hours: int) -> None:
        opens_utc = now_utc + timedelta(hours=hours)
        assert isinstance(cue.on, SpotCondition)
        airing = Airing(
            airing_id="one",
            channel=cue.on.channel,
            spot_id=cue.on.spots[0],
            number=1,
            planned_utc=opens_utc,
            opens_utc=opens_utc,
            closes_utc=opens_utc + timedelta(minutes=30),
            raw="",
            row=1,
        )
        PlanVersions(ledger).commit("plan", [airing], PlanSource(actor="planner"))

    plan(1)
    assert "mind that" not in cues("list").output
    plan(3)
    shown = cues("list").output
    assert f"{cue.cue_id}: mind that its approval ends" in shown
    assert f"before the window of {now_utc + timedelta(hours=3):%Y-%m-%d %H:%M} UTC closes" in shown
    told = {one["cue_id"]: one["approval_warning"] for one in json.loads(cues("list", "--json").output)["cues"]}
    assert told[cue.cue_id].startswith("its approval ends")
    ledger.close()
