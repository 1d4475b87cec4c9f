"""Where a console's bytes come from: serial port, TCP either way, UDP, or a recording."""

from hardware.lines.address import EXAMPLES, parse_line
from hardware.lines.line import Chunk, ConsoleLine, LineCounters
from hardware.lines.network import TcpClientLine, TcpServerLine, UdpLine
from hardware.lines.recording import RecordedLine, Recorder
from hardware.lines.serial_port import SerialLine, set_raw

__all__ = [
    "EXAMPLES",
    "Chunk",
    "ConsoleLine",
    "LineCounters",
    "RecordedLine",
    "Recorder",
    "SerialLine",
    "TcpClientLine",
    "TcpServerLine",
    "UdpLine",
    "parse_line",
    "set_raw",
]
