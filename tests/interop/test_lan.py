"""The local network with the C implementation and Avahi: each finds what the other announces."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from lan_lab import Lan, local_network
from pyostree.formats.bloom import build_filter
from pyostree.formats.refspec import CollectionRef
from repo_lab import OURS, REFERENCE, commit, make_repo, must, ours

COLLECTION = "org.example.Os"
FROM_US, FROM_AVAHI = "os/from-us", "os/from-avahi"
_START_S = 30

_BUS = """
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path={socket}</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/> <allow eavesdrop="true"/>
    <allow own="*"/> <allow user="*"/>
  </policy>
</busconfig>
"""
_AVAHI = "[server]\nuse-ipv4=yes\nuse-ipv6=no\n[publish]\npublish-workstation=no\n"
_SERVICE = """
<!DOCTYPE service-group SYSTEM "avahi-service.dtd">
<service-group>
  <name>peer</name>
  <service><type>_ostree_repo._tcp</type><port>8001</port>{records}</service>
</service-group>
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Two repositories to serve, and one that looks for their refs."""
    (tmp_path / "tree").mkdir()
    for name, ref in (("ours", FROM_US), ("theirs/7", FROM_AVAHI)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        repo = make_repo(tmp_path / name, collection_id=COLLECTION)
        commit(repo, "-b", ref, f"--tree=dir={tmp_path / 'tree'}", "-s", "x")
        must(ours("summary", f"--repo={repo}", "-u"))
    client = make_repo(tmp_path / "client")
    words = ["--no-sign-verify", f"--collection-id={COLLECTION}", "os", "http://127.0.0.1:1"]
    must(ours("remote", "add", f"--repo={client}", *words))
    return tmp_path


def _records() -> str:
    bloom = build_filter([CollectionRef(COLLECTION, FROM_AVAHI)], size_bytes=32, hashes=3)
    values = {
        "v": b"\x01",
        "rb": bytes((bloom.hashes, 1)) + bloom.data,
        "st": (1_700_000_000).to_bytes(8, "big"),
        "ri": (7).to_bytes(2, "big"),
    }
    return "".join(
        f'<txt-record value-format="binary-hex">{key}={value.hex()}</txt-record>'
        for key, value in values.items()
    )


@pytest.fixture
def lan(site: Path) -> Iterator[Lan]:
    """Host "ours" serves with our server; host "avahi" has the daemon, which announces a server."""
    services = site / "services"
    services.mkdir()
    (services / "peer.service").write_text(_SERVICE.format(records=_records()))
    (site / "bus.conf").write_text(_BUS.format(socket=site / "bus"))
    (site / "avahi.conf").write_text(_AVAHI)
    avahi = (
        f"mount --bind {services} /etc/avahi/services && mkdir -p /run/avahi-daemon && "
        "mount -t tmpfs run /run/avahi-daemon && "
        f"DBUS_SYSTEM_BUS_ADDRESS=unix:path={site}/bus exec "
        f"avahi-daemon -f {site}/avahi.conf --no-drop-root --no-chroot --no-rlimits"
    )
    ready = site / "port"
    serve = ["serve", "--advertise", "--host=0.0.0.0", "--port=8000", f"--port-file={ready}", "-q"]
    http = ["-m", "http.server", "8001", f"--directory={site / 'theirs'}"]
    with local_network("ours", "avahi") as network, ExitStack() as stack:
        bus = ["dbus-daemon", f"--config-file={site / 'bus.conf'}", "--nofork", "--nopidfile"]
        stack.enter_context(network.running("avahi", *bus))
        _wait_for(site / "bus")
        stack.enter_context(network.running("avahi", "unshare", "-m", "sh", "-c", avahi))
        stack.enter_context(network.running("avahi", sys.executable, *http))
        stack.enter_context(network.running("ours", OURS, *serve, site / "ours"))
        _wait_for(ready)
        yield network


def _wait_for(path: Path) -> None:
    deadline_s = time.monotonic() + _START_S
    while not path.exists():
        assert time.monotonic() < deadline_s, f"{path.name} does not appear"
        time.sleep(0.05)


def _find(lan: Lan, site: Path, host: str, program: str, ref: str) -> str:
    """Return what a search says, repeated until it finds something."""
    words = ["find-remotes", f"--repo={site / 'client'}", "--finders=lan", COLLECTION, ref]
    deadline_s = time.monotonic() + _START_S
    found = ""
    while "Result" not in found and time.monotonic() < deadline_s:
        with suppress(subprocess.TimeoutExpired):  # the reference hangs without a daemon
            found = subprocess.run(
                lan.command(host, program, *words),
                env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={site}/bus"},
                capture_output=True,
                text=True,
                check=True,
                timeout=5,
            ).stdout
    return found


def test_peers_find_each_other_across_implementations(lan: Lan, site: Path) -> None:
    by_reference = _find(lan, site, "avahi", REFERENCE, FROM_US)
    by_us = _find(lan, site, "ours", OURS, FROM_AVAHI)
    beside_avahi = _find(lan, site, "avahi", OURS, FROM_US)

    ours_url, theirs_url = "http://10.77.0.1:8000/0", "http://10.77.0.2:8001/7"
    assert by_reference.startswith(
        f"Result 0: {ours_url}\n - Finder: OstreeRepoFinderAvahi\n"
        " - Keyring: os.trustedkeys.gpg\n - Priority: 60\n"
    )
    assert by_us.startswith(
        f"Result 0: {theirs_url}\n - Finder: OstreeRepoFinderAvahi\n"
        " - Keyring: os.trustedkeys.gpg\n - Priority: 60\n"
    )
    assert f" {ours_url}\n" in beside_avahi
    for text, name, ref in ((by_reference, "ours", FROM_US), (by_us, "theirs/7", FROM_AVAHI)):
        checksum = must(ours("rev-parse", f"--repo={site / name}", ref))
        assert f"    - ({COLLECTION}, {ref}) = {checksum}\n" in text
        assert "1/1 refs were found.\n" in text
