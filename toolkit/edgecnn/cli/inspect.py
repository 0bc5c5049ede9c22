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
