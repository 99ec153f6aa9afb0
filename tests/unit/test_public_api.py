"""The public names: complete, sorted, importable, documented."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pyostree
from pyostree import errors
from pyostree.repo.commit_request import CommitRequest

ROOT = Path(__file__).resolve().parents[2]


def test_all_is_sorted_and_without_repeats() -> None:
    assert len(pyostree.__all__) == len(set(pyostree.__all__))
    assert dir(pyostree) == sorted(pyostree.__all__)


_ALIASES = {
    "Content",
    "DevinoCache",
    "Entry",
    "Layer",
    "MetadataValue",
    "ProgressCallback",
    "Xattrs",
}


@pytest.mark.parametrize("name", [name for name in pyostree.__all__ if name != "__version__"])
def test_public_name_is_importable(name: str) -> None:
    found = getattr(pyostree, name)
    assert name in _ALIASES or (isinstance(found, type) and found.__name__ == name)


def test_all_errors_are_public() -> None:
    for name, value in vars(errors).items():
        if isinstance(value, type) and issubclass(value, errors.OstreeError):
            assert getattr(pyostree, name) is value


def test_unknown_name_raises_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        pyostree.nonsense  # noqa: B018


def test_import_of_package_loads_no_other_module() -> None:
    code = "import sys, pyostree; print([m for m in sys.modules if m.startswith('pyostree.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_types_of_the_public_names_are_checked_strictly(tmp_path: Path) -> None:
    # `files` of the configuration has the examples; this is what a stranger's program sees.
    assert (ROOT / "src/pyostree/py.typed").exists()
    text = (ROOT / "pyproject.toml").read_text()
    assert '"examples"' in text
    assert "strict = true" in text


def test_programs_can_commit_in_every_way_that_the_command_can() -> None:
    parameters = set(inspect.signature(pyostree.Repo.commit).parameters)
    for_the_command = {"arguments", "clock", "compose"}  # text, parsed when its turn comes
    renamed = {"trees", "detached", "orphan", "signers"}
    reachable = parameters | set(pyostree.CommitOptions._fields) | for_the_command | renamed
    assert set(CommitRequest._fields) <= reachable


@pytest.mark.parametrize(
    "path",
    [
        "unit/test_api.py",
        "unit/test_api_pull.py",
        "unit/test_api_signatures.py",
        "unit/test_memory_tree.py",
        "property/test_memory_tree_properties.py",
    ],
)
def test_programs_need_only_public_names(path: str) -> None:
    tree = ast.parse((ROOT / "tests" / path).read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert not any(name.name.startswith("pyostree") for name in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pyostree"):
            assert node.module == "pyostree"
            assert {name.name for name in node.names} <= set(pyostree.__all__)
        elif isinstance(node, ast.Attribute):
            # The last is a public method of records, whatever its name says.
            assert not node.attr.startswith("_") or node.attr in (
                "__init__",
                "__notes__",
                "_replace",
            )


# -- the page that lists them ------------------------------------------------------------------

PAGE = (ROOT / "docs/api.md").read_text()


def documented(kind: str) -> set[str]:
    """Return the names in backquotes that begin a heading or a row of a table."""
    lines = re.findall(kind, PAGE, re.MULTILINE)
    return {name for line in lines for name in re.findall(r"`(\w+)", line)}


def test_page_lists_every_public_name_and_no_other() -> None:
    listed = documented(r"^### (.*)$") | documented(r"^\| (`\w+`(?:, `\w+`)*) \|")
    assert listed == set(pyostree.__all__)


@pytest.mark.parametrize(
    "name",
    [
        "Repo",
        "CommitView",
        "MemoryTree",
        "Cancel",
        "Progress",
        "Remotes",
        "Signatures",
        "SigningKey",
    ],
)
def test_page_lists_every_call_with_its_parameters(name: str) -> None:
    section = PAGE.split(f"### `{name}`")[1].split("\n### ")[0].split("\n## ")[0]
    shown = dict(re.findall(r"^- `(\w+)(?:\((.*?)\))?`", section, re.MULTILINE))
    kind = getattr(pyostree, name)
    own = {key for key in vars(kind) if not key.startswith("_")}
    base = {"close", "create", "disable_fsync", "mode", "open", "path", "resolve", "writable"}
    inherited = base if name == "Repo" else set()
    attributes = {"checksum", "commit"} if name == "CommitView" else set()
    if name == "MemoryTree":
        own -= {"count", "walk"}  # for the library itself
    assert shown.keys() == own | inherited | attributes
    for call in own:
        member = inspect.getattr_static(kind, call)
        if inspect.isfunction(member):
            parameters = [key for key in inspect.signature(member).parameters if key != "self"]
            listed = re.findall(r"(\w+)(?:=[^,]*)?(?:, |$)", shown[call])
            assert listed == parameters, call


def is_record(name: str) -> bool:
    return hasattr(getattr(pyostree, name), "_fields")


SECTIONS = set(re.findall(r"^### `(\w+)`$", PAGE, re.MULTILINE))
COMMON = {"path", "uid", "gid", "mode", "xattrs"}  # of entries, said once


@pytest.mark.parametrize("name", sorted(filter(is_record, pyostree.__all__)))
def test_page_lists_every_field(name: str) -> None:
    fields = set(getattr(pyostree, name)._fields)
    if name in SECTIONS:
        section = PAGE.split(f"### `{name}`")[1].split("\n### ")[0].split("\n## ")[0]
        listed = set(re.findall(r"^- `(\w+)`", section, re.MULTILINE))
        properties = {
            key
            for key, value in vars(getattr(pyostree, name)).items()
            if isinstance(value, property)
        }
        assert fields <= listed <= fields | properties
    else:
        row = re.search(rf"^\| `{name}` \|(.*)$", PAGE, re.MULTILINE)
        assert row is not None
        missing = fields - set(re.findall(r"`(\w+)", row[1]))
        assert not missing - (COMMON if name.endswith("Entry") else set())


@pytest.mark.parametrize("name", ["CommitModifier", "CommitLabels"])
def test_page_lists_every_keyword(name: str) -> None:
    section = PAGE.split(f"### `{name}`")[1].split("\n### ")[0].split("\n## ")[0]
    listed = re.findall(r"^- `(\w+)`", section, re.MULTILINE)
    parameters = list(inspect.signature(getattr(pyostree, name)).parameters)
    assert listed == parameters


def test_every_public_class_and_call_has_a_docstring() -> None:
    for name in pyostree.__all__:
        found = getattr(pyostree, name)
        if not isinstance(found, type):
            continue
        assert found.__doc__, name
        for key, member in vars(found).items():
            is_public = not key.startswith("_") and found.__module__.startswith("pyostree")
            if is_public and inspect.isfunction(member):
                assert member.__doc__, f"{name}.{key}"
