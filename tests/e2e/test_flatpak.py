"""flatpak, a client with habits of its own, installs what we have written and serve."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import pytest

from repo_lab import ours
from serve_lab import serving

NAME = f"org.example.Platform/{platform.machine()}/master"
REF = f"runtime/{NAME}"
METADATA = f"[Runtime]\nname=org.example.Platform\nruntime={NAME}\nsdk={NAME}\n"
BIG_ENDIAN_ONE_MIB = 0x100000 << 24  # byte-swapped, as flatpak stores sizes


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """An archive with a runtime, committed by us."""
    tree = tmp_path / "tree"
    (tree / "files/bin").mkdir(parents=True)
    (tree / "files/bin/greet").write_text("#!/bin/sh\necho hello\n")
    (tree / "metadata").write_text(METADATA)
    path = tmp_path / "repo"
    sizes = f"uint64 {BIG_ENDIAN_ONE_MIB}"
    for words in (
        ["init", "--mode=archive"],
        [
            *("commit", "-b", REF, "--canonical-permissions", f"--tree=dir={tree}"),
            *("--add-metadata-string", f"xa.metadata={METADATA}"),
            *("--add-metadata", f"xa.installed-size={sizes}"),
            *("--add-metadata", f"xa.download-size={sizes}"),
        ],
    ):
        result = ours(f"--repo={path}", *words)
        assert result.status == 0, result.err
    return path


def flatpak(home: Path, *words: str | Path) -> str:
    """Run flatpak for a user who has nothing installed."""
    home.mkdir(exist_ok=True)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "FLATPAK_", "DBUS_"))}
    done = subprocess.run(
        ["flatpak", *words],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env={**kept, "HOME": str(home), "XDG_DATA_HOME": str(home / "share")},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def write_summary_with_cache(repo: Path) -> None:
    """Write the summary that flatpak wants, by our command alone."""
    text = METADATA.replace("\n", "\\n")
    sizes = f"uint64 {BIG_ENDIAN_ONE_MIB}"
    result = ours(
        f"--repo={repo}",
        *("summary", "-u", "--add-metadata", "xa.cache-version=uint32 2"),
        *("--add-metadata", f"xa.cache=<{{'{REF}': ({sizes}, {sizes}, '{text}')}}>"),
    )
    assert result.status == 0, result.err


@pytest.mark.parametrize("indexer", ["ours", "flatpak"])
def test_flatpak_installs_a_runtime_that_we_have_written_and_serve(
    repo: Path, tmp_path: Path, indexer: str
) -> None:
    home = tmp_path / "home"
    if indexer == "ours":
        write_summary_with_cache(repo)
    else:
        flatpak(home, "build-update-repo", repo)
    log = tmp_path / "log"
    with serving(tmp_path / "server", f"os={repo}", f"--access-log={log}") as server:
        flatpak(home, "--user", "remote-add", "--no-gpg-verify", "example", f"{server.url}/os")
        assert NAME in flatpak(home, "--user", "remote-ls", "--columns=ref", "example")
        flatpak(home, "--user", "install", "-y", "--noninteractive", "example", REF)
        assert server.stop() == 0
    installed = home / "share/flatpak" / REF / "active"
    assert (installed / "files/bin/greet").read_text() == "#!/bin/sh\necho hello\n"
    asked = log.read_text()
    assert "GET /os/summary.idx " in asked
    assert ("GET /os/summaries/" in asked) == (indexer == "flatpak")
