"""A board behind a pseudo-terminal: the console built for this machine, with noise and resets where a test wants them."""

import contextlib
import os
import subprocess
import threading
import tty
from collections.abc import Callable, Sequence
from pathlib import Path

from edgecnn_firmware.bundle import Bundle
from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.selftest import selftest_files

HOST = Path(__file__).parents[2] / "firmware" / "selftest" / "console_host.c"
Filter = Callable[[bytes], bytes]


def firmware_files(bundle: Bundle) -> dict[str, bytes]:
    """The C files of a bundle's network, compiled here."""
    vectors, model = bundle.vectors(), bundle.model_bytes
    program = compile_model(model, "model.tflite", bundle.card.name)
    files = {name: text.encode() for name, text in program.files.items()}
    return files | selftest_files(program, model, vectors.inputs, vectors.outputs)


def build(files: dict[str, bytes], name: str, folder: Path, clock: str = "REAL", defines: Sequence[str] = ()) -> Path:
    """Compile a console for this machine."""
    for file, data in files.items():
        (folder / file).write_bytes(data)
    macros = (f'-DCONSOLE="{name}_console.h"', f"-DNAME(x)={name}##x", "-DTICKS=1", "-DSTACK=0", *defines)
    clock_macro = f"-DCLOCK={name.upper()}_CLOCK_{clock}"
    sources = [f"{name}.c", f"{name}_selftest.c", f"{name}_console.c", str(HOST)]
    command = ["gcc", "-std=gnu99", "-O2", "-I.", *macros, clock_macro, *sources, "-o", "console"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder / "console"


class PtyConsole:
    """Runs a console; `port` is what pyserial opens.

    Args:
        console: the program.
        to_board: changes what the host sends.
        to_host: changes what the board sends.
    """

    def __init__(self, console: Path, to_board: Filter | None = None, to_host: Filter | None = None) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self.console = console
        self.to_board = to_board or (lambda data: data)
        self.to_host = to_host or (lambda data: data)
        self.closed = False
        self._write = threading.Lock()
        self._process = self._start()
        threading.Thread(target=self._pump_to_board, daemon=True).start()

    def __enter__(self) -> "PtyConsole":  # noqa: PYI034 - typing.Self came with Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def restart(self, console: Path | None = None) -> None:
        """Reset the board: what it knows is gone, and it prints boot text."""
        self._stop()
        self.console = console or self.console
        self._process = self._start()
        self.say(b"\x00\xf8ets Jul 29 2019\r\nrst:0x1 (POWERON_RESET), boot:0x13\r\nready")

    def say(self, data: bytes) -> None:
        with self._write:
            os.write(self._master, data)

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._stop()
            # Ends the thread that waits for the master, and shows an open port as unplugged.
            os.close(self._slave)
            with contextlib.suppress(OSError):
                os.close(self._master)

    def _start(self) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen([self.console], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        threading.Thread(target=self._pump_to_host, args=(process,), daemon=True).start()
        return process

    def _stop(self) -> None:
        process = self._process
        process.kill()
        process.wait()
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.close()

    def _pump_to_board(self) -> None:
        while not self.closed:
            try:
                data = os.read(self._master, 4096)
            except OSError:
                return
            data = self.to_board(data)
            process = self._process
            if data and process.stdin is not None:
                with contextlib.suppress(OSError, ValueError):
                    process.stdin.write(data)

    def _pump_to_host(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout is not None
        with process.stdout as stream:
            while data := stream.read(4096):
                data = self.to_host(data)
                with contextlib.suppress(OSError):
                    self.say(data)
