"""`edgecnn inspect`: what is inside a `.tflite` file, and what it costs on a virtual board."""

import dataclasses
import tempfile
from pathlib import Path
from typing import Any, Literal

import click

from edgecnn.cli.console import JSON, print_json, print_table


@click.command("inspect", epilog="Example: edgecnn inspect build/ecg_demo/model.tflite --board cortex-m4")
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--board",
    help="Compile the network, run it on this virtual core and count: cortex-m0plus, -m3, -m4, -m7, -m33, -m55, rv32imc or "
    "aarch64.",
)
@click.option(
    "--kernels", help="Kernels to compile for the board (see compile --target).  [default: those of the board]"
)
@click.option("--optimize", type=click.Choice(["speed", "balanced", "size"]), help="For the board, as of compile.")
@click.option("--least-ram", is_flag=True, help="Compile for the board with least RAM (see compile --least-ram).")
@click.option(
    "--hop", type=int, help="Compile for the board with a window that slides (see compile --hop): what a call costs."
)
@JSON
def command(
    model: Path,
    board: str | None,
    kernels: str | None,
    optimize: Literal["speed", "balanced", "size"] | None,
    least_ram: bool,
    hop: int | None,
    as_json: bool,
) -> None:
    """Show the ops, shapes, parameters, MACs and bytes of a .tflite file."""
    if board is not None:
        _on_board(model, board, kernels, optimize or "balanced", least_ram, hop, as_json)
        return
    options = {"--kernels": kernels, "--optimize": optimize, "--least-ram": least_ram or None, "--hop": hop}
    for option, given in options.items():
        if given is not None:
            raise click.UsageError(f"{option} needs --board")
    from edgecnn_firmware.tflite.inspect import ModelSummary, op_rows, summarize
    from edgecnn_firmware.tflite.reader import read_model

    summary: ModelSummary = summarize(read_model(model.read_bytes(), str(model)))
    if as_json:
        print_json(dataclasses.asdict(summary))
        return
    columns = ["#", "op", "output", "parameters", "weight bytes", "MACs", "activation bytes"]
    print_table(model.name, columns, [list(row) for row in op_rows(summary)], numeric={0, 3, 4, 5, 6})
    click.echo(
        f"{summary.file_bytes:,} bytes; {summary.parameters:,} parameters, {summary.weight_bytes:,} weight bytes; "
        f"{summary.macs:,} MACs; largest layer {summary.peak_activation_bytes:,} bytes of activations"
    )
    click.echo("full int8" if summary.is_full_int8 else f"not full int8: {summary.int8_obstacle}")


def _on_board(
    model: Path,
    board: str,
    kernels: str | None,
    optimize: Literal["speed", "balanced", "size"],
    least_ram: bool,
    hop: int | None,
    as_json: bool,
) -> None:
    from edgecnn_firmware.boards.program import measure_model
    from edgecnn_firmware.compiler.report import memory_map

    with tempfile.TemporaryDirectory(prefix="edgecnn_board_") as folder:
        data, work = model.read_bytes(), Path(folder)
        program, found = measure_model(
            data, str(model), board, work, kernels=kernels, optimize=optimize, least_ram=least_ram, hop=hop
        )
    layers = [
        {
            "number": number,
            "op": layer.op,
            "macs": layer.macs,
            "instructions": layer.instructions,
            "constant_bytes": program.constants_of_op[number],
            "arena_bytes": program.arena_of_op(number),
        }
        for number, layer in enumerate(found.layers)
    ]
    if as_json:
        print_json(
            {
                "board": board,
                "kernels": found.kernels,
                "toolchain": found.toolchain,
                "flags": list(found.flags),
                "instructions": round(found.mean_instructions),
                "estimated_cycles": found.estimated_cycles,
                "macs": program.graph.macs,
                "sliding": dataclasses.asdict(program.graph.sliding) if program.graph.sliding else None,
                "flash_bytes": found.flash_bytes,
                "ram_bytes": found.ram_bytes,
                "arena_bytes": found.arena_bytes,
                "state_bytes": found.state_bytes,
                "stack_bytes": found.stack_bytes,
                "input_bytes": found.input_bytes,
                "byte_equal": found.byte_equal,
                "note": found.note,
                "layers": layers,
            }
        )
        return
    columns = ["#", "op", "MACs", "instructions", "per MAC", "constant bytes", "arena bytes"]
    print_table(f"{model.name} on {board}", columns, [_row(layer) for layer in layers], numeric=set(range(7)) - {1})
    click.echo("the arena over the ops (# values, s scratch):")
    for line in memory_map(program):
        click.echo(line)
    cycles = f" (about {found.estimated_cycles:,} cycles, an estimate)" if found.estimated_cycles else ""
    click.echo(
        f"{found.mean_instructions:,.0f} instructions{cycles}; flash {found.flash_bytes:,} bytes; RAM {found.ram_bytes:,} "
        f"bytes: arena {found.arena_bytes:,}, state {found.state_bytes:,}, input {found.input_bytes:,}, stack "
        f"{found.stack_bytes:,}"
    )
    if program.graph.sliding is not None:
        sliding = program.graph.sliding
        click.echo(
            f"a call takes {sliding.hop_rows:,} of a window's {sliding.window_rows:,} rows: {program.graph.macs:,} MACs, "
            f"{sliding.window_macs:,} without a hop"
        )
    click.echo(
        f"{found.kernels} kernels, {found.toolchain} {' '.join(found.flags)}; virtual core: no latency is claimed"
    )
    click.echo("outputs equal the reference arithmetic" if found.byte_equal else "OUTPUTS DIFFER from the reference")


def _row(layer: dict[str, Any]) -> list[str]:
    per_mac = f"{layer['instructions'] / layer['macs']:.2f}" if layer["macs"] else ""
    numbers = [layer["macs"], layer["instructions"]]
    bytes_ = [layer["constant_bytes"], layer["arena_bytes"]]
    return [str(layer["number"]), layer["op"], *(f"{n:,}" for n in numbers), per_mac, *(f"{n:,}" for n in bytes_)]
