"""``ostree admin status``: list the deployments."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import SYSROOT_UNLOCKED
from pyostree.cli.options import flag
from pyostree.errors import doing

if TYPE_CHECKING:
    from pyostree.sysroot import Sysroot
    from pyostree.sysroot.status import DeploymentStatus

PARAMETERS = ""
NEEDS = SYSROOT_UNLOCKED
OPTIONS = (
    flag("verify", "V", help="Verify the commit of each deployment"),
    flag("json", "J", help="Print JSON"),
    flag("skip-signatures", "S", help="Do not show signatures"),
    flag("is-default", "D", help="Only tell whether the booted deployment is the default one"),
)

_RED_BOLD = "\x1b[31m\x1b[1m"
_PLAIN = "\x1b[22m\x1b[0m"
_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\f": "\\f",
    "\r": "\\r",
}


class Args(NamedTuple):
    """The values of the options above."""

    verify: bool
    json: bool
    skip_signatures: bool
    is_default: bool


def run(args: Args, sysroot: Sysroot, out: TextIO) -> None:
    """Run the command."""
    from pyostree.sysroot.status import is_default_booted, list_status

    if args.is_default:
        print("default" if is_default_booted(sysroot) else "not-default", file=out)
        return
    found = list_status(sysroot, needs_commits=args.json)
    if args.json:
        out.write(format_json(found))
    elif not found:
        print("No deployments.", file=out)
    else:
        for status in found:
            out.write(format_text(status, is_terminal=out.isatty()))
            _print_signatures(args, sysroot, status, out)


def _print_signatures(args: Args, sysroot: Sysroot, status: DeploymentStatus, out: TextIO) -> None:
    if args.skip_signatures and not args.verify:
        return
    from pyostree.sign.gpg.result import describe
    from pyostree.sysroot.signatures import read_signatures, verify_deployment

    if args.verify:
        found = verify_deployment(sysroot, status.deployment)
        texts = ["".join(describe(one, "GPG: ") for one in found.gpg), found.engines]
        print("\n".join(text for text in texts if text), file=out)
        return
    with doing(f"Deployment {status.position}"):
        for signature in read_signatures(sysroot, status.deployment):
            out.write(describe(signature, "    GPG: "))


def format_text(status: DeploymentStatus, *, is_terminal: bool = False) -> str:
    """Return the lines about one deployment."""
    one = status.deployment
    mark = "*" if status.is_booted else " "
    lines = [f"{mark} {one.stateroot} {one.name}{_flags(status)}"]
    if status.version is not None:
        lines.append(f"    Version: {status.version}")
    if one.unlocked.value != "none":
        red, plain = (_RED_BOLD, _PLAIN) if is_terminal else ("", "")
        lines.append(f"    {red}Unlocked: {one.unlocked.value}{plain}")
    if one.is_pinned:
        lines.append("    Pinned: yes")
    if not status.has_origin:
        lines.append("    origin: none")
    elif status.refspec is None:
        lines.append("    origin: <unknown origin type>")
    else:
        lines.append(f"    origin refspec: {status.refspec}")
    if status.has_origin and status.source_title is not None:
        lines.append(f"    `- {status.source_title}")
    return "".join(f"{line}\n" for line in lines)


def _flags(status: DeploymentStatus) -> str:
    if status.deployment.is_finalization_locked:
        return " (finalization locked)"
    if status.deployment.is_staged:
        return " (staged)"
    if status.is_pending:
        return " (pending)"
    return " (rollback)" if status.is_rollback else ""


def format_json(found: list[DeploymentStatus]) -> str:
    """Return the list as JSON, laid out as ever: the shape is what scripts have come to expect."""
    blocks = []
    for status in found:
        rows = [f'         "{key}": {value}' for key, value in _json_fields(status)]
        blocks.append(",\n".join(rows))
    body = "\n      },{\n".join(blocks)
    objects = f"      {{\n{body}\n      }}" if found else ""
    return f'{{\n   "deployments": [\n{objects}\n   ]\n}}\n'


def _json_fields(status: DeploymentStatus) -> list[tuple[str, str]]:
    one = status.deployment
    fields = [
        ("checksum", _json_text(str(one.checksum))),
        ("stateroot", _json_text(one.stateroot)),
        ("refspec", _json_text(status.refspec)),
        ("serial", str(one.deployserial)),
        ("index", str(status.position)),
        ("booted", _json_bool(status.is_booted)),
        ("pending", _json_bool(status.is_pending)),
        ("rollback", _json_bool(status.is_rollback)),
        ("finalization-locked", _json_bool(one.is_finalization_locked)),
        ("soft-reboot-target", "false"),
        ("staged", _json_bool(one.is_staged)),
        ("pinned", _json_bool(one.is_pinned)),
        ("unlocked", _json_text(one.unlocked.value)),
    ]
    if status.version is not None:
        fields.append(("version", _json_text(status.version)))
    if status.source_title is not None:
        fields.append(("source-title", _json_text(status.source_title)))
    return fields


def _json_bool(value: bool) -> str:
    return "true" if value else "false"


def _json_text(text: str | None) -> str:
    if not text:
        return "null"
    escaped = (
        _ESCAPES.get(char) or (f"\\u{ord(char):04x}" if char < " " else char) for char in text
    )
    return f'"{"".join(escaped)}"'
