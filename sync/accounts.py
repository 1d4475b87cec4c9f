"""Who may post: the credentials file of an account, with OAuth 1.0a keys or OAuth 2.0 tokens."""

import json
import logging
import os
import stat
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_core import to_jsonable_python

from sync.errors import SyncError
from sync.sealing import SealingError, SealingKey, key_name_of, seal, unseal

_log = logging.getLogger(__name__)

_FILE_BYTES_MAX = 65_536
_READABLE_BY_OTHERS = stat.S_IRWXG | stat.S_IRWXO

_Secret = Annotated[SecretStr, Field(min_length=1)]


class CredentialsError(SyncError):
    """A credentials file is missing, unreadable or not what it should be."""


class _Account(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    account_id: str = Field(min_length=1)
    user_id: str = Field(pattern=r"^[0-9]{1,19}$")
    handle: str = Field(pattern=r"^[A-Za-z0-9_]{1,15}$")

    def to_json(self) -> str:
        """The file's text, secrets in clear: only ever for a file of mode 0600, or to be sealed."""
        clear = {name: value.get_secret_value() if isinstance(value, SecretStr) else value for name, value in self}
        return json.dumps(to_jsonable_python(clear), indent=2) + "\n"


class Credentials(_Account):
    """An account's OAuth 1.0a user context; secrets show as asterisks wherever they are printed.

    Attributes:
        account_id: our own name of the account, as in cuebird.toml.
        user_id: X's number of the user; the timeline is read by it.
        handle: without the @.
    """

    KIND: ClassVar[str] = "OAuth 1.0a"

    consumer_key: _Secret
    consumer_secret: _Secret
    access_token: _Secret
    access_token_secret: _Secret


class OAuth2Credentials(_Account):
    """An account's OAuth 2.0 user context: tokens that end, and that are renewed by one that is good once.

    Attributes:
        client_secret: None for a public client.
        scopes: what was granted.
        expires_utc: when the access token ends.
        signed_in_utc: when the owner said yes; tells the tokens of one sign-in, however often renewed, from another's.
    """

    KIND: ClassVar[str] = "OAuth 2.0"

    client_id: str = Field(min_length=1)
    client_secret: _Secret | None = None
    access_token: _Secret
    refresh_token: _Secret
    scopes: tuple[str, ...]
    expires_utc: AwareDatetime
    signed_in_utc: AwareDatetime


AnyCredentials = Credentials | OAuth2Credentials


def load_credentials(path: Path, *, key: SealingKey | None = None) -> Credentials:
    """The OAuth 1.0a keys in a file, as `load_account`.

    Raises:
        CredentialsError: also when it holds OAuth 2.0 tokens.
    """
    account = load_account(path, key=key)
    if not isinstance(account, Credentials):
        raise CredentialsError(f"{path}: holds {account.KIND} tokens, and OAuth 1.0a keys are needed here")
    return account


def load_account(path: Path, *, key: SealingKey | None = None) -> AnyCredentials:
    """The credentials in a file, sealed or in clear; warns when others may read what lies in clear.

    Args:
        path: what `cuebird account seal` wrote, or JSON with the fields of `Credentials` or `OAuth2Credentials`.
        key: opens a sealed file.

    Raises:
        CredentialsError: the file cannot be read or opened, or does not hold exactly the fields of either.
    """
    try:
        mode = path.stat().st_mode
        text = path.read_bytes()[: _FILE_BYTES_MAX + 1].decode()
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialsError(f"{path}: {_why(error)}; point credentials_file at a readable JSON file") from error
    if mode & _READABLE_BY_OTHERS and key_name_of(text) is None:
        _log.warning("credentials_readable_by_others", extra={"path": str(path), "mode": oct(stat.S_IMODE(mode))})
    return parse_account(text, name=str(path), key=key)


def parse_account(text: str, *, name: str, key: SealingKey | None = None) -> AnyCredentials:
    """The credentials in a text, sealed or in clear.

    Args:
        text: JSON.
        name: where it came from, for messages.
        key: opens what is sealed.

    Raises:
        CredentialsError: it cannot be opened, or does not hold exactly the fields of `Credentials` or `OAuth2Credentials`.
    """
    if len(text) > _FILE_BYTES_MAX:
        raise CredentialsError(f"{name}: larger than {_FILE_BYTES_MAX} bytes; that is no credentials file")
    if (key_name := key_name_of(text)) is not None:
        if key is None:
            raise CredentialsError(f"{name}: sealed with the key {key_name}, and there is none; give publisher.key_file its file")
        try:
            text = unseal(text, key=key)
        except SealingError as error:
            raise CredentialsError(f"{name}: {error}") from error
    kind = OAuth2Credentials if '"refresh_token"' in text else Credentials
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        # Only places and kinds of mistakes are told: pydantic's own text would quote the values.
        faults = ", ".join(f"{'.'.join(map(str, fault['loc'])) or 'file'} ({fault['type']})" for fault in error.errors())
        raise CredentialsError(f"{name}: not a credentials file: {faults}; see docs/sandbox.md for its fields") from None


def write_sealed(path: Path, credentials: AnyCredentials, *, key: SealingKey) -> None:
    """Seal credentials into a file of mode 0600, in one step: what was there is gone, or still whole.

    Raises:
        CredentialsError: it cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(seal(credentials.to_json(), account_id=credentials.account_id, key=key))
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise CredentialsError(f"{path}: {error.strerror}; it was not sealed") from error


def _why(error: OSError | UnicodeDecodeError) -> str:
    return (error.strerror or "cannot be read") if isinstance(error, OSError) else "is not UTF-8"
