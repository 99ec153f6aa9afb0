"""What the server refuses or breaks on request, so that clients can be tested."""

from __future__ import annotations

import base64
import hmac
import random
from http import HTTPStatus
from typing import NamedTuple

from pyostree.errors import FormatError
from pyostree.remote.httpd.message import Request

AUTH_REALM = "auth-test"
_CREDENTIALS = b"foouser:barpw"
_MAX_PERCENT = 99


class FaultSettings(NamedTuple):
    """Which faults to make.

    Attributes:
        half_files: send the first half of objects only, to requests without a range.
        random_500s: how many percent of the requests fail with 500, at most `random_500s_max`.
        random_408s: likewise with 408.
        expected_cookies: ``KEY=VALUE``; requests without them are refused.
        expected_headers: likewise.
    """

    half_files: bool = False
    basic_auth: bool = False
    random_500s: int = 0
    random_500s_max: int = 100
    random_408s: int = 0
    random_408s_max: int = 100
    expected_cookies: tuple[str, ...] = ()
    expected_headers: tuple[str, ...] = ()


class Faults:
    """Decides per request, and counts."""

    def __init__(self, settings: FaultSettings) -> None:
        for percent, option in (
            (settings.random_500s, "random-500s"),
            (settings.random_408s, "random-408s"),
        ):
            if not 0 <= percent <= _MAX_PERCENT:
                raise FormatError(f"Invalid --{option}={percent}")
        self.settings = settings
        self._left = {
            HTTPStatus.INTERNAL_SERVER_ERROR: settings.random_500s_max,
            HTTPStatus.REQUEST_TIMEOUT: settings.random_408s_max,
        }

    def is_authorized(self, request: Request) -> bool:
        """Tell whether the request has the credentials, if any are needed."""
        if not self.settings.basic_auth:
            return True
        given = request.headers.get("authorization", "")
        wanted = f"Basic {base64.b64encode(_CREDENTIALS).decode()}"
        return hmac.compare_digest(given.encode(), wanted.encode())

    def missing(self, request: Request) -> str | None:
        """Return what the log says of an expected cookie or header that is not there."""
        cookies = {part.strip() for part in request.headers.get("cookie", "").split(";")}
        for cookie in self.settings.expected_cookies:
            if cookie not in cookies:
                return f"Expected cookie not found {cookie}"
        for header in self.settings.expected_headers:
            name, _, wanted = header.partition("=")
            found = request.headers.get(name.lower())
            if found is None:
                return f"Expected header not found {name}"
            if found != wanted:
                return f"Expected header {name}: {wanted} but found {found}"
        return None

    def random_status(self) -> HTTPStatus | None:
        """Return the status with which this request fails, or None."""
        for status, percent in (
            (HTTPStatus.INTERNAL_SERVER_ERROR, self.settings.random_500s),
            (HTTPStatus.REQUEST_TIMEOUT, self.settings.random_408s),
        ):
            if percent and self._left[status] > 0 and random.randrange(100) < percent:
                self._left[status] -= 1
                return status
        return None

    def halves(self, request: Request) -> bool:
        """Tell whether only half of the file is to be sent."""
        return (
            self.settings.half_files
            and "/objects" in request.path.lstrip("/")
            and "range" not in request.headers
        )
