"""The documentation says what is there: links lead somewhere, commands exist and are listed."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from console import cli

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
cli._register()
COMMAND = typer.main.get_command(cli.app)


def words(command: object, prefix: str = "") -> list[str]:
    """Every command a person may type, hidden ones left out."""
    found: list[str] = []
    for name, child in sorted(getattr(command, "commands", {}).items()):
        if not child.hidden:
            found += words(child, f"{prefix}{name} ") if getattr(child, "commands", None) else [f"{prefix}{name}"]
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a page names a file or folder."""
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]

    assert missing == []


@pytest.mark.parametrize("command", words(COMMAND))
def test_every_command_is_documented(command: str) -> None:
    """The command line's page names it."""
    group, _, verb = command.partition(" ")
    lines = [line for line in (ROOT / "docs" / "cli.md").read_text().splitlines() if line.startswith(f"| `cuebird {group}")]

    assert any(verb in re.split(r"[\s|\\`]+", line) for line in lines) if verb else lines, f"cuebird {command}"


def test_the_readme_names_only_commands_that_exist() -> None:
    """Nobody types a line of the README in vain."""
    known = words(COMMAND)
    typed = re.findall(r"^\.venv/bin/cuebird (.+?)(?:\s+#.*)?$", (ROOT / "README.md").read_text(), flags=re.MULTILINE)

    assert len(typed) >= 6
    for line in typed:
        name = " ".join(shlex.split(line)[:2])
        assert any(name == one or name.startswith(f"{one} ") for one in known), line


@pytest.mark.parametrize("target", ["demo", "test", "check"])
def test_the_two_commands_and_the_quick_loop_are_targets(target: str) -> None:
    """What the README tells to make can be made, and explains itself."""
    assert re.search(rf"^{target}:.*## \w+", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)


def test_decisions_are_numbered_without_gaps_or_doubles() -> None:
    """Each decision has a number of its own."""
    numbers = sorted(int(page.name[:4]) for page in (ROOT / "docs" / "adr").glob("*.md"))

    assert numbers == list(range(1, len(numbers) + 1))
