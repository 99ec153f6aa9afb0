"""What the system's journal is told of a pull: from where, how it was secured, how much came."""

from __future__ import annotations

from pyostree.formats.sizes import format_size
from pyostree.fs.journal import JournalEntry, write_journal
from pyostree.pull.progress import PullResult
from pyostree.pull.run import Plan
from pyostree.pull.terms import PullTerms
from pyostree.remote.endpoints import Demands

_MESSAGE_ID = "75ba3deb0af041a9a46272ff85d9e73e"
_HTTP = ("http", "https")


def note_pull(terms: PullTerms, plan: Plan, scheme: str, result: PullResult) -> None:
    """Write to the journal that a pull is complete, if anything came over the network.

    Args:
        scheme: of the URL that it came from.
    """
    if result.bytes_transferred and result.dry_run is None:
        write_journal(_entry(terms, plan, scheme, result))


def _entry(terms: PullTerms, plan: Plan, scheme: str, result: PullResult) -> JournalEntry:
    what = plan.refs[0].ref if len(plan.refs) == 1 else f"{len(plan.refs)} refs"
    gpg, engines = (
        _gpg_state(terms.demands),
        "commit" if terms.demands.engine_commits else "disabled",
    )
    transport = f"http: {_transport(terms)}" if scheme in _HTTP else ""
    if result.delta_parts:
        counts = f"delta: parts: {result.delta_parts} loose: {result.metadata + result.content}"
    else:
        counts = f"non-delta: meta: {result.metadata} content: {result.content}"
    size = format_size(result.bytes_transferred)
    return JournalEntry(
        f"libostree pull from '{terms.name}' for {what} complete\n"
        f"security: GPG: {gpg} \n"
        f"security: SIGN: {engines} {transport}\n"
        f"{counts}\n"
        f"transfer: secs: {result.seconds} size: {size}",
        _MESSAGE_ID,
        fields={
            "OSTREE_REMOTE": terms.name,
            "OSTREE_SIGN": engines,
            "OSTREE_GPG": gpg,
            "OSTREE_SECONDS": str(result.seconds),
            "OSTREE_XFER_SIZE": size,
        },
    )


def _gpg_state(demands: Demands) -> str:
    if demands.gpg_summary:
        return "summary+commit" if demands.gpg_commits else "summary-only"
    return "commit" if demands.gpg_commits else "disabled"


def _transport(terms: PullTerms) -> str:
    """Return how the connection was secured, in the words of the reference, also without TLS."""
    if terms.remotes.get_bool(terms.name, "tls-permissive", False):
        return "insecure"
    return "TLS" if terms.remotes.get(terms.name, "tls-ca-path") is None else "CA-pinned"
