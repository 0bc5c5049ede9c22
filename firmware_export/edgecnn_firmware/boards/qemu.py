"""Running an image on QEMU, for cores that unicorn does not have: same code, same counts, but a process and a trace.

QEMU's log disassembles every block when it is translated (`in_asm`) and names it whenever it starts (`exec`). Only
addresses and sizes of the disassembly are used: it does not know all instructions.
"""

import shutil
import struct
import subprocess
import threading
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from edgecnn_firmware.boards.harness import ENTRY, GUARD_BYTES, GUARD_VALUE, KEPT_LABELS, LABELS, MARK
from edgecnn_firmware.boards.image import Image
from edgecnn_firmware.boards.places import FunctionIndex, Span, places_of
from edgecnn_firmware.boards.process import BoardError
from edgecnn_firmware.boards.profile import SIZE_SHIFT, Edges, Profile, start_of
from edgecnn_firmware.boards.run import Fault, Mark, Run
from edgecnn_firmware.errors import MissingDependency

_PROGRAM = "qemu-system-arm"
_CALLER, _DUMPED = "edgecnn_board_reset", "edgecnn_board_dumped"
_HANDLER = "edgecnn_board_fault"
_HEX_COLUMNS = 11
"""Columns behind the colon of a disassembled line that hold the instruction's bytes as halfwords."""


def run_qemu(image: Image, inputs: bytes, *, stack_limit_bytes: int, limit_s: float) -> Run:
    """Call the image's entry once on QEMU.

    Its `stack_bytes` counts the entry's own frame too, and what was written rather than reserved.

    Args:
        image: From `build_image`, for a target whose emulator is QEMU.
        inputs: Content of the input buffer.
        stack_limit_bytes: How much of the stack is looked at.
        limit_s: Seconds after which the process is ended.

    Raises:
        BoardError: The code faults or does not finish.
        MissingDependency: QEMU is not installed.
    """
    program = shutil.which(_PROGRAM)
    if program is None:
        raise MissingDependency(
            f"target {image.target.name}: {_PROGRAM} is not on PATH; install QEMU's Arm system emulator"
        )
    places = places_of(image, stack_limit_bytes)
    guarded = [Span(span.start - GUARD_BYTES, span.stop + GUARD_BYTES) for span in places.buffers]
    spans = [*guarded, places.stack, *_labels(image)]
    pattern = [bytes([GUARD_VALUE]) * (span.stop - span.start) for span in spans]
    pattern[0] = pattern[0][:GUARD_BYTES] + inputs + pattern[0][-GUARD_BYTES:]
    table = b"".join(struct.pack("<II", span.start, span.stop - span.start) for span in spans) + bytes(8)
    patches = [*zip((span.start for span in spans), pattern, strict=True), (image.elf.address_of(_DUMPED), table)]
    with TemporaryDirectory(prefix="edgecnn-qemu-") as folder:
        tracer = _Tracer(image)
        memory = _process(program, image, _memory(image, patches), Path(folder), tracer, limit_s)
    parts, at = [], 0
    for span in spans:
        parts.append(memory[at : at + span.stop - span.start])
        at += span.stop - span.start
    if at != len(memory) or not tracer.finished:
        raise BoardError(f"{image.target.name}: the program faulted, in {tracer.where()}")
    return _result(image, tracer, guarded, parts)


def _labels(image: Image) -> list[Span]:
    return [Span(s.address, s.address + 4 * KEPT_LABELS) for s in image.elf.symbols if s.name == LABELS]


def _memory(image: Image, patches: Iterable[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """The image's segments with patches applied, and patches beside them: QEMU refuses files that overlap."""
    blobs = {part.address: bytearray(part.data.ljust(part.size, bytes(1))) for part in image.elf.segments}
    for address, data in patches:
        start = next((start for start, blob in blobs.items() if start <= address < start + len(blob)), None)
        if start is None:
            blobs[address] = bytearray(data)
        else:
            blobs[start][address - start : address - start + len(data)] = data
    return [(address, bytes(blob)) for address, blob in sorted(blobs.items())]


def _process(
    program: str, image: Image, content: Iterable[tuple[int, bytes]], folder: Path, tracer: "_Tracer", limit_s: float
) -> bytes:
    loaders = []
    for number, (address, data) in enumerate(content):
        (folder / f"{number}.bin").write_bytes(data)
        loaders += ["-device", f"loader,file={number}.bin,addr={address:#x},force-raw=on"]
    quiet = ("-display", "none", "-monitor", "none", "-serial", "none", "-nodefaults")
    hosting = ("-semihosting-config", "enable=on,target=native")
    trace = ("-d", "exec,nochain,in_asm")
    command = (program, "-M", image.target.cpu_model, *quiet, *hosting, *trace, *loaders)
    out = folder / "memory"
    with out.open("wb") as stdout:
        process = subprocess.Popen(  # noqa: S603
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE
        )
        with process:
            timer = threading.Timer(limit_s, process.kill)
            timer.start()
            try:
                if process.stderr is not None:
                    tracer.read(process.stderr)
                code = process.wait()
            finally:
                timer.cancel()
                process.kill()
    if code < 0:
        raise BoardError(f"{image.target.name}, {tracer.where()}: not finished after {limit_s:g} s")
    if code and not tracer.started:
        raise BoardError(f"{image.target.name}: QEMU ended with exit code {code}: {tracer.said or 'no message'}")
    return out.read_bytes()


class _Tracer:
    """Turns the log into edges between blocks."""

    def __init__(self, image: Image) -> None:
        self._image = image
        self._entry = image.elf.address_of(ENTRY)
        caller = image.elf.symbol(_CALLER)
        self._caller = Span(caller.address, caller.address + caller.size)
        self._mark = next((symbol.address for symbol in image.elf.symbols if symbol.name == MARK), -1)
        self._blocks: dict[bytes, int] = {}
        self._last = self._previous = 0
        self.edges: Edges = {}
        self.marks: list[Edges] = []
        self.said = ""
        self.started = False
        self.finished = False

    def where(self) -> str:
        """The function that was reached last, before the handler of faults."""
        functions = FunctionIndex(self._image.elf)
        last, previous = (functions.name_at(start_of(block)) for block in (self._last, self._previous))
        return previous if last == _HANDLER else last

    def read(self, lines: Iterable[bytes]) -> None:
        """Follow the log to its end."""
        translated, before = 0, 0
        for line in lines:
            if line.startswith(b"Trace "):
                key = line[line.index(b"[") : line.index(b"]")]
                if translated or key not in self._blocks:
                    self._blocks[key] = translated
                    translated = 0
                block = self._blocks[key]
                self._previous, self._last = self._last, block
                if self._follow(start_of(block)):
                    edge = (before, block)
                    self.edges[edge] = self.edges.get(edge, 0) + 1
                    before = block
            elif line.startswith(b"0x"):
                translated = _extended(translated, line)
            elif line.strip(b"-\n ") and not line.startswith(b"IN:"):
                self.said = line.decode(errors="replace").strip()[:300]

    def _follow(self, address: int) -> bool:
        """Whether a block belongs to the call."""
        if not self.started:
            self.started = address == self._entry
        elif not self.finished:
            self.finished = self._caller.holds(address, 2)
        if address == self._mark:
            self.marks.append(dict(self.edges))
        return self.started and not self.finished

    def _code_from(self, address: int) -> bytes:
        for segment in self._image.elf.segments:
            if segment.address <= address < segment.address + len(segment.data):
                return segment.data[address - segment.address :]
        raise BoardError(f"{self._image.target.name}: code ran at {address:#x}, outside the image")

    def code(self, address: int, size: int) -> bytes:
        """Machine code at an address."""
        return self._code_from(address)[:size]


def _extended(block: int, line: bytes) -> int:
    """A block with one more line of its disassembly: `0xADDRESS:  HEX HEX  words`."""
    address, _, rest = line.partition(b":")
    halfwords = rest[:_HEX_COLUMNS].split()
    start = start_of(block) if block else int(address, 16)
    stop = int(address, 16) + 2 * len(halfwords)
    return start | (stop - start) << SIZE_SHIFT


def _result(image: Image, tracer: _Tracer, guarded: list[Span], parts: list[bytes]) -> Run:
    faults = [
        Fault("guard", span.start + at, 1, "", 0)
        for span, part in zip(guarded, parts, strict=False)
        for at in (*range(GUARD_BYTES), *range(len(part) - GUARD_BYTES, len(part)))
        if part[at] != GUARD_VALUE
    ]
    stack = parts[len(guarded)]
    labels = struct.unpack(f"<{KEPT_LABELS}i", parts[-1])[: len(tracer.marks)] if tracer.marks else ()
    untouched = len(stack) - len(stack.lstrip(bytes([GUARD_VALUE])))
    profile = Profile(tracer.edges, tracer.code, FunctionIndex(image.elf), image.target)
    return Run(
        outputs=parts[1][GUARD_BYTES:-GUARD_BYTES],
        instructions=profile.instructions(tracer.edges),
        by_function=profile.by_function(),
        marks=tuple(
            Mark(label, profile.instructions(edges)) for label, edges in zip(labels, tracer.marks, strict=False)
        ),
        stack_bytes=len(stack) - untouched,
        estimated_cycles=profile.estimated_cycles(),
        faults=tuple(faults),
    )
