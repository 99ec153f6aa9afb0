"""libcurl's options: what the settings of a remote, and a single request, mean to it."""

from __future__ import annotations

from collections.abc import Sequence

import pycurl

from pyostree.fs.dir import Dir
from pyostree.remote.fetch import FetchSettings
from pyostree.remote.http_dates import format_http_date
from pyostree.remote.transfer import Transfer, encoded

_MAX_REDIRECTS = 30
_BUFFER_BYTES = 128 << 10
_THROTTLED_BUFFER_BYTES = 16 << 10
_HAS_HTTP3 = 1 << 25  # CURL_VERSION_HTTP3
_HTTP = pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS
_PKCS11 = "pkcs11:"
# The library is built elsewhere: where this system keeps its certificate authorities.
_CA_BUNDLES = (
    "etc/ssl/certs/ca-certificates.crt",
    "etc/pki/tls/certs/ca-bundle.crt",
    "etc/ssl/ca-bundle.pem",
    "etc/ssl/cert.pem",
)

Option = tuple[int, object]


class HandleOptions:
    """Options for all handles of a fetcher, and for their single requests."""

    def __init__(self, settings: FetchSettings) -> None:
        self._settings = settings
        self._headers = [encoded(f"{name}: {value}") for name, value in settings.headers]
        self._common = _transfer_options(settings) + _tls_options(settings)
        if not settings.tls_permissive:
            bundle = settings.tls_ca_path or _find_ca_bundle()
            if bundle is not None:
                self._common.append((pycurl.CAINFO, bundle))

    def set_common(self, transfer: Transfer) -> None:
        """Prepare a new handle."""
        for option, value in self._common:
            transfer.handle.setopt(option, encoded(value) if isinstance(value, str) else value)
        _set_headers(transfer.handle, self._headers)

    def set_attempt(self, transfer: Transfer) -> None:
        """Prepare the handle for the attempt that `transfer` is about to make."""
        request, handle = transfer.request, transfer.handle
        if transfer.file_limit != request.max_bytes:
            transfer.file_limit = request.max_bytes
            handle.setopt(pycurl.MAXFILESIZE_LARGE, request.max_bytes)
        if transfer.redirects != (redirects := self._redirects(transfer.url.scheme)):
            transfer.redirects = redirects
            handle.setopt(pycurl.REDIR_PROTOCOLS, redirects)
        if request.validators is not None or request.keep_validators or transfer.continues:
            self._set_own_headers(transfer)
        elif transfer.own_headers:
            transfer.own_headers = False
            _set_headers(handle, self._headers)
            handle.unsetopt(pycurl.HEADERFUNCTION)
            handle.unsetopt(pycurl.RANGE)

    def _redirects(self, scheme: str) -> int:
        # No server may send us to local files, none takes us from a safe connection to another.
        is_safe = scheme == "https" and not self._settings.tls_permissive
        return int(pycurl.PROTO_HTTPS if is_safe else _HTTP)

    def _set_own_headers(self, transfer: Transfer) -> None:
        transfer.own_headers = True
        headers = list(self._headers)
        validators = transfer.request.validators
        # A line break in it would begin another header.
        if validators is not None and validators.etag and validators.etag.isprintable():
            headers.append(f"If-None-Match: {validators.etag}".encode("latin-1", "replace"))
        if validators is not None and validators.last_modified > 0:
            date = format_http_date(validators.last_modified)
            headers.append(encoded(f"If-Modified-Since: {date}"))
        if transfer.continues and transfer.kept_etag is not None:
            headers.append(f"If-Range: {transfer.kept_etag}".encode("latin-1", "replace"))
        _set_headers(transfer.handle, headers)
        transfer.handle.setopt(pycurl.HEADERFUNCTION, transfer.note_header)
        if transfer.continues:
            transfer.handle.setopt(pycurl.RANGE, f"{transfer.offset}-")
        else:
            transfer.handle.unsetopt(pycurl.RANGE)


def _set_headers(handle: pycurl.Curl, headers: Sequence[bytes]) -> None:
    # An empty list would be ignored, and those of an earlier request sent again.
    handle.unsetopt(pycurl.HTTPHEADER)
    handle.setopt(pycurl.HTTPHEADER, list(headers))


def _transfer_options(settings: FetchSettings) -> list[Option]:
    rate = settings.max_bytes_per_s
    options: list[Option] = [
        (pycurl.USERAGENT, settings.user_agent),
        (pycurl.NOSIGNAL, 1),
        (pycurl.NOPROGRESS, 1),
        (pycurl.BUFFERSIZE, _THROTTLED_BUFFER_BYTES if rate else _BUFFER_BYTES),
        (pycurl.TCP_NODELAY, 1),
        (pycurl.FOLLOWLOCATION, int(settings.follow_redirects)),
        (pycurl.MAXREDIRS, _MAX_REDIRECTS),
        (pycurl.PROTOCOLS, _HTTP | pycurl.PROTO_FILE),
        (pycurl.CONNECTTIMEOUT, settings.connect_timeout_s),
        (pycurl.LOW_SPEED_LIMIT, settings.low_speed_bytes),
        (pycurl.LOW_SPEED_TIME, settings.low_speed_s),
        (pycurl.HTTP_VERSION, _http_version(settings)),
        (pycurl.PIPEWAIT, int(settings.http2 or settings.http3)),
    ]
    if settings.compressed:
        options.append((pycurl.ACCEPT_ENCODING, ""))
    if settings.proxy:
        options.append((pycurl.PROXY, settings.proxy))
    if settings.cookies_path is not None:
        options.append((pycurl.COOKIEFILE, settings.cookies_path))
    if settings.verbose:
        options.append((pycurl.VERBOSE, 1))
    return options


def _http_version(settings: FetchSettings) -> int:
    version = pycurl.CURL_HTTP_VERSION_1_1
    if settings.http3 and pycurl.version_info()[4] & _HAS_HTTP3:
        version = pycurl.CURL_HTTP_VERSION_3  # or what else the server can
    elif settings.http2:
        # Over TLS only: the upgrade of plain HTTP costs headers in every request; few can do it.
        version = pycurl.CURL_HTTP_VERSION_2TLS
    return int(version)


def _tls_options(settings: FetchSettings) -> list[Option]:
    options: list[Option] = []
    if settings.tls_permissive:
        options += [(pycurl.SSL_VERIFYPEER, 0), (pycurl.SSL_VERIFYHOST, 0)]
    cert, key = settings.tls_client_cert_path, settings.tls_client_key_path
    if cert is not None and key is not None:
        for path, option, kind in (
            (cert, pycurl.SSLCERT, pycurl.SSLCERTTYPE),
            (key, pycurl.SSLKEY, pycurl.SSLKEYTYPE),
        ):
            if path.startswith(_PKCS11):
                options += [(pycurl.SSLENGINE, "pkcs11"), (kind, "ENG")]
            options.append((option, path))
    return options


def _find_ca_bundle() -> str | None:
    with Dir.at("/") as root:
        found = next((path for path in _CA_BUNDLES if root.is_file(path)), None)
    return None if found is None else f"/{found}"
