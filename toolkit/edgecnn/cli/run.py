"""`edgecnn run`: a bundle on a live stream."""

import os
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from edgecnn_firmware.bundle import Bundle
    from edgecnn_firmware.live.engine import Engine
    from edgecnn_firmware.live.loop import Live

EPILOG = """\b
Examples:
  sensor | edgecnn run build/ecg_demo                                 CSV lines on standard input
  edgecnn run build/ecg_demo --from day.csv --all                     a file, as fast as it goes
  edgecnn run build/ecg_demo --from udp://0.0.0.0:5005                CSV or float32 datagrams
  edgecnn run build/ecg_demo --from serial:/dev/ttyUSB0@115200        CSV lines of a board
  edgecnn run build/ecg_demo --from iio:lsm6dsox --monitor 60         a sensor of this Linux machine
  edgecnn run build/ecg_demo --from udp://0.0.0.0:5005 --systemd      a unit for that, to be restarted where it fails
"""


@click.command("run", epilog=EPILOG)
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--from", "source", default="-", show_default=True, metavar="SOURCE",
    help="-, FILE.csv, udp://HOST:PORT, serial:PORT[@BAUD], iio:DEVICE or iio+buffer:DEVICE.",
)  # fmt: skip
@click.option(
    "--engine", type=click.Choice(["c", "litert"]), default="c", show_default=True,
    help="The bundle's C built with this machine's compiler, or the .tflite interpreter.",
)  # fmt: skip
@click.option("--library", type=click.Path(path_type=Path), help="A built library of the classifier; no compiler runs.")
@click.option("--all", "with_all", is_flag=True, help="Print the probabilities of all labels.")
@click.option(
    "--monitor", "monitor_every", type=click.IntRange(min=1), metavar="N",
    help="Every N results, add how the data differ from the training data.",
)  # fmt: skip
@click.option("--columns", metavar="NAMES", help="The source's names for the channels, joined by commas.")
@click.option(
    "--rate", "rate_hz", type=click.FloatRange(1e-3, 1e6), metavar="HZ",
    help="For --realtime and iio:.  [default: the bundle's]",
)  # fmt: skip
@click.option("--realtime", is_flag=True, help="Read a file at its sample rate.")
@click.option("--wait", is_flag=True, help="Make a pipe wait rather than drop samples; files always wait.")
@click.option(
    "--queue", "queue_samples", type=click.IntRange(2, 1 << 24), metavar="N",
    help="Samples that may wait before some are dropped.",
)  # fmt: skip
@click.option("--systemd", is_flag=True, help="Print a systemd unit for this command line and end.")
def command(
    bundle: Path,
    source: str,
    engine: str,
    library: Path | None,
    with_all: bool,
    monitor_every: int | None,
    columns: str | None,
    rate_hz: float | None,
    realtime: bool,
    wait: bool,
    queue_samples: int | None,
    systemd: bool,
) -> int:
    """Classify a live stream; print one JSON line a result.

    Samples are in physical units, a value for each channel. A result has the time stamp of the sample that completed its
    window. Where the classifier is slower than the source, the oldest samples are dropped, counted, and the window begins
    anew. SIGINT and SIGTERM end it with exit code 0.
    """
    from edgecnn_firmware.bundle import read_bundle
    from edgecnn_firmware.errors import SettingsError
    from edgecnn_firmware.live import loop
    from edgecnn_firmware.live.feed import Feed
    from edgecnn_firmware.live.records import Records
    from edgecnn_firmware.live.sources import open_source, source_settings
    from edgecnn_firmware.live.unit import systemd_unit

    opened = read_bundle(bundle)
    card = opened.card
    if systemd:
        click.echo(systemd_unit(card.name, _absolute(sys.argv[1:], bundle, source, library), source), nl=False)
        return 0
    if monitor_every and card.statistics is None:
        raise SettingsError("--monitor: the bundle has no statistics of its training data")
    names = tuple(name.strip() for name in columns.split(",")) if columns else ()
    settings = source_settings(card, names, rate_hz, realtime=realtime)
    chosen = _engine(opened, engine, library)
    stream = open_source(source, settings)
    feed = Feed(queue_samples or loop.queue_samples(card), wait=wait or stream.waits)
    live = loop.Live(stream, chosen, feed, Records(card, with_all=with_all), click.echo, _note, monitor_every or 0)
    _note(f"{card.name} {card.version}, {chosen.title}")
    return _run(live)


def _engine(bundle: "Bundle", engine: str, library: Path | None) -> "Engine":
    from edgecnn_firmware.errors import SettingsError

    if engine == "litert":
        from edgecnn_firmware.live.engine import InterpreterEngine

        if library is not None:
            raise SettingsError("--library goes with --engine c")
        return InterpreterEngine(bundle)
    from edgecnn_firmware.live.compiled import build_engine, load_engine

    return build_engine(bundle) if library is None else load_engine(bundle, library)


def _run(live: "Live") -> int:
    before = {number: signal.signal(number, lambda *_: live.stop()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        live.run()
    except BrokenPipeError:
        # Whoever read has enough. What Python flushes at its end must not fail once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _note(live.summary.text)
    return 0


def _note(text: str) -> None:
    click.echo(f"edgecnn: {text}", err=True)


def _absolute(arguments: list[str], bundle: Path, source: str, library: Path | None) -> list[str]:
    """This command line with absolute paths, without --systemd."""
    places = {str(path): str(path.absolute()) for path in (bundle, library) if path is not None}
    if ":" not in source and source != "-":
        places[source] = str(Path(source).absolute())
    words = [_placed(word, places) for word in arguments if word != "--systemd"]
    program = shutil.which(sys.argv[0]) or shutil.which("edgecnn")
    return [str(Path(program).absolute()), *words] if program else [sys.executable, "-m", "edgecnn", *words]


def _placed(word: str, places: dict[str, str]) -> str:
    option, equals, value = word.partition("=")
    if option in {"--from", "--library"} and equals:
        return f"{option}={places.get(value, value)}"
    # A bundle may be written with a slash at its end.
    return places.get(word, places.get(word.rstrip("/"), word))
