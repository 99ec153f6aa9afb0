"""Pull a history of which every commit is signed, and every signature verified."""

import shutil
import subprocess
import tempfile
from functools import partial
from pathlib import Path

from bench.task import Argv, Task
from bench.workshop import REFERENCE, Tool, Workshop, remove_tree

_COMMITS = 100
_USER = "bench@example.com"
_REF = "main"


def _signed(shop: Workshop, algorithm: str) -> Path:
    """Return a directory with a repository, and the public key of who signed its commits."""
    return shop.keep(f"signed-{algorithm}", partial(_make, shop, algorithm))


def _make(shop: Workshop, algorithm: str, path: Path) -> None:
    path.mkdir()
    tree = path / "tree"
    tree.mkdir()
    home = Path(tempfile.mkdtemp(prefix="gpg-"))  # short: paths of sockets have 108 bytes
    gpg = ("gpg", f"--homedir={home}", "--batch", "--quiet")
    try:
        shop.run(*gpg, "--passphrase=", "--quick-gen-key", _USER, algorithm, "sign", "never")
        shop.run(*gpg, f"--output={path}/key", "--export", _USER)
        repo = f"--repo={path}/repo"
        shop.run(REFERENCE, repo, "init", "--mode=archive")
        sign = (f"--gpg-homedir={home}", f"--gpg-sign={_USER}")
        for number in range(_COMMITS):
            (tree / "file").write_text(f"{number}\n")
            shop.run(REFERENCE, repo, "commit", "-b", _REF, f"--tree=dir={tree}", *sign)
        shop.run(REFERENCE, repo, "summary", "-u")
    finally:
        subprocess.run(["gpgconf", f"--homedir={home}", "--kill", "all"], check=False)
        shutil.rmtree(home, ignore_errors=True)
        remove_tree(tree)


def _target(shop: Workshop, tool: Tool, source: Path) -> Path:
    repo = shop.fresh_repo(tool, "archive")
    url = f"{shop.url}/{source.name}/repo"
    add = (REFERENCE, f"--repo={repo}", "remote", "add", f"--gpg-import={source}/key")
    shop.run(*add, "origin", url, _REF)
    return repo


def _pull(shop: Workshop, tool: Tool, *, algorithm: str) -> Argv:
    repo = _target(shop, tool, _signed(shop, algorithm))
    return (f"--repo={repo}", "pull", "--depth=-1", "origin", _REF)


def _pull_local(shop: Workshop, tool: Tool, *, algorithm: str) -> Argv:
    source = _signed(shop, algorithm)
    repo = _target(shop, tool, source)
    words = ("pull-local", "--gpg-verify", "--remote=origin", "--depth=-1", f"{source}/repo", _REF)
    return (f"--repo={repo}", *words)


TASKS = tuple(
    Task(f"signed {what} of {_COMMITS}, {algorithm}", partial(prepare, algorithm=algorithm))
    for what, prepare in (("pull-local", _pull_local), ("pull HTTP", _pull))
    for algorithm in ("rsa3072", "ed25519")
)
