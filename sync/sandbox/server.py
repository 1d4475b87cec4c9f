"""The sandbox as one resource: enter it and a local X is up."""

import asyncio
import ipaddress
import json
import secrets
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from sync.accounts import Credentials, CredentialsError, load_credentials
from sync.sandbox.api import Api
from sync.sandbox.arrivals import Arrivals
from sync.sandbox.authority import Authority, SandboxError, write_private
from sync.sandbox.faults import Faults
from sync.sandbox.media import Upload
from sync.sandbox.media_api import BODY_BYTES_MAX
from sync.sandbox.oauth1 import Verifier
from sync.sandbox.oauth2 import OAuth2
from sync.sandbox.oauth2_grants import App, Grants
from sync.sandbox.page import Page
from sync.sandbox.world import RequestRecord, SandboxSettings, SandboxTweet, World
from sync.tweet_text import weight
from timebase import Clock, SystemClock

_SHUTDOWN_S = 0.5
_KEEPALIVE_S = 400.0
"""The idle limit of X's edge."""


class Sandbox:
    """A local stand-in for X: TLS for X's API names on one port, a timeline page on another. Loopback only.

    Use it with `async with`. The certificate authority and the accounts' credentials are made at the first start
    and reused after, so that configuration pointing at them stays valid.

    Args:
        state_dir: where they are kept; made when missing. Keys and credentials are readable by their owner only.
        accounts: pairs of our account id and handle.
        host: a loopback address.
        port, page_port: 0 takes any free one.

    Raises:
        SandboxError: on entering: the folder, a port, an account or the host cannot be used.
    """

    def __init__(
        self,
        state_dir: Path,
        accounts: Sequence[tuple[str, str]],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        page_port: int = 0,
        settings: SandboxSettings | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._state_dir, self._wanted = state_dir, list(accounts)
        self._host, self._port, self._page_port = host, port, page_port
        self._settings = settings or SandboxSettings()
        self._clock = clock or SystemClock()
        self._stack = AsyncExitStack()
        self.faults = Faults()
        """What goes wrong, and when; see `Fault`."""

    @property
    def api_base(self) -> str:
        """For `[publisher] api_base`."""
        return f"https://{self._host_in_url}:{self._port}"

    @property
    def page_url(self) -> str:
        """The timeline page, for a browser."""
        return f"http://{self._host_in_url}:{self._page_port}/"

    @property
    def ca_file(self) -> Path:
        """For `[publisher] ca_file`."""
        return self._state_dir / "ca.pem"

    def credentials_file(self, account_id: str) -> Path:
        """For the account's `credentials_file`."""
        return self._state_dir / "credentials" / f"{account_id}.json"

    def app_file(self, account_id: str, *, public: bool = False) -> Path:
        """The OAuth 2.0 client of an account's app, confidential or public, for `cuebird account sign-in --oauth2 --app`."""
        return self._state_dir / "apps" / f"{account_id}{'.public' if public else ''}.json"

    @property
    def tweets(self) -> list[SandboxTweet]:
        """All tweets, deleted ones too, newest first."""
        return self._world.tweets()

    def media(self, media_id: str) -> Upload | None:
        """An upload that has been finalised, None when there is none of that id."""
        return self._world.media.finished(media_id)

    @property
    def requests(self) -> list[RequestRecord]:
        """The log of API requests, oldest first."""
        return list(self._world.requests)

    @property
    def open_connections(self) -> int:
        """How many connections clients hold to the API port."""
        return self._arrivals.open_count

    @property
    def connections_made(self) -> int:
        """How many connections there have been to the API port."""
        return self._arrivals.made_count

    def reset_connections(self) -> None:
        """Reset every API connection, as a crash would."""
        self._arrivals.reset_connections()

    async def __aenter__(self) -> Self:
        _check_loopback(self._host)
        async with AsyncExitStack() as stack:
            credentials, authority = self._prepare()
            weight("")  # its tables take half a second to load, which would be the first tweet's
            self._world = World(
                settings=self._settings,
                accounts={account.account_id: account for account in credentials},
                clock=self._clock,
                journal_file=self._state_dir / "tweets.jsonl" if self._settings.journal else None,
            )
            stack.callback(self._world.close)
            page = Page(self._world, self.faults)
            self._arrivals = Arrivals(self._clock)
            api = Api(
                self._world,
                self.faults,
                Verifier(credentials, skew_s_max=self._settings.skew_s_max),
                self._oauth2(),
                self._arrivals,
                on_change=page.tell_tweet,
                on_request=page.tell_request,
            )
            self._port = await self._serve_api(stack, api, authority)
            self._page_port = await self._serve_page(stack, page)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._stack.aclose()

    @property
    def _host_in_url(self) -> str:
        return f"[{self._host}]" if ":" in self._host else self._host

    def _prepare(self) -> tuple[list[Credentials], Authority]:
        try:
            folder = self._state_dir / "credentials"
            self._state_dir.mkdir(parents=True, exist_ok=True)
            for each in (folder, self._state_dir / "apps"):
                each.mkdir(exist_ok=True, mode=0o700)
            authority = Authority(self._state_dir, now_utc=self._clock.utc())
            return [self._credentials(*pair) for pair in self._wanted], authority
        except (OSError, CredentialsError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise SandboxError(f"sandbox folder {self._state_dir}: {why}; choose a folder that can be written") from error

    def _credentials(self, account_id: str, handle: str) -> Credentials:
        """Those of the file, or new ones written there; a changed handle keeps its secrets."""
        path = self.credentials_file(account_id)
        if not account_id or Path(account_id).name != account_id:
            raise SandboxError(f"account id {account_id!r} cannot name a file; use letters, digits, - and _")
        known = load_credentials(path) if path.exists() else None
        if known is not None and known.handle == handle and known.account_id == account_id:
            return known
        user_id = known.user_id if known else str(10**17 + secrets.randbelow(10**17))
        made = {
            "account_id": account_id,
            "user_id": user_id,
            "handle": handle,
            "consumer_key": secrets.token_hex(12),
            "consumer_secret": secrets.token_urlsafe(36),
            "access_token": f"{user_id}-{secrets.token_urlsafe(30)}",
            "access_token_secret": secrets.token_urlsafe(33),
        }
        if known is not None:
            made |= {name: getattr(known, name).get_secret_value() for name in _SECRETS}
        try:
            credentials = Credentials.model_validate(made)
        except ValueError:
            raise SandboxError(f"account {account_id}:{handle}: a handle has 1 to 15 letters, digits or _") from None
        write_private(path, credentials.to_json().encode())
        return credentials

    def _oauth2(self) -> OAuth2:
        settings, path = self._settings, self._state_dir / "oauth2.json"
        try:
            grants = Grants(access_s=settings.access_token_s, code_s=settings.code_s, path=path)
            apps = [self._app(account_id, public=public) for account_id, _ in self._wanted for public in (False, True)]
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise SandboxError(f"sandbox folder {self._state_dir}: {error}; remove oauth2.json and apps/") from error
        return OAuth2(self._world.accounts, apps, grants, now_s=lambda: self._clock.utc().timestamp())

    def _app(self, account_id: str, *, public: bool) -> App:
        path = self.app_file(account_id, public=public)
        if path.exists():
            return App(**json.loads(path.read_text()))
        app = App(client_id=secrets.token_urlsafe(24), client_secret=None if public else secrets.token_urlsafe(36))
        write_private(path, app.to_json().encode())
        return app

    async def _serve_api(self, stack: AsyncExitStack, api: Api, authority: Authority) -> int:
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        app.router.add_route("*", "/{path:.*}", api.handle)
        runner = web.AppRunner(app, access_log=None, keepalive_timeout=_KEEPALIVE_S, shutdown_timeout=_SHUTDOWN_S)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        stack.callback(api.close)
        assert runner.server is not None
        try:
            server = await asyncio.get_running_loop().create_server(
                self._arrivals.wrap(runner.server), self._host, self._port, ssl=authority.server_context()
            )
        except OSError as error:
            raise _port_error(self._host, self._port, error) from error
        stack.callback(self._arrivals.reset_connections)
        stack.callback(server.close)
        return int(server.sockets[0].getsockname()[1])

    async def _serve_page(self, stack: AsyncExitStack, page: Page) -> int:
        runner = web.AppRunner(page.application(), access_log=None, shutdown_timeout=_SHUTDOWN_S)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        stack.callback(page.close)
        try:
            await web.TCPSite(runner, self._host, self._page_port).start()
        except OSError as error:
            raise _port_error(self._host, self._page_port, error) from error
        return int(runner.addresses[0][1])


_SECRETS = ("consumer_key", "consumer_secret", "access_token", "access_token_secret")


def _check_loopback(host: str) -> None:
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise SandboxError(f"sandbox host {host!r}: only a loopback address, such as 127.0.0.1, is allowed")


def _port_error(host: str, port: int, error: OSError) -> SandboxError:
    why = error.strerror or str(error)
    return SandboxError(f"sandbox port {port} on {host}: {why}; stop what uses it or choose another")
