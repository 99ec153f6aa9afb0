"""Telling systemd how the service is (the protocol of ``sd_notify``)."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress


class ServiceManager:
    """Where states are sent to; without a service manager nowhere."""

    def __init__(self) -> None:
        """Take the address from the environment, so that no child process speaks for us."""
        path = os.environ.pop("NOTIFY_SOCKET", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path

    def ready(self, status: str) -> None:
        """Say that connections are accepted."""
        self._send(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        """Say that certificates and logs are being opened anew."""
        now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send(f"RELOADING=1\nMONOTONIC_USEC={now_us}")

    def stopping(self) -> None:
        """Say that running transfers are being finished."""
        self._send("STOPPING=1")

    def _send(self, state: str) -> None:
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
            link.connect(self._address)
            link.send(state.encode())
