"""What a server says about the repository that it serves, besides summaries and objects."""

from __future__ import annotations

from pyostree.errors import FormatError, doing
from pyostree.formats.keyfile import KeyFile
from pyostree.formats.objects import Checksum, parse_checksum
from pyostree.pull.requests import RequestedRef
from pyostree.remote.fetch import Fetcher, FetchRequest, fetch_bytes
from pyostree.remote.urls import BaseUrl
from pyostree.repo.config import CONFIG_NAME

# As much as a file of `remotes.d` may have: what is parsed takes twenty times as much memory.
_MAX_CONFIG_BYTES = 1 << 20
_MAX_REF_BYTES = 4096


def has_delta_indexes(fetcher: Fetcher, bases: tuple[BaseUrl, ...]) -> bool:
    """Tell whether the configuration of the repository says that static deltas are indexed.

    Raises:
        FetchError: the configuration cannot be got.
        FormatError: it is no key file.
    """
    data = fetch_bytes(fetcher, FetchRequest(CONFIG_NAME, bases, _MAX_CONFIG_BYTES))
    with doing("Parsing config"):
        return KeyFile.parse(data or b"").get_boolean("core", "indexed-deltas", False)


def fetch_ref(fetcher: Fetcher, bases: tuple[BaseUrl, ...], ref: RequestedRef) -> Checksum:
    """Return the commit of a ref, from a server that has no summary.

    Raises:
        FetchError: the ref cannot be got.
        InvalidNameError: it is no checksum.
    """
    place = "heads" if ref.collection_id is None else f"mirrors/{ref.collection_id}"
    path = f"refs/{place}/{ref.ref}"
    data = fetch_bytes(fetcher, FetchRequest(path, bases, _MAX_REF_BYTES))
    try:
        text = (data or b"").decode()
    except UnicodeDecodeError:
        raise FormatError("Invalid UTF-8") from None
    with doing(f"Fetching checksum for ref ({ref.collection_id or '(empty)'}, {ref.ref})"):
        return parse_checksum(text.rstrip())
