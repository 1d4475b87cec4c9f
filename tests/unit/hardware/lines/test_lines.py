"""Lines on real sockets and pseudo-terminals: what comes is stamped, one console is heard, losses are named."""

import asyncio
import contextlib
import os
import pty
import socket
import termios
from collections.abc import AsyncGenerator, AsyncIterator, Callable

import pytest

from hardware.errors import ConsoleLostError
from hardware.lines import Chunk, LineCounters, SerialLine, TcpClientLine, TcpServerLine, UdpLine
from hardware.lines.line import WAITING_BYTES_MAX, Arrivals
from hardware.scoreboards.livestats import SUBSCRIBE
from hardware.scoreboards.protocols import PROTOCOLS
from hardware.simulator import pty_line, tcp_line
from timebase import SystemClock, VirtualClock

PATIENCE_S = 60.0


@contextlib.asynccontextmanager
async def patience() -> AsyncIterator[None]:
    async with asyncio.timeout(PATIENCE_S):
        yield


async def until(holds: Callable[[], bool]) -> None:
    async with patience():
        while not holds():
            await asyncio.sleep(0.001)


def following(chunks: AsyncGenerator[Chunk, None]) -> asyncio.Future[Chunk]:
    """The next bytes, being waited for."""
    return asyncio.ensure_future(anext(chunks))


async def listening(
    line: TcpServerLine | UdpLine, clock: VirtualClock
) -> tuple[AsyncGenerator[Chunk, None], asyncio.Future[Chunk]]:
    """The line's bytes and the first of them being waited for; back when its port is open."""
    chunks = line.chunks(clock)
    first = following(chunks)
    await until(lambda: line.port != 0)
    return chunks, first


async def call(line: TcpServerLine) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", line.port)


async def hung_up(reader: asyncio.StreamReader) -> bool:
    async with patience():
        try:
            return await reader.read() == b""
        except ConnectionError:
            return True


async def test_a_console_is_greeted_and_stamped() -> None:
    """What LiveStats wants to hear is sent on connecting; bytes carry the instant they came at."""
    clock, heard = VirtualClock(), asyncio.get_running_loop().create_future()

    async def scorer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.set_result(await reader.readline())
        writer.write(b"{}\r\n")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(scorer, "127.0.0.1", 0) as server:
        line = TcpClientLine("127.0.0.1", server.sockets[0].getsockname()[1], greeting=SUBSCRIBE, silence_s=PATIENCE_S)
        chunks = line.chunks(clock)
        first = await anext(chunks)
        with pytest.raises(ConsoleLostError, match="closed by the other end"):
            await anext(chunks)

    assert await heard == SUBSCRIBE
    assert (first.data, first.mono_ns) == (b"{}\r\n", clock.mono_ns())
    assert line.counters == LineCounters(connections=1, received_bytes=4)


async def test_a_silent_console_is_lost() -> None:
    """However it is reached."""
    async with tcp_line("127.0.0.1", 0) as console:
        host, port = console.address.removeprefix("tcp://").split(":")
        with pytest.raises(ConsoleLostError, match=r"tcp://127.0.0.1:\d+: silent for 0.01 s"):
            await anext(TcpClientLine(host, int(port), silence_s=0.01).chunks(SystemClock()))


async def test_the_kernel_watches_the_other_end() -> None:
    """Three seconds without an answer to its probes end a connection, however rarely the console speaks."""
    clock, line = VirtualClock(), TcpServerLine("127.0.0.1", 0, silence_s=PATIENCE_S)
    chunks, first = await listening(line, clock)
    _, writer = await call(line)
    writer.write(b"x")
    await first
    assert line._caller is not None
    connection = line._caller.transport.get_extra_info("socket")
    options = [connection.getsockopt(socket.IPPROTO_TCP, name) for name in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL)]

    assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert options == [1, 1]
    assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == 2
    writer.close()
    await chunks.aclose()
    line.close()


async def test_a_second_caller_is_turned_away_while_the_first_speaks() -> None:
    """Two consoles on one line would be one score made of two."""
    clock, line = VirtualClock(), TcpServerLine("127.0.0.1", 0, silence_s=PATIENCE_S)
    chunks, first = await listening(line, clock)
    _, console = await call(line)
    console.write(b"one")
    assert (await first).data == b"one"
    await clock.advance(0.9)
    other_reader, other = await call(line)
    other.write(b"two")

    assert await hung_up(other_reader)
    console.write(b"three")
    async with patience():
        assert (await anext(chunks)).data == b"three"
    assert (line.counters.connections, line.counters.refused) == (1, 1)
    for writer in (console, other):
        writer.close()
    await chunks.aclose()
    line.close()


async def test_a_caller_takes_the_place_of_a_dead_one() -> None:
    """As a connection of its own: the one before ends, and only then does the new one speak."""
    clock, line = VirtualClock(), TcpServerLine("127.0.0.1", 0, silence_s=PATIENCE_S)
    chunks, first = await listening(line, clock)
    dead_reader, dead = await call(line)
    dead.write(b"one")
    await first
    await clock.advance(1.0)
    _, console = await call(line)
    console.write(b"two")
    with pytest.raises(ConsoleLostError, match=r"127.0.0.1 called while the console before it was silent"):
        async with patience():
            await anext(chunks)
    anew = line.chunks(clock)

    assert await hung_up(dead_reader)
    async with patience():
        assert (await anext(anew)).data == b"two"
    assert (line.counters.connections, line.counters.refused) == (2, 0)
    for writer in (dead, console):
        writer.close()
    await anew.aclose()
    line.close()


async def test_a_console_that_calls_again_finds_the_port_open() -> None:
    """Also while nobody reads the line."""
    clock, line = VirtualClock(), TcpServerLine("127.0.0.1", 0, silence_s=PATIENCE_S)
    chunks, first = await listening(line, clock)
    _, console = await call(line)
    console.write(b"one")
    await first
    console.close()
    with pytest.raises(ConsoleLostError, match="closed by the other end"):
        async with patience():
            await anext(chunks)
    _, console = await call(line)
    console.write(b"two")
    anew = line.chunks(clock)

    async with patience():
        assert (await anext(anew)).data == b"two"
    console.close()
    await anew.aclose()
    line.close()


async def test_only_the_console_that_is_meant_may_call() -> None:
    """Whoever else reaches the port could score."""
    clock, line = VirtualClock(), TcpServerLine("127.0.0.1", 0, sender="127.0.0.9", silence_s=PATIENCE_S)
    chunks, first = await listening(line, clock)
    reader, writer = await call(line)

    assert await hung_up(reader)
    assert (line.counters.refused, first.done()) == (1, False)
    writer.close()
    first.cancel()
    await asyncio.wait({first})
    await chunks.aclose()
    line.close()


async def test_a_port_that_is_taken_is_named() -> None:
    """Of either kind."""
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        with pytest.raises(ConsoleLostError, match=r"cannot be listened on .*the port free\?"):
            await anext(TcpServerLine("127.0.0.1", tcp.getsockname()[1], silence_s=1).chunks(SystemClock()))
        with pytest.raises(ConsoleLostError, match=r"cannot be received .*the port free\?"):
            await anext(UdpLine("127.0.0.1", udp.getsockname()[1], silence_s=1).chunks(SystemClock()))


def sender(address: str) -> socket.socket:
    sending = socket.socket(type=socket.SOCK_DGRAM)
    sending.bind((address, 0))
    return sending


async def test_datagrams_of_one_sender_are_heard() -> None:
    """Another is turned away while the first speaks; afterwards it ends the connection and begins its own."""
    clock, line = VirtualClock(), UdpLine("127.0.0.1", 0, silence_s=PATIENCE_S)
    chunks, first = await listening(line, clock)
    with sender("127.0.0.1") as console, sender("127.0.0.2") as other:
        to = ("127.0.0.1", line.port)
        console.sendto(b"one", to)
        assert (await first).data == b"one"
        other.sendto(b"two", to)
        await until(lambda: line.counters.refused == 1)
        console.sendto(b"three", to)
        async with patience():
            assert (await anext(chunks)).data == b"three"
        await clock.advance(1.0)
        other.sendto(b"four", to)
        with pytest.raises(ConsoleLostError, match=r"127.0.0.2 sends while the console before it is silent"):
            async with patience():
                await anext(chunks)
        anew = line.chunks(clock)
        begun = following(anew)
        while not begun.done():
            other.sendto(b"five", to)
            await asyncio.sleep(0.001)

        assert (await begun).data == b"five"
        assert line.counters.connections == 2
        await anew.aclose()


async def test_only_the_sender_that_is_meant_is_heard() -> None:
    """Anyone can send a datagram."""
    clock, line = VirtualClock(), UdpLine("127.0.0.1", 0, sender="127.0.0.2", silence_s=PATIENCE_S)
    chunks, first = await listening(line, clock)
    with sender("127.0.0.1") as stranger, sender("127.0.0.2") as console:
        stranger.sendto(b"goal", ("127.0.0.1", line.port))
        await until(lambda: line.counters.refused == 1)
        console.sendto(b"no goal", ("127.0.0.1", line.port))

        assert (await first).data == b"no goal"
    await chunks.aclose()


async def test_a_serial_port_is_set_and_read_by_one() -> None:
    """Speed and parity reach the driver; a second reader, who would take half of the bytes, is told so."""
    async with pty_line(PROTOCOLS["oes"]) as console:
        line = SerialLine(console.address, speed=4800, parity="O", silence_s=PATIENCE_S)
        chunks = line.chunks(VirtualClock())
        reading = following(chunks)
        while not reading.done():
            console.send(b"frame")
            await asyncio.sleep(0.001)
        with pytest.raises(ConsoleLostError, match="another program reads it"):
            await anext(SerialLine(console.address, speed=4800, silence_s=1).chunks(VirtualClock()))
        descriptor = os.open(console.address, os.O_RDONLY | os.O_NOCTTY)
        settings = termios.tcgetattr(descriptor)
        os.close(descriptor)
        await chunks.aclose()

    assert settings[4] == settings[5] == termios.B4800
    assert settings[2] & termios.PARODD
    assert (await reading).data.startswith(b"frame")


async def test_a_cable_that_is_pulled_is_named() -> None:
    """The port hangs up."""
    ours, theirs = pty.openpty()
    line = SerialLine(os.ttyname(theirs), speed=9600, silence_s=PATIENCE_S)
    chunks = line.chunks(VirtualClock())
    reading = following(chunks)
    await until(lambda: line.counters.connections == 1)
    os.close(theirs)
    os.close(ours)

    with pytest.raises(ConsoleLostError, match=r"serial:/dev/pts/\d+ \(9600 8N1\): (lost|closed)"):
        async with patience():
            await reading


async def test_what_waits_too_long_is_thrown_away() -> None:
    """A backlog would date old frames now: the connection ends instead, and begins with a baseline."""
    arrivals = Arrivals(VirtualClock(), LineCounters())
    for _ in range(WAITING_BYTES_MAX // 1024 + 1):
        arrivals.data_received(bytes(1024))
    arrivals.data_received(b"later")

    with pytest.raises(ConsoleLostError, match="wait to be decoded"):
        await arrivals.next("line", silence_s=1.0)
