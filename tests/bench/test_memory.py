"""The memory map: the plan of the arena as the report draws it."""

from pathlib import Path

import pytest

from edgecnn_bench.memory import memory_map
from edgecnn_firmware.bundle import Bundle, read_bundle
from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.errors import ModelError

from ..firmware.compiler.networks import NetworkWriter


@pytest.mark.parametrize("target", ["portable", "armv7e-m"])
@pytest.mark.parametrize("which", ["har_bundle", "ecg_bundle"])
def test_it_is_the_plan(which: str, target: str, request: pytest.FixtureRequest) -> None:
    bundle = read_bundle(request.getfixturevalue(which))
    found = memory_map(bundle, target)
    assert found is not None
    program = compile_model(bundle.model_bytes, "model", "net", target=target)
    assert found.target == target
    assert found.arena_bytes == program.arena.bytes
    assert 0 < found.lower_bound_bytes <= found.arena_bytes
    assert found.ops == tuple(op.label for op in program.graph.ops)
    assert len(found.blocks) == len(program.arena.blocks) > 3
    assert max(block.offset_bytes + block.size_bytes for block in found.blocks) == found.arena_bytes
    for block in found.blocks:
        assert 0 <= block.first_op <= block.last_op < len(found.ops)
        assert block.kind == ("scratch" if block.name.startswith("scratch of ") else "value")
        # A value is named for the op that makes it, scratch for the one that uses it.
        maker = next(word for word in block.name.split() if word.isdigit())
        assert int(maker) == block.first_op
        assert block.name.endswith(f" {found.ops[block.first_op]}")
    assert list(found.blocks) == sorted(found.blocks, key=lambda block: (block.first_op, block.offset_bytes))
    for step in range(len(found.ops)):
        used = set()
        for block in found.blocks:
            if block.first_op <= step <= block.last_op:
                used.update(range(block.offset_bytes, block.offset_bytes + block.size_bytes))
        assert len(used) == program.arena_of_op(step)


def test_networks_that_are_not_compiled_have_none(har_bundle: Path) -> None:
    bundle = read_bundle(har_bundle)
    net = NetworkWriter()
    into, out = net.tensor((1, 4), kind="FLOAT32"), net.tensor((1, 4), kind="FLOAT32")
    net.op("ADD", [into, into], [out], potScaleInt16=False)

    class OtherModel(Bundle):
        @property
        def model_bytes(self) -> bytes:
            return net.bytes([into], [out])

    assert memory_map(bundle) is not None
    assert memory_map(OtherModel(bundle.path, bundle.card)) is None
    with pytest.raises(ModelError, match="target 'z80': expected one of portable"):
        memory_map(bundle, "z80")
