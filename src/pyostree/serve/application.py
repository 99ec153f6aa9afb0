"""`Application`: requests in the form of the server's interface (RSGI), answers given to it."""

from __future__ import annotations

from time import perf_counter
from typing import Protocol

from pyostree.serve.access_log import AccessLog, Request
from pyostree.serve.answer import Answer
from pyostree.serve.conditions import Headers
from pyostree.serve.sites import Sites

_Pairs = list[tuple[str, str]]


class Scope(Protocol):
    """A request, as the server describes it; each attribute is made when it is asked for."""

    @property
    def client(self) -> str: ...
    @property
    def headers(self) -> Headers: ...
    @property
    def http_version(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...


class Reply(Protocol):
    """Takes one answer."""

    def response_empty(self, status: int, headers: _Pairs) -> None: ...
    def response_bytes(self, status: int, headers: _Pairs, body: bytes) -> None: ...
    def response_file(self, status: int, headers: _Pairs, file: str) -> None: ...
    def response_file_range(
        self, status: int, headers: _Pairs, file: str, start: int, end: int
    ) -> None: ...


class Application:
    """Answers requests from open repositories, and notes them."""

    def __init__(self, sites: Sites, log: AccessLog | None) -> None:
        self._sites = sites
        self._log = log

    async def __call__(self, scope: Scope, reply: Reply) -> None:
        """Answer one request; nothing in here waits."""
        began = perf_counter()
        method = scope.method
        path = scope.path
        answer = self._sites.answer(method, path, scope.headers)
        is_head = method == "HEAD"
        _give(answer, reply, is_head=is_head)
        if self._log is not None:
            request = Request(scope.client, method, path, scope.http_version)
            size = 0 if is_head else answer.size
            self._log.add(request, answer.status, size, perf_counter() - began)

    def flush_log(self) -> None:
        """Hand over the lines of the log."""
        if self._log is not None:
            self._log.flush()


def _give(answer: Answer, reply: Reply, *, is_head: bool) -> None:
    if is_head or answer.size == 0:
        reply.response_empty(answer.status, answer.headers)
    elif answer.path is None:
        reply.response_bytes(answer.status, answer.headers, answer.body)
    elif answer.part is None:
        reply.response_file(answer.status, answer.headers, answer.path)
    else:
        start, end = answer.part
        reply.response_file_range(answer.status, answer.headers, answer.path, start, end)
