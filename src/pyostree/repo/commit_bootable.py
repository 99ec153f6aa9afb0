"""What a bootable commit says of itself: that it is one, and the version of its kernel."""

from __future__ import annotations

from pyostree.errors import ConflictError, NotFoundError
from pyostree.formats.commit import Metadata
from pyostree.formats.gvariant import Variant
from pyostree.formats.variant_dict import variant_dict_order
from pyostree.repo.mutable_tree import MutableTree

_MODULES = "/usr/lib/modules"
_KERNEL = "vmlinuz"


def bootable_metadata(metadata: Metadata, tree: MutableTree) -> Metadata:
    """Return `metadata` with the kernel of `tree`, in the order of the reference's hash table.

    Raises:
        PathNotFoundError: the tree has no directory of kernels.
        NotFoundError: it has no kernel.
        ConflictError: it has several.
    """
    pairs = dict(metadata)
    pairs["ostree.bootable"] = Variant("b", True)
    pairs["ostree.linux"] = Variant("s", _find_kernel(tree))
    return tuple((key, pairs[key]) for key in variant_dict_order(pairs))


def _find_kernel(tree: MutableTree) -> str:
    modules = tree.subdirectory(_MODULES)
    found = [name for name, node in modules.dirs.items() if _KERNEL in node.files]
    if not found:
        raise NotFoundError(f"No kernel found in {_MODULES}")
    if len(found) > 1:
        raise ConflictError(f"Multiple kernels found in {_MODULES}")
    return found[0]
