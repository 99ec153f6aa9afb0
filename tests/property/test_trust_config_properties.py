"""Whatever stands in the configuration of a remote, a key that it does not name is not trusted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyostree.errors import OstreeError
from pyostree.formats.objects import Checksum
from pyostree.remote.remotes import Remotes
from pyostree.remote.verify import CommitVerification, verify_commit_data
from pyostree.repo.repo import Repo
from pyostree.sign.commits import read_commit
from sign_lab import ed25519_pair, make_signed_repo, sign_with, spki_pair

TRUSTED, SIGNER = ed25519_pair(0), ed25519_pair(1)
SPKI_TRUSTED, SPKI_SIGNER = spki_pair("p256", 0), spki_pair("p256", 1)


class Place(NamedTuple):
    """A repository with a signed commit, beside files that may be taken for keys."""

    path: Path
    checksum: Checksum

    def write_config(self, values: dict[str, str]) -> None:
        lines = "".join(f"{key}={value}\n" for key, value in values.items())
        text = f'[core]\nrepo_version=1\nmode=archive\n\n[remote "x"]\nurl=http://a\n{lines}'
        (self.path / "config").write_bytes(os.fsencode(text))

    def verify(self) -> CommitVerification:
        with Repo.open(self.path) as repo:
            data = read_commit(repo, self.checksum)
            detached = repo.store.read_detached(self.checksum)
            return verify_commit_data(Remotes.load(repo), "x", data, detached)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("trust")
    checksum = make_signed_repo(directory / "repo")
    sign_with(directory / "repo", checksum, SIGNER, SPKI_SIGNER)
    TRUSTED.write_public(directory)
    SPKI_TRUSTED.write_public(directory)
    (directory / "secret").write_text(SIGNER.secret_file)
    (directory / "empty").touch()
    (directory / "blank").write_text("\n\n")
    (directory / "binary").write_bytes(bytes(range(256)))
    os.mkfifo(directory / "pipe")
    (directory / "to-pipe").symlink_to("pipe")
    (directory / "loop").symlink_to("loop")
    before = Path.cwd()
    os.chdir(directory)
    yield Place(directory / "repo", Checksum.fromhex(checksum))
    os.chdir(before)


NAMES = ("ed25519", "spki", "dummy", "rot13", "true", "1", "false", "0", "yes", "gpg", "")
FILES = (
    "public.ed25519", "public.spki", "secret", "empty", "blank", "binary", "pipe", "to-pipe",
    "loop", ".", "missing", "/", "", "/dev/null", "/dev/zero", "..",
)  # fmt: skip
_NOISE = st.text(alphabet=" \t\r\v\f\0\\=[]#;,\"':\udcffäAs/+-\n", max_size=6)
_NAMES = st.lists(st.sampled_from(NAMES) | _NOISE, max_size=3)
_LISTS = st.builds(str.join, st.sampled_from([",", ";", ", ", ";;"]), _NAMES)
_KEYS = st.sampled_from(
    [TRUSTED.public, SPKI_TRUSTED.public, TRUSTED.secret, SPKI_SIGNER.secret, "A" * 44, ""]
)
_TEXTS = st.builds("{}{}{}".format, _NOISE, _KEYS, _NOISE)
_FILES = st.builds("{}{}".format, st.sampled_from(FILES), st.just("") | _NOISE)
_BOOLEANS = st.sampled_from(["true", "false", "1", "0", "maybe", ""]) | _NOISE

_VALUES = st.fixed_dictionaries(
    {},
    optional={
        "gpg-verify": _BOOLEANS,
        "sign-verify": _LISTS,
        "verification-ed25519-key": _TEXTS,
        "verification-ed25519-file": _FILES,
        "verification-spki-key": _TEXTS,
        "verification-spki-file": _FILES,
        "verification-dummy-key": _TEXTS,
        "gpgkeypath": _FILES,
    },
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(values=_VALUES)
def test_no_configuration_trusts_a_key_that_it_does_not_name(
    place: Place, values: dict[str, str]
) -> None:
    place.write_config(values)
    with pytest.raises((OstreeError, OSError)):
        place.verify()


@pytest.mark.parametrize(
    "values",
    [
        {"sign-verify": "ed25519", "verification-ed25519-key": SIGNER.public},
        {"sign-verify": "true", "verification-spki-key": SPKI_SIGNER.public},
        {
            "sign-verify": "ed25519,spki",
            "verification-ed25519-key": TRUSTED.public,
            "verification-spki-key": SPKI_SIGNER.public,
        },
    ],
    ids=["one", "any", "second"],
)
def test_key_that_is_named_is_trusted(place: Place, values: dict[str, str]) -> None:
    place.write_config({"gpg-verify": "false", **values})
    found = place.verify()
    assert found.engines in (SIGNER.said, SPKI_SIGNER.said)
    assert found.gpg == ()


@pytest.mark.parametrize("file", FILES)
def test_odd_file_of_keys_is_told_and_waited_for_by_nobody(place: Place, file: str) -> None:
    configurations = [
        {"gpgkeypath": file},
        {"gpg-verify": "false", "sign-verify": "spki", "verification-spki-file": file},
        {"gpg-verify": "false", "sign-verify": "ed25519", "verification-ed25519-file": file},
    ]
    for values in configurations:
        place.write_config(values)
        with pytest.raises((OstreeError, OSError)):
            place.verify()
