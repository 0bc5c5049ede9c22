"""Measure the example and the classifier of packages on virtual boards; write docs/packages.json and packages_size.md.

    python benchmarks/packages.py BUNDLE [BUNDLE ...] [--out docs/packages.json]

One run makes both files; `--render-only` draws the page again from the JSON.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from edgecnn_bench.environment import measure_environment
from edgecnn_firmware.boards.firmware import ClassifyImage, classify_image, firmware_image
from edgecnn_firmware.bundle import Bundle, read_bundle
from edgecnn_firmware.classifier.results import window_result
from edgecnn_firmware.errors import EdgeCnnError, MissingDependency
from edgecnn_firmware.numerics import Float32
from edgecnn_firmware.packages.product import Product, make_product
from edgecnn_firmware.version import __version__

ROOT: Final = Path(__file__).resolve().parents[1]
BOARDS: Final = (
    *(("cortex-m0plus", "portable"), ("cortex-m3", "portable"), ("cortex-m4", "portable"), ("cortex-m4", "armv7e-m")),
    *(("cortex-m7", "armv7e-m"), ("cortex-m33", "armv7e-m"), ("cortex-m55", "armv8.1-m-mve")),
    *(("rv32imc", "portable"), ("aarch64", "aarch64")),
)
WINDOWS: Final = 3
"""Test windows that each board classifies, spread over the bundle's."""


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", nargs="*", type=Path, metavar="BUNDLE")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "packages.json")
    parser.add_argument("--render-only", action="store_true", help="draw the page again from its JSON")
    arguments = parser.parse_args()
    if not arguments.render_only:
        if not arguments.bundles:
            parser.error("a bundle is needed to measure")
        try:
            document = measure(arguments.bundles)
        except EdgeCnnError as error:
            sys.exit(f"error: {error}")
        arguments.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    page = arguments.out.with_name(f"{arguments.out.stem}_size.md")
    page.write_text(render(json.loads(arguments.out.read_text(encoding="utf-8"))), encoding="utf-8")
    print(page)


def measure(paths: list[Path]) -> dict[str, Any]:
    """Every bundle on every board."""
    bundles = [measure_bundle(read_bundle(path)) for path in paths]
    return {
        "environment": measure_environment().model_dump(mode="json"),
        "edgecnn": __version__,
        "commit": _commit(),
        "windows": WINDOWS,
        "bundles": bundles,
    }


def measure_bundle(bundle: Bundle) -> dict[str, Any]:
    """One bundle on every board."""
    rows = []
    for board, kernels in BOARDS:
        row = {"board": board, "kernels": kernels, **on_board(bundle, board, kernels)}
        rows.append(row)
        print(bundle.card.name, board, kernels, row.get("reason", "measured"), file=sys.stderr)
    return {
        "name": bundle.card.name,
        "version": bundle.card.version,
        "model_sha256": hashlib.sha256(bundle.model_bytes).hexdigest(),
        "rows": rows,
    }


def on_board(bundle: Bundle, board: str, kernels: str) -> dict[str, Any]:
    """The example program, then the classifier alone, whose results are compared with the bundle's test vectors."""
    product = make_product(bundle, kernels)
    with TemporaryDirectory(prefix="edgecnn-packages-") as folder:
        work = Path(folder)
        try:
            example = firmware_image(product, board, work=work)
            image = classify_image(product, board, work=work)
            equal, instructions, stack = _classify(bundle, product, image)
        except MissingDependency as error:
            return {"reason": str(error)}
    if example.status or example.faults or not equal:
        raise EdgeCnnError(f"{product.name} on {board} ({kernels}): not what the host computes: {example.text.strip()}")
    return {
        "text": example.text.strip(),
        "example": {
            "flash_bytes": example.flash_bytes,
            "ram_bytes": example.ram_bytes,
            "stack_bytes": example.stack_bytes,
            "sections": example.sections,
        },
        "classify": {
            "flash_bytes": image.image.flash_bytes,
            "ram_bytes": image.image.ram_bytes,
            "stack_bytes": stack,
            "sections": image.image.elf.sections,
            "instructions": instructions,
        },
        "byte_equal": equal,
        "toolchain": example.toolchain,
        "flags": list(example.flags),
        "emulator": example.emulator,
        "note": example.note,
    }


def _classify(bundle: Bundle, product: Product, image: ClassifyImage) -> tuple[bool, list[int], int]:
    """Whether all results are equal, the instructions of each call, and the deepest stack."""
    vectors = bundle.vectors()
    chosen = np.linspace(0, len(vectors.windows) - 1, WINDOWS).astype(int).tolist()
    equal, instructions, stack = True, [], 0
    for index in chosen:
        window: Float32 = np.asarray(vectors.windows[index], "<f4")
        found = image.call(window.tobytes())
        equal &= found.status == 0 and not found.faults
        equal &= found.result == window_result(vectors.outputs[index], product.card)
        instructions.append(found.instructions)
        stack = max(stack, found.stack_bytes)
    return equal, instructions, stack


def render(document: dict[str, Any]) -> str:
    """The page, from the JSON alone."""
    environment = document["environment"]
    lines = [
        "# What a package costs on a board",
        "",
        "Made by `python benchmarks/packages.py BUNDLE ...`: the example program of packages and the classifier alone,",
        "linked for virtual boards and run there. On every board the example's self-test passed, and the results of",
        f"{document['windows']} test windows of each bundle are byte for byte those of this machine.",
        "",
        "- Flash and RAM: sections of the linked image less those of an image of the same board without the program.",
        "  The stack is its deepest use and not in RAM.",
        "- Example: with the self-test and its windows, the example window, a small printf, and the memory of `NAME_push`, which",
        "  every program links that calls `NAME_init`.",
        "- Classify: `NAME_classify` with all that it reaches, from floats in physical units to the result.",
        "- Instructions per classify are counted, the largest of the test windows; a virtual board has no latency.",
        f"- edgecnn {document['edgecnn']}, commit {document['commit']}; {environment['system']}, {environment['machine']}.",
    ]
    emulators = sorted(
        {row["emulator"] for bundle in document["bundles"] for row in bundle["rows"] if "emulator" in row}
    )
    lines.append(f"- Emulators: {'; '.join(emulators)}.")
    for bundle in document["bundles"]:
        lines += _bundle_lines(bundle)
    return "\n".join(lines) + "\n"


def _bundle_lines(bundle: dict[str, Any]) -> list[str]:
    return [
        "",
        f"## {bundle['name']} {bundle['version']}",
        "",
        f"Model SHA-256 `{bundle['model_sha256']}`.",
        "",
        "| board | kernels | classify: instructions | flash | RAM | stack | example: flash | RAM | stack | compiler |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *map(_row, bundle["rows"]),
    ]


def _row(row: dict[str, Any]) -> str:
    if "reason" in row:
        return f"| {row['board']} | {row['kernels']} | not run: {row['reason']} | | | | | | | |"
    sizes = [row[part][key] for part in ("classify", "example") for key in ("flash_bytes", "ram_bytes", "stack_bytes")]
    cells = " | ".join(f"{size:,}" for size in sizes)
    compiler = f"{row['toolchain'].split(' 20')[0]} {' '.join(row['flags'])}"
    return f"| {row['board']} | {row['kernels']} | {max(row['classify']['instructions']):,} | {cells} | {compiler} |"


def _commit() -> str:
    """The checkout's, with a mark where files differ from it; empty outside of one."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        return ""
    command = (git, "describe", "--always", "--dirty", "--abbrev=12")
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603


if __name__ == "__main__":
    main()
