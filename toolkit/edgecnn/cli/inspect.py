"""`edgecnn inspect`: what is inside a `.tflite` file."""

import dataclasses
from pathlib import Path

import click

from edgecnn.cli.console import JSON, print_json, print_table


@click.command("inspect", epilog="Example: edgecnn inspect build/ecg_demo/model.tflite")
@click.argument("model", type=click.Path(path_type=Path))
@JSON
def command(model: Path, as_json: bool) -> None:
    """Show the ops, shapes, parameters, MACs and bytes of a .tflite file."""
    from edgecnn_firmware.tflite.inspect import summarize
    from edgecnn_firmware.tflite.reader import read_model

    summary = summarize(read_model(model.read_bytes(), str(model)))
    if as_json:
        print_json(dataclasses.asdict(summary))
        return
    rows = [
        [
            str(op.index),
            op.op,
            " x ".join(map(str, op.output_shape)),
            f"{op.parameters:,}",
            f"{op.weight_bytes:,}",
            f"{op.macs:,}",
            f"{op.activation_bytes:,}",
        ]
        for op in summary.ops
    ]
    columns = ["#", "op", "output", "parameters", "weight bytes", "MACs", "activation bytes"]
    print_table(model.name, columns, rows, numeric={0, 3, 4, 5, 6})
