"""`CurlFetcher`: the fetcher over libcurl's multi interface, one thread, one loop.

Easy handles are kept and reused, so that a request costs a change of URL and the connection stays
open.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import pycurl

from pyostree.closing import Closing
from pyostree.errors import FetchError, FetchNotFoundError, FormatError, FreeSpaceError
from pyostree.fs.dir import Dir
from pyostree.fs.partial_file import open_partial
from pyostree.fs.special import is_special
from pyostree.remote.curl_options import HandleOptions
from pyostree.remote.fetch import Completed, FetchRequest, FetchSettings, Validators
from pyostree.remote.pace import MAX_CONNECTIONS, MAX_STREAMS, Pace
from pyostree.remote.retry import Ending, can_continue, delay_s, ending_of, error_of, is_retried
from pyostree.remote.schedule import Schedule
from pyostree.remote.throttle import Throttle, gentle_settings
from pyostree.remote.transfer import Tally, Transfer
from pyostree.remote.urls import BaseUrl

_MAX_WAIT_S = 1.0
# When there is nothing that select() can wait on: a pause, or descriptors beyond its 1024.
_SHORT_WAIT_S = 0.005
_NOT_MODIFIED = 304
# Older releases of pycurl know it by another name only.
_LENGTH_NAMES = ("CONTENT_LENGTH_DOWNLOAD_T", "CONTENT_LENGTH_DOWNLOAD")
_CONTENT_LENGTH = next(getattr(pycurl, name) for name in _LENGTH_NAMES if hasattr(pycurl, name))
_FIRST_MULTIPLEXED = 3  # HTTP/2 in libcurl's numbers; HTTP/1.x are 1 and 2


def open_fetcher(settings: FetchSettings, temp: Dir) -> CurlFetcher:
    """Return a fetcher; use it as a context manager.

    Args:
        temp: where large bodies lie until they are used.
    """
    return CurlFetcher(settings, temp)


class CurlFetcher(Closing):
    """Downloads many files at once; see `pyostree.remote.fetch.Fetcher`."""

    def __init__(self, settings: FetchSettings, temp: Dir) -> None:
        rate = settings.max_bytes_per_s
        if rate:
            settings = gentle_settings(settings, rate)
        self._settings = settings
        self._temp = temp
        self._options = HandleOptions(settings)
        self._throttle = Throttle(rate) if rate else None
        self._pace = Pace(settings.max_in_flight, time.monotonic())
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAX_TOTAL_CONNECTIONS, MAX_CONNECTIONS)
        self._multi.setopt(pycurl.M_MAX_HOST_CONNECTIONS, self._pace.max_connections)
        self._multi.setopt(pycurl.M_MAX_CONCURRENT_STREAMS, MAX_STREAMS)
        self._multi.setopt(pycurl.M_PIPELINING, pycurl.PIPE_MULTIPLEX)
        self._schedule = Schedule()
        self._idle: list[Transfer] = []
        self._active: dict[Any, Transfer] = {}
        self._tally = Tally()
        self._partials: frozenset[str] | None = None
        self._printed_before = getattr(sys, "last_value", None)

    # -- Fetcher -------------------------------------------------------------------------

    def submit(self, request: FetchRequest) -> None:
        """Queue a request; it starts in the next `poll` with room for it.

        Raises:
            FetchError: a ``file:`` URL leads to a pipe or device, for which libcurl would wait.
        """
        if not request.bases:
            raise ValueError("a request needs a base URL")
        for base in request.bases:
            if base.scheme == "file":
                _check_no_special(base.join(request.path))
        self._schedule.add(request)

    def poll(self, timeout_s: float) -> list[Completed]:
        """Run the transfers until one has ended or the time is over; give all that ended."""
        deadline = time.monotonic() + timeout_s
        while True:
            self._fill()
            if not self.pending:
                return []
            done = self._advance()
            if done:
                self._note_progress(len(done))
                self._fill()  # the server works on the next ones while the caller stores these
                self._multi.perform()
                return done
            remaining_s = deadline - time.monotonic()
            if remaining_s <= 0:
                return []
            self._wait(remaining_s)

    @property
    def pending(self) -> int:
        """How many requests were submitted and not yet given back."""
        return len(self._schedule) + len(self._active)

    @property
    def bytes_transferred(self) -> int:
        """Sum of all that arrived of bodies, whole or not yet."""
        return self._tally.received

    def cancel_all(self) -> None:
        """Forget all requests; large bodies with a name can be continued by who comes next."""
        transfers = list(self._active.values())
        for transfer in transfers:
            self._detach(transfer)
        for transfer in transfers + self._schedule.clear():
            transfer.drop_body(for_good=False)
            self._idle.append(transfer)

    def close(self) -> None:
        """Cancel everything and close all connections."""
        self.cancel_all()
        for transfer in self._idle:
            transfer.handle.close()
        self._idle.clear()
        self._multi.close()

    # -- the loop ------------------------------------------------------------------------

    def _fill(self) -> None:
        while len(self._active) < self._pace.limit:
            waiting = self._schedule.take()
            if waiting is None:
                return
            if isinstance(waiting, Transfer):
                self._start(waiting)
            else:
                self._begin(waiting)

    def _advance(self) -> list[Completed]:
        """Read and write what the network lets through; return the requests that ended."""
        if self._throttle is not None:
            if self._throttle.wait_s():
                return []
            before = self._tally.received
            self._multi.perform()
            self._throttle.spend(self._tally.received - before)
        else:
            self._multi.perform()
        done: list[Completed] = []
        left = 1
        while left:
            left, succeeded, failed = self._multi.info_read()
            for handle in succeeded:
                self._conclude(self._active[handle], 0, "", done)
            for handle, code, text in failed:
                self._conclude(self._active[handle], code, text, done)
        return done

    def _wait(self, remaining_s: float) -> None:
        """Wait until something can be done."""
        now_s = time.monotonic()
        wait_s = min(remaining_s, _MAX_WAIT_S)
        if self._throttle is not None and (held_s := self._throttle.wait_s()):
            time.sleep(min(held_s, wait_s))
            return
        if (later_s := self._schedule.wait_s(now_s)) is not None:
            wait_s = min(wait_s, later_s)
        if not self._active:
            time.sleep(wait_s)
            return
        # select() knows nothing of libcurl's own clocks, such as for a second address to try.
        timeout_ms = self._multi.timeout()
        if timeout_ms >= 0:
            wait_s = min(wait_s, timeout_ms / 1000)
        ready = self._multi.select(wait_s)
        waited_s = time.monotonic() - now_s
        if ready <= 0 and waited_s < min(wait_s, _SHORT_WAIT_S):
            waited_s = min(wait_s, _SHORT_WAIT_S)
            time.sleep(waited_s)
        if self._schedule.queue:
            self._pace.note_wait(waited_s)

    def _note_progress(self, count: int) -> None:
        pace = self._pace
        pace.note_done(count, self._tally.received, time.monotonic())
        if not self._idle:
            return
        version = self._idle[-1].handle.getinfo(pycurl.INFO_HTTP_VERSION)
        if version and pace.note_protocol(is_multiplexed=version >= _FIRST_MULTIPLEXED):
            self._multi.setopt(pycurl.M_MAX_HOST_CONNECTIONS, pace.max_connections)

    # -- transfers -----------------------------------------------------------------------

    def _begin(self, request: FetchRequest) -> None:
        transfer = self._idle.pop() if self._idle else self._new_transfer()
        transfer.begin(request, self._settings.retries)
        if request.keep_as is not None and self._is_partial(request.keep_as):
            file = open_partial(self._temp, request.keep_as)
            if file is not None:
                transfer.continue_file(file)
        self._start(transfer)

    def _is_partial(self, name: str) -> bool:
        if self._partials is None:
            self._partials = frozenset(self._temp.list())
        return name in self._partials

    def _new_transfer(self) -> Transfer:
        transfer = Transfer(pycurl.Curl(), self._temp, self._tally)
        self._options.set_common(transfer)
        return transfer

    def _start(self, transfer: Transfer) -> None:
        transfer.start()
        self._options.set_attempt(transfer)
        self._active[transfer.handle] = transfer
        self._multi.add_handle(transfer.handle)

    def _detach(self, transfer: Transfer) -> None:
        del self._active[transfer.handle]
        self._multi.remove_handle(transfer.handle)

    def _conclude(self, transfer: Transfer, code: int, text: str, done: list[Completed]) -> None:
        """Give the result of an attempt, or begin another one."""
        self._detach(transfer)
        failure = transfer.failure
        if code == pycurl.E_WRITE_ERROR and not transfer.has_refused:
            failure = self._swallowed()
        if failure is not None and not isinstance(failure, (OSError, FormatError)):
            transfer.drop_body(for_good=isinstance(failure, FreeSpaceError))
            failure.add_note(f"While fetching {transfer.url.shown}")
            self._idle.append(transfer)
            self.close()
            raise failure
        ending = ending_of(transfer, code, text)
        completed = self._judge(transfer, ending)
        if completed is not None:
            self._idle.append(transfer)
            done.append(completed)

    def _swallowed(self) -> BaseException | None:
        """Return what ended a callback, of which older releases of pycurl only print a trace."""
        printed = getattr(sys, "last_value", None)
        return None if printed is self._printed_before else printed

    def _judge(self, transfer: Transfer, ending: Ending) -> Completed | None:
        """Return how the request ended; None when another attempt is made."""
        request, url = transfer.request, transfer.url.shown
        seen = Validators(transfer.etag, transfer.last_modified)
        is_rest_empty = transfer.is_complete and ending.refuses_range
        if is_rest_empty or (ending.is_success and not transfer.is_useless):
            return Completed(request, url, transfer.take_body(), validators=seen)
        if ending.status == _NOT_MODIFIED and request.validators is not None:
            transfer.drop_body()
            return Completed(request, url, not_modified=True, validators=seen)
        if self._goes_on(transfer, ending):
            return None
        err = error_of(transfer, ending)
        self._tell(request, url, err)
        transfer.drop_body(for_good=not self._continues_later(transfer, ending))
        return Completed(request, url, error=err, validators=seen)

    def _tell(self, request: FetchRequest, url: str, err: FetchError) -> None:
        is_normal = request.optional and isinstance(err, FetchNotFoundError)
        if self._settings.remote is not None and not is_normal:
            from pyostree.remote.journal import note_failed_fetch

            note_failed_fetch(self._settings.remote, url, err)

    def _goes_on(self, transfer: Transfer, ending: Ending) -> bool:
        """Begin another attempt where one makes sense."""
        if transfer.continues and (ending.refuses_range or ending.is_other_part(transfer)):
            transfer.drop_body()  # then from the start
        elif ending.is_error_status and transfer.mirror + 1 < len(transfer.request.bases):
            transfer.mirror += 1
        elif transfer.attempts_left > 0 and is_retried(
            transfer, ending, retry_all=self._settings.retry_all
        ):
            self._retry(transfer, ending)
            return True
        else:
            return False
        self._start(transfer)
        return True

    def _retry(self, transfer: Transfer, ending: Ending) -> None:
        has_gained = transfer.size > transfer.offset
        mirrors = len(transfer.request.bases)
        is_kept = self._continues_later(transfer, ending) and (has_gained or mirrors == 1)
        if is_kept:
            transfer.keep_body(int(transfer.handle.getinfo(_CONTENT_LENGTH)))
        elif not (transfer.continues and ending.is_error_status):
            transfer.drop_body()
            # After an answer from the last one, the first; who does not answer is left.
            transfer.mirror = (transfer.mirror + 1) % mirrors if ending.code else 0
        # What brought a good piece further was no failure: a large body may break off often.
        if not (is_kept and transfer.has_advanced()):
            transfer.attempts_left -= 1
            transfer.attempts_made += 1
        if ending.is_busy:
            self._pace.note_trouble(time.monotonic())
        wait_s = delay_s(transfer.attempts_made, ending)
        if wait_s and not transfer.mirror:
            self._schedule.add_later(transfer, wait_s, pauses=bool(ending.asked_s))
        else:
            self._start(transfer)

    def _continues_later(self, transfer: Transfer, ending: Ending) -> bool:
        return not self._settings.compressed and can_continue(transfer, ending)


def _check_no_special(url: BaseUrl) -> None:
    if is_special(url.local_path or ""):
        raise FetchError(f"While fetching {url.shown}: it is neither a file nor a directory")
