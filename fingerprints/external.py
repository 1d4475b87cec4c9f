"""Sound through the system's ffmpeg, for what FFmpeg's libraries in PyAV's wheel cannot open: SRT, RIST, DASH, programmes.

ffmpeg decodes and writes raw samples with their time stamps (NUT) into a pipe; PyAV reads the pipe as it reads any
source, so that gaps, timeouts and watching are the same. The process ends with its reader.
"""

import os
import select
import shutil
import subprocess
import threading
from typing import Final

from fingerprints.sources import PROTOCOLS, CaptureError, Source, Transport

PROGRAM: Final = "ffmpeg"
LAST_WORDS_BYTES: Final = 2_000
POLL_S: Final = 0.2
"""How often a waiting read looks whether it should stop."""
END_PATIENCE_S: Final = 2.0
CHUNK_BYTES: Final = 65_536


def command_for(source: Source) -> list[str]:
    """The command line that writes a source's sound to standard output. An argument list: nothing passes a shell.

    Raises:
        CaptureError: there is no ffmpeg on this machine.
    """
    ffmpeg = shutil.which(PROGRAM)
    if ffmpeg is None:
        raise CaptureError(source.url, "this needs the program ffmpeg, which is not installed", "install Debian's ffmpeg package")
    guard = shutil.which("setpriv")  # util-linux: the kernel ends ffmpeg with us, however we end
    segments = ["-live_start_index", "-1"] if source.address.split("?")[0].endswith((".m3u8", ".m3u")) else []
    live = [] if source.transport is Transport.FILE else ["-probesize", "1000000", "-analyzeduration", "200000"]
    where = "0" if source.program is None else f"0:p:{source.program}"
    return [
        *([guard, "--pdeathsig", "TERM", "--"] if guard else []),
        *(ffmpeg, "-nostdin", "-hide_banner", "-loglevel", "error"),
        *("-protocol_whitelist", PROTOCOLS[source.scheme], *live, *segments, "-i", source.address),
        *("-map", f"{where}:a:{source.track - 1}", "-c:a", "pcm_f32le", "-flush_packets", "1", "-f", "nut", "pipe:1"),
    ]


class ExternalSound:
    """A running ffmpeg as an object with `read`, as PyAV wants it.

    Args:
        stopping: makes a waiting read end.
        timeout_s: a read that brings nothing for so long fails.

    Attributes:
        failure: why it ended, when it did not simply end.

    Raises:
        CaptureError: ffmpeg is not there or cannot be started.
    """

    def __init__(self, source: Source, *, stopping: threading.Event, timeout_s: float) -> None:
        self._source, self._stopping, self._timeout_s = source, stopping, timeout_s
        self._last_words = b""
        self.failure: CaptureError | None = None
        try:
            self._process = subprocess.Popen(
                command_for(source), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        except OSError as error:
            raise CaptureError(source.url, f"ffmpeg cannot be started ({error.strerror})", "look at the machine") from error
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._sound, self._words = self._process.stdout.fileno(), self._process.stderr.fileno()
        self._open = [self._sound, self._words]

    def read(self, size: int) -> bytes:
        """What has arrived, at most `size` bytes; empty at the end, which is told by `failure` if it is none.

        Raising here would make PyAV print a traceback of its own.
        """
        waited_s = 0.0
        while not self._stopping.is_set():
            ready, _, _ = select.select(self._open, [], [], POLL_S)
            if self._words in ready:
                self._listen_to_words()
            if self._sound in ready:
                data = os.read(self._sound, min(size, CHUNK_BYTES))
                if not data:
                    self._end()
                return data
            if not ready:
                waited_s += POLL_S
            if waited_s >= self._timeout_s:
                self.failure = CaptureError(self._source.url, "no data came in time", "look at the server and the network")
                break
        return b""

    def close(self) -> None:
        """End ffmpeg."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(END_PATIENCE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def _listen_to_words(self) -> None:
        words = os.read(self._words, CHUNK_BYTES)
        if not words:
            self._open.remove(self._words)
        self._last_words = (self._last_words + words)[-LAST_WORDS_BYTES:]

    def _end(self) -> None:
        """Note whether this is the end of the stream or a failure, and what ffmpeg says of it."""
        try:
            code = self._process.wait(END_PATIENCE_S)
        except subprocess.TimeoutExpired:
            code = 0
        while self._words in self._open and select.select([self._words], [], [], 0)[0]:
            self._listen_to_words()
        if code:
            self.failure = CaptureError(
                self._source.url, f"ffmpeg gave up ({self._reason()})", "check the address, the programme and the sender"
            )

    def _reason(self) -> str:
        """The last sentence of ffmpeg, without the address, which may hold a password."""
        said = self._last_words.decode("utf-8", "replace").replace(self._source.address, "the source").splitlines()
        lines = [line for line in said if line.strip() and not line.startswith("To ignore this")]
        return lines[-1].strip() if lines else f"exit code {self._process.returncode}"
