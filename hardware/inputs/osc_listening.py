"""OSC over UDP, or over TCP in SLIP: messages whose address is one of ours become events."""

import logging
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from hardware.errors import SettingError, SourceLostError
from hardware.inputs.osc import OscError, OscMessage, SlipDecoder, parse_packet, pattern
from hardware.inputs.told import Presses, Told, name_fault, status_of
from hardware.listening import ConsoleStatus
from hardware.receiving import Feed, Receiver, parse_listen_address
from timebase import Backoff, Clock

log = logging.getLogger(__name__)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class OscListener:
    """Follows senders of OSC until cancelled.

    Args:
        source: `udp://0.0.0.0:9000` or `tcp://0.0.0.0:9000`, with `?from=ADDRESS` where only one sender is believed.
        events: event by OSC address, which may have wildcards. A message counts when it says yes: a button's 1 and not its 0.
        sink: told of each event at once; never waits.

    Raises:
        SettingError: the source or an address is none, or an event's name does not fit.
    """

    def __init__(self, source: str, events: Mapping[str, str], *, clock: Clock, sink: Callable[[Told], None]) -> None:
        url, _, sender = source.partition("?from=")
        self._patterns = [(_pattern(address), _checked(name)) for address, name in events.items()]
        self._clock, self._sink, self._presses = clock, sink, Presses()
        self._good_frames = self._bad_frames = self._received_bytes = 0
        self._frame_mono_ns: int | None = None
        self._trouble = self._remark = ""
        self.receiver = Receiver(
            parse_listen_address(url, sender=sender), datagram=self._packet, connection=self._connection, ended=self._note
        )

    async def run(self) -> None:
        """Listen."""
        backoff = Backoff(first_s=0.25, most_s=5.0, floor_s=0.05)
        while True:
            try:
                await self.receiver.run()
            except SourceLostError as lost:
                log.warning("gateway.source_lost", extra={"source": str(self.receiver.address), "error": str(lost)})
                self._trouble = str(lost)
            await self._clock.sleep(backoff.next_s())

    def status(self) -> ConsoleStatus:
        """How it is now."""
        return status_of(
            heard=bool(self.receiver.port) and not self._trouble,
            good_frames=self._good_frames,
            bad_frames=self._bad_frames,
            connections=self.receiver.connections,
            refused=self.receiver.refused,
            received_bytes=self._received_bytes,
            frame_mono_ns=self._frame_mono_ns,
            detail=self._trouble or self._remark,
        )

    def _connection(self) -> Feed:
        slip = SlipDecoder()

        def feed(data: bytes) -> None:
            damaged = slip.damaged
            for packet in slip.feed(data):
                self._packet(packet)
            self._bad_frames += slip.damaged - damaged

        return feed

    def _packet(self, packet: bytes) -> None:
        self._trouble, self._received_bytes = "", self._received_bytes + len(packet)
        try:
            messages = parse_packet(packet)
        except OscError as error:
            self._bad_frames += 1
            self._remark = f"{self.receiver.address}: not OSC: {error}"
            return
        self._good_frames += 1
        self._remark = ""
        self._frame_mono_ns = mono_ns = self._clock.mono_ns()
        utc_ns = (self._clock.utc() - _EPOCH) // timedelta(microseconds=1) * 1000
        for message in messages:
            for name in self._named(message):
                if self._presses.is_new(name, mono_ns):
                    self._sink(Told(name=name, utc_ns=utc_ns, evidence=packet))

    def _named(self, message: OscMessage) -> list[str]:
        if not message.is_on:
            return []
        found = [name for wanted, name in self._patterns if wanted.fullmatch(message.address)]
        if not found:
            self._remark = f"{message.address} is none of the addresses that mean something here"
        return list(dict.fromkeys(found))

    def _note(self, what: str) -> None:
        log.info("gateway.source_ended", extra={"source": str(self.receiver.address), "reason": what})


def _pattern(address: str) -> re.Pattern[str]:
    try:
        return pattern(address)
    except OscError as error:
        raise SettingError(str(error)) from error


def _checked(name: str) -> str:
    if fault := name_fault(name):
        raise SettingError(fault)
    return name
