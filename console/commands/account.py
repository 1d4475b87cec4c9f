"""`cuebird account`: the accounts at X, whether their keys are good, and how they are kept."""

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console as Terminal
from rich.markup import escape
from rich.table import Table

from console.options import AsJson, ConfigOption
from timebase import SystemClock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.config import Config
    from console.settings import Account
    from sync.account_check import AccountCheck
    from sync.accounts import AnyCredentials
    from sync.sealing import SealingKey

AccountId = Annotated[str, typer.Argument(metavar="ID", help="The account's id in the configuration.")]
AccountIds = Annotated[list[str] | None, typer.Argument(metavar="ID…", help="Accounts by their ids; all when none is given.")]
Source = Annotated[
    Path | None,
    typer.Option("--credentials", help="JSON with the account's keys; - reads standard input; else the account's own file."),
]
AppFile = Annotated[
    Path | None,
    typer.Option(
        "--app",
        help="JSON with the app's consumer_key and consumer_secret (with --oauth2 client_id and client_secret); else asked for.",
    ),
]
OAuth2 = Annotated[bool, typer.Option("--oauth2", help="Get OAuth 2.0 tokens, which end and are renewed, instead of keys.")]
RedirectUri = Annotated[str, typer.Option(help="With --oauth2: the callback address of the app's settings.")]
Paste = Annotated[bool, typer.Option("--paste", help="With --oauth2: ask for the address the browser ended at.")]
CREDENTIALS_BYTES_MAX = 65_536
DEFAULT_REDIRECT = "http://127.0.0.1:8414/callback"


def register(app: typer.Typer) -> None:
    """Add the group of verbs to the command line."""
    group = typer.Typer(no_args_is_help=True, help="The accounts at X: look, sign in, check and seal.")
    group.command("list")(list_accounts)
    group.command("check")(check)
    group.command("sign-in")(sign_in)
    group.command("seal")(seal_account)
    group.command("rekey")(rekey)
    app.add_typer(group, name="account")


def list_accounts(config: ConfigOption = None, as_json: AsJson = False) -> None:
    """Show every account of the configuration and how its keys are kept; nothing is asked of X."""
    from console.wiring import sealing_key_file
    from sync.sealing import key_name_of

    loaded = _load(config)
    rows = []
    for account, (kind, tokens) in zip(loaded.accounts, _kinds(loaded), strict=True):
        path = account.credentials_file
        name = key_name_of(path.read_text(errors="replace")) if path.is_file() else None
        kept = f"sealed with {name}" if name else "in clear" if path.is_file() else "missing"
        row = {"account": account.id, "handle": account.handle, "kind": kind, "tokens": tokens, "kept": kept, "file": str(path)}
        rows.append(row)
    if as_json:
        typer.echo(json.dumps({"key_file": str(sealing_key_file(loaded)), "accounts": rows}))
        return
    if not rows:
        typer.echo("no [[account]] in the configuration; docs/configuration.md says how one is written")
        return
    table = Table("account", "handle", box=None, pad_edge=False)
    table.add_column("kind", no_wrap=True)
    table.add_column("keys")
    table.add_column("file", overflow="fold")
    for row in rows:
        kind = f"{row['kind']}, {row['tokens']}" if row["tokens"] else row["kind"]
        table.add_row(row["account"], f"@{row['handle']}", kind, row["kept"], escape(row["file"]))
    Terminal().print(table)
    if any(row["kept"] == "in clear" for row in rows):
        typer.echo("Keys in clear are a copied file away from anybody's tweets: cuebird account seal ID")


def check(account_ids: AccountIds = None, config: ConfigOption = None, as_json: AsJson = False) -> None:
    """Ask X whose keys they are and whether they may post; exit code 1 when one would fail. Nothing is posted."""
    loaded = _load(config)
    chosen = [_account(loaded, account_id) for account_id in account_ids] if account_ids else list(loaded.accounts)
    found = asyncio.run(_check(loaded, chosen))
    if as_json:
        shown = [
            {
                "account": one.account_id,
                "kind": one.kind,
                "token_expires_utc": one.token_expires_utc.isoformat() if one.token_expires_utc else None,
                "handle": one.handle,
                "access": one.access,
                "drift_s": one.drift_s,
                "faults": one.faults,
            }
            for one in found
        ]
        typer.echo(json.dumps({"accounts": shown}))
    else:
        _print_checks(found)
    if not chosen or any(one.faults for one in found):
        raise typer.Exit(1)


def sign_in(
    account_id: AccountId,
    *,
    app_file: AppFile = None,
    oauth2: OAuth2 = False,
    redirect_uri: RedirectUri = DEFAULT_REDIRECT,
    paste: Paste = False,
    config: ConfigOption = None,
) -> None:
    """Get an account's keys from X: its owner opens a page, says yes, and reads out a number. The keys are sealed at once.

    With --oauth2 the owner's browser comes back to this machine by itself, and there is no number.
    """
    loaded = _load(config)
    account = _account(loaded, account_id)
    if oauth2:
        _sign_in_oauth2(loaded, account, app_file, redirect_uri=redirect_uri, paste=paste)
    else:
        _sign_in_oauth1(loaded, account, app_file)
    typer.echo("now ask X whether it would take its tweets: cuebird account check")


def _sign_in_oauth1(loaded: "Config", account: "Account", app_file: Path | None) -> None:
    from sync.sign_in import SignIn

    consumer_key, consumer_secret = _app_keys(app_file)
    sign_in_ = SignIn(consumer_key, consumer_secret, api_base=loaded.publisher.api_base, ca_file=loaded.publisher.ca_file)
    typer.echo(f"1. In a browser that is signed in as @{account.handle}, open:\n\n   {sign_in_.begin()}\n\n2. Say yes there.")
    pin = typer.prompt("3. The number it shows")
    _seal(loaded, account, sign_in_.finish(pin, account_id=account.id, handle=account.handle))


def _sign_in_oauth2(loaded: "Config", account: "Account", app_file: Path | None, *, redirect_uri: str, paste: bool) -> None:
    from console.ledgers import open_ledger
    from console.loopback import Loopback
    from console.wiring import sealing_key
    from sync.oauth2_sign_in import OAuth2SignIn
    from sync.token_records import TokenRecords

    client_id, client_secret = _app_client(app_file)
    publisher, clock = loaded.publisher, SystemClock()
    begun = OAuth2SignIn(
        client_id, client_secret, redirect_uri=redirect_uri, api_base=publisher.api_base, ca_file=publisher.ca_file
    )
    page = f"1. In a browser that is signed in as @{account.handle}, open:\n\n   {begun.begin()}\n\n2. Say yes there."
    if paste:
        typer.echo(page)
        back = typer.prompt("3. The address the browser ended at, although it shows an error")
    else:
        with Loopback(redirect_uri) as loopback:
            typer.echo(f"{page}\n3. Waiting for the browser to come back to {redirect_uri}; elsewhere than here, use --paste")
            back = loopback.wait()
    credentials = begun.finish(back, account_id=account.id, handle=account.handle, now_utc=clock.utc())
    _seal(loaded, account, credentials)
    if (key := sealing_key(loaded)) is not None:
        with open_ledger(loaded) as ledger:
            TokenRecords(ledger, key).sign_in(credentials)
    typer.echo(f"a running engine takes the tokens over within seconds if {account.id} had OAuth 2.0 before; else restart it")


def seal_account(account_id: AccountId, credentials: Source = None, config: ConfigOption = None) -> None:
    """Encrypt an account's keys in its `credentials_file`; the installation's key is made when there is none."""
    from console.config import ConfigError
    from console.wiring import sealing_key
    from sync.accounts import parse_account

    loaded = _load(config)
    account = _account(loaded, account_id)
    source = credentials or account.credentials_file
    parsed = parse_account(_text(source), name=str(source), key=sealing_key(loaded))
    if parsed.account_id != account_id:
        raise ConfigError(f"{source}: the keys of {parsed.account_id!r}, not of {account_id!r}; give the right file")
    _seal(loaded, account, parsed)
    if source != account.credentials_file and str(source) != "-":
        typer.echo(f"the keys still lie in clear in {source}; remove it")


def rekey(config: ConfigOption = None) -> None:
    """Make a new key and seal every sealed account with it; the old key is kept beside it until you remove it."""
    from console.config import ConfigError
    from console.ledgers import record_action
    from console.wiring import sealing_key, sealing_key_file
    from sync.accounts import OAuth2Credentials, load_account, write_sealed
    from sync.sealing import SealingKey, key_name_of

    loaded = _load(config)
    old, path = sealing_key(loaded), sealing_key_file(loaded)
    if old is None:
        raise ConfigError(f"{path}: no key yet; cuebird account seal makes one")
    new_path = path.with_name(f"{path.name}.new")
    # A new key that is there already is that of a run that was stopped: some accounts may have been sealed with it.
    new = SealingKey.make(new_path)
    by_name = {old.name: old, new.name: new}
    sealed = {
        one.credentials_file: key_name_of(_text(one.credentials_file))
        for one in loaded.accounts
        if one.credentials_file.is_file()
    }
    opened = {file: load_account(file, key=by_name.get(name, old)) for file, name in sealed.items() if name is not None}
    record_action(loaded, "accounts_rekeyed", accounts=len(opened), key=new.name, old_key=old.name)
    if any(isinstance(one, OAuth2Credentials) for one in opened.values()):
        _rekey_tokens(loaded, by_name, new)
    for file, credentials in opened.items():
        write_sealed(file, credentials, key=new)
    kept = path.with_name(f"{path.name}.{old.name}")
    path.replace(kept)
    new_path.replace(path)
    typer.echo(f"{len(opened)} accounts sealed with the key {new.name}; the old one lies in {kept}: remove it when all is well")


def _rekey_tokens(config: "Config", by_name: "Mapping[str, SealingKey]", new: "SealingKey") -> None:
    """Seal renewed tokens anew, whichever of the keys they were sealed with."""
    from console.ledgers import open_ledger
    from sync.sealing import key_name_of
    from sync.token_records import TokenRecords

    with open_ledger(config) as ledger:
        TokenRecords(ledger, new).rekey(lambda record: record.opened(by_name.get(key_name_of(record.sealed) or "", new)), new)


def _seal(config: "Config", account: "Account", credentials: "AnyCredentials") -> None:
    from console.ledgers import record_action
    from console.wiring import sealing_key, sealing_key_file
    from sync.accounts import write_sealed
    from sync.sealing import SealingKey

    key = sealing_key(config)
    if key is None:
        path = sealing_key_file(config)
        key = SealingKey.make(path)
        typer.echo(f"made the key {key.name} in {path}; keep a copy of it apart from this machine's backup")
    record_action(config, "account_sealed", account_id=account.id, key=key.name)
    write_sealed(account.credentials_file, credentials, key=key)
    typer.echo(f"{account.id}: sealed with the key {key.name} in {account.credentials_file}")


def _app_keys(app_file: Path | None) -> tuple[str, str]:
    """The key and secret of the app, from a file or asked for; the secret is not shown."""
    from console.config import ConfigError

    if app_file is None:
        return typer.prompt("API key of the app"), typer.prompt("API key secret", hide_input=True)
    try:
        shown = json.loads(_text(app_file))
        return str(shown["consumer_key"]), str(shown["consumer_secret"])
    except (ValueError, KeyError, TypeError):
        raise ConfigError(f"{app_file}: give JSON with consumer_key and consumer_secret") from None


def _app_client(app_file: Path | None) -> tuple[str, str | None]:
    """The OAuth 2.0 client of the app, from a file or asked for; a public one has no secret."""
    from console.config import ConfigError

    if app_file is None:
        client_id = typer.prompt("Client ID of the app")
        secret = typer.prompt("Client secret (empty for a public client)", default="", hide_input=True, show_default=False)
        return client_id, secret or None
    try:
        shown = json.loads(_text(app_file))
        return str(shown["client_id"]), str(shown["client_secret"]) if shown.get("client_secret") else None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ConfigError(f"{app_file}: give JSON with client_id and, unless it is a public client, client_secret") from None


def _kinds(config: "Config") -> list[tuple[str, str]]:
    """Of each account the kind of its credentials, and how long its token holds; ("?", "") where it cannot be opened."""
    from console.ledgers import open_ledger
    from console.wiring import sealing_key
    from sync.accounts import CredentialsError, OAuth2Credentials, load_account
    from sync.errors import SyncError
    from sync.renewals import standing
    from sync.token_records import TokenRecords

    key = sealing_key(config)
    found: list[AnyCredentials | None] = []
    for account in config.accounts:
        try:
            found.append(load_account(account.credentials_file, key=key))
        except CredentialsError:
            found.append(None)
    known = {}
    if key is not None and any(isinstance(one, OAuth2Credentials) for one in found):
        try:
            with open_ledger(config) as ledger:
                known = TokenRecords(ledger, key).all()
        except SyncError as error:
            typer.echo(f"the newest tokens are not known: {error}", err=True)
    now_utc = SystemClock().utc()
    return [
        (one.KIND, standing(one, known.get(one.account_id), key, now_utc) if isinstance(one, OAuth2Credentials) else "")
        if one is not None
        else ("?", "")
        for one in found
    ]


def _load(config: Path | None) -> "Config":
    from console.config import find_config, load_config

    return load_config(find_config(config))


def _account(config: "Config", account_id: str) -> "Account":
    from console.config import ConfigError

    for account in config.accounts:
        if account.id == account_id:
            return account
    known = ", ".join(account.id for account in config.accounts) or "none"
    raise ConfigError(f"{account_id!r}: no such account; the configuration has: {known}")


def _text(path: Path) -> str:
    from console.config import ConfigError

    try:
        data = sys.stdin.buffer.read(CREDENTIALS_BYTES_MAX) if str(path) == "-" else path.read_bytes()[:CREDENTIALS_BYTES_MAX]
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; give the account's keys with --credentials FILE") from error
    return data.decode(errors="replace")


async def _check(config: "Config", accounts: "list[Account]") -> "list[AccountCheck]":
    from console.wiring import current_accounts, make_publisher

    publisher = make_publisher(config, current_accounts(config))
    try:
        return list(await asyncio.gather(*(publisher.check(account.id) for account in accounts)))
    finally:
        await publisher.close()


def _kind_of(one: "AccountCheck") -> str:
    from sync.renewals import time_left

    return f"{one.kind}, {time_left(one.token_expires_utc, SystemClock().utc())}" if one.token_expires_utc else one.kind


def _print_checks(found: "list[AccountCheck]") -> None:
    terminal = Terminal()
    if not found:
        terminal.print("no [[account]] in the configuration")
    for one in found:
        head = (
            f"[bold]{escape(one.account_id)}[/]  @{escape(one.handle) or '?'}  {_kind_of(one)}  {escape(one.access)}"
            f"  clock {one.drift_s:+.1f} s"
        )
        terminal.print(f"{'[red]✗[/]' if one.faults else '[green]✓[/]'} {head}", soft_wrap=True)
        for fault in one.faults:
            terminal.print(f"    {escape(fault)}", soft_wrap=True)
    if found:
        terminal.print(
            "X asks that accounts which post by themselves say so: the label “Automated by” in the account's settings."
        )
