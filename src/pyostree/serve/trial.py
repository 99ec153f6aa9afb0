"""`try_certificates`: whether the engine takes a certificate, found out at no risk.

What OpenSSL accepts, the TLS of the engine may refuse (keys on P-521, Ed448), and then it ends the
whole process. So a process is made for it to end.
"""

from __future__ import annotations

import asyncio
import os
import re
import resource
import socket
import ssl

from pyostree.errors import OstreeError
from pyostree.serve.application import Reply, Scope
from pyostree.serve.crew import READY, Crew, WorkerError
from pyostree.serve.options import Certificates

_TIMEOUT_S = 10
_MAX_SAID_BYTES = 64 << 10
_REASON = re.compile(r'\("([^"\n]+)"\)')


class TrialError(OstreeError):
    """The engine does not work with a certificate."""


def try_certificates(certificates: Certificates) -> None:
    """Have an engine of their own answer a handshake with them.

    Raises:
        TrialError: it did not.
        OSError: there can be no more processes.
    """

    def work(_: int, ready: int) -> None:
        os.close(said)
        os.dup2(say, 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        asyncio.run(_answer_one(certificates, ready))

    said, say = os.pipe()
    os.set_blocking(say, False)
    crew = Crew("trial", 1, 0)
    try:
        crew.start(work)
    except WorkerError as err:
        os.set_blocking(said, False)
        raise TrialError(_reason(said) or "the engine did not start with it") from err
    finally:
        crew.end()
        os.close(said)
        os.close(say)


def _reason(said: int) -> str | None:
    """Return what matters of the engine's last words."""
    try:
        text = os.read(said, _MAX_SAID_BYTES).decode("utf-8", "replace")
    except BlockingIOError:
        return None
    found = _REASON.search(text)
    return None if found is None else found[1]


async def _answer_one(certificates: Certificates, ready: int) -> None:
    from pyostree.serve.engine import Engine

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("")  # the kernel finds a name
        listener.listen(1)
        engine = Engine(listener, _answer, certificates, idle_s=_TIMEOUT_S)
        serving = asyncio.create_task(engine.serve())
        await engine.is_up()
        await asyncio.to_thread(_shake_hands, listener.getsockname())
        os.write(ready, READY)
        engine.stop()
        await serving


async def _answer(_: Scope, reply: Reply) -> None:
    reply.response_empty(404, [])


def _shake_hands(address: bytes) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(_TIMEOUT_S)
        client.connect(address)
        try:
            context.wrap_socket(client).close()
        except OSError as err:
            raise TrialError(f"the engine refuses a handshake with it: {err}") from err
