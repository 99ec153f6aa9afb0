"""Refs of collections, found at peers and carried on sticks, as programs do it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from pyostree.api.pulls import chosen_options, report_to
from pyostree.formats.refspec import CollectionRef
from pyostree.progress import Cancel, ProgressCallback, watch_with
from pyostree.pull.finders.base import Finder, FinderResult
from pyostree.pull.finders.find import find_remotes
from pyostree.pull.finders.names import default_finders, make_finders
from pyostree.pull.finders.override import OverrideFinder
from pyostree.pull.finders.pull import pull_from_remotes
from pyostree.pull.options import PullOptions
from pyostree.pull.progress import PullResult
from pyostree.pull.usb import UsbOptions, create_usb
from pyostree.repo.repo import Repo

# A collection with one of its refs.
Pairs = Iterable[tuple[str, str]]


def find_pairs(
    repo: Repo,
    refs: Pairs,
    finders: Sequence[str] | None,
    urls: Sequence[str],
    cancel: Cancel | None,
) -> list[FinderResult]:
    """Look for refs in the ways that `finders` names, and at `urls`."""
    ways: list[Finder] = default_finders(repo) if finders is None else make_finders(finders)
    if urls:
        ways.append(OverrideFinder(urls))
    return find_remotes(repo, _refs(refs), ways, watch=watch_with(None, cancel))


def pull_results(
    repo: Repo,
    results: Sequence[FinderResult],
    options: PullOptions | None,
    progress: ProgressCallback | None,
    cancel: Cancel | None,
) -> list[PullResult]:
    """Pull what was found."""
    watch = watch_with(None, cancel)
    return pull_from_remotes(repo, results, chosen_options(options), report_to(progress), watch)


def fill_stick(
    repo: Repo,
    mount_path: str | os.PathLike[str],
    refs: Pairs,
    destination: str,
    progress: ProgressCallback | None,
    cancel: Cancel | None,
) -> PullResult:
    """Copy refs to a stick."""
    wanted = dict.fromkeys(_refs(refs))
    options = UsbOptions(destination, disable_fsync=not repo.fsync)
    watch = watch_with(None, cancel)
    return create_usb(repo, os.fspath(mount_path), wanted, options, report_to(progress), watch)


def _refs(pairs: Pairs) -> list[CollectionRef]:
    return [CollectionRef(*pair) for pair in pairs]
