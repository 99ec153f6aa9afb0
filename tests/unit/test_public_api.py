"""The public names: complete, sorted, importable; the example program works."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import pyostree

ROOT = Path(__file__).resolve().parents[2]


def test_all_is_sorted_and_without_repeats() -> None:
    assert len(pyostree.__all__) == len(set(pyostree.__all__))
    assert dir(pyostree) == sorted(pyostree.__all__)


@pytest.mark.parametrize("name", [name for name in pyostree.__all__ if name != "__version__"])
def test_public_name_is_importable(name: str) -> None:
    assert getattr(pyostree, name).__name__ == name


def test_unknown_name_raises_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        pyostree.nonsense  # noqa: B018


def test_import_of_package_loads_no_other_module() -> None:
    code = "import sys, pyostree; print([m for m in sys.modules if m.startswith('pyostree.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_example_commits_a_directory_and_reads_a_file_back(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "greeting").write_text("hello\n")
    program = ROOT / "examples" / "commit_and_read.py"
    command: list[str | Path]
    command = [sys.executable, program, tmp_path / "repo", tmp_path / "tree", "/greeting"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "hello\n"
