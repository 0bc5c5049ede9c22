"""`edgecnn package`: a bundle -> what a build system takes."""

from pathlib import Path

import click

from edgecnn.cli.console import JSON, print_json


@click.command("package", epilog="Example: edgecnn package build/ecg_demo --for arduino --for cmake --output packages")
@click.argument("bundle", required=False, type=click.Path(path_type=Path))
@click.option(
    "--for", "formats", multiple=True, metavar="FORMAT", help="Build system; can be repeated.  [default: all of --list]"
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder for the packages.  [default: BUNDLE_packages]"
)
@click.option("--target", default="portable", show_default=True, help="Kernels of the network, as of edgecnn compile.")
@click.option("--least-ram", is_flag=True, help="Least memory instead of speed, as of edgecnn compile.")
@click.option(
    "--sliding",
    is_flag=True,
    help="Compute only what the samples of a hop add to the window before: the same results with fewer products, in less or more "
    "RAM.",
)
@click.option("--list", "list_only", is_flag=True, help="List the formats and write nothing.")
@JSON
def command(
    bundle: Path | None,
    formats: tuple[str, ...],
    output: Path | None,
    target: str,
    least_ram: bool,
    sliding: bool,
    list_only: bool,
    as_json: bool,
) -> None:
    """Write a bundle's classifier as packages for build systems.

    Every package holds the same C sources, a README of ten lines and a whole example project.
    """
    from edgecnn_firmware.bundle import read_bundle
    from edgecnn_firmware.packages.formats import FORMATS
    from edgecnn_firmware.packages.write import write_packages

    if list_only:
        if as_json:
            print_json(FORMATS)
        else:
            for key, what in FORMATS.items():
                click.echo(f"{key:14} {what}")
        return
    if bundle is None:
        raise click.UsageError("Missing argument 'BUNDLE'.")
    folder = output or bundle.parent / f"{bundle.resolve().name}_packages"
    # Of formats that were asked for by name, one that cannot be written is an error.
    missing: dict[str, str] | None = None if formats else {}
    written = write_packages(
        read_bundle(bundle),
        formats or tuple(FORMATS),
        folder,
        target=target,
        least_ram=least_ram,
        sliding=sliding,
        missing=missing,
    )
    if as_json:
        print_json({key: str(path) for key, path in written.items()})
        return
    for key, path in written.items():
        click.echo(f"{key:14} {path}")
    for key, reason in (missing or {}).items():
        click.echo(f"{key:14} not written: {reason}", err=True)
