"""RTSP servers we call: one that sends through the connection, one that sends datagrams only."""

import asyncio
import shlex
import socket
from pathlib import Path

import pytest

from tests.system.fingerprints.stations import AAC, PLAY, free_port, hear, likeness, running

pytestmark = pytest.mark.system


def test_an_rtsp_server_that_sends_by_udp_only() -> None:
    """Debian's rtsp-server-perl refuses to send through the connection (400); asked for datagrams it plays what it is given."""
    ours, theirs, rtp = (free_port(kind) for kind in (socket.SOCK_STREAM, socket.SOCK_STREAM, socket.SOCK_DGRAM))
    loopback = ["--client_listen_address", "127.0.0.1", "--source_listen_address", "127.0.0.1"]
    ports = ["--clientport", str(ours), "--serverport", str(theirs), "--rtp_start_port", str(rtp // 2 * 2)]
    push = " ".join(shlex.quote(part) for part in [*PLAY, *AAC, "-f", "rtsp", f"rtsp://127.0.0.1:{theirs}/live"])
    calling = ["/bin/sh", "-c", f"trap 'kill $!; exit' TERM; until {push} & wait $!; do sleep 0.2; done"]
    with running(["rtsp-server-perl", *loopback, *ports]), running(calling, gently=True):
        assert likeness(hear(f"rtsp://127.0.0.1:{ours}/live")) > 0.8


class RtspServer:
    """Plays the RTP of an ffmpeg to one caller through the caller's own connection (RFC 2326, section 10.12), as most servers
    do; Debian has no small one that does."""

    def __init__(self, description: Path, rtp: socket.socket) -> None:
        self._description, self._rtp = description, rtp
        self.asked: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await reader.readuntil(b"\r\n\r\n"):
                self._answer(request.decode(), writer)
                await writer.drain()
                if self.asked[-1] == "PLAY":
                    await self._play(writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.transport.abort()

    def _answer(self, request: str, writer: asyncio.StreamWriter) -> None:
        method = request.split(maxsplit=1)[0]
        fields = dict(line.lower().split(": ", 1) for line in request.splitlines()[1:] if ": " in line)
        self.asked.append(method)
        body = self._description.read_text() if method == "DESCRIBE" else ""
        lines = [f"CSeq: {fields['cseq']}", "Session: 1", f"Content-Length: {len(body)}"]
        if method == "DESCRIBE":
            lines.append("Content-Type: application/sdp")
        if method == "SETUP":
            lines.append(f"Transport: {fields['transport']}")
        writer.write("\r\n".join(["RTSP/1.0 200 OK", *lines, "", body]).encode())

    async def _play(self, writer: asyncio.StreamWriter) -> None:
        while True:
            packet = await asyncio.get_running_loop().sock_recv(self._rtp, 65_536)
            writer.write(b"$\x00" + len(packet).to_bytes(2, "big") + packet)
            await writer.drain()


async def test_an_rtsp_server_that_is_called(tmp_path: Path) -> None:
    """We describe, set up and play; the sound comes through the same connection."""
    description = tmp_path / "live.sdp"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rtp:
        rtp.bind(("127.0.0.1", 0))
        rtp.setblocking(False)
        address = f"rtp://127.0.0.1:{rtp.getsockname()[1]}"
        with running([*PLAY, "-c:a", "libopus", "-b:a", "96k", "-sdp_file", str(description), "-f", "rtp", address]):
            rtsp = RtspServer(description, rtp)
            server = await asyncio.start_server(rtsp.serve, "127.0.0.1", 0)
            async with server:
                while not (description.exists() and description.read_text()):
                    await asyncio.sleep(0.05)
                url = f"rtsp://127.0.0.1:{server.sockets[0].getsockname()[1]}/live"
                heard = await asyncio.to_thread(hear, url)

    assert likeness(heard) > 0.8
    assert [method for method in rtsp.asked if method != "OPTIONS"][:3] == ["DESCRIBE", "SETUP", "PLAY"]
