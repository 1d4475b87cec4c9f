"""One connection to the broker: aiomqtt's client, and three things it leaves out.

*Acknowledging by hand.* aiomqtt acknowledges a message as it arrives; what a process that dies has not yet taken
would be lost. *The broker's answers.* In MQTT 5 it says when it refuses a publication, or has nobody to give it to.
*A queue that never discards what was not acknowledged*: the broker holds back what we have no room for. And what is
published leaves at once, not three turns of the event loop later.
"""

import asyncio
import select
import ssl
import threading
from collections.abc import AsyncGenerator, Callable
from typing import Any

import aiomqtt
import paho.mqtt.client as paho
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

ANSWER_TIMEOUT_S = 2.0
QUEUE_MESSAGES_MAX = 1000
"""Messages at QoS 0, the devices' states, that wait at most; the next one is lost."""
RECEIVE_MAX = 200
"""Messages at QoS 1, the events, that the broker sends before the first is acknowledged; they have room of their own."""

MANY = 8
"""So many messages are taken in one turn of the event loop while more than that wait."""
PACKETS_A_TURN = 100
"""So many are read in one turn; aiomqtt reads one, which a busy loop makes slow."""

NOBODY = "nobody is subscribed"
_NOBODY = 0x10
_REFUSED_FROM = 0x80


class Connection(aiomqtt.Client):
    """A client to enter once; a new one is needed after every disconnection."""

    def __init__(self, host: str, port: int, *, on_overflow: Callable[[], None] | None = None, **options: Any) -> None:
        """Prepare.

        Args:
            on_overflow: called for each message that is lost for want of room.
            options: of `aiomqtt.Client`.
        """
        super().__init__(host, port, **options)
        self._overflow = on_overflow
        self._answers: dict[int, asyncio.Future[ReasonCode]] = {}
        self._client.manual_ack_set(True)
        self._changed, self._thread = asyncio.Event(), threading.get_ident()
        self._readiness, self._overrun = select.poll(), False

    @property
    def waiting(self) -> int:
        """Messages that have arrived and were not taken yet."""
        return self._queue.qsize()

    async def received(self) -> AsyncGenerator[aiomqtt.Message, None]:
        """Messages in the order of their arrival, to the last that came before the connection was lost.

        Raises:
            aiomqtt.MqttError: it is lost.
        """
        self._disconnected.add_done_callback(self._lose)
        while True:
            taken = 0
            while not self._queue.empty():
                yield self._queue.get_nowait()
                taken += 1
                # What the message has begun has its turn before the next one; unless many wait, who must not wait for all that.
                if self._queue.qsize() < MANY or taken % MANY == 0:
                    await asyncio.sleep(0)
            if self._overrun:
                raise aiomqtt.MqttError("more events came than there is room for")
            if self._disconnected.done():
                raise aiomqtt.MqttError("the connection was lost") from self._disconnected.exception()
            self._changed.clear()
            await self._changed.wait()

    def _lose(self, ended: asyncio.Future[None]) -> None:
        self._changed.set()
        if not ended.cancelled():
            # Whoever publishes may notice first, and then nobody asks for this.
            ended.exception()

    def acknowledge(self, message: aiomqtt.Message) -> None:
        """Tell the broker that it need not keep the message any more."""
        self._client.ack(message.mid, message.qos)

    async def deliver(self, topic: str, message: bytes, *, retain: bool, properties: Properties | None = None) -> str:
        """Publish at QoS 1 and return when the broker has answered, as `send` and `answered` do.

        Raises:
            aiomqtt.MqttError: the broker did not answer in time, or was lost.
        """
        return await self.answered(self.send(topic, message, retain=retain, properties=properties))

    def send(self, topic: str, message: bytes, *, retain: bool, properties: Properties | None = None) -> int:
        """Publish at QoS 1; `answered` must be asked for what this returns.

        Raises:
            aiomqtt.MqttError: the connection was lost.
        """
        sent = self._client.publish(topic, message, 1, retain, properties)
        if sent.rc != paho.MQTT_ERR_SUCCESS:
            raise aiomqtt.MqttCodeError(sent.rc, "not published")
        self._answers[sent.mid] = self._loop.create_future()
        return sent.mid

    async def answered(self, sent: int) -> str:
        """Return when the broker has answered to what was sent.

        The time limit is ours: aiomqtt's own uses `asyncio.wait_for`, which before Python 3.12 can lose a cancellation.

        Returns:
            Why nobody gets such messages, as far as the broker says (MQTT 5); empty otherwise.

        Raises:
            aiomqtt.MqttError: the broker did not answer in time, or was lost.
        """
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return _trouble(await self._answers[sent])
        except TimeoutError as error:
            raise aiomqtt.MqttError(f"no acknowledgement within {ANSWER_TIMEOUT_S:g} s") from error
        finally:
            self._answers.pop(sent, None)

    def _on_socket_open(self, client: paho.Client, userdata: Any, sock: Any) -> None:
        super()._on_socket_open(client, userdata, sock)
        self._readiness.register(sock.fileno(), select.POLLIN)
        # In place of the reader that has just been asked for.
        self._loop.call_soon_threadsafe(self._loop.add_reader, sock.fileno(), self._read)

    def _read(self) -> None:
        """Read what the socket has."""
        try:
            for _ in range(PACKETS_A_TURN):
                self._client.loop_read()
                sock = self._client.socket()
                decrypted = sock.pending() if isinstance(sock, ssl.SSLSocket) else 0
                if sock is None or not (decrypted or self._readiness.poll(0)):
                    break
        except Exception as error:
            self._break(error)

    def _on_socket_register_write(self, client: paho.Client, userdata: Any, sock: Any) -> None:
        if threading.get_ident() != self._thread:
            # While connecting, which aiomqtt does beside the event loop.
            super()._on_socket_register_write(client, userdata, sock)
            return
        self._write()
        # Writing may have found that the connection is gone.
        if client.want_write() and sock.fileno() >= 0:
            self._loop.add_writer(sock.fileno(), self._write)

    def _write(self) -> None:
        """Write what the socket takes."""
        try:
            self._client.loop_write()
        except Exception as error:
            self._break(error)

    def _break(self, error: Exception) -> None:
        """As aiomqtt does: the connection is of no use any more."""
        if not self._disconnected.done():
            self._disconnected.set_exception(error)

    def _on_publish(self, client: paho.Client, userdata: Any, mid: int, reason_code: ReasonCode, properties: Properties) -> None:
        answer = self._answers.get(mid)
        if answer is None:
            super()._on_publish(client, userdata, mid, reason_code, properties)
        elif not answer.done():
            answer.set_result(reason_code)

    def _on_message(self, client: paho.Client, userdata: Any, message: paho.MQTTMessage) -> None:
        room = QUEUE_MESSAGES_MAX + (RECEIVE_MAX if message.qos else 0) - self._queue.qsize()
        if room > 0 and not self._overrun:
            super()._on_message(client, userdata, message)
            self._changed.set()
        elif message.qos and not self._overrun:
            # A broker without that limit. From here on nothing is taken: it comes again with the next connection, in its order.
            self._overrun = True
        elif not message.qos and self._overflow is not None:
            self._overflow()


def _trouble(code: ReasonCode) -> str:
    if code.value >= _REFUSED_FROM:
        return f"the broker refuses them ({code.getName()}); check its access list"
    return NOBODY if code.value == _NOBODY else ""
