"""The announcer of ``ostree serve --advertise``: what becomes of it costs nobody an answer."""

from __future__ import annotations

import signal
from pathlib import Path

from repo_lab import make_repo, must, ours
from serve_lab import Server, serving, wait_until


def test_announcer_that_fails_at_every_start_is_reported_and_the_server_goes_on(
    tmp_path: Path,
) -> None:
    repo = make_repo(tmp_path / "repo", collection_id="org.example.Os")
    (tmp_path / "tree").mkdir()
    must(ours("commit", f"--repo={repo}", "-b", "main", f"--tree=dir={tmp_path / 'tree'}"))
    must(ours("summary", f"--repo={repo}", "-u"))
    broken = tmp_path / "broken/zeroconf"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("import os\nos._exit(3)\n")
    wrapper = ("env", f"PYTHONPATH={broken.parent}")
    words = (repo, "--advertise", "--host=0.0.0.0", "--workers=1", "-q")
    with serving(tmp_path / "server", *words, wrapper=wrapper) as server:
        assert "nothing is announced: announcer process " in server.out.read_text()
        wait_until(lambda: tries_again(server))
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "what is announced stays as it was: " in server.out.read_text())
        assert server.get("/config").status == 200
        assert server.stop() == 0
        assert "Traceback" not in server.out.read_text()


def tries_again(server: Server) -> bool:
    server.process.send_signal(signal.SIGCHLD)  # see whether it is time
    return "no announcer replaces it: " in server.out.read_text()
