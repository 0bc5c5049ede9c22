"""Running an image on unicorn, a virtual CPU that executes the compiled machine code itself.

Blocks of instructions are counted as they start, and a block's instructions once from its bytes: exact, since a block
ends where the flow of control may leave it. Time is not modeled.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from edgecnn_firmware.boards.extras import load
from edgecnn_firmware.boards.harness import ENTRY, GUARD_BYTES, GUARD_VALUE, MARK, STOP
from edgecnn_firmware.boards.image import Image
from edgecnn_firmware.boards.places import FunctionIndex, Span, page_up, places_of
from edgecnn_firmware.boards.process import BoardError
from edgecnn_firmware.boards.profile import SIZE_SHIFT, Edges, Profile
from edgecnn_firmware.boards.run import Fault, Mark, Run
from edgecnn_firmware.boards.watch import Watch

_DOING = "running code on a virtual CPU"


def run(
    image: Image,
    inputs: bytes,
    *,
    watch: bool = False,
    stack_limit_bytes: int = 64 * 1024,
    limit_s: float = 600.0,
) -> Run:
    """Call the image's entry once.

    The output buffer, the arena and the stack hold no zeros before the call, so that code which relies on them shows.

    Args:
        image: From `build_image`.
        inputs: Content of the input buffer.
        watch: Check every access to memory; many times slower.
        stack_limit_bytes: Size of the stack; code that needs more fails.
        limit_s: Seconds after which the call is given up.

    Raises:
        BoardError: `inputs` has the wrong size, or the code faults or does not finish.
        MissingDependency: unicorn is not installed.
    """
    if len(inputs) != image.harness.input_bytes:
        raise BoardError(f"input of {len(inputs)} bytes: the image takes {image.harness.input_bytes}")
    if image.target.emulator == "qemu":
        from edgecnn_firmware.boards.qemu import run_qemu

        if watch:
            raise BoardError(
                f"target {image.target.name}: accesses can be watched on unicorn only, and it has no such core"
            )
        return run_qemu(image, inputs, stack_limit_bytes=stack_limit_bytes, limit_s=limit_s)
    return _Machine(image, stack_limit_bytes).call(inputs, watch=watch, limit_s=limit_s)


@dataclass
class _Trace:
    """What the hooks gather."""

    edges: Edges = field(default_factory=dict)
    marks: list[tuple[int, Edges]] = field(default_factory=list)
    sp_at_call: int | None = None
    lowest_sp: int = 1 << 64


class _Machine:
    """One virtual CPU with an image loaded."""

    def __init__(self, image: Image, stack_limit_bytes: int) -> None:
        self._image = image
        self._places = places_of(image, stack_limit_bytes)
        self._functions = FunctionIndex(image.elf)
        self._cpu = _new_cpu(image)
        self._registers = _registers(image)
        self._trace = _Trace()
        self._refused: int | None = None
        self._load()

    def _load(self) -> None:
        unicorn = load("unicorn", _DOING)
        pages: dict[int, int] = {}
        for segment in self._image.elf.segments:
            allowed = unicorn.UC_PROT_READ | (unicorn.UC_PROT_WRITE if segment.writable else unicorn.UC_PROT_EXEC)
            start = segment.address & ~4095
            for page in range(start, start + page_up(segment.address + segment.size - start), 4096):
                pages[page] = pages.get(page, 0) | allowed
        for page, allowed in sorted(pages.items()):
            self._cpu.mem_map(page, 4096, allowed)
        stack = self._places.stack
        self._cpu.mem_map(stack.start, stack.stop - stack.start, unicorn.UC_PROT_READ | unicorn.UC_PROT_WRITE)
        self._cpu.mem_write(stack.start, bytes([GUARD_VALUE]) * (stack.stop - stack.start))
        for segment in self._image.elf.segments:
            self._cpu.mem_write(segment.address, segment.data)
        for span in self._places.buffers:
            whole = span.stop - span.start + 2 * GUARD_BYTES
            self._cpu.mem_write(span.start - GUARD_BYTES, bytes([GUARD_VALUE]) * whole)

    def call(self, inputs: bytes, *, watch: bool, limit_s: float) -> Run:
        """Run the entry to its return."""
        unicorn = load("unicorn", _DOING)
        elf, cpu, places = self._image.elf, self._cpu, self._places
        thumb = 1 if self._image.target.architecture == "thumb" else 0
        stop = elf.address_of(STOP)
        cpu.mem_write(places.inputs.start, inputs)
        cpu.reg_write(self._registers["sp"], places.stack.stop)
        cpu.reg_write(self._registers["lr"], stop | thumb)
        cpu.hook_add(unicorn.UC_HOOK_BLOCK, self._block_hook(every_sp=watch))
        watcher = Watch(cpu, self._registers["pc"], places, self._flash(), self._functions) if watch else None
        cpu.hook_add(unicorn.UC_HOOK_MEM_INVALID, self._on_invalid)
        try:
            cpu.emu_start(elf.address_of(ENTRY) | thumb, stop, timeout=int(limit_s * 1e6))
        except unicorn.UcError as error:
            place = f" for address {self._refused:#x}" if self._refused is not None else ""
            raise BoardError(f"{self._where()}: {error}{place}") from None
        if cpu.reg_read(self._registers["pc"]) & ~1 != stop:
            raise BoardError(f"{self._where()}: not finished after {limit_s:g} s")
        faults = (*(watcher.faults if watcher else ()), *self._changed_guards())
        return self._result(faults)

    def _block_hook(self, *, every_sp: bool) -> Callable[..., None]:
        """Count edges between blocks; note the stack pointer at each edge's first use, or at every block."""
        trace, edges, sp = self._trace, self._trace.edges, self._registers["sp"]
        entry = self._image.elf.symbol(ENTRY)
        first, last = entry.address, entry.address + entry.size
        mark = next((symbol.address for symbol in self._image.elf.symbols if symbol.name == MARK), -1)
        before = 0

        def hook(cpu: Any, address: int, size: int, _: object) -> None:
            nonlocal before
            block = address | size << SIZE_SHIFT
            edge = (before, block)
            before = block
            seen = edges.get(edge, 0)
            if every_sp or not seen:
                depth = cpu.reg_read(sp)
                trace.lowest_sp = min(trace.lowest_sp, depth)
                if trace.sp_at_call is None and not first <= address < last:
                    trace.sp_at_call = depth
            if address == mark:
                trace.marks.append((_signed(cpu.reg_read(self._registers["argument"])), dict(edges)))
            edges[edge] = seen + 1

        return hook

    def _on_invalid(self, cpu: Any, access: int, address: int, size: int, value: int, data: object) -> bool:
        self._refused = address
        return False

    def _flash(self) -> tuple[Span, ...]:
        return tuple(Span(s.address, s.address + s.size) for s in self._image.elf.segments if not s.writable)

    def _where(self) -> str:
        pc = self._cpu.reg_read(self._registers["pc"])
        return f"{self._image.target.name}, {self._functions.name_at(pc)} at {pc:#x}"

    def _changed_guards(self) -> list[Fault]:
        faults = []
        for span in self._places.buffers:
            for start in (span.start - GUARD_BYTES, span.stop):
                found = self._cpu.mem_read(start, GUARD_BYTES)
                faults += [Fault("guard", start + i, 1, "", 0) for i, byte in enumerate(found) if byte != GUARD_VALUE]
        return faults

    def _stack_bytes(self) -> int:
        stack = self._places.stack
        painted = bytes(self._cpu.mem_read(stack.start, stack.stop - stack.start))
        untouched = len(painted) - len(painted.lstrip(bytes([GUARD_VALUE])))
        base = stack.stop if self._trace.sp_at_call is None else self._trace.sp_at_call
        return max(0, base - min(stack.start + untouched, self._trace.lowest_sp))

    def _result(self, faults: tuple[Fault, ...]) -> Run:
        trace, span = self._trace, self._places.outputs
        profile = Profile(trace.edges, self._read, self._functions, self._image.target)
        return Run(
            outputs=self._read(span.start, span.stop - span.start),
            instructions=profile.instructions(trace.edges),
            by_function=profile.by_function(),
            marks=tuple(Mark(label, profile.instructions(edges)) for label, edges in trace.marks),
            stack_bytes=self._stack_bytes(),
            estimated_cycles=profile.estimated_cycles(),
            faults=faults,
        )

    def _read(self, address: int, size: int) -> bytes:
        return bytes(self._cpu.mem_read(address, size))


def _signed(register: int) -> int:
    """An `int` argument: the low 32 bits of a register."""
    low = register & 0xFFFF_FFFF
    return low - (low >> 31 << 32)


def _new_cpu(image: Image) -> Any:
    unicorn = load("unicorn", _DOING)
    kind, mode = {
        "thumb": (unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS),
        "rv32": (unicorn.UC_ARCH_RISCV, unicorn.UC_MODE_RISCV32),
        "aarch64": (unicorn.UC_ARCH_ARM64, unicorn.UC_MODE_ARM),
    }[image.target.architecture]
    cpu = unicorn.Uc(kind, mode)
    cpu.ctl_set_cpu_model(getattr(_constants(image), f"UC_CPU_{image.target.cpu_model}"))
    return cpu


def _registers(image: Image) -> dict[str, int]:
    """Unicorn's numbers of the registers that a call needs."""
    prefix, names = {
        "thumb": ("UC_ARM_REG_", ("SP", "LR", "PC", "R0")),
        "rv32": ("UC_RISCV_REG_", ("SP", "RA", "PC", "A0")),
        "aarch64": ("UC_ARM64_REG_", ("SP", "LR", "PC", "X0")),
    }[image.target.architecture]
    found = (int(getattr(_constants(image), prefix + name)) for name in names)
    return dict(zip(("sp", "lr", "pc", "argument"), found, strict=True))


def _constants(image: Image) -> Any:
    name = {"thumb": "arm", "rv32": "riscv", "aarch64": "arm64"}[image.target.architecture]
    return load(f"unicorn.{name}_const", _DOING)
