"""How an attempt at a request ended: what the error says, whether and when another is made."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import pycurl

from pyostree.errors import FetchError, FetchNotFoundError, describe
from pyostree.remote.transfer import RANGE_STATUS, Transfer

_NOT_FOUND_STATUSES = (403, 404, 410)
_ALWAYS_RETRIED_STATUSES = (408, 500)
_BUSY_STATUSES = (429, 503)
_RETRY_AFTER = getattr(pycurl, "RETRY_AFTER", None)  # not in older releases
_FIRST_SUCCESS, _FIRST_REDIRECT = 200, 300
# Another attempt would end the same way.
_FINAL_CODES = frozenset(
    (
        pycurl.E_UNSUPPORTED_PROTOCOL,
        pycurl.E_URL_MALFORMAT,
        pycurl.E_TOO_MANY_REDIRECTS,
        pycurl.E_BAD_FUNCTION_ARGUMENT,
        pycurl.E_SSL_CERTPROBLEM,
        pycurl.E_PEER_FAILED_VERIFICATION,
        pycurl.E_SSL_CACERT_BADFILE,
        pycurl.E_SSL_ISSUER_ERROR,
        pycurl.E_SSL_PINNEDPUBKEYNOTMATCH,
        pycurl.E_SSL_INVALIDCERTSTATUS,
    )
)
_UNREACHABLE_CODES = (pycurl.E_COULDNT_RESOLVE_HOST, pycurl.E_COULDNT_CONNECT)
# libcurl reworded these; scripts look for the words of the reference's libcurl.
_TEXTS = {
    5: "Couldn't resolve proxy name",
    6: "Couldn't resolve host name",
    7: "Couldn't connect to server",
}
_CLIENT_HINT = "look at tls-client-cert-path and tls-client-key-path of the remote"
_AUTHORITY_HINT = "if the server has a certificate of your own, name its authority in tls-ca-path"
_HINTS = {
    pycurl.E_UNSUPPORTED_PROTOCOL: "the server leads from https to http, or to no web server",
    pycurl.E_BAD_FUNCTION_ARGUMENT: _CLIENT_HINT,
    pycurl.E_SSL_CERTPROBLEM: _CLIENT_HINT,
    pycurl.E_PEER_FAILED_VERIFICATION: _AUTHORITY_HINT,
    pycurl.E_SSL_CACERT_BADFILE: "look at tls-ca-path of the remote",
}
_STEP_S = 0.05  # doubled with each attempt
_MAX_STEP_S = 1.0
_MAX_ASKED_S = 10.0  # whatever Retry-After says
_JITTER_STEPS = 1009


class Ending(NamedTuple):
    """How an attempt ended.

    Attributes:
        code: libcurl's error; 0 when there was an answer.
        status: of the answer; 0 for none, as with files.
        text: libcurl's words for `code`.
        asked_s: how long the server wants us to wait.
    """

    code: int
    status: int
    text: str
    asked_s: int = 0

    @property
    def is_success(self) -> bool:
        """Whether the body is what was asked for."""
        return not self.code and (
            self.status == 0 or _FIRST_SUCCESS <= self.status < _FIRST_REDIRECT
        )

    @property
    def is_error_status(self) -> bool:
        """Whether the server answered, but not with the file."""
        return not self.code and not self.is_success

    @property
    def is_busy(self) -> bool:
        """Whether the server has too much to do."""
        return self.code == pycurl.E_COULDNT_CONNECT or (
            not self.code and self.status in _BUSY_STATUSES
        )

    @property
    def refuses_range(self) -> bool:
        """Whether the rest of the file was asked for in vain."""
        return not self.code and self.status == RANGE_STATUS

    def is_other_part(self, transfer: Transfer) -> bool:
        """Whether the server gave a part of the file that was not asked for."""
        return transfer.is_useless and _FIRST_SUCCESS <= self.status < _FIRST_REDIRECT


def ending_of(transfer: Transfer, code: int, text: str) -> Ending:
    """Return how libcurl ended an attempt.

    A page about an error that we broke off, or that is too large, is an error status all the same.
    """
    handle = transfer.handle
    status = handle.getinfo(pycurl.RESPONSE_CODE)
    is_answer = not code or (
        status >= _FIRST_REDIRECT and code in (pycurl.E_WRITE_ERROR, pycurl.E_FILESIZE_EXCEEDED)
    )
    if not is_answer:
        return Ending(code, status, text)
    if not code and transfer.is_short:
        return Ending(pycurl.E_PARTIAL_FILE, status, "")
    is_asked = status in _BUSY_STATUSES and _RETRY_AFTER is not None
    return Ending(0, status, "", handle.getinfo(_RETRY_AFTER) if is_asked else 0)


def is_retried(transfer: Transfer, ending: Ending, *, retry_all: bool) -> bool:
    """Return whether another attempt makes sense."""
    if ending.is_error_status:
        if ending.status in _NOT_FOUND_STATUSES:
            return False
        return retry_all or ending.status in _ALWAYS_RETRIED_STATUSES
    if transfer.request.leaves_unreachable and _is_unreachable(transfer, ending):
        return False
    is_ours = transfer.too_large or transfer.failure is not None
    if is_ours or ending.code in (pycurl.E_FILESIZE_EXCEEDED, pycurl.E_FILE_COULDNT_READ_FILE):
        return False
    return retry_all and (ending.code not in _FINAL_CODES or len(transfer.request.bases) > 1)


def _is_unreachable(transfer: Transfer, ending: Ending) -> bool:
    is_late = ending.code == pycurl.E_OPERATION_TIMEDOUT
    return ending.code in _UNREACHABLE_CODES or (
        is_late and not transfer.handle.getinfo(pycurl.CONNECT_TIME)
    )


def can_continue(transfer: Transfer, ending: Ending) -> bool:
    """Return whether what arrived of a body that broke off is worth keeping."""
    return bool(
        ending.code
        and transfer.size
        and transfer.failure is None
        and not transfer.too_large
        and transfer.url.scheme != "file"
    )


def delay_s(attempts_made: int, ending: Ending) -> float:
    """Return how long to wait before the next attempt.

    The first one follows at once, as in the reference, unless the server has too much to do.

    Args:
        attempts_made: those that failed; at least 1.
    """
    steps = attempts_made if ending.is_busy else attempts_made - 1
    if not steps:
        return 0.0
    wait_s = min(_STEP_S * 2 ** (min(steps, _JITTER_STEPS) - 1), _MAX_STEP_S)
    # Not all clients, and not all requests of one, at the same moment.
    jitter = 0.5 + (time.monotonic_ns() % _JITTER_STEPS) / (2 * _JITTER_STEPS)
    return float(max(wait_s * jitter, min(ending.asked_s, _MAX_ASKED_S)))


def error_of(transfer: Transfer, ending: Ending) -> FetchError:
    """Return the error for an attempt that is the last."""
    url = transfer.url.shown
    if ending.is_error_status:
        kind = FetchNotFoundError if ending.status in _NOT_FOUND_STATUSES else FetchError
        return kind(f"While fetching {url}: Server returned HTTP {ending.status}")
    if transfer.too_large or ending.code == pycurl.E_FILESIZE_EXCEEDED:
        return FetchError(f"URI {url} exceeded maximum size of {transfer.limit} bytes")
    if transfer.failure is not None:
        return FetchError(f"While fetching {url}: {describe(transfer.failure)}")
    text = f"While fetching {url}: [{ending.code}] {_text(ending)}"
    if ending.code == pycurl.E_FILE_COULDNT_READ_FILE:
        return FetchNotFoundError(text)
    err = FetchError(text)
    err.hint = _HINTS.get(ending.code, err.hint)
    return err


def _text(ending: Ending) -> str:
    if text := _TEXTS.get(ending.code):
        return text
    strerror: Callable[[int], str] | None = getattr(pycurl, "easy_strerror", None)
    return ending.text if strerror is None else strerror(ending.code)
