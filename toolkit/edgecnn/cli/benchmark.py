"""`edgecnn benchmark`: measure a bundle."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecnn.cli.console import JSON, QUIET, progress_on_stderr

if TYPE_CHECKING:
    from edgecnn_bench.benchmark import Elsewhere
    from edgecnn_firmware.progress import Progress

EXAMPLES = """\b
Examples:
  edgecnn benchmark build/ecg_demo                                        every engine here, three virtual boards
  edgecnn benchmark build/ecg_demo --engine compiled --engine litert      these two alone
  edgecnn benchmark build/ecg_demo --board cortex-m4 --board rv32imc      on these virtual boards
  edgecnn benchmark build/ecg_demo --on pi@raspberrypi.local              on a Raspberry Pi too
  edgecnn benchmark build/ecg_demo --fits                                 which parts it fits; nothing is run
"""


@click.command("benchmark", epilog=EXAMPLES)
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--engine", "engines", multiple=True, metavar="NAME", help="Run only this engine; can be repeated.")
@click.option(
    "--board",
    "boards",
    multiple=True,
    metavar="NAME",
    help="Virtual board, all or none; can be repeated.  [default: cortex-m0plus, cortex-m4, cortex-m33]",
)
@click.option(
    "--runtime",
    "runtimes",
    multiple=True,
    metavar="PYTHON",
    help="Also run the .tflite interpreter of another Python; 'create' makes one with tflite-runtime.",
)
@click.option("--on", "hosts", multiple=True, metavar="USER@HOST", help="Also measure on that machine, over ssh.")
@click.option("--remote-python", default="python3", show_default=True, help="The Python of --on machines.")
@click.option(
    "--serial", "ports", multiple=True, metavar="PORT", help="Also drive a board with the self-test firmware."
)
@click.option("--baud", type=click.IntRange(300, 8_000_000), default=115_200, show_default=True, help="Of --serial.")
@click.option("--timed-runs", type=click.IntRange(30, 1_000_000), default=500, show_default=True, help="Timed calls.")
@click.option(
    "--warmup-runs", type=click.IntRange(1, 100_000), default=50, show_default=True, help="Calls before timing."
)
@click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="Seed of the engines' order."
)
@click.option("--junit", type=click.Path(path_type=Path), metavar="FILE", help="Write JUnit XML for CI, too.")
@click.option("--fits", is_flag=True, help="Print which parts the model fits and how much is left; run nothing.")
@click.option("--part", "parts", multiple=True, metavar="NAME", help="With --fits: only this board or part.")
@QUIET
@JSON
def command(
    bundle: Path,
    engines: tuple[str, ...],
    boards: tuple[str, ...],
    runtimes: tuple[str, ...],
    hosts: tuple[str, ...],
    remote_python: str,
    ports: tuple[str, ...],
    baud: int,
    timed_runs: int,
    warmup_runs: int,
    seed: int,
    junit: Path | None,
    fits: bool,
    parts: tuple[str, ...],
    quiet: bool,
    as_json: bool,
) -> None:
    """Measure a bundle and write its report.

    Every engine that is installed runs on the bundle's test windows; the report says why another did not. The compiled
    network is counted on virtual boards.
    """
    if fits:
        from edgecnn.cli.fits import show_fits

        show_fits(bundle, parts=parts, as_json=as_json)
        return
    if parts:
        raise click.UsageError("--part needs --fits")
    from edgecnn_bench.benchmark import benchmark
    from edgecnn_bench.junit import junit_xml
    from edgecnn_bench.report.facts import headline
    from edgecnn_bench.report.files import write_report
    from edgecnn_firmware.bundle import write_file_atomically

    with progress_on_stderr(quiet) as progress:
        report = benchmark(
            bundle,
            engines=engines or None,
            boards=() if boards == ("none",) else boards or None,
            elsewhere=_elsewhere(runtimes, hosts, remote_python, progress),
            serial=tuple((port, baud) for port in ports),
            timed_runs=timed_runs,
            warmup_runs=warmup_runs,
            seed=seed,
            progress=progress,
        )
    write_report(bundle, report)
    if junit is not None:
        write_file_atomically(junit, junit_xml(report))
    if as_json:
        click.echo(report.to_json(), nl=False)
        return
    click.echo(headline(report))
    click.echo(f"report: {bundle / 'report.html'}")


def _elsewhere(
    runtimes: tuple[str, ...], hosts: tuple[str, ...], remote_python: str, progress: "Progress"
) -> "tuple[Elsewhere, ...]":
    if not (runtimes or hosts):
        return ()
    from edgecnn_bench.places import open_runtime, open_ssh

    return (
        *(partial(open_runtime, runtime, progress=progress) for runtime in runtimes),
        *(partial(open_ssh, host, remote_python) for host in hosts),
    )
