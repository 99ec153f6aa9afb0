"""Work shared with forked helpers: all of it is done once, and errors come back."""

from __future__ import annotations

import itertools
import os
import resource
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence

import pytest

from pyostree.errors import ChecksumMismatchError, OstreeError
from pyostree.repo import helper_process, processes
from pyostree.repo.processes import SharedWork, Sharing

MANY = 200


@pytest.fixture
def two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "worker_count", lambda: 2)
    monkeypatch.setattr(processes.threading, "active_count", lambda: 1)


def _run(
    work: Callable[[int], object], count: int = MANY, fds: Sequence[int] = ()
) -> list[tuple[int, object]]:
    done: list[tuple[int, object]] = []
    sharing: Sharing[int, object] = Sharing(
        work, lambda item: (item, fds), lambda item, received: (_close(received), work(item))[1]
    )
    with SharedWork(sharing, lambda item, result: done.append((item, result))) as shared:
        for item in range(count):
            shared.submit(item)
        shared.finish()
    return done


def _close(fds: list[int]) -> None:
    for fd in fds:
        os.close(fd)


@pytest.mark.usefixtures("two_processors")
def test_every_item_is_done_once_and_by_more_than_one_process() -> None:
    done = _run(lambda item: (item * 2, os.getpid()))
    assert sorted(item for item, _ in done) == list(range(MANY))
    results = dict(done)
    assert all(results[item][0] == item * 2 for item in results)
    pids = {pid for _, pid in results.values()}
    assert os.getpid() in pids
    assert len(pids) == 2
    for pid in pids - {os.getpid()}:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.usefixtures("two_processors")
def test_a_few_items_fork_nothing() -> None:
    assert {pid for _, pid in _run(lambda _: os.getpid(), count=3)} == {os.getpid()}


@pytest.mark.usefixtures("two_processors")
def test_without_leave_to_fork_the_work_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = []

    def refuse() -> int:
        attempts.append(None)
        raise BlockingIOError("Resource temporarily unavailable")

    monkeypatch.setattr(helper_process.os, "fork", refuse)
    assert {pid for _, pid in _run(lambda _: os.getpid())} == {os.getpid()}
    assert len(attempts) == 1


def test_beside_other_threads_nothing_is_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "worker_count", lambda: 2)
    release = threading.Event()
    other = threading.Thread(target=release.wait)
    other.start()
    try:
        assert {pid for _, pid in _run(lambda _: os.getpid())} == {os.getpid()}
    finally:
        release.set()
        other.join()


@pytest.mark.usefixtures("two_processors")
def test_descriptors_reach_the_helper() -> None:
    reader, writer = os.pipe()
    parent = os.getpid()

    def work(item: int) -> bool:
        return os.getpid() == parent

    def work_packed(item: int, fds: list[int]) -> bool:
        assert fds[0] not in (reader, writer)
        os.write(fds[0], b".")
        _close(fds)
        return False

    done: list[bool] = []
    sharing: Sharing[int, bool] = Sharing(work, lambda item: (item, [writer]), work_packed)
    with SharedWork(sharing, lambda _, result: done.append(result)) as shared:
        for item in range(MANY):
            shared.submit(item)
        shared.finish()
    os.close(writer)
    written = os.read(reader, MANY)
    os.close(reader)
    assert len(written) == done.count(False) > 0


@pytest.mark.usefixtures("two_processors")
@pytest.mark.parametrize(
    "error",
    [FileExistsError(17, "File exists"), ChecksumMismatchError("file", "a", "b"), OstreeError("x")],
    ids=["os", "fields", "plain"],
)
def test_an_error_of_a_helper_arrives_whole(error: Exception) -> None:
    parent = os.getpid()
    error.add_note("doing this")

    def work(item: int) -> None:
        if os.getpid() != parent:
            raise error

    with pytest.raises(type(error)) as caught:
        _run(work)
    assert caught.value is not error
    assert str(caught.value) == str(error)
    assert caught.value.__notes__ == ["doing this"]


@pytest.mark.usefixtures("two_processors")
def test_an_error_that_cannot_be_sent_keeps_its_text() -> None:
    parent = os.getpid()

    class LocalError(OstreeError):
        pass

    def work(item: int) -> None:
        if os.getpid() != parent:
            raise LocalError("only here")

    with pytest.raises(OstreeError, match="only here"):
        _run(work)


@pytest.mark.usefixtures("two_processors")
def test_a_killed_helper_is_an_error() -> None:
    parent = os.getpid()

    def work(item: int) -> None:
        if os.getpid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(OstreeError, match="helper process ended unexpectedly"):
        _run(work)


@pytest.mark.usefixtures("two_processors")
@pytest.mark.parametrize("limit", [64, helper_process._MESSAGE_BYTES])
def test_answers_too_large_to_send_are_made_here(
    monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    # Beyond the second limit it is the socket that refuses.
    monkeypatch.setattr(helper_process, "_MESSAGE_BYTES", limit)
    size = 2 * limit if limit == 64 else limit - 1000
    parent = os.getpid()
    made_here: set[bool] = set()

    def work(item: int) -> bytes:
        made_here.add(os.getpid() == parent)
        return bytes(size)

    capped = socket.socket.setsockopt
    monkeypatch.setattr(
        socket.socket, "setsockopt", lambda self, level, name, _: capped(self, level, name, 4096)
    )
    done = _run(work, count=40)
    assert sorted(item for item, _ in done) == list(range(40))
    assert all(len(result) == size for _, result in done if isinstance(result, bytes))
    assert made_here == {True}


@pytest.mark.usefixtures("two_processors")
def test_descriptors_beyond_the_limit_of_a_helper_are_used_here() -> None:
    reader, writer = os.pipe()
    parent = os.getpid()
    done: list[int] = []

    def work_packed(item: int, fds: list[int]) -> int:
        os.write(fds[-1], b".")
        resource.setrlimit(resource.RLIMIT_NOFILE, (fds[-1] + 1, hard))  # of the helper only
        _close(fds[:1])
        return os.getpid()

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    sharing: Sharing[int, int] = Sharing(
        lambda item: os.getpid(), lambda item: (item, [writer, writer]), work_packed
    )
    with SharedWork(sharing, lambda _, pid: done.append(pid)) as shared:
        for item in range(MANY):
            shared.submit(item)
        shared.finish()
    os.close(writer)
    assert os.read(reader, MANY) in (b".", b"..")
    os.close(reader)
    assert len(done) == MANY
    assert done.count(parent) >= MANY - 2


def test_few_open_files_allowed_fork_nothing(
    monkeypatch: pytest.MonkeyPatch, two_processors: None
) -> None:
    monkeypatch.setattr(processes, "open_files_limit", lambda: 128)
    assert {pid for _, pid in _run(lambda _: os.getpid())} == {os.getpid()}


@pytest.mark.usefixtures("two_processors")
def test_an_error_here_ends_the_helpers() -> None:
    parent = os.getpid()
    seen: set[int] = set()

    def work(item: int) -> int:
        if os.getpid() == parent and len(seen) == 2:
            raise KeyError(item)
        time.sleep(0.001)
        return os.getpid()

    sharing: Sharing[int, int] = Sharing(work, lambda item: (item, ()), lambda item, _: work(item))

    def run_all() -> None:
        with SharedWork(sharing, lambda _, pid: seen.add(pid)) as shared:
            for item in itertools.count():  # until the helper has answered
                shared.submit(item)

    with pytest.raises(KeyError):
        run_all()
    assert len(seen) == 2
    for pid in seen - {parent}:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.usefixtures("two_processors")
def test_items_too_large_to_send_are_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helper_process, "_MESSAGE_BYTES", 1)
    assert {pid for _, pid in _run(lambda _: os.getpid())} == {os.getpid()}


def _fail_here(parent: int) -> None:
    if os.getpid() == parent:
        raise OstreeError("here")


def _fail_in_helper(parent: int) -> None:
    if os.getpid() != parent:
        raise OstreeError("there")


def _die_in_helper(parent: int) -> None:
    if os.getpid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.usefixtures("two_processors")
@pytest.mark.parametrize("fail", [_fail_here, _fail_in_helper, _die_in_helper])
def test_every_item_is_either_done_or_dropped(fail: Callable[[int], None]) -> None:
    parent = os.getpid()
    submitted: list[int] = []
    done: list[int] = []
    dropped: list[int] = []

    def work(item: int) -> None:
        if item > 5:  # those before are done here
            fail(parent)

    sharing: Sharing[int, None] = Sharing(
        work, lambda item: (item, ()), lambda item, _: work(item), dropped.append
    )

    def run_all() -> None:
        with SharedWork(sharing, lambda item, _: done.append(item)) as shared:
            for item in range(MANY):
                submitted.append(item)
                shared.submit(item)
            shared.finish()

    with pytest.raises(OstreeError):
        run_all()
    assert dropped
    assert sorted(done + dropped) == submitted
