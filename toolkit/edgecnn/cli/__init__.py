"""The command line: one file a command; each parses, makes one library call and prints.

A command's module is imported when the command runs, so that `edgecnn --help` answers at once.
"""

import importlib
import sys
from typing import Any, Final

import click

from edgecnn import __version__
from edgecnn_firmware.errors import EdgeCnnError

COMMANDS: Final = {
    "export": "Train, quantize, export and measure: from a project to a bundle.",
    "init": "Look at a folder of recordings and write an edgecnn.toml.",
    "data": "Show what is in a data set, or fetch an open one.",
    "train": "Train the model of a project; export continues from it.",
    "quantize": "Train if needed and write the .tflite files.",
    "benchmark": "Measure a bundle and write its report.",
    "report": "Draw the report of a bundle again, or compare bundles.",
    "compile": "Compile a full int8 1-D network to dependency-free C99.",
    "package": "Write a bundle's classifier as packages for build systems.",
    "run": "Classify a live stream; print one JSON line a result.",
    "inspect": "Show the ops, shapes, parameters, MACs and bytes of a .tflite file.",
}
"""Command -> its one line in `edgecnn --help`, the first line of the command's own help."""

INTERRUPTED_EXIT_CODE: Final = 130


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"edgecnn.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    epilog="Start here: edgecnn export --demo",
)
@click.version_option(__version__, prog_name="edgecnn")
def edgecnn() -> None:
    """From labelled sensor recordings to a measured int8 1-D CNN on a microcontroller or a Raspberry Pi."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 bad input, 2 wrong usage, 3 a gate was missed, 130 interrupted."""
    sys.exit(_run(arguments))


def _run(arguments: list[str] | None) -> int:
    try:
        return _exit_code(edgecnn.main(args=arguments, standalone_mode=False))
    except EdgeCnnError as error:
        return _fail(str(error), error.exit_code)
    except click.exceptions.Abort:
        return _fail("interrupted; the same command continues where it can", INTERRUPTED_EXIT_CODE)
    except KeyboardInterrupt:
        return _fail("interrupted; the same command continues where it can", INTERRUPTED_EXIT_CODE)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BrokenPipeError:
        return _fail("the reader of the output went away", 1)
    except OSError as error:
        if error.strerror is None:
            raise
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}{error.strerror}", 1)


def _exit_code(result: Any) -> int:
    return result if isinstance(result, int) else 0


def _fail(line: str, exit_code: int) -> int:
    # Names out of untrusted files may hold line ends or a terminal's control codes.
    shown = "".join(character if character.isprintable() else " " for character in line)
    click.echo(f"edgecnn: {' '.join(shown.split())}", err=True)
    return exit_code
