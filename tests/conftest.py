"""What all tests share: a clean environment, the two commands, and a web server."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from gpg_lab import GpgHome, gpg_home

REFERENCE = Path("/usr/bin/ostree")
REFERENCE_HTTPD = Path("/usr/libexec/libostree/ostree-trivial-httpd")

# A busy machine must not fail a test, and CI must fail the same way twice.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("default"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the developer's shell decides a test."""
    for name in os.environ:
        if name.startswith(("OSTREE_", "http_", "https_", "HTTP_", "HTTPS_", "all_", "ALL_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("TZ", "UTC")


@pytest.fixture(scope="session")
def keys() -> Iterator[GpgHome]:
    """OpenPGP keys for all tests, which leave them as they are."""
    with gpg_home() as home:
        yield home


@pytest.fixture(scope="session")
def ostree() -> Path:
    """Our command, as installed in this environment."""
    return Path(sys.executable).parent / "ostree"


@pytest.fixture(scope="session")
def reference() -> Path:
    """The C implementation; `make test` installs it."""
    assert REFERENCE.exists(), "the Debian package ostree is missing: run `make test`"
    return REFERENCE


@pytest.fixture
def reference_httpd(tmp_path: Path) -> Iterator[str]:
    """The URL of a server, by the C implementation, of ``tmp_path / "www"``."""
    root, port_file = tmp_path / "www", tmp_path / "www-port"
    root.mkdir()
    subprocess.run(
        [REFERENCE_HTTPD, "--autoexit", "--daemonize", "-p", port_file, root], check=True
    )
    yield f"http://127.0.0.1:{port_file.read_text().strip()}"
    root.rename(tmp_path / "www-ended")  # the server ends when its directory is gone
