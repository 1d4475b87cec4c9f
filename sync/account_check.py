"""Would this account's tweets be taken? One harmless question to X, and what its answer says."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import aiohttp
import tweepy

from sync.accounts import AnyCredentials, OAuth2Credentials
from sync.outcomes import judge_error
from sync.posting import Limits
from sync.signed_client import SignedClient
from sync.tokens import SCOPES, SIGN_IN_AGAIN

DRIFT_S_MAX: Final = 5.0
"""A clock further off than this is wrong by anybody's measure; X refuses signatures minutes off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountCheck:
    """What was found.

    Attributes:
        account_id: our name of it.
        kind: of its credentials.
        token_expires_utc: when its access token ends, None for keys that do not.
        handle: whose keys they are by X's word, "" when it did not say.
        access: what the keys may do by X's word, such as `read-write`, "" when it did not say.
        drift_s: this machine's clock less X's.
        limits: of reading; those of posting come with the first post.
        faults: why posting would fail, a sentence each with its mending; empty when nothing stands against it.
    """

    account_id: str
    kind: str = ""
    token_expires_utc: datetime | None = None
    handle: str = ""
    access: str = ""
    drift_s: float = 0.0
    limits: Limits
    faults: tuple[str, ...] = ()


async def check_account(credentials: AnyCredentials, client: SignedClient, *, token_fault: str) -> AccountCheck:
    """Ask X who these keys belong to and what they may do.

    Args:
        credentials: what is configured.
        client: signs with them.
        token_fault: why the access token is worth nothing; then X is not asked.
    """
    expires_utc = credentials.expires_utc if isinstance(credentials, OAuth2Credentials) else None
    told = AccountCheck(account_id=credentials.account_id, kind=credentials.KIND, limits=Limits(), token_expires_utc=expires_utc)
    if token_fault:
        return replace(told, faults=(f"{token_fault}; it is renewed in mode LIVE, or {SIGN_IN_AGAIN}",))
    try:
        me = (await client.get_me(user_auth=True))["data"]
        handle, user_id = str(me["username"]), str(me["id"])
    except (tweepy.TweepyException, aiohttp.ClientError, OSError, ValueError, KeyError, TypeError) as error:
        # What X said of its clock came with its answer, whatever that was.
        faults = (judge_error(error, byte_written=True).reason, *_clock_faults(client.drift_s))
        return replace(told, drift_s=client.drift_s, faults=faults)
    faults = (
        *_identity_faults(credentials, handle, user_id),
        *_access_faults(client.access),
        *_scope_faults(credentials),
        *_clock_faults(client.drift_s),
    )
    return replace(told, handle=handle, access=client.access, drift_s=client.drift_s, limits=client.limits, faults=faults)


def _identity_faults(credentials: AnyCredentials, handle: str, user_id: str) -> tuple[str, ...]:
    if handle.lower() != credentials.handle.lower():
        return (f"the keys belong to @{handle}, not to @{credentials.handle}; tweets would leave from the wrong account",)
    if user_id != credentials.user_id:
        return (f"user_id is {credentials.user_id} in the credentials and {user_id} at X; its timeline would not be found",)
    return ()


def _access_faults(access: str) -> tuple[str, ...]:
    if access and "write" not in access:
        return (f"the keys may only {access}; set the app's permissions to read and write, then make new access tokens",)
    return ()


def _scope_faults(credentials: AnyCredentials) -> tuple[str, ...]:
    if not isinstance(credentials, OAuth2Credentials):
        return ()
    lacking = [scope for scope in SCOPES if scope not in credentials.scopes]
    return (f"the tokens were not granted {', '.join(lacking)}; {SIGN_IN_AGAIN}",) if lacking else ()


def _clock_faults(drift_s: float) -> tuple[str, ...]:
    if abs(drift_s) > DRIFT_S_MAX:
        return (f"this machine's clock differs from X's by {drift_s:+.0f} s; start a time service such as chrony",)
    return ()
