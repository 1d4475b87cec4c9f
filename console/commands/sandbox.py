"""`cuebird sandbox`: stand-ins for the services outside, on this machine."""

import asyncio
import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console as Terminal
from rich.markup import escape

if TYPE_CHECKING:
    from sync.sandbox import Sandbox


def register(app: typer.Typer) -> None:
    """Add the group of verbs to the command line."""
    group = typer.Typer(no_args_is_help=True, help="Run stand-ins for outside services on this machine.")
    group.callback()(_group)  # keeps `x` a verb of its own while it is the only one
    group.command("x")(x)
    app.add_typer(group, name="sandbox")


def _group() -> None:
    pass


def x(
    *,
    state_dir: Annotated[Path, typer.Option(help="Where its certificates and credentials are kept.")],
    account: Annotated[list[str], typer.Option(metavar="ID:HANDLE", help="An account; give the option once for each.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="TLS port of the API; 0 takes any.")] = 8443,
    page_port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the timeline page; 0 takes any.")] = 8444,
    journal: Annotated[bool, typer.Option("--journal", help="Keep the tweets in a file, over restarts.")] = False,
    check_duplicates: Annotated[bool, typer.Option("--check-duplicates", help="Refuse a text posted within the day.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print where it is as one JSON object.")] = False,
) -> None:
    """Run a local X: signed requests over TLS, a timeline page, faults on order. Loopback only; stop it with Ctrl-C."""
    from sync.sandbox import Sandbox, SandboxSettings

    accounts = [_account(text) for text in account]
    settings = SandboxSettings(journal=journal, check_duplicates=check_duplicates)
    sandbox = Sandbox(state_dir, accounts, port=port, page_port=page_port, settings=settings)
    asyncio.run(_run(sandbox, [account_id for account_id, _ in accounts], as_json=as_json))


def _account(text: str) -> tuple[str, str]:
    account_id, colon, handle = text.partition(":")
    if not (account_id and colon and handle):
        raise typer.BadParameter(f"{text!r} is not ID:HANDLE, for example eisbank:eisbank", param_hint="--account")
    return account_id, handle.removeprefix("@")


async def _run(sandbox: "Sandbox", account_ids: list[str], *, as_json: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    async with sandbox:
        if as_json:
            print(json.dumps(_places(sandbox, account_ids)), flush=True)
        else:
            _show(sandbox, account_ids)
        await stop.wait()


def _places(sandbox: "Sandbox", account_ids: list[str]) -> dict[str, object]:
    return {
        "ready": True,
        "api_base": sandbox.api_base,
        "page_url": sandbox.page_url,
        "ca_file": str(sandbox.ca_file),
        "credentials_files": {account_id: str(sandbox.credentials_file(account_id)) for account_id in account_ids},
        "app_files": {account_id: str(sandbox.app_file(account_id)) for account_id in account_ids},
    }


def _show(sandbox: "Sandbox", account_ids: list[str]) -> None:
    terminal = Terminal(highlight=False)
    terminal.print("[bold black on yellow] SANDBOX [/] X is played on this machine; nothing leaves it. Stop with Ctrl-C.")
    terminal.print(f"  timeline     [bold]{escape(sandbox.page_url)}[/]")
    terminal.print(f"  api_base     {escape(sandbox.api_base)}", soft_wrap=True)
    terminal.print(f"  ca_file      {escape(str(sandbox.ca_file))}", soft_wrap=True)
    for account_id in account_ids:
        terminal.print(f"  credentials  {escape(str(sandbox.credentials_file(account_id)))}", soft_wrap=True)
        terminal.print(f"  OAuth 2 app  {escape(str(sandbox.app_file(account_id)))}", soft_wrap=True)
