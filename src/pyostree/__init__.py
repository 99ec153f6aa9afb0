"""OSTree in Python: commit operating system trees, publish, pull and deploy them.

The names below are the public interface; everything else may change. They are loaded when they are
first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyostree.api.commits import CommitOptions, HistoryEntry, Layer, MetadataValue
    from pyostree.api.keys import GpgPublicKey, PublicKey, PublicKeyFile, SigningKey
    from pyostree.api.remotes import Remote, Remotes
    from pyostree.api.repo import Repo
    from pyostree.api.report import FsckReport
    from pyostree.api.signatures import Signature, Signatures, SignatureState
    from pyostree.api.view import CommitView, DirectoryEntry, Entry, FileEntry, SymlinkEntry
    from pyostree.errors import (
        AmbiguousRevError,
        CancelledError,
        ChecksumMismatchError,
        ConfigError,
        ConflictError,
        CorruptObjectError,
        DeploymentError,
        FetchError,
        FetchNotFoundError,
        FormatError,
        FreeSpaceError,
        InvalidNameError,
        NotADirectoryInTreeError,
        NotFoundError,
        ObjectNotFoundError,
        OstreeError,
        PathNotFoundError,
        RefNotFoundError,
        RemoteNotFoundError,
        TransactionError,
        UnsupportedError,
        VerificationError,
    )
    from pyostree.formats.commit import Commit
    from pyostree.formats.gvariant import Variant
    from pyostree.formats.objects import Checksum
    from pyostree.formats.refspec import CollectionRef
    from pyostree.formats.summary import Summary, SummaryRef
    from pyostree.formats.xattrs import Xattrs
    from pyostree.progress import Cancel, Pace, Phase, Progress, ProgressCallback
    from pyostree.pull.finders.base import FinderResult
    from pyostree.pull.options import PullOptions, RefKeyring
    from pyostree.pull.progress import PulledRef, PullResult
    from pyostree.remote.dynamic import DynamicRemote
    from pyostree.repo.checkout_options import CheckoutOptions, Overwrite
    from pyostree.repo.commit import CommitResult
    from pyostree.repo.commit_labels import CommitLabels
    from pyostree.repo.commit_request import TreeSource
    from pyostree.repo.devino import DevinoCache
    from pyostree.repo.diff import Diff, DiffOptions
    from pyostree.repo.fsck import FsckOptions
    from pyostree.repo.memory_tree import Content, MemoryTree
    from pyostree.repo.modes import RepoMode
    from pyostree.repo.modifier import CommitModifier, StatOverride, UnmatchedPathsError
    from pyostree.repo.mutable_tree import EmptyTreeError
    from pyostree.repo.prune import PruneOptions, PruneResult
    from pyostree.repo.transaction import TransactionStats

__version__ = "0.1.0"

__all__ = [
    "AmbiguousRevError",
    "Cancel",
    "CancelledError",
    "CheckoutOptions",
    "Checksum",
    "ChecksumMismatchError",
    "CollectionRef",
    "Commit",
    "CommitLabels",
    "CommitModifier",
    "CommitOptions",
    "CommitResult",
    "CommitView",
    "ConfigError",
    "ConflictError",
    "Content",
    "CorruptObjectError",
    "DeploymentError",
    "DevinoCache",
    "Diff",
    "DiffOptions",
    "DirectoryEntry",
    "DynamicRemote",
    "EmptyTreeError",
    "Entry",
    "FetchError",
    "FetchNotFoundError",
    "FileEntry",
    "FinderResult",
    "FormatError",
    "FreeSpaceError",
    "FsckOptions",
    "FsckReport",
    "GpgPublicKey",
    "HistoryEntry",
    "InvalidNameError",
    "Layer",
    "MemoryTree",
    "MetadataValue",
    "NotADirectoryInTreeError",
    "NotFoundError",
    "ObjectNotFoundError",
    "OstreeError",
    "Overwrite",
    "Pace",
    "PathNotFoundError",
    "Phase",
    "Progress",
    "ProgressCallback",
    "PruneOptions",
    "PruneResult",
    "PublicKey",
    "PublicKeyFile",
    "PullOptions",
    "PullResult",
    "PulledRef",
    "RefKeyring",
    "RefNotFoundError",
    "Remote",
    "RemoteNotFoundError",
    "Remotes",
    "Repo",
    "RepoMode",
    "Signature",
    "SignatureState",
    "Signatures",
    "SigningKey",
    "StatOverride",
    "Summary",
    "SummaryRef",
    "SymlinkEntry",
    "TransactionError",
    "TransactionStats",
    "TreeSource",
    "UnmatchedPathsError",
    "UnsupportedError",
    "Variant",
    "VerificationError",
    "Xattrs",
    "__version__",
]

_HOMES = {
    "AmbiguousRevError": "errors",
    "Cancel": "progress",
    "CancelledError": "errors",
    "CheckoutOptions": "repo.checkout_options",
    "Checksum": "formats.objects",
    "ChecksumMismatchError": "errors",
    "CollectionRef": "formats.refspec",
    "Commit": "formats.commit",
    "CommitLabels": "repo.commit_labels",
    "CommitModifier": "repo.modifier",
    "CommitOptions": "api.commits",
    "CommitResult": "repo.commit",
    "CommitView": "api.view",
    "ConfigError": "errors",
    "ConflictError": "errors",
    "Content": "repo.memory_tree",
    "CorruptObjectError": "errors",
    "DeploymentError": "errors",
    "DevinoCache": "repo.devino",
    "Diff": "repo.diff",
    "DiffOptions": "repo.diff",
    "DirectoryEntry": "api.view",
    "DynamicRemote": "remote.dynamic",
    "EmptyTreeError": "repo.mutable_tree",
    "Entry": "api.view",
    "FetchError": "errors",
    "FetchNotFoundError": "errors",
    "FileEntry": "api.view",
    "FinderResult": "pull.finders.base",
    "FormatError": "errors",
    "FreeSpaceError": "errors",
    "FsckOptions": "repo.fsck",
    "FsckReport": "api.report",
    "GpgPublicKey": "api.keys",
    "HistoryEntry": "api.commits",
    "InvalidNameError": "errors",
    "Layer": "api.commits",
    "MemoryTree": "repo.memory_tree",
    "MetadataValue": "api.commits",
    "NotADirectoryInTreeError": "errors",
    "NotFoundError": "errors",
    "ObjectNotFoundError": "errors",
    "OstreeError": "errors",
    "Overwrite": "repo.checkout_options",
    "Pace": "progress",
    "PathNotFoundError": "errors",
    "Phase": "progress",
    "Progress": "progress",
    "ProgressCallback": "progress",
    "PruneOptions": "repo.prune",
    "PruneResult": "repo.prune",
    "PublicKey": "api.keys",
    "PublicKeyFile": "api.keys",
    "PullOptions": "pull.options",
    "PullResult": "pull.progress",
    "PulledRef": "pull.progress",
    "RefKeyring": "pull.options",
    "RefNotFoundError": "errors",
    "Remote": "api.remotes",
    "RemoteNotFoundError": "errors",
    "Remotes": "api.remotes",
    "Repo": "api.repo",
    "RepoMode": "repo.modes",
    "Signature": "api.signatures",
    "SignatureState": "api.signatures",
    "Signatures": "api.signatures",
    "SigningKey": "api.keys",
    "StatOverride": "repo.modifier",
    "Summary": "formats.summary",
    "SummaryRef": "formats.summary",
    "SymlinkEntry": "api.view",
    "TransactionError": "errors",
    "TransactionStats": "repo.transaction",
    "TreeSource": "repo.commit_request",
    "UnmatchedPathsError": "repo.modifier",
    "UnsupportedError": "errors",
    "Variant": "formats.gvariant",
    "VerificationError": "errors",
    "Xattrs": "formats.xattrs",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
