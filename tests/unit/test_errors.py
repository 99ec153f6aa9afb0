"""Errors keep their fields, say what was being done, and come with a next step."""

from __future__ import annotations

import errno
import os
import pickle

import pytest

from pyostree import errors
from pyostree.errors import ChecksumMismatchError, OstreeError, RefNotFoundError, describe, doing
from pyostree.repo.modifier import UnmatchedPathsError


def test_describe_joins_notes_the_outermost_first() -> None:
    with pytest.raises(OstreeError) as caught, doing("outer"), doing("inner"):
        raise OstreeError("message")
    assert describe(caught.value) == "outer: inner: message"


def test_describe_system_error_is_its_text_without_number() -> None:
    err = OSError(errno.ENOENT, os.strerror(errno.ENOENT), "some/path")
    err.add_note("openat(x)")
    assert describe(err) == "openat(x): No such file or directory"


def test_doing_leaves_programming_errors_alone() -> None:
    with pytest.raises(KeyError) as caught, doing("outer"):
        raise KeyError("x")
    assert not getattr(caught.value, "__notes__", [])


@pytest.mark.parametrize(
    "err",
    [ChecksumMismatchError("file", "a", "b"), UnmatchedPathsError("message", ("one", "two"))],
    ids=lambda err: type(err).__name__,
)
def test_error_with_fields_survives_pickling(err: OstreeError) -> None:
    again = pickle.loads(pickle.dumps(err))
    assert str(again) == str(err)
    assert vars(again) == vars(err)


def test_checksum_mismatch_reads_like_the_reference() -> None:
    err = ChecksumMismatchError("dirtree", "1" * 64, "2" * 64)
    assert str(err) == (
        f"Corrupted dirtree object; checksum expected='{'1' * 64}' actual='{'2' * 64}'"
    )


def test_every_class_derives_from_the_root_and_is_documented() -> None:
    classes = [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, Exception)
    ]
    assert len(classes) > 15
    for found in classes:
        assert issubclass(found, OstreeError)
        assert found is OstreeError or found.__name__.endswith("Error")
        assert found.__doc__


def test_not_found_errors_are_one_family() -> None:
    assert issubclass(RefNotFoundError, errors.NotFoundError)
    assert issubclass(errors.ObjectNotFoundError, errors.NotFoundError)
    assert issubclass(errors.FetchNotFoundError, errors.NotFoundError)
