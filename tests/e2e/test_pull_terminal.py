"""What pulls show: on terminals of all kinds, in pipes, as JSON, and when they are interrupted."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpg_lab import KEYS, GpgHome, gpg_home
from pty_lab import Session, on_terminal, resize
from repo_lab import OURS, REFERENCE, make_repo, must, ours, reference
from web_lab import serving

BYTES = 3 << 20
FILES = 200
METADATA = 5  # commit, signatures, dirtree, dirmeta, and the word that there is no delta
FINAL = re.compile(
    r"\d+ metadata, \d+ content objects fetched; \d+ KiB transferred in \d+ seconds; "
    r"\d+\.\d\u00a0.B content written"
)


class Place:
    """A served repository with a signed branch, and the key that signed it."""

    def __init__(self, root: Path, home: GpgHome) -> None:
        self.root = root
        self.home = home
        self.repo = make_repo(root / "repo", "archive")
        tree = root / "tree"
        tree.mkdir()
        for number in range(FILES):
            (tree / f"file{number}").write_bytes(os.urandom(BYTES // FILES))
        words = [f"--repo={self.repo}", f"--tree=dir={tree}", "--canonical-permissions"]
        must(ours("commit", *words, "-b", "main", "--generate-sizes", *home.options(KEYS[0])))
        must(ours("commit", *words, "-b", "plain", "--no-bindings"))
        must(ours("summary", "-u", f"--repo={self.repo}"))
        self.url = ""

    def client(self, name: str, key: int | None = None, *more: str) -> Path:
        """Return a new repository with the remote ``origin``."""
        path = make_repo(self.root / name, "bare-user-only")
        trust = "--no-gpg-verify"
        if key is not None:
            trust = f"--gpg-import={self.home.armored(key)}"
        must(ours("remote", "add", f"--repo={path}", trust, *more, "origin", self.url))
        return path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    root = tmp_path_factory.mktemp("place")
    with gpg_home() as home, serving(root / "repo") as web:
        place = Place(root, home)
        place.url = web.url
        yield place


def pull(repo: Path, *words: str, program: str = OURS, columns: int = 80, **more: str) -> Session:
    return on_terminal(
        program, "pull", f"--repo={repo}", "origin", "main", *words, columns=columns, **more
    )


def test_last_line_and_signatures_are_those_of_the_reference(place: Place) -> None:
    mine = pull(place.client("mine", 0))
    theirs = pull(place.client("theirs", 0), program=REFERENCE)
    assert mine.code == theirs.code == 0
    assert mine.err == theirs.err == ""
    assert mine.lines[-1] == theirs.lines[-1] == ""
    assert FINAL.fullmatch(mine.lines[-2])
    assert FINAL.fullmatch(theirs.lines[-2])
    block = mine.lines[:-2]
    assert block == theirs.lines[:-2]
    assert block[:3] == ["", "", "GPG: Verification enabled, found 1 signature:"]
    assert block[-1].startswith('  Good signature from "Ostree Tester ')


def test_bad_signature_is_shown_before_the_error(place: Place) -> None:
    mine = pull(place.client("suspicious", 1))
    theirs = pull(place.client("suspicious-too", 1), program=REFERENCE)
    assert mine.code == theirs.code == 1
    assert mine.err.partition("hint")[0] == theirs.err
    assert mine.lines[:6] == theirs.lines[:6]
    assert mine.lines[5] == "  Can't check signature: public key not found"
    assert mine.lines[6:] == [""]  # nothing is left of the bar


def test_local_pulls_show_no_signatures_as_in_the_reference(place: Place) -> None:
    for program, name in ((OURS, "local"), (REFERENCE, "local-too")):
        repo = place.client(name, 0)
        words = ["pull-local", f"--repo={repo}", "--remote=origin", "--gpg-verify"]
        done = on_terminal(program, *words, place.repo, "main")
        assert done.code == 0
        assert len(done.lines) == 2
        assert re.fullmatch(r"\d+ metadata, 200 content objects imported; .*", done.lines[0])


def test_bar_has_totals_from_its_first_moment_and_fits(place: Place) -> None:
    done = pull(place.client("slow"), f"--limit-rate={BYTES // 3}", columns=100)
    assert done.code == 0
    bars = re.findall(r"Receiving objects: +(\d+)% \[([=> ]*)\] +(\d+)/(\d+) (.*?)\r", drawn(done))
    assert bars, done.raw
    percents = [int(percent) for percent, *_ in bars]
    assert percents == sorted(percents)
    assert percents[0] < 50 < percents[-1]
    assert {int(total) for _, _, _, total, _ in bars} == {FILES + METADATA}
    assert all(re.search(r"/3\.\d MB", rest) for *_, rest in bars), "ostree.sizes tells them"
    assert any(re.search(r"\d s left", rest) for *_, rest in bars)
    assert all(len(line) < 100 for line in re.split(r"\r\x1b\[K|\n", done.raw.decode())[:-2])
    assert [line for line in done.lines if line] == done.lines[-2:-1]


def drawn(done: Session) -> str:
    return done.raw.decode().replace("\x1b[K", "")


def test_bar_follows_the_width_of_the_terminal(place: Place) -> None:
    widths = iter([40, 12])

    def shrink(terminal: int, raw: bytes) -> None:
        if raw.count(b"%") % 2 and (width := next(widths, None)):
            resize(terminal, width)

    words = [OURS, "pull", f"--repo={place.client('narrow')}", f"--limit-rate={BYTES // 2}"]
    done = on_terminal(*words, "origin", "main", columns=120, listen=shrink)
    lengths = [len(line) for line in drawn(done).split("\r") if "%" in line]
    assert max(lengths) > 40
    assert lengths[-1] < 12


def test_without_sizes_the_bytes_are_estimated(place: Place) -> None:
    words = [f"--repo={place.client('estimate')}", f"--limit-rate={BYTES // 2}", "origin", "plain"]
    done = on_terminal(OURS, "pull", *words, columns=100)
    assert done.code == 0
    assert re.search(r" \d\.\d/~3\.\d MB", drawn(done)), done.raw


def test_a_dumb_terminal_sees_no_control_characters(place: Place) -> None:
    done = pull(place.client("dumb"), TERM="dumb")
    assert b"\x1b" not in done.raw
    first, last, _ = done.lines
    assert re.fullmatch(r"Receiving 205 objects, 3\.\d\u00a0MB", first)
    assert FINAL.fullmatch(last)


def test_an_error_has_a_line_of_its_own(place: Place) -> None:
    repo = place.client("broken")
    (place.repo / "refs/heads/broken").write_text("0" * 64 + "\n")
    words = [OURS, "pull", f"--repo={repo}", "origin", f"main@{'0' * 64}"]
    done = on_terminal(*words)
    (place.repo / "refs/heads/broken").unlink()
    assert done.code == 1
    assert done.lines == [""]
    assert "error:" in done.err


# -- not on a terminal -------------------------------------------------------------------


def test_in_a_pipe_there_is_the_last_line_alone(place: Place) -> None:
    for program, name in ((ours, "pipe"), (reference, "pipe-too")):
        repo = place.client(name, 0)
        out = must(program("pull", f"--repo={repo}", "--update-frequency=1", "origin", "main"))
        assert FINAL.fullmatch(out.removesuffix("\n"))


def events(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_json_tells_totals_before_content_comes(place: Place) -> None:
    repo = place.client("json", 0)
    words = ["pull", f"--repo={repo}", "--json", "--update-frequency=20"]
    told = events(must(ours(*words, f"--limit-rate={BYTES}", "origin", "main")))
    assert told[-1]["phase"] == "done"
    fetching = [event for event in told if event["phase"] == "fetching"]
    assert fetching[0]["objects_total"] == FILES + METADATA
    assert fetching[0]["bytes_total_is_estimate"] is False
    assert fetching[0]["objects"] == METADATA  # none of the files
    assert {event["bytes_total"] for event in fetching} == {fetching[0]["bytes_total"]}
    amounts = [event["bytes"] for event in fetching]
    assert amounts == sorted(amounts, key=int)  # type: ignore[call-overload]
    assert told[-1]["bytes"] == told[-1]["bytes_total"] == fetching[0]["bytes_total"]
    assert told[-1]["objects"] == FILES + METADATA
    head = must(ours("rev-parse", f"--repo={place.repo}", "main")).strip()
    assert told[-1]["refs"] == [
        {"ref": "origin:main", "collection_id": None, "commit": head, "previous": None}
    ]
    (verified,) = [event for event in told if event["phase"] == "verified"]
    assert verified["commit"] == head


def test_json_keeps_to_the_frequency(place: Place) -> None:
    repo = place.client("rare")
    words = ["pull", f"--repo={repo}", "--json", f"--limit-rate={BYTES // 2}"]
    told = events(must(ours(*words, "--update-frequency=60000", "origin", "main")))
    phases = [event["phase"] for event in told]
    assert len(phases) == len(set(phases))


def test_json_of_a_local_pull(place: Place) -> None:
    repo = make_repo(place.root / "local-json", "archive")
    told = events(must(ours("pull-local", f"--repo={repo}", "--json", place.repo, "main", "plain")))
    assert told[-1]["phase"] == "done"
    assert told[-1]["content"] == FILES
    assert [ref["ref"] for ref in told[-1]["refs"]] == ["main", "plain"]  # type: ignore[attr-defined]


def test_json_of_an_error_is_the_last_line(place: Place) -> None:
    repo = place.client("json-error")
    done = ours("pull", f"--repo={repo}", "--json", "origin", "nothing")
    message = "No such branch 'nothing' in repository summary"
    assert done.status == 1
    assert events(done.out)[-1] == {"phase": "error", "message": message, "kind": "NotFoundError"}
    assert done.err == f"error: {message}\n"


def test_reader_of_json_that_leaves_ends_the_pull_silently(place: Place) -> None:
    repo = place.client("gone")
    words = ["pull", f"--repo={repo}", "--json", "--update-frequency=10", "origin", "main"]
    with subprocess.Popen(
        [OURS, *words, f"--limit-rate={BYTES}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == -signal.SIGPIPE
    must(ours("pull", f"--repo={repo}", "origin", "main"))
    must(reference("fsck", f"--repo={repo}"))


# -- interrupted -------------------------------------------------------------------------


def test_ctrl_c_leaves_refs_alone_and_work_for_the_next_attempt(place: Place) -> None:
    repo = place.client("interrupted")
    words = ["pull", f"--repo={repo}", "origin", "main"]
    with subprocess.Popen(
        [OURS, *words, "--json", "--update-frequency=10", f"--limit-rate={BYTES // 2}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            if json.loads(line)["objects"] > FILES // 2:
                process.send_signal(signal.SIGINT)
                break
        began = time.monotonic()
        err = process.stderr.read()
    assert process.returncode == -signal.SIGINT
    assert err == b""
    assert time.monotonic() - began < 3
    assert must(ours("refs", f"--repo={repo}")) == ""
    must(reference("fsck", f"--repo={repo}"))
    out = must(ours(*words))
    count = re.search(r" (\d+) content", out)
    assert count is not None
    assert int(count[1]) < FILES * 3 // 4
    must(reference("fsck", f"--repo={repo}"))
