"""`edgecnn compile`: an int8 `.tflite` file -> C99."""

from pathlib import Path
from typing import Literal

import click

from edgecnn.cli.console import JSON, print_json, print_table


@click.command("compile", epilog="Example: edgecnn compile build/ecg_demo/model.tflite --name ecg --output src/ecg")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder for the C files.  [default: NAME_c]")
@click.option("--name", help="C prefix of every public name.  [default: from the file's name]")
@click.option(
    "--target",
    default="portable",
    show_default=True,
    help="Kernels: portable (plain C99), armv7e-m (Cortex-M4, M7, M33: DSP instructions), armv8.1-m-mve (M55, M85), aarch64, "
    "x86-64-avx2 or x86-64-vnni.",
)
@click.option(
    "--rounding",
    default="litert",
    show_default=True,
    help="Whose reference kernels to equal byte for byte: litert or tflm (TFLite Micro).",
)
@click.option(
    "--optimize",
    type=click.Choice(["speed", "balanced", "size"]),
    default="balanced",
    show_default=True,
    help="speed: code of its own for every layer and, for armv7e-m, fewer products from weights of twice the size; size: "
    "one copy of each kernel for all layers.",
)
@click.option("--input-in-arena", is_flag=True, help="Write inputs into the arena, which overwrites them: less memory.")
@click.option(
    "--least-ram",
    is_flag=True,
    help="Run layers in stripes of rows where that makes the arena smaller: their outputs are never whole in memory. With "
    "--hop: keep fewer rows, and compute those beside the padding again.",
)
@click.option(
    "--hop",
    type=int,
    help="Rows by which a window slides: each call takes so many and keeps what the next one reads, so that little is computed "
    "twice. Best a multiple of the strides of all layers multiplied.",
)
@JSON
def command(
    model: Path,
    output: Path | None,
    name: str | None,
    target: str,
    rounding: str,
    optimize: Literal["speed", "balanced", "size"],
    input_in_arena: bool,
    least_ram: bool,
    hop: int | None,
    as_json: bool,
) -> None:
    """Compile a full int8 1-D network to dependency-free C99."""
    from edgecnn_firmware.compiler.compile import compile_model, prefix_of
    from edgecnn_firmware.compiler.report import op_rows, summarize_program
    from edgecnn_firmware.compiler.write import write_files

    prefix = name or prefix_of(model.stem)
    folder = output or Path(f"{prefix}_c")
    data = model.read_bytes()
    program = compile_model(
        data,
        str(model),
        prefix,
        profile=rounding,
        target=target,
        optimize=optimize,
        input_in_arena=input_in_arena,
        least_ram=least_ram,
        hop=hop,
    )
    write_files(program, folder)
    summary = summarize_program(program)
    if as_json:
        print_json({"folder": str(folder), **summary})
        return
    columns = ["#", "op", "input", "output", "MACs", "constant bytes"]
    print_table(model.name, columns, op_rows(program), numeric={0, 4, 5})
    click.echo(
        f"{folder}: {', '.join(sorted(program.files))}\n"
        f"{program.constant_bytes:,} bytes of constants; arena {program.arena.bytes:,} bytes "
        f"(lower bound {program.arena.lower_bound:,}); state {program.state_bytes:,} bytes; {program.graph.macs:,} MACs"
    )
    if program.graph.sliding is not None:
        sliding = program.graph.sliding
        click.echo(
            f"{sliding.hop_rows:,} rows a call, of a window of {sliding.window_rows:,} that {sliding.calls:,} calls fill: "
            f"{program.graph.macs:,} MACs in place of {sliding.window_macs:,}"
        )
        if sliding.hop_rows % sliding.stride:
            click.echo(f"a hop of a multiple of {sliding.stride} rows would keep more")
    for note in program.notes:
        click.echo(note)
