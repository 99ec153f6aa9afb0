"""Certificates of ``ostree serve``: those that cannot be used never cost a server."""

from __future__ import annotations

import os
import shutil
import signal
import ssl
from pathlib import Path

import pytest

from repo_lab import ours, run_process
from serve_lab import OURS, Server, make_certificate, serving, wait_until


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("certificates") / "repo"
    assert ours(f"--repo={path}", "init", "--mode=archive").status == 0
    return path


@pytest.mark.parametrize("algorithm", ["P-521", "secp256k1", "ed448"])
def test_certificate_that_only_openssl_takes_is_refused_at_the_start(
    repo: Path, tmp_path: Path, algorithm: str
) -> None:
    chain, key = make_certificate(tmp_path, algorithm)
    result = run_process(OURS, "serve", repo, f"--tls-cert={chain}", f"--tls-key={key}", "--port=0")
    assert (result.status, result.out) == (1, "")
    assert result.err == (
        f"error: Cannot use certificate {chain} with key {key}: "
        "failed to parse private key as RSA, ECDSA, or EdDSA\n"
    )


def test_reload_with_such_a_certificate_leaves_everything_as_it_was(
    repo: Path, tmp_path: Path
) -> None:
    chain, key = make_certificate(tmp_path)
    for name in ("bad", "new"):
        (tmp_path / name).mkdir()
    bad = make_certificate(tmp_path / "bad", "P-521")
    new = make_certificate(tmp_path / "new")
    words = (f"--tls-cert={chain}", f"--tls-key={key}", "--workers=1")
    with serving(tmp_path / "server", repo, *words) as server:
        (worker,) = server.workers()
        first = presented(server)
        shutil.copy(bad[0], chain)
        shutil.copy(bad[1], key)
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "nothing is reloaded" in server.out.read_text())
        assert server.workers() == [worker]
        assert presented(server) == first

        os.kill(worker, signal.SIGKILL)  # who replaces it does not look at the files either
        wait_until(lambda: server.workers() and worker not in server.workers())
        assert presented(server) == first

        shutil.copy(new[0], chain)
        shutil.copy(new[1], key)
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: presented(server) != first)
        assert "panicked" not in server.out.read_text()
        assert server.stop() == 0


def test_reload_whose_workers_do_not_start_leaves_those_before(repo: Path, tmp_path: Path) -> None:
    log = tmp_path / "logs/log"
    log.parent.mkdir()
    # The parent opens the log as a check; each worker, which is another process, cannot.
    script = (
        "import os, sys\n"
        "from pyostree.cli.main import main\n"
        "from pyostree.serve import worker\n"
        "parent, opened = os.getpid(), worker.open_access_log\n"
        "def open_access_log(path):\n"
        "    if os.getpid() != parent and os.path.exists(path + '.broken'):\n"
        "        raise OSError(5, 'x')\n"
        "    return opened(path)\n"
        "worker.open_access_log = open_access_log\n"
        "sys.argv[0] = 'ostree'\n"
        "sys.argv.remove(sys.argv[1])\n"
        "sys.exit(main())\n"
    )
    wrapper = (Path(OURS).with_name("python"), "-c", script)
    words = (f"--access-log={log}", "--workers=2")
    with serving(tmp_path / "server", repo, *words, wrapper=list(map(str, wrapper))) as server:
        before = server.workers()
        Path(f"{log}.broken").touch()
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "nothing is reloaded: Input/output error" in server.out.read_text())
        assert server.get("/config").status == 200
        assert set(before) <= set(server.workers())
        assert server.stop() == 0


def presented(server: Server) -> str:
    """Return the certificate that a client gets."""
    return ssl.get_server_certificate(("127.0.0.1", server.port), timeout=30)
