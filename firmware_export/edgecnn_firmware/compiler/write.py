"""Compiled files -> a folder, whole or not at all."""

from pathlib import Path

from edgecnn_firmware.compiler.emit.program import Program
from edgecnn_firmware.errors import BundleError
from edgecnn_firmware.files import write_file_atomically


def write_files(program: Program, folder: Path) -> None:
    """Write every file of a program; other files in the folder stay.

    Raises:
        BundleError: the folder cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise BundleError(f"{folder}: is a file; expected a folder to write the C files to")
    for name, text in program.files.items():
        write_file_atomically(folder / name, text.encode("utf-8"))
