"""Graph -> graph rewrites, one a file, run in the order of `PASSES`."""

from collections.abc import Callable
from typing import Final

from edgecnn_firmware.compiler.ops.value import Graph
from edgecnn_firmware.compiler.passes.check import check_graph
from edgecnn_firmware.compiler.passes.drop_unread import drop_unread
from edgecnn_firmware.compiler.passes.fold_tables import fold_tables
from edgecnn_firmware.compiler.passes.fuse_max_pool import fuse_max_pool
from edgecnn_firmware.compiler.passes.fuse_padding import fuse_padding
from edgecnn_firmware.compiler.passes.move_integers import move_integers
from edgecnn_firmware.compiler.passes.require_kernels import require_kernels

PASSES: Final[tuple[Callable[[Graph], Graph], ...]] = (
    move_integers,
    fold_tables,
    fuse_padding,
    fuse_max_pool,
    drop_unread,
    require_kernels,
)


def run_passes(graph: Graph) -> Graph:
    """Apply every pass, and check the graph before and after each.

    Raises:
        ModelError: an op has no kernel.
        RuntimeError: a pass broke the graph: which one, and what ran before it.
    """
    check_graph(graph, "lowering")
    done: list[str] = []
    for rewrite in PASSES:
        name = rewrite.__name__
        graph = rewrite(graph)
        check_graph(graph, f"{name} (after {', '.join(done) or 'lowering'})")
        done.append(name)
    return graph
