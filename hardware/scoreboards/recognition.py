"""Which console is on the line: every decoder tries the beginning of the stream, and the one that understands most wins.

Pure, and independent of how the stream was cut: what is decided is decided at fixed places.
"""

from hardware.errors import UnrecognisedConsoleError
from hardware.events import Reading
from hardware.scoreboards.decoding import Decoder
from hardware.scoreboards.protocols import PROTOCOLS, ScoreboardProtocol

BLOCK_BYTES = 256
"""After each block the decoders are compared."""
BYTES_MAX = 1 << 16
"""A stream that says nothing intelligible for this long is given up."""
FRAMES_ENOUGH = 8
SHARE = 0.05
"""How much of what was heard the winner must understand: less is chance."""
LEAD = 2
"""How many times as many bytes as any other decoder the winner must understand to be named before the end."""


class AutoDecoder:
    """A `Decoder` that first finds out the protocol, then reads the stream from its beginning.

    Attributes:
        protocol: what the stream was recognised as, None until then.
    """

    def __init__(self) -> None:
        self.protocol: ScoreboardProtocol | None = None
        self._decoder: Decoder | None = None
        self._candidates = {name: protocol.decoder() for name, protocol in PROTOCOLS.items()}
        self._heard = bytearray()
        self._compared = 0

    @property
    def good_frames(self) -> int:
        """As in `Decoder`; 0 until the protocol is known."""
        return self._decoder.good_frames if self._decoder else 0

    @property
    def bad_frames(self) -> int:
        """As in `Decoder`; 0 until the protocol is known."""
        return self._decoder.bad_frames if self._decoder else 0

    @property
    def good_bytes(self) -> int:
        """As in `Decoder`; 0 until the protocol is known."""
        return self._decoder.good_bytes if self._decoder else 0

    def feed(self, data: bytes) -> list[Reading]:
        """As in `Decoder`.

        Raises:
            UnrecognisedConsoleError: `BYTES_MAX` bytes were no known console's.
        """
        if self._decoder is not None:
            return self._decoder.feed(data)
        self._heard += data
        while self._compared + BLOCK_BYTES <= len(self._heard):
            block = bytes(self._heard[self._compared : self._compared + BLOCK_BYTES])
            self._compared += BLOCK_BYTES
            if self._recognise(block, self._compared, at_end=self._compared >= BYTES_MAX):
                return self._begin()
        return []

    def finish(self) -> list[Reading]:
        """As in `Decoder`.

        Raises:
            UnrecognisedConsoleError: the stream was no known console's.
        """
        if self._decoder is not None:
            return self._decoder.finish()
        self._recognise(bytes(self._heard[self._compared :]), len(self._heard), at_end=True)
        readings = self._begin()
        return readings + self.finish()

    def _recognise(self, block: bytes, taken_bytes: int, *, at_end: bool) -> bool:
        for decoder in self._candidates.values():
            decoder.feed(block)
            if at_end:
                decoder.finish()
        ranked = sorted(self._candidates.items(), key=lambda item: item[1].good_bytes, reverse=True)
        (name, best), (_, second) = ranked[:2]
        likely = best.good_frames > 0 and best.good_bytes >= SHARE * taken_bytes
        clear = best.good_frames >= FRAMES_ENOUGH and best.good_bytes >= LEAD * second.good_bytes
        if likely and (clear or at_end):
            self.protocol = PROTOCOLS[name]
        elif at_end:
            raise UnrecognisedConsoleError(
                f"{taken_bytes} bytes and no frame of a known console ({', '.join(sorted(PROTOCOLS))});"
                " check the speed and parity of the line"
            )
        return self.protocol is not None

    def _begin(self) -> list[Reading]:
        assert self.protocol is not None
        self._decoder = self.protocol.decoder()
        self._candidates.clear()
        heard = bytes(self._heard)
        self._heard.clear()
        return self._decoder.feed(heard)
