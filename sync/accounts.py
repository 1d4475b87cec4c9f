"""Who may post: the credentials file of an account."""

import json
import logging
import stat
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from sync.errors import SyncError

_log = logging.getLogger(__name__)

_FILE_BYTES_MAX = 65_536
_READABLE_BY_OTHERS = stat.S_IRWXG | stat.S_IRWXO

_Secret = Annotated[SecretStr, Field(min_length=1)]


class CredentialsError(SyncError):
    """A credentials file is missing, unreadable or not what it should be."""


class Credentials(BaseModel):
    """An account's OAuth 1.0a user context; secrets show as asterisks wherever they are printed.

    Attributes:
        account_id: our own name of the account, as in cuebird.toml.
        user_id: X's number of the user; the timeline is read by it.
        handle: without the @.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    account_id: str = Field(min_length=1)
    user_id: str = Field(pattern=r"^[0-9]{1,19}$")
    handle: str = Field(pattern=r"^[A-Za-z0-9_]{1,15}$")
    consumer_key: _Secret
    consumer_secret: _Secret
    access_token: _Secret
    access_token_secret: _Secret

    def to_json(self) -> str:
        """The file's text, secrets in clear: only ever for a file of mode 0600."""
        shown = {name: value.get_secret_value() if isinstance(value, SecretStr) else value for name, value in self}
        return json.dumps(shown, indent=2) + "\n"


def load_credentials(path: Path) -> Credentials:
    """The credentials in a file; warns when others than its owner may read it.

    Raises:
        CredentialsError: the file cannot be read or does not hold exactly the fields of `Credentials`.
    """
    try:
        mode = path.stat().st_mode
        text = path.read_bytes()[: _FILE_BYTES_MAX + 1].decode()
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialsError(f"{path}: {_why(error)}; point credentials_file at a readable JSON file") from error
    if len(text) > _FILE_BYTES_MAX:
        raise CredentialsError(f"{path}: larger than {_FILE_BYTES_MAX} bytes; that is no credentials file")
    if mode & _READABLE_BY_OTHERS:
        _log.warning("credentials_readable_by_others", extra={"path": str(path), "mode": oct(stat.S_IMODE(mode))})
    try:
        return Credentials.model_validate_json(text)
    except ValidationError as error:
        # Only places and kinds of mistakes are told: pydantic's own text would quote the values.
        faults = ", ".join(f"{'.'.join(map(str, fault['loc'])) or 'file'} ({fault['type']})" for fault in error.errors())
        raise CredentialsError(f"{path}: not a credentials file: {faults}; see docs/sandbox.md for its fields") from None


def _why(error: OSError | UnicodeDecodeError) -> str:
    return (error.strerror or "cannot be read") if isinstance(error, OSError) else "is not UTF-8"
