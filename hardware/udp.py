"""A socket for datagrams, from one sender or to a group."""

import ipaddress
import socket
import struct

BUFFER_BYTES = 4 << 20
"""What the kernel keeps while the event loop is busy: some 40 Mbit/s for the better part of a second."""


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket bound to an address; of a group a member.

    Raises:
        OSError: it cannot be.
    """
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    listening = socket.socket(family, socket.SOCK_DGRAM)
    try:
        group = ipaddress.ip_address(address[0])
        if group.is_multicast:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        listening.bind(address)
        if group.is_multicast and group.version == 4:
            listening.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group.packed + b"\0\0\0\0")
        elif group.is_multicast:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group.packed + struct.pack("@I", 0))
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening
