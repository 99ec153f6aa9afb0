"""The demo runs, and the README shows what it prints."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_PROMPT = re.compile(r"^(?:\$|board#) .*$", re.MULTILINE)
REQUIRED = (
    "$ ostree summary -u --repo=/srv/http/ostree_repo",
    "board# ostree remote add local_repo http://127.0.0.1/ostree_repo --no-gpg-verify",
    "board# ostree remote refs local_repo",
    "board# ostree pull local_repo:dunfell-am335x-hw26-dev",
    "board# ostree pull local_repo dunfell-am335x-hw26-dev",
    "board# ostree admin deploy local_repo:dunfell-am335x-hw26-dev",
    "board# ostree admin status | grep pending",
)


@pytest.fixture(scope="module")
def transcript() -> str:
    done = subprocess.run(
        [ROOT / "demo/run.sh"],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "LC_ALL": "C.UTF-8"},
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.serial
def test_demo_whole_way_update_is_pending_then_booted(transcript: str) -> None:
    for command in REQUIRED:
        assert f"\n{command}\n" in transcript
    after = transcript.partition("board# ostree admin status | grep pending\n")[2]
    assert re.match(r"  board [0-9a-f]{64}\.0 \(pending\)\n", after)
    rebooted = transcript.rpartition("# The board boots:")[2]
    assert re.search(r"^\* board [0-9a-f]{64}\.0\n    Version: 2$", rebooted, re.MULTILINE)
    assert "object fsck of 2 commits completed successfully - no errors found.\n" in rebooted


@pytest.mark.serial
def test_readme_shows_the_commands_of_the_demo(transcript: str) -> None:
    readme = (ROOT / "README.md").read_text()
    shown = readme.partition("<!-- transcript of make demo -->")[2].partition("<!-- end -->")[0]
    assert _PROMPT.findall(shown) == _PROMPT.findall(transcript)
