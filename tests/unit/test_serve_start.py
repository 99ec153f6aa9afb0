"""What is found before a server starts."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from pyostree.serve import checks, listeners
from pyostree.serve.checks import MissingEngineError
from pyostree.serve.listeners import (
    AddressInUseError,
    ListenError,
    format_address,
    inherited_listeners,
    open_listeners,
)
from pyostree.serve.options import ServeOptions
from pyostree.serve.run import run_server
from pyostree.serve.service_manager import ServiceManager
from pyostree.serve.sites import Place


def test_missing_engine_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "find_spec", lambda name: None)
    with pytest.raises(MissingEngineError) as caught:
        run_server(ServeOptions((Place("", "nowhere"),)), sys.stdout)
    assert caught.value.hint == "pip install 'pyostree[serve]'"


def test_listeners_of_all_workers_share_one_free_port() -> None:
    sets = open_listeners("127.0.0.1", 0, 3)
    try:
        assert [len(one) for one in sets] == [1, 1, 1]
        (port,) = {one[0].getsockname()[1] for one in sets}
        assert format_address(sets[0][0]) == f"127.0.0.1:{port}"
        with pytest.raises(AddressInUseError, match=f"127.0.0.1:{port}: the port is in use"):
            open_listeners("127.0.0.1", port, 3)
    finally:
        for one in sets:
            one[0].close()


def test_connections_are_spread_over_the_listeners() -> None:
    sets = open_listeners("127.0.0.1", 0, 2)
    address = sets[0][0].getsockname()
    clients = [socket.create_connection(address) for _ in range(64)]
    taken = []
    for (listener,) in sets:
        count = 0
        while True:
            try:
                listener.accept()[0].close()
            except BlockingIOError:
                break
            count += 1
        taken.append(count)
        listener.close()
    for client in clients:
        client.close()
    assert sum(taken) == 64
    assert min(taken) > 8


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"LISTEN_PID": "1", "LISTEN_FDS": "1"},
        {"LISTEN_PID": "self", "LISTEN_FDS": "0"},
        {"LISTEN_PID": "self", "LISTEN_FDS": "x"},
        {"LISTEN_PID": "self", "LISTEN_FDS": "99999"},
    ],
)
def test_no_sockets_of_a_service_manager(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, str(os.getpid()) if value == "self" else value)
    assert inherited_listeners() == []
    assert "LISTEN_PID" not in os.environ


def test_descriptor_that_is_no_socket_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with (tmp_path / "file").open("w") as file:
        monkeypatch.setattr(listeners, "_FIRST_INHERITED", file.fileno())
        monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
        monkeypatch.setenv("LISTEN_FDS", "1")
        with pytest.raises(ListenError, match="It is no socket"):
            inherited_listeners()


def test_service_manager_in_the_abstract_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"pyostree-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
        link.bind(f"\0{name}")
        link.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        manager = ServiceManager()
        assert "NOTIFY_SOCKET" not in os.environ
        manager.ready("fine")
        assert link.recv(99) == b"READY=1\nSTATUS=fine"
        manager.stopping()
        assert link.recv(99) == b"STOPPING=1"


def test_no_service_manager_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/nonexistent/socket")
    ServiceManager().ready("fine")
