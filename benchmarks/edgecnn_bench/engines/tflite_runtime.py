"""The stand-alone TFLite Runtime, where it is installed beside LiteRT: the last one for 32-bit Raspberry Pis."""

from typing import Final

from edgecnn_bench.engines.litert import InterpreterEngine

TFLITE_RUNTIME_ENGINES: Final = (
    InterpreterEngine("tflite-runtime", "int8, default kernels, 1 thread", package="tflite-runtime"),
)
