"""A long cable: what goes into one virtual device comes out of another, some time later.

``python -m bench.delay NAME NAME MS`` makes two TUN devices and carries packets between them until
it is killed. The kernel's own delay (netem) does not come with every kernel.
"""

import fcntl
import os
import select
import struct
import sys
import time
from collections import deque

_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_PACKET_BYTES = 1 << 16
_READS_PER_TURN = 64


def main() -> None:
    """Make the devices, say so, and carry packets."""
    names, delay_s = sys.argv[1:3], int(sys.argv[3]) / 1000
    ends = [_open_device(name) for name in names]
    print("ready", flush=True)
    carry(ends[0], ends[1], delay_s)


def _open_device(name: str) -> int:
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH", name.encode(), _IFF_TUN | _IFF_NO_PI))
    return device


def carry(one: int, other: int, delay_s: float) -> None:
    """Write to each what was read from the other `delay_s` ago."""
    target = {one: other, other: one}
    under_way: deque[tuple[float, int, bytes]] = deque()  # in order, since all take as long
    while True:
        wait_s = max(under_way[0][0] - time.monotonic(), 0) if under_way else None
        for source in select.select((one, other), (), (), wait_s)[0]:
            due_s = time.monotonic() + delay_s
            for packet in _read(source):
                under_way.append((due_s, target[source], packet))
        now_s = time.monotonic()
        while under_way and under_way[0][0] <= now_s:
            _, device, packet = under_way.popleft()
            try:
                os.write(device, packet)
            except OSError:  # a packet is lost now and then, on any network
                continue


def _read(device: int) -> list[bytes]:
    packets = []
    try:
        for _ in range(_READS_PER_TURN):
            packets.append(os.read(device, _PACKET_BYTES))
    except BlockingIOError:
        pass
    return packets


if __name__ == "__main__":
    main()
