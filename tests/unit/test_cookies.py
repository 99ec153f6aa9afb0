"""Cookies of a remote."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyostree.errors import InvalidNameError, NotFoundError
from pyostree.remote.cookies import add_cookie, delete_cookie, new_cookie, read_cookies
from pyostree.repo.modes import RepoMode
from pyostree.repo.repo import Repo
from repo_lab import must, ours, reference


def test_add_list_delete(tmp_path: Path) -> None:
    with Repo.create(tmp_path / "repo", RepoMode.ARCHIVE) as repo:
        add_cookie(repo, "r", new_cookie("127.0.0.1", "/", "foo", "bar"))
        add_cookie(repo, "r", new_cookie(".example.com", "/x", "baz", "a b"))
        text = (tmp_path / "repo/r.cookies.txt").read_text()
        assert text.splitlines()[0].startswith("127.0.0.1\tFALSE\t/\tFALSE\t")
        assert text.splitlines()[1].startswith(".example.com\tTRUE\t/x\tFALSE\t")
        delete_cookie(repo, "r", domain="127.0.0.1", path="/", name="foo")
        assert [cookie.value for cookie in read_cookies(repo, "r")] == ["a b"]
        with pytest.raises(NotFoundError, match=r"^Cookie not found in jar$"):
            delete_cookie(repo, "r", domain="127.0.0.1", path="/", name="foo")


@pytest.mark.parametrize("fields", [("d\t", "/", "n"), ("d", "/", "n\nx"), ("", "/", "n")])
def test_fields_that_would_break_the_file_are_refused(fields: tuple[str, str, str]) -> None:
    with pytest.raises(InvalidNameError):
        new_cookie(*fields, "value")


def test_adding_keeps_what_the_file_has_and_deleting_hides_it(tmp_path: Path) -> None:
    jar = tmp_path / "repo/r.cookies.txt"
    with Repo.create(tmp_path / "repo", RepoMode.ARCHIVE) as repo:
        jar.write_text("# made by hand\nno newline")
        jar.chmod(0o640)
        add_cookie(repo, "r", new_cookie("d", "/", "n", "v"))
        assert jar.read_text().startswith("# made by hand\nno newline\nd\tFALSE\t/\tFALSE\t")
        assert jar.stat().st_mode & 0o777 == 0o640
        delete_cookie(repo, "r", domain="d", path="/", name="n")
        assert jar.read_text() == ""
        assert jar.stat().st_mode & 0o777 == 0o600


def test_lines_of_other_programs_are_read_and_kept_as_they_are(tmp_path: Path) -> None:
    good = (
        " h FALSE / FALSE 5 one v ",
        "h\tFALSE\t/a b\tFALSE\t6\ttwo\t",
        "#HttpOnly_h\tFALSE\t/\tFALSE\t0\tthree\tx y",
    )
    bad = ("# comment", "", "h\tFALSE\t/\tTRUE\tjunk\tq\tv", "h\tFALSE\t/\tTRUE\t1\tq")
    with Repo.create(tmp_path / "repo", RepoMode.ARCHIVE) as repo:
        jar = tmp_path / "repo/r.cookies.txt"
        jar.write_text("\n".join((*bad, *good)))
        found = [(cookie.path, cookie.name, cookie.value) for cookie in read_cookies(repo, "r")]
        assert found == [("/", "one", "v"), ("/a b", "two", ""), ("/", "three", "x y")]
        delete_cookie(repo, "r", domain="h", path="/a b", name="two")
        assert jar.read_text().splitlines() == [good[0], good[2]]


def test_remote_is_no_path(tmp_path: Path) -> None:
    cookie = new_cookie("d", "/", "n", "v")
    repo = Repo.create(tmp_path / "repo", RepoMode.ARCHIVE)
    with repo, pytest.raises(InvalidNameError):
        add_cookie(repo, "../evil", cookie)


def test_commands_and_the_reference_read_each_other(tmp_path: Path) -> None:
    repo = f"--repo={tmp_path}/repo"
    must(ours("init", repo, "--mode=archive"))
    must(ours("remote", "add-cookie", repo, "r", "h", "/", "one", "1"))
    must(reference("remote", "add-cookie", repo, "r", ".h", "/p", "two", "2"))
    shown = must(ours("remote", "list-cookies", repo, "r"))
    assert shown.startswith("--\nDomain: h\nPath: /\nName: one\nSecure: FALSE\nExpires: 20")
    assert shown.endswith("Value: 2")
    must(reference("remote", "delete-cookie", repo, "r", "h", "/", "one"))
    assert "Name: one" not in must(ours("remote", "list-cookies", repo, "r"))
