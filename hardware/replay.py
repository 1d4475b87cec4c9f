"""What has been heard from each device, so that nothing is believed twice.

A value: `admit` returns a new one. The engine stores it (`dump_replay`, `load_replay`), so that a
message recorded before a restart is refused after it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from hardware.errors import RefusedMessage, SettingError
from hardware.events import RefusalKind
from hardware.ulid import LENGTH

IDS_REMEMBERED = 64
"""Message ids kept a device. Order within a boot refuses a repeat by itself; the ids name it and outlive a boot."""

Device = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceHistory:
    """The newest that one device has said.

    Attributes:
        boot: the newest boot known; boots are ULIDs, so they sort by time.
        sequence: its highest sequence so far.
        ids: the latest message ids, oldest first.
    """

    boot: str
    sequence: int
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayState:
    """The history of every device, by (venue, device)."""

    devices: Mapping[Device, DeviceHistory] = field(default_factory=lambda: MappingProxyType({}))

    def admit(self, device: Device, *, boot: str, sequence: int, message_id: str) -> "ReplayState":
        """This state with one more message.

        Raises:
            RefusedMessage: it was heard before, or is older than one that was.
        """
        known = self.devices.get(device)
        if known is not None:
            if message_id in known.ids:
                raise RefusedMessage(RefusalKind.REPEATED, f"message {message_id} was received before")
            if boot < known.boot:
                raise RefusedMessage(RefusalKind.OLDER_BOOT, f"boot {boot} is older than the newest known, {known.boot}")
            if boot == known.boot and sequence <= known.sequence:
                raise RefusedMessage(
                    RefusalKind.OUT_OF_ORDER, f"sequence {sequence} does not rise; {known.sequence} was received before"
                )
        ids = (*(known.ids if known else ()), message_id)[-IDS_REMEMBERED:]
        history = DeviceHistory(boot=boot, sequence=sequence, ids=ids)
        return ReplayState(devices=MappingProxyType({**self.devices, device: history}))


class _Record(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    venue: str
    device: str
    boot: Annotated[str, Field(min_length=LENGTH, max_length=LENGTH)]
    sequence: Annotated[int, Field(ge=0)]
    ids: Annotated[list[str], Field(max_length=IDS_REMEMBERED)]


_Records = TypeAdapter(list[_Record])


def dump_replay(state: ReplayState) -> list[dict[str, object]]:
    """The state as a list that JSON can hold."""
    return [
        {"venue": venue, "device": device, "boot": known.boot, "sequence": known.sequence, "ids": list(known.ids)}
        for (venue, device), known in state.devices.items()
    ]


def load_replay(data: object) -> ReplayState:
    """The state that `dump_replay` gave.

    Raises:
        SettingError: it is not such a list.
    """
    try:
        records = _Records.validate_python(data)
    except ValidationError as error:
        raise SettingError(f"replay state: not as it was stored ({error.error_count()} errors); restore the ledger") from error
    return ReplayState(
        devices=MappingProxyType(
            {
                (record.venue, record.device): DeviceHistory(boot=record.boot, sequence=record.sequence, ids=tuple(record.ids))
                for record in records
            }
        )
    )
