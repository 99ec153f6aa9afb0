"""The lines that people see of a pull, worded as the reference does."""

from __future__ import annotations

from pyostree.formats.sizes import format_rate, format_size
from pyostree.pull.progress import DeltaProgress, PullProgress, PullResult

_KIB = 1024
_ALL = 100


def format_progress(progress: PullProgress, now_s: float) -> str:
    """Return the line that describes a running pull.

    Args:
        now_s: on the clock of `PullProgress.started_s`.
    """
    if progress.has_failed:
        return "Caught error, waiting for outstanding tasks"
    deltas = progress.deltas
    if progress.is_fetching:
        elapsed_s = int(now_s - progress.started_s)
        rate = format_rate(progress.bytes_transferred, elapsed_s)
        if deltas.parts_done < deltas.parts:
            return f"Receiving delta parts: {_done(deltas)} {_sizes(deltas)} {rate}/s"
        size = format_size(progress.bytes_transferred)
        speed = f" {rate}/s {size}" if not progress.is_local else ""
        if progress.is_scanning:
            return f"Receiving metadata objects: {progress.done}/(estimating){speed}"
        percent = progress.done * _ALL // progress.wanted
        return f"Receiving objects: {percent}% ({progress.done}/{progress.wanted}){speed}"
    if progress.writes:
        return f"Writing objects: {progress.writes}"
    return f"Scanning metadata: {progress.scanned}"


def format_result(result: PullResult) -> str:
    """Return the line that ends a pull."""
    if result.dry_run is not None:
        deltas = result.dry_run
        total = format_size(deltas.usize)
        return f"Delta update: {_done(deltas)} parts, {_sizes(deltas)}, {total} total uncompressed"
    if result.delta_parts:
        text = f"{result.delta_parts} delta parts, {result.metadata + result.content} loose fetched"
    else:
        verb = "imported" if result.is_local else "fetched"
        text = f"{result.metadata} metadata, {result.content} content objects {verb}"
    if not result.is_local and (result.metadata_cached or result.content_cached):
        text += f" ({result.metadata_cached} meta, {result.content_cached} content local)"
    count = result.bytes_transferred
    if count:
        amount = f"{count} B" if count < _KIB else f"{count // _KIB} KiB"
        text += f"; {amount} transferred in {result.seconds} seconds"
    written = result.content_bytes_written
    return text if written is None else f"{text}; {format_size(written)} content written"


def _done(deltas: DeltaProgress) -> str:
    done = deltas.parts_done + deltas.fallbacks_done
    return f"{done}/{deltas.parts + deltas.fallbacks}"


def _sizes(deltas: DeltaProgress) -> str:
    return f"{format_size(deltas.size_done)}/{format_size(deltas.size)}"
