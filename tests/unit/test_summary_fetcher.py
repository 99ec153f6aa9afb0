"""Getting a remote's summary: what is asked, kept, believed, and repaired."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pyostree.errors import FormatError, VerificationError
from pyostree.fs.dir import Dir
from pyostree.remote import summary_cache
from pyostree.remote.curl import open_fetcher
from pyostree.remote.fetch import FetchSettings
from pyostree.remote.fetch_summary import fetch_summary
from pyostree.remote.summary_cache import SummaryCache
from pyostree.remote.summary_fetcher import SummaryFetcher, SummaryFiles
from pyostree.remote.urls import parse_base_url
from pyostree.repo.repo import Repo
from repo_lab import commit, make_repo, must, ours, write_files
from web_lab import Web, serving

CACHED = "tmp/cache/summaries"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("published")
    (root / "www").mkdir()
    repo = make_repo(root / "www/repo")
    commit(repo, "-b", "main", f"--tree=dir={write_files(root / 'tree', {'a': 'a'})}")
    must(ours("summary", f"--repo={repo}", "-u"))
    (repo / "summary.sig").write_bytes(b"")  # an empty dictionary: signed by nobody
    return root / "www"


@pytest.fixture
def web(published: Path, tmp_path: Path) -> Iterator[Web]:
    root = Path(shutil.copytree(published, tmp_path / "www", symlinks=True))
    for name in ("summary", "summary.sig"):
        os.utime(root / "repo" / name, (1700000000, 1700000000))
    with serving(root) as server:
        yield server


@pytest.fixture
def client(tmp_path: Path, web: Web) -> Path:
    repo = make_repo(tmp_path / "client", "bare-user-only")
    must(ours("remote", "add", f"--repo={repo}", "--no-gpg-verify", "r", f"{web.url}/repo"))
    return repo


def ask(client: Path, cache_dir: Path | None = None) -> bytes | None:
    with Repo.open(client) as repo:
        return fetch_summary(repo, "r", cache_dir=cache_dir and str(cache_dir)).data


def asked(web: Web) -> list[str]:
    found = sorted(line.partition(" If")[0] for line in web.log)
    web.log.clear()
    return found


def test_signed_summary_is_kept_with_its_version(client: Path, web: Web) -> None:
    data = ask(client)
    assert data == (web.root / "repo/summary").read_bytes()
    assert asked(web) == ["200 /repo/summary", "200 /repo/summary.sig"]
    for name in ("r", "r.sig"):
        path = client / CACHED / name
        assert path.stat().st_mtime == 1700000000
        assert os.getxattr(path, "user.etag").startswith(b'"')
    assert ask(client) == data
    assert asked(web) == ["304 /repo/summary.sig"]


def test_unsigned_summary_is_not_kept(client: Path, web: Web) -> None:
    (web.root / "repo/summary.sig").unlink()
    for _ in range(2):
        ask(client)
        assert asked(web) == ["200 /repo/summary", "404 /repo/summary.sig"]
    assert not (client / CACHED).exists()


def test_signature_of_a_lost_summary_is_forgotten(client: Path, web: Web) -> None:
    data = ask(client)
    (client / CACHED / "r").unlink()
    web.log.clear()
    assert ask(client) == data
    assert asked(web) == ["200 /repo/summary", "304 /repo/summary.sig"]
    assert (client / CACHED / "r").read_bytes() == data


def test_links_in_the_cache_lead_nowhere(client: Path, tmp_path: Path) -> None:
    data = ask(client)
    (tmp_path / "secret").write_bytes(b"")
    for name in ("r", "r.sig"):
        (client / CACHED / name).unlink()
        (client / CACHED / name).symlink_to(tmp_path / "secret")
    assert ask(client) == data
    assert (tmp_path / "secret").read_bytes() == b""
    assert not (client / CACHED / "r").is_symlink()


def test_damaged_version_is_not_sent(client: Path, web: Web) -> None:
    data = ask(client)
    os.setxattr(client / CACHED / "r.sig", "user.etag", b'"a\0b"')
    web.log.clear()
    assert ask(client) == data
    assert "If-None-Match" not in web.log[0]


def test_directory_of_the_callers_is_used_instead(client: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    data = ask(client, tmp_path / "elsewhere")
    assert (tmp_path / "elsewhere/summaries/r").read_bytes() == data
    assert not (client / CACHED).exists()
    with pytest.raises(FileNotFoundError):
        ask(client, tmp_path / "nowhere")


def test_repository_without_cache_directory_does_without(client: Path, web: Web) -> None:
    shutil.rmtree(client / "tmp/cache")
    with Repo.open(client) as repo:
        shutil.rmtree(client / "tmp/cache")
        assert fetch_summary(repo, "r").data is not None
    assert not (client / "tmp/cache").exists()


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_cache_that_may_not_be_written_is_no_error(
    client: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(summary_cache, "write_cached_file", fail)
    assert ask(client) is not None


def test_full_disk_is_an_error(client: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(summary_cache, "write_cached_file", fail)
    with pytest.raises(OSError, match="No space left"):
        ask(client)


def test_refused_summary_is_not_kept(client: Path, web: Web) -> None:
    must(ours("config", f"--repo={client}", "set", '--group=remote "r"',
              "gpg-verify-summary", "true"))  # fmt: skip
    with pytest.raises(VerificationError):
        ask(client)
    assert not (client / CACHED).exists()


# -- repairs -----------------------------------------------------------------------------

# Either file may be what is wrong.
REPAIR = ["200 /repo/summary", "200 /repo/summary.sig", "304 /repo/summary.sig"]


def check_form(files: SummaryFiles) -> None:
    data = files.summary_data
    if data is None or data.startswith(b"junk"):
        raise FormatError("Not normal form")


def checked(client: Path, web: Web) -> SummaryFiles:
    with (
        Repo.open(client) as repo,
        closing(SummaryCache(repo)) as cache,
        Dir.at(client / "tmp") as temp,
        open_fetcher(FetchSettings(), temp) as fetcher,
    ):
        bases = (parse_base_url(f"{web.url}/repo"),)
        summaries = SummaryFetcher(fetcher, cache, "r", bases)
        files = summaries.checked(summaries.fetch(), check_form)
        summaries.keep(files)
        return files


def test_damaged_cached_summary_is_replaced(client: Path, web: Web) -> None:
    data = checked(client, web).summary_data
    cached = client / CACHED / "r"
    cached.write_bytes(b"junk")
    web.log.clear()
    assert checked(client, web).summary_data == data
    assert asked(web) == REPAIR
    assert cached.read_bytes() == data


def test_looking_at_a_summary_repairs_the_cache_as_a_pull_does(client: Path, web: Web) -> None:
    data = ask(client)
    cached = client / CACHED / "r"
    cached.write_bytes(b"junk")
    web.log.clear()
    assert ask(client) == data
    assert asked(web) == REPAIR
    assert cached.read_bytes() == data


def test_damaged_summary_of_the_server_is_refused(client: Path, web: Web) -> None:
    (web.root / "repo/summary").write_bytes(b"junk")
    with pytest.raises(FormatError):
        checked(client, web)
    assert not (client / CACHED).exists()


def test_forced_error_in_place_of_the_repair(
    client: Path, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked(client, web)
    (client / CACHED / "r").write_bytes(b"junk")
    monkeypatch.setenv("OSTREE_REPO_TEST_ERROR", "invalid-cache")
    with pytest.raises(VerificationError, match=r"^Remote r cached summary invalid and OSTREE_"):
        checked(client, web)
