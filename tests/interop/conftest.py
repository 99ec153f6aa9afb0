"""What tests of several modules start from."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpg_lab import GpgHome
from gpg_place_lab import Place, make_place
from repo_lab import copy_tree


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory, keys: GpgHome) -> Place:
    """What each test has a copy of."""
    return make_place(tmp_path_factory.mktemp("original"), keys)


@pytest.fixture
def place(tmp_path: Path, original: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    path = copy_tree(original.path, tmp_path / "place")
    made = Place(path, original.keys, original.commit)
    monkeypatch.setenv("OSTREE_GPG_HOME", str(made.global_dir))
    monkeypatch.chdir(path)
    return made
