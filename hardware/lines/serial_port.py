"""A serial port of this machine, or a pseudo-terminal that imitates one."""

import asyncio
import fcntl
import os
import termios
import tty
from collections.abc import AsyncGenerator
from io import FileIO

from hardware.errors import ConsoleLostError
from hardware.lines.line import Arrivals, Chunk, LineCounters, why
from timebase import Clock

SPEEDS = (300, 600, 1200, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200, 230_400)
"""In baud."""
PARITIES = ("N", "E", "O")


class SerialLine:
    """A serial port: 8 data bits, 1 stop bit. We only read it, and nobody else does meanwhile."""

    remark = ""

    def __init__(self, path: str, *, speed: int, parity: str = "N", silence_s: float) -> None:
        self.path, self.speed, self.parity, self.silence_s = path, speed, parity, silence_s
        self.idle = f"{self}: nothing has come yet"
        self.counters = LineCounters()

    def __str__(self) -> str:
        return f"serial:{self.path} ({self.speed} 8{self.parity}1)"

    async def chunks(self, clock: Clock) -> AsyncGenerator[Chunk, None]:
        port = self._opened()
        transport, arrivals = await asyncio.get_running_loop().connect_read_pipe(lambda: Arrivals(clock, self.counters), port)
        self.counters.connections += 1
        try:
            while True:
                yield await arrivals.next(str(self), silence_s=self.silence_s)
        finally:
            transport.close()

    def close(self) -> None:
        """Nothing: the port is closed with its reading."""

    def _opened(self) -> FileIO:
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError as error:
            raise ConsoleLostError(f"{self.path}: cannot be opened ({why(error)}); is the cable in?") from error
        port = FileIO(descriptor, "rb")
        try:
            # Two readers of one port would each get some of the bytes.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            set_raw(descriptor, baud=self.speed, parity=self.parity)
            # Frames that waited in the buffer are old: reading them now would date goals wrongly.
            termios.tcflush(descriptor, termios.TCIFLUSH)
        except BlockingIOError as error:
            port.close()
            raise ConsoleLostError(f"{self.path}: another program reads it; stop that one") from error
        except termios.error as error:
            port.close()
            raise ConsoleLostError(f"{self.path}: not a serial port ({error.args[-1]}); name one such as /dev/ttyUSB0") from error
        return port


def set_raw(descriptor: int, *, baud: int, parity: str = "N") -> None:
    """Make a terminal pass bytes as they are: 8 data bits and 1 stop bit at `baud`, modem lines ignored.

    A byte with wrong parity is passed on: the decoder sees the damage.

    Raises:
        termios.error: it is no terminal.
    """
    tty.setraw(descriptor)
    settings = termios.tcgetattr(descriptor)
    settings[2] |= termios.CLOCAL | termios.CREAD
    settings[2] &= ~(termios.CSTOPB | termios.PARENB | termios.PARODD)
    settings[2] |= {"N": 0, "E": termios.PARENB, "O": termios.PARENB | termios.PARODD}[parity]
    settings[4] = settings[5] = getattr(termios, f"B{baud}")
    termios.tcsetattr(descriptor, termios.TCSANOW, settings)
