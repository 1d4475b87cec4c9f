"""Blocks on their way from the capture thread to the listener: a bounded queue that knows how to lose.

A live feed that the matcher cannot keep up with loses its oldest sound and says how much; a file waits instead.
"""

import asyncio
import threading
from collections import deque
from dataclasses import dataclass, replace

from fingerprints.audio import AudioBlock
from fingerprints.capture import Capture, Channel, Transport
from fingerprints.downmix import Downmix
from fingerprints.errors import FingerprintsError
from timebase import Clock

BLOCKS_MAX = 400
"""8 to 15 s of sound: more than any pause of the matcher, and still no memory to speak of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What has arrived since the last look.

    Attributes:
        blocks: oldest first; the first carries `gap` when some were dropped before it.
        dropped: blocks lost so far on this connection.
        over: nothing more will come.
    """

    blocks: tuple[AudioBlock, ...]
    dropped: int
    over: bool


class Intake:
    """One connection's capture, in a thread of its own, and the queue it fills.

    Args:
        blocks_max: how many blocks wait at most.

    Raises:
        CaptureError: from `take`, in place of the end: the source could not be opened or has failed.
    """

    def __init__(self, capture: Capture, *, name: str, blocks_max: int = BLOCKS_MAX) -> None:
        self._capture, self._blocks_max = capture, blocks_max
        self._waits = capture.transport is Transport.FILE
        self._blocks: deque[AudioBlock] = deque()
        self._changed = threading.Condition()
        self._arrived = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._error: Exception | None = None
        self._dropped, self._lost_before_next = 0, False
        self._over = self._closed = False
        # A daemon: the libraries' waits cannot be interrupted, only time out, and must not hold up the end of the program.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def segmented(self) -> bool:
        """Whether sound comes in bursts."""
        return self._capture.transport is Transport.SEGMENTS

    async def take(self) -> Batch:
        """Everything that waits, as soon as there is something."""
        await self._arrived.wait()
        with self._changed:
            blocks = tuple(self._blocks)
            self._blocks.clear()
            self._changed.notify()
            over, error = self._over, self._error
            if not over:
                self._arrived.clear()
            if blocks and self._lost_before_next:
                blocks, self._lost_before_next = (replace(blocks[0], gap=True), *blocks[1:]), False
        if error is not None and not blocks:
            raise error
        return Batch(blocks=blocks, dropped=self._dropped, over=over and error is None)

    def close(self) -> None:
        """Stop the capture; its thread ends with the next packet or the capture's read timeout."""
        self._capture.stop()
        with self._changed:
            self._closed = True
            self._blocks.clear()
            self._changed.notify()

    def _run(self) -> None:
        error: Exception | None = None
        try:
            with self._capture as capture:
                for block in capture.blocks():
                    self._put(block)
                    if self._closed:
                        return
        except FingerprintsError as problem:
            error = problem
        except Exception as problem:  # the top of a thread: hand it to the listener, which must not wait for ever
            error = problem
        finally:
            with self._changed:
                self._over, self._error = True, error
                self._wake()

    def _put(self, block: AudioBlock) -> None:
        with self._changed:
            if self._waits:
                self._changed.wait_for(lambda: self._closed or len(self._blocks) < self._blocks_max)
            elif len(self._blocks) >= self._blocks_max:
                self._blocks.popleft()
                self._dropped += 1
                self._lost_before_next = True
            self._blocks.append(block)
            self._wake()

    def _wake(self) -> None:
        if not self._closed and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._arrived.set)


def open_intake(url: str, *, clock: Clock, name: str, channel: Channel = "mix", downmix: Downmix | None = None) -> Intake:
    """Begin to capture a source.

    Raises:
        CaptureError: the source is of a kind that is not opened.
    """
    return Intake(Capture(url, clock=clock, channel=channel, downmix=downmix), name=name)
