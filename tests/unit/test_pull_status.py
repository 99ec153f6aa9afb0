"""What a pull shows: the bar by width and state, terminals of all kinds, logs, JSON."""

from __future__ import annotations

import io
import json

import pytest

from pyostree.cli import pull_json, pull_terminal
from pyostree.cli.columns import cut_to, display_width, without_controls
from pyostree.cli.pull_bar import format_bar
from pyostree.cli.pull_status import PullStatus
from pyostree.errors import CancelledError, FetchError
from pyostree.formats.objects import Checksum
from pyostree.pull.meter import PullSnapshot
from pyostree.pull.progress import (
    DeltaProgress,
    PulledRef,
    PullPhase,
    PullProgress,
    PullResult,
    Verification,
)
from pyostree.sign.gpg.result import GpgSignature
from pyostree.sign.gpg.status import SignatureStatus

COMMIT = Checksum(b"\x11" * 32)
RESULT = PullResult(
    is_local=False, metadata=5, content=4, metadata_cached=0, content_cached=0,
    bytes_transferred=2048, seconds=1, content_bytes_written=19,
    refs=(PulledRef("origin:main", COMMIT),), commits=(COMMIT,),
)  # fmt: skip
LAST_LINE = (
    "5 metadata, 4 content objects fetched; 2 KiB transferred in 1 seconds; "
    "19 bytes content written\n"
)
ERASE = "\r\x1b[K"

FETCHING = PullSnapshot(
    phase=PullPhase.FETCH, objects=9432, objects_total=20900, bytes_done=120_500_000,
    bytes_total=267_100_000, is_estimate=False, rate=12_300_000, eta_s=12, elapsed_s=10.0,
)  # fmt: skip


def running() -> PullProgress:
    progress = PullProgress(started_s=0.0, is_local=False)
    progress.phase = PullPhase.FETCH
    progress.is_scanning = False
    progress.objects_total = progress.content_wanted = 100
    progress.content_fetched = 40
    return progress


# -- the bar -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (
            120,
            "Receiving objects:  45% [=================>                    ] "
            " 9432/20900 120.5/267.1 MB   12.3 MB/s 12 s left",
        ),
        (79, " 45% [=======>        ]  9432/20900 120.5/267.1 MB   12.3 MB/s 12 s left"),
        (60, " 45% [===========>             ]  12.3 MB/s 12 s left"),
        (45, " 45% [====>     ]  12.3 MB/s 12 s left"),
        (30, " 45% [=====>       ] 12 s left"),
        (17, " 45% [====>     ]"),
        (14, "45% 12 s left"),
        (5, "45% 1"),
        (0, ""),
    ],
)
def test_bar_is_as_rich_as_the_terminal_is_wide(columns: int, line: str) -> None:
    shown = format_bar(running(), FETCHING, columns)
    assert len(shown) <= columns
    assert shown == line


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"is_estimate": True}, "45% [", ),
        ({"is_estimate": True}, " 120.5/~267.1 MB "),
        ({"bytes_total": None}, "]  9432/20900 120.5 MB         12.3 MB/s 12 s left"),
        ({"bytes_done": 0, "bytes_total": None, "rate": None}, f"]  9432/20900{' ' * 28}12 s left"),
        ({"bytes_done": 950_000}, " 950.0 kB/267.1 MB "),
        ({"bytes_done": 12, "bytes_total": 99}, "    12/99 bytes "),
        ({"eta_s": None}, "12.3 MB/s"),
        ({"eta_s": 59}, " 59 s left"),
        ({"eta_s": 143}, " 2 min 20 s left"),
        ({"eta_s": 3600 * 2 + 61}, " 2 h 1 min left"),
        ({"eta_s": 24 * 3600 + 1}, " more than a day left"),
    ],
)  # fmt: skip
def test_bar_fields(changes: dict[str, int | None], part: str) -> None:
    assert part in format_bar(running(), FETCHING._replace(**changes), 120)  # type: ignore[arg-type]


def test_bar_of_a_local_pull_has_no_bytes() -> None:
    progress = running()
    progress.is_local = True
    assert "]  9432/20900 12 s left" in format_bar(progress, FETCHING, 120)


def test_bar_keeps_its_place_whatever_is_known() -> None:
    early = FETCHING._replace(bytes_total=None, rate=None, eta_s=None, objects=12, bytes_done=7)
    lines = [format_bar(running(), one, 100) for one in (early, FETCHING)]
    assert len({line.index("]") for line in lines}) == 1


def test_bar_of_a_full_percent_is_full() -> None:
    done = FETCHING._replace(objects=20900, bytes_done=267_100_000)
    assert f"100% [{'=' * 40}] " in format_bar(running(), done, 130)


def test_bar_of_deltas_says_so() -> None:
    progress = running()
    progress.deltas.add_part(100, 200, is_here=False)
    assert format_bar(progress, FETCHING, 120).startswith("Receiving delta parts:  45% [")


def test_without_totals_the_line_is_that_of_the_reference() -> None:
    progress = running()
    progress.is_scanning, progress.phase = True, PullPhase.SCAN
    early = FETCHING._replace(phase=PullPhase.SCAN, objects_total=None)
    line = format_bar(progress, early, 200)
    assert line == "Receiving metadata objects: 40/(estimating) - /s 0 bytes".replace("- /", "-/")
    assert format_bar(progress, early, 12) == "Receiving me"


def test_after_an_error_the_line_says_that_it_waits() -> None:
    progress = running()
    progress.has_failed = True
    line = format_bar(progress, FETCHING, 80)
    assert line == "Caught error, waiting for outstanding tasks"


# -- columns -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "width"),
    [("abc", 3), ("日本", 4), ("e\u0301", 1), ("\uff46", 2), ("a\u200db", 2), ("", 0)],
)
def test_display_width(text: str, width: int) -> None:
    assert display_width(text) == width


@pytest.mark.parametrize(
    ("text", "columns", "cut"),
    [
        ("abc", 2, "ab"),
        ("日本", 3, "日"),
        ("日本", 4, "日本"),
        ("e\u0301x", 1, "e\u0301"),
        ("ab", -1, ""),
        ("日", -1, ""),
    ],
)
def test_cut_to(text: str, columns: int, cut: str) -> None:
    assert cut_to(text, columns) == cut


def test_without_controls_keeps_only_line_feeds() -> None:
    assert without_controls("a\x1b[2J\x07\x9b\r\nb") == "a?[2J???\nb"


# -- where it is shown -------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def fail_after(status: PullStatus, progress: PullProgress) -> None:
    def fail() -> None:
        status.update(progress)
        raise FetchError("broken")

    with pytest.raises(FetchError), status:
        fail()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    for module in (pull_json, pull_terminal):
        monkeypatch.setattr(module, "monotonic", lambda: now[0])
    monkeypatch.setenv("TERM", "xterm")
    return now


def test_a_log_gets_the_last_line_only() -> None:
    out = io.StringIO()
    with PullStatus(out, shows_signatures=True) as status:
        progress = running()
        progress.verifications.append(Verification(COMMIT, (GpgSignature(SIGNED),)))
        status.update(progress)
        status.finish(RESULT)
    assert out.getvalue() == LAST_LINE


def test_for_a_log_nothing_is_counted_in_advance(clock: list[float]) -> None:
    assert PullStatus(io.StringIO()).report is None
    assert PullStatus(io.StringIO(), as_json=True).report is not None
    assert PullStatus(Terminal()).report is not None


def test_a_terminal_gets_five_lines_a_second_at_most(clock: list[float]) -> None:
    out = Terminal()
    status = PullStatus(out)
    for _ in range(100):
        clock[0] += 0.02
        status.update(running())
    assert out.getvalue().count(ERASE) == 10


def test_a_terminal_ends_with_the_last_line_alone(clock: list[float]) -> None:
    out = Terminal()
    with PullStatus(out) as status:
        status.update(running())
        status.finish(RESULT)
    assert out.getvalue().endswith(f"{ERASE}{LAST_LINE}")
    assert "\n" not in out.getvalue().removesuffix(LAST_LINE)


def test_an_error_finds_a_clean_line(clock: list[float]) -> None:
    out = Terminal()
    fail_after(PullStatus(out), running())
    assert out.getvalue().endswith(ERASE)


def test_without_any_progress_a_terminal_is_left_as_it_is(clock: list[float]) -> None:
    out = Terminal()
    with PullStatus(out) as status:
        status.finish(RESULT)
    assert out.getvalue() == LAST_LINE


SIGNED = SignatureStatus(
    fingerprint="0123456789ABCDEF0123456789ABCDEF01234567", is_valid=True, timestamp=1
)
BLOCK = "\n\nGPG: Verification enabled, found 1 signature:\n\n  Signature made "


def test_signatures_are_printed_once_between_two_lines(clock: list[float]) -> None:
    out = Terminal()
    progress = running()
    with PullStatus(out, shows_signatures=True) as status:
        status.update(progress)
        progress.verifications.append(
            Verification(COMMIT, (GpgSignature(SIGNED, user_name="Eve\x1b[2J"),))
        )
        clock[0] += 1
        status.update(progress)
        status.finish(RESULT)
    text = out.getvalue()
    assert text.count(BLOCK) == 1
    assert f"{ERASE}{BLOCK}" in text
    assert "\x1b[2J" not in text


def test_signatures_are_printed_before_the_error(clock: list[float]) -> None:
    out = Terminal()
    progress = running()
    progress.verifications.append(Verification(COMMIT, (GpgSignature(SIGNED),)))
    fail_after(PullStatus(out, shows_signatures=True), progress)
    assert BLOCK in out.getvalue()


def test_engines_are_heard_by_programs_only(clock: list[float]) -> None:
    progress = running()
    progress.verifications.append(Verification(COMMIT, message="spki: fine"))
    out, json_out = Terminal(), io.StringIO()
    PullStatus(out, shows_signatures=True).update(progress)
    assert "spki" not in out.getvalue()
    assert "GPG" not in out.getvalue()
    PullStatus(json_out, as_json=True).update(progress)
    verified = {"phase": "verified", "commit": str(COMMIT), "signatures": []}
    assert events(json_out)[0] == verified | {"message": "spki: fine"}


def test_signatures_are_not_printed_unless_asked_for(clock: list[float]) -> None:
    out = Terminal()
    progress = running()
    progress.verifications.append(Verification(COMMIT, (GpgSignature(SIGNED),)))
    PullStatus(out).update(progress)
    assert "GPG" not in out.getvalue()


def test_a_dumb_terminal_gets_whole_lines(
    monkeypatch: pytest.MonkeyPatch, clock: list[float]
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    out = Terminal()
    progress = running()
    progress.bytes_total = 1_200_000
    with PullStatus(out) as status:
        for _ in range(3):
            clock[0] += 1
            status.update(progress)
        status.finish(RESULT)
    assert out.getvalue() == f"Receiving 100 objects, 1.2\u00a0MB\n{LAST_LINE}"


@pytest.mark.parametrize(
    ("is_terminal", "asked", "interval_ms"),
    [(True, 0, 200), (True, 50, 50), (False, 0, 0), (False, 70, 70), (False, -5, 0)],
)
def test_interval_is_what_was_asked_for(
    clock: list[float], is_terminal: bool, asked: int, interval_ms: int
) -> None:
    out = Terminal() if is_terminal else io.StringIO()
    assert PullStatus(out).interval_ms(asked) == interval_ms


class Gone(io.StringIO):
    """A pipe that nobody reads."""

    tries = 0

    def write(self, text: str) -> int:
        self.tries += 1
        raise BrokenPipeError


def test_a_reader_that_left_is_reported_once() -> None:
    out = Gone()
    status = PullStatus(out, as_json=True)
    with pytest.raises(BrokenPipeError):
        status.update(running())
    status.update(running())  # what has arrived may still be stored meanwhile
    status.__exit__(BrokenPipeError, BrokenPipeError(), None)
    assert out.tries == 1


# -- JSON --------------------------------------------------------------------------------


def events(out: io.StringIO) -> list[dict[str, object]]:
    assert out.getvalue().isascii()
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_json_events_of_a_pull(clock: list[float]) -> None:
    out = io.StringIO()
    progress = running()
    progress.started_s, progress.bytes_total = 98.5, 5000
    with PullStatus(out, as_json=True) as status:
        status.update(progress)
        progress.verifications.append(
            Verification(COMMIT, (GpgSignature(SIGNED, "Zoë", "z@example.com"),))
        )
        clock[0] += 2
        progress.bytes_done, progress.content_fetched = 3000, 80
        status.update(progress)
        progress.phase = PullPhase.DONE
        status.update(progress)
        status.finish(RESULT)
    first, verified, second, done = events(out)
    assert first == {
        "phase": "fetching", "objects": 40, "objects_total": 100, "bytes": 0, "bytes_total": 5000,
        "bytes_total_is_estimate": False, "rate": None, "eta_s": None, "elapsed_s": 1.5,
    }  # fmt: skip
    assert verified == {
        "phase": "verified",
        "commit": "11" * 32,
        "signatures": [
            {"valid": True, "fingerprint": SIGNED.fingerprint, "user_name": "Zoë",
             "user_email": "z@example.com"}
        ],
    }  # fmt: skip
    assert second["rate"] == 1500
    assert second["eta_s"] == 1
    assert (done["phase"], done["eta_s"], done["content_bytes_written"]) == ("done", 0, 19)
    assert done["refs"] == [
        {"ref": "origin:main", "collection_id": None, "commit": "11" * 32, "previous": None}
    ]
    assert done["commits"] == ["11" * 32]
    assert done["dry_run"] is None


def test_json_of_a_dry_run_has_the_deltas() -> None:
    out = io.StringIO()
    deltas = DeltaProgress()
    deltas.add_part(10, 20, is_here=False)
    deltas.add_fallback(30, 40, is_here=True)
    PullStatus(out, as_json=True).finish(RESULT._replace(dry_run=deltas, refs=()))
    (done,) = events(out)
    assert done["dry_run"] == {
        "parts": 2, "parts_done": 1, "bytes": 30, "bytes_total": 40, "bytes_uncompressed": 60,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("err", "kind", "message"),
    [
        (FetchError("no \udcff server"), "FetchError", "no \udcff server"),
        (CancelledError("Operation was cancelled"), "CancelledError", "Operation was cancelled"),
        (PermissionError(13, "x"), "PermissionError", "Permission denied"),
    ],
)
def test_json_ends_with_the_error(err: Exception, kind: str, message: str) -> None:
    out = io.StringIO()
    with pytest.raises(type(err)), PullStatus(out, as_json=True):
        raise err
    assert events(out) == [{"phase": "error", "message": message, "kind": kind}]


def test_json_of_an_interrupted_pull_just_ends() -> None:
    out = io.StringIO()
    with pytest.raises(KeyboardInterrupt), PullStatus(out, as_json=True):
        raise KeyboardInterrupt
    assert out.getvalue() == ""
