"""Native engines are tried in a process of their own first, so that a crash there costs a row and not the report.

The child runs one window through each engine and says on stdout when it begins and when it is done with one; where it
dies or hangs, the engine it was at is left out and the child starts again behind it.
"""

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

TIMEOUT_S: Final = 120.0
_MODULE: Final = "edgecnn_bench.engines.trial"
_BEGIN: Final = "begin "
_DONE: Final = "done "


def crashes(
    bundle_path: Path, keys: Sequence[str], *, timeout_s: float = TIMEOUT_S, module: str = _MODULE
) -> dict[str, str]:
    """Why engines crash or hang on this bundle; those that run, or fail with a Python error, are not in the result."""
    found: dict[str, str] = {}
    left = list(keys)
    while left:
        reason, output = _try(module, bundle_path, left, timeout_s)
        begun = [line.removeprefix(_BEGIN) for line in output if line.startswith(_BEGIN)]
        done = {line.removeprefix(_DONE) for line in output if line.startswith(_DONE)}
        if not reason or not begun or begun[-1] in done or begun[-1] not in left:
            break
        found[begun[-1]] = reason
        left = left[left.index(begun[-1]) + 1 :]
    return found


def _try(module: str, bundle_path: Path, keys: Sequence[str], timeout_s: float) -> tuple[str, list[str]]:
    """Run the child; return how it died, if it did, and its lines."""
    command = [sys.executable, "-m", module, str(bundle_path), *keys]
    try:
        # The command is this interpreter and this module; the bundle's path is one argument.
        child = subprocess.run(command, check=False, capture_output=True, timeout=timeout_s)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        return f"gave no answer within {timeout_s:g} s", _lines(error.stdout)
    return _died(child.returncode), _lines(child.stdout)


def _died(code: int) -> str:
    if code >= 0:
        return "" if code == 0 else f"its process died with exit code {code}"
    try:
        return f"its process died of {signal.Signals(-code).name}"
    except ValueError:
        return f"its process died of signal {-code}"


def _lines(output: bytes | None) -> list[str]:
    return (output or b"").decode(errors="replace").splitlines()


def main(bundle_path: str, *keys: str) -> None:
    """The child."""
    from edgecnn_bench.engines import named_engines
    from edgecnn_firmware.bundle import read_bundle

    bundle = read_bundle(Path(bundle_path))
    windows = bundle.vectors().windows[:1]
    for engine in named_engines(keys):
        _say(_BEGIN + engine.key)
        try:
            loaded = engine.load(bundle)
            loaded.outputs(windows, lambda _: None)
        except Exception as error:  # noqa: BLE001 - the parent meets the same error and reports it
            _say(f"error {type(error).__name__}")
        _say(_DONE + engine.key)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
