"""The events of ``--json``: one object a line, for programs that watch a pull."""

from __future__ import annotations

import json
from time import monotonic
from typing import TextIO

from pyostree.cli.pull_status import News
from pyostree.errors import OstreeError, describe
from pyostree.pull.meter import PullMeter, PullSnapshot
from pyostree.pull.progress import (
    DeltaProgress,
    PullPhase,
    PullProgress,
    PullResult,
    Verification,
)

_DONE = "done"
_VERIFIED = "verified"
_ERROR = "error"


class JsonView:
    """An object a line."""

    interval_ms = 0

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._meter = PullMeter()
        self._last: PullSnapshot | None = None
        self._news = News()

    def update(self, progress: PullProgress) -> None:
        for verification in self._news.take(progress):
            write_event(self._out, verified_event(verification))
        self._last = self._meter.measure(progress, monotonic())
        if progress.phase is not PullPhase.DONE:  # `finish` says more
            write_event(self._out, progress_event(self._last))

    def finish(self, result: PullResult) -> None:
        write_event(self._out, done_event(result, self._last))

    def fail(self, err: BaseException | None) -> None:
        if isinstance(err, OstreeError | OSError):
            write_event(self._out, error_event(err))


def write_event(out: TextIO, event: dict[str, object]) -> None:
    """Write one line, at once; ASCII, so that no locale can spoil it."""
    out.write(f"{json.dumps(event)}\n")
    out.flush()


def progress_event(snapshot: PullSnapshot) -> dict[str, object]:
    """Return the event of a running pull."""
    return {
        "phase": str(snapshot.phase),
        "objects": snapshot.objects,
        "objects_total": snapshot.objects_total,
        "bytes": snapshot.bytes_done,
        "bytes_total": snapshot.bytes_total,
        "bytes_total_is_estimate": snapshot.is_estimate,
        "rate": snapshot.rate,
        "eta_s": snapshot.eta_s,
        "elapsed_s": round(snapshot.elapsed_s, 3),
    }


def verified_event(verification: Verification) -> dict[str, object]:
    """Return the event of a commit whose signatures were looked at."""
    found: dict[str, object] = {"phase": _VERIFIED, "commit": str(verification.commit)}
    if verification.message is not None:
        return found | {"signatures": [], "message": verification.message}
    signatures = [
        {
            "valid": signature.is_valid,
            "fingerprint": signature.status.fingerprint,
            "user_name": signature.user_name,
            "user_email": signature.user_email,
        }
        for signature in verification.signatures
    ]
    return found | {"signatures": signatures}


def done_event(result: PullResult, snapshot: PullSnapshot | None) -> dict[str, object]:
    """Return the last event of a pull that succeeded.

    Args:
        snapshot: of the last progress; None if there was none.
    """
    event: dict[str, object] = {} if snapshot is None else progress_event(snapshot)
    event |= {
        "phase": _DONE,
        "eta_s": 0,
        "metadata": result.metadata,
        "content": result.content,
        "metadata_cached": result.metadata_cached,
        "content_cached": result.content_cached,
        "delta_parts": result.delta_parts,
        "bytes_transferred": result.bytes_transferred,
        "content_bytes_written": result.content_bytes_written,
        "seconds": result.seconds,
        "refs": [
            {
                "ref": ref.name,
                "collection_id": ref.collection_id,
                "commit": str(ref.commit),
                "previous": None if ref.previous is None else str(ref.previous),
            }
            for ref in result.refs
        ],
        "commits": [str(commit) for commit in result.commits],
        "dry_run": None if result.dry_run is None else _deltas(result.dry_run),
    }
    return event


def error_event(err: BaseException) -> dict[str, object]:
    """Return the last event of a pull that failed."""
    return {"phase": _ERROR, "message": describe(err), "kind": type(err).__name__}


def _deltas(deltas: DeltaProgress) -> dict[str, object]:
    return {
        "parts": deltas.parts + deltas.fallbacks,
        "parts_done": deltas.parts_done + deltas.fallbacks_done,
        "bytes": deltas.size_done,
        "bytes_total": deltas.size,
        "bytes_uncompressed": deltas.usize,
    }
