"""Summaries as text, the way ``ostree summary --view`` prints them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pyostree.errors import InvalidNameError
from pyostree.formats import summary as keys
from pyostree.formats.dates import format_local
from pyostree.formats.gvariant import Variant, format_text
from pyostree.formats.sizes import format_size
from pyostree.formats.summary import Summary, SummaryRef, big_endian_value

_MODES = frozenset(
    {"bare", "bare-user", "bare-user-only", "bare-split-xattrs", "archive", "archive-z2"}
)


def format_summary(summary: Summary) -> str:
    """Return the lines for all refs, then for the metadata, each with a newline."""
    lines: list[str] = []
    for collection_id, refs in summary.collections():
        for ref in refs:
            lines += _ref_lines(collection_id, ref)
            lines.append("")
    lines += [_metadata_line(key, value) for key, value in summary.metadata]
    return "".join(f"{line}\n" for line in lines)


def _ref_lines(collection_id: str | None, ref: SummaryRef) -> Iterator[str]:
    yield f"* ({collection_id}, {ref.name})" if collection_id is not None else f"* {ref.name}"
    yield f"    Latest Commit ({format_size(ref.size)}):"
    try:
        yield f"      {ref.checksum}"
    except InvalidNameError as err:
        yield f"      {err}"
    for key, value in ref.metadata:
        yield f"    {_metadata_line(key, value)}"


def _metadata_line(key: str, value: Variant) -> str:
    label, types, show = _KNOWN.get(key, ("", (), _show_any))
    if value.type not in types:
        return f"{key}: {_show_any(value)}"
    return f"{label} ({key}): {show(value)}"


def _show_any(value: Variant) -> str:
    return format_text(value.type, value.value, annotate=False)


def _show_string(value: Variant) -> str:
    return str(value.value)


def _show_time(value: Variant) -> str:
    return format_local(big_endian_value(value) or 0)


def _show_boolean(value: Variant) -> str:
    return "Yes" if value.value else "No"


def _show_mode(value: Variant) -> str:
    return value.value if value.value in _MODES else f"Invalid (‘{value.value}’)"


def _show_collections(_: Variant) -> str:
    return "(printed above)"


_KNOWN: dict[str, tuple[str, tuple[str, ...], Callable[[Variant], str]]] = {
    keys.COMMIT_VERSION: ("Version", ("s",), _show_string),
    keys.COMMIT_TIMESTAMP: ("Timestamp", ("t",), _show_time),
    keys.STATIC_DELTAS: ("Static Deltas", ("a{sv}",), _show_any),
    keys.LAST_MODIFIED: ("Last-Modified", ("t",), _show_time),
    keys.EXPIRES: ("Expires", ("t",), _show_time),
    keys.COLLECTION_ID: ("Collection ID", ("s",), _show_string),
    keys.COLLECTION_MAP: ("Collection Map", (keys.COLLECTION_MAP_TYPE,), _show_collections),
    keys.MODE: ("Repository Mode", ("s",), _show_mode),
    keys.TOMBSTONE_COMMITS: ("Has Tombstone Commits", ("b",), _show_boolean),
}
