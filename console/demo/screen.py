"""What the demonstration shows in the terminal: its beginnings, each firing with its instants, the judgement."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console as Terminal
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from console.demo.stage import OPERATOR, Stage
from console.demo.verdict import Verdict

COLOURS = {"POSTED": "green", "REFUSED": "red", "UNKNOWN": "yellow", "NOT_SENT": "red", "DECLINED": "bright_black"}
STEPS = ("heard", "decided", "claimed", "first_byte", "answered")
WORDS = {"heard": "heard", "decided": "decided", "claimed": "claimed", "first_byte": "first byte", "answered": "answered"}
TEXT_LETTERS_MAX = 60


class Screen:
    """Prints the story as it happens; says nothing when quiet."""

    def __init__(self, terminal: Terminal, *, quiet: bool) -> None:
        self._terminal, self._quiet = terminal, quiet

    def say(self, text: str) -> None:
        """One line of the story; may hold markup."""
        if not self._quiet:
            self._terminal.print(text, highlight=False)

    def opening(self, stage: Stage) -> None:
        """Where to look and how to log in."""
        if self._quiet:
            return
        lines = Table.grid(padding=(0, 2))
        lines.add_row("live page", f"[link={stage.console_url}]{stage.console_url}[/link]")
        lines.add_row("log in as", f"[bold]{OPERATOR}[/bold]   password  [bold]{stage.password}[/bold]")
        lines.add_row("what X would show", f"[link={stage.page_url}]{stage.page_url}[/link]")
        lines.add_row("logs", str(stage.folder / "log"))
        self._terminal.print(Panel(lines, title="Cuebird", title_align="left", expand=False))

    def firing(self, firing: Mapping[str, Any]) -> None:
        """A firing in its newest state, with the milliseconds from on air (or from the goal) to each instant."""
        if firing["state"] == "CLAIMED":
            return
        colour = COLOURS.get(firing["state"], "white")
        state = firing["state"] if firing["mode"] == "LIVE" or firing["state"] == "DECLINED" else "REHEARSED"
        what = "deleted" if firing["action"] == "delete" and firing["state"] == "POSTED" else state
        moment = str(firing["updated_utc"])[11:21]
        self.say(
            f"{moment}  [{colour}]{what:<9}[/{colour}]  {escape(firing['cue_name'])}  [dim]@{escape(firing['account_id'])}[/dim]"
        )
        if firing["state"] == "DECLINED":
            self.say(f"            [dim]{escape(firing['reason'])}[/dim]")
            return
        text = str(firing["text"])
        if firing["action"] == "post":
            self.say(f"            “{escape(text[:TEXT_LETTERS_MAX])}{'…' if len(text) > TEXT_LETTERS_MAX else ''}”")
        steps = firing["steps_ms"]
        known = [f"{WORDS[step]} [bold]{steps[step]:.1f}[/bold]" for step in STEPS if steps.get(step) is not None]
        self.say(f"            [dim]on air →[/dim] {' → '.join(known)} [dim]ms[/dim]")
        if firing["reason"]:
            self.say(f"            [yellow]{escape(firing['reason'])}[/yellow]")

    def judgement(self, verdict: Verdict, figures: Mapping[str, Any]) -> None:
        """How everything came out."""
        if self._quiet:
            return
        table = Table(title="What had to happen", title_justify="left", box=None, pad_edge=False)
        table.add_column("")
        table.add_column("moment")
        table.add_column("mode")
        table.add_column("outcome")
        for finding in verdict.findings:
            sign = "[green]✓[/green]" if finding.ok else "[red]✗[/red]"
            mode = "LIVE" if finding.expected.live else "REHEARSAL"
            table.add_row(sign, escape(finding.expected.what), mode, escape(finding.text))
        self._terminal.print(table)
        for sentence in verdict.surplus:
            self._terminal.print(f"[red]✗[/red] {escape(sentence)}", highlight=False)
        self._terminal.print(
            f"spots decided {figures['decided_ms']['median']:.0f} ms (median) after their first audible sample left the"
            f" transmitter, {figures['decided_ms']['max']:.0f} ms at most; decided → first byte"
            f" {figures['decided_to_first_byte_ms']['median']:.2f} ms (median)",
            highlight=False,
        )
        self._terminal.print("[green]all as expected[/green]" if verdict.ok else "[red]not as expected[/red]")
