"""`edgecnn benchmark`: measure a bundle."""

from pathlib import Path

import click

from edgecnn.cli.console import JSON, QUIET, progress_on_stderr


@click.command(
    "benchmark", epilog="Example: edgecnn benchmark build/ecg_demo --engine litert --engine litert-reference"
)
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--engine", "engines", multiple=True, metavar="NAME", help="Run only this engine; can be repeated.")
@click.option("--timed-runs", type=click.IntRange(30, 1_000_000), default=500, show_default=True, help="Timed calls.")
@click.option(
    "--warmup-runs", type=click.IntRange(1, 100_000), default=50, show_default=True, help="Calls before timing."
)
@click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="Seed of the engines' order."
)
@QUIET
@JSON
def command(
    bundle: Path, engines: tuple[str, ...], timed_runs: int, warmup_runs: int, seed: int, quiet: bool, as_json: bool
) -> None:
    """Measure a bundle on this machine and write its report.

    Every engine that is installed runs on the bundle's test windows; the report says why another did not.
    """
    from edgecnn_bench.benchmark import benchmark
    from edgecnn_bench.report.facts import headline
    from edgecnn_bench.report.files import write_report

    with progress_on_stderr(quiet) as progress:
        report = benchmark(
            bundle,
            engines=engines or None,
            timed_runs=timed_runs,
            warmup_runs=warmup_runs,
            seed=seed,
            progress=progress,
        )
    write_report(bundle, report)
    if as_json:
        click.echo(report.to_json(), nl=False)
        return
    click.echo(headline(report))
    click.echo(f"report: {bundle / 'report.html'}")
