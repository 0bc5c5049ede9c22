"""The target of the coverage-guided fuzzer: any bytes compile, or are refused in one line.

`python tests/fuzz/compile_target.py [libFuzzer options] [CORPUS]` runs it for as long as the options say.
"""

import sys

import atheris

with atheris.instrument_imports(include=["edgecnn_firmware"]):
    from edgecnn_firmware.compiler.compile import compile_model
    from edgecnn_firmware.errors import EdgeCnnError


def compile_any(data: bytes) -> None:
    """Compile the bytes; whatever is raised but the one line of a user's error is a finding."""
    try:
        # Every other file in stripes, every third with a window that slides.
        kind = sum(data)
        compile_model(
            data, "fuzzed.tflite", "net", least_ram=kind % 2 == 1, hop=1 + kind % 5 if kind % 3 == 0 else None
        )
    except EdgeCnnError as error:
        if not str(error) or "\n" in str(error):
            raise AssertionError(f"not one line: {error!r}") from error


if __name__ == "__main__":
    atheris.Setup(sys.argv, compile_any)
    atheris.Fuzz()
