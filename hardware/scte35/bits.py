"""Reading a byte string from its first bit on. Pure; what is not there raises, and never reads past the end."""


class CutShortError(Exception):
    """The bytes end before what should stand in them; every caller turns it into its own verdict."""


class Bits:
    """A place in a byte string.

    Args:
        data: what is read.
    """

    def __init__(self, data: bytes) -> None:
        self._data, self._number, self._left = data, int.from_bytes(data, "big"), len(data) * 8

    @property
    def bits_left(self) -> int:
        """How many bits have not been read."""
        return self._left

    def number(self, bits: int) -> int:
        """The next bits as an unsigned number, the highest first.

        Raises:
            CutShortError: there are not so many.
        """
        if bits > self._left:
            raise CutShortError
        self._left -= bits
        return (self._number >> self._left) & ((1 << bits) - 1)

    def flag(self) -> bool:
        """The next bit."""
        return bool(self.number(1))

    def skip(self, bits: int) -> None:
        """Leave out so many bits.

        Raises:
            CutShortError: there are not so many.
        """
        self.number(bits)

    def octets(self, count: int) -> bytes:
        """The next whole bytes; only at a byte's beginning.

        Raises:
            CutShortError: there are not so many.
        """
        begin = len(self._data) - self._left // 8
        self.skip(count * 8)
        return self._data[begin : begin + count]

    def rest(self) -> bytes:
        """Every byte that is left; only at a byte's beginning."""
        return self.octets(self._left // 8)
