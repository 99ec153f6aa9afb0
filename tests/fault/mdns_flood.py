"""Announces thousands of services that are not there, and sends noise: run on a host of a test."""

from __future__ import annotations

import os
import random
import socket
import struct
import sys
import time

GROUP = ("224.0.0.251", 5353)
TYPE = (b"_ostree_repo", b"_tcp", b"local")
PTR, A, TXT, SRV = 12, 1, 16, 33
UNIQUE, SHARED = 0x8001, 1
TTL_S = 4500
PAUSE_S = 0.005
EVERYTHING = b"rb=\x01\x01" + b"\xff" * 250  # a filter that has every ref


def _name(*labels: bytes) -> bytes:
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\0"


def _record(name: bytes, kind: int, flags: int, data: bytes) -> bytes:
    return name + struct.pack(">HHIH", kind, flags, TTL_S, len(data)) + data


def _text() -> bytes:
    lie = [b"v=\x01", EVERYTHING, b"st=" + b"\xff" * 8, b"ri=\0\0"]
    noise = [os.urandom(255) for _ in range(20)]
    return b"".join(bytes((len(one),)) + one for one in random.choice((lie, noise)))


def _service(number: int) -> bytes:
    instance = _name(b"evil %d" % number, *TYPE)
    host = _name(b"host%d" % number, b"local")
    elsewhere = random.choice(("127.0.0.1", "198.51.100.7", "10.77.0.250", "10.77.0.251"))
    return b"".join(
        (
            _record(_name(*TYPE), PTR, SHARED, instance),
            _record(instance, SRV, UNIQUE, struct.pack(">HHH", 0, 0, 1 + number % 60000) + host),
            _record(instance, TXT, UNIQUE, _text()),
            _record(host, A, UNIQUE, socket.inet_aton(elsewhere)),
        )
    )


def main(address: str) -> None:
    """Send until killed; from `address`, which is this host's."""
    random.seed(1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sender.bind(("", GROUP[1]))
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
        number = 0
        while True:
            sender.sendto(struct.pack(">HHHHHH", 0, 0x8400, 0, 4, 0, 0) + _service(number), GROUP)
            sender.sendto(os.urandom(random.randrange(1, 4000)), GROUP)
            number += 1
            time.sleep(PAUSE_S)


if __name__ == "__main__":
    main(sys.argv[1])
