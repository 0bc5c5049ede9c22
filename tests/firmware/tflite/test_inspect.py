"""What a model costs, against published figures and Keras, and what full int8 means."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn_firmware.errors import ModelError
from edgecnn_firmware.tflite.inspect import ModelSummary, op_rows, require_full_int8, summarize
from edgecnn_firmware.tflite.reader import read_model

Pack = Callable[[Any], bytes]
Make = Callable[..., Any]

MACS = {
    "har_b1": 891_648,
    "hars_b1": 618_048,
    "ecg_b1": 298_624,
    "ds_b1": 1_007_424,
    "dsx_b1": 1_007_424,
    "tcn_b1": 798_800,
}
OBSTACLES = {
    "OHF-Voice__pymicro-wakeword__alexa": "output 'StatefulPartitionedCall:0' is UINT8; expected INT8",
    "OHF-Voice__pymicro-wakeword__okay_nabu": "output 'StatefulPartitionedCall:0' is UINT8; expected INT8",
    "SiliconLabs__mltk__keyword_spotting_on_off_v3": "",
    "ashwinbyte__HAR_project__model_int8": "input 'x' is FLOAT32; expected INT8 (inference_input_type = tf.int8)",
    "dlfno__tinyml-gesture-ble__model_quantized": "input 'serving_default_input_layer:0' is FLOAT32",
    "nanguoyu__Magic_Wand_Data__model": "input 'inputs_0' is FLOAT32",
    "nanguoyu__Magic_Wand_Data__quantized_model": "",
    "nxp-appcodehub__ap-ml-state-monitor__model_cnn_quant": "input 'acceleration' is FLOAT32",
    "nxp-appcodehub__ap-ml-state-monitor__model_lresnet_quant": "input 'input_2' is FLOAT32",
    "raadsr15__TinyML-HAR__gesture_model_optimized": "input 'serving_default_keras_tensor_45:0' is FLOAT32",
}
"""What keeps other people's models from being full int8; empty: nothing."""


def summary_of(data: bytes) -> ModelSummary:
    return summarize(read_model(data, "one.tflite"))


def test_a_tiny_model_by_hand(tiny: bytes) -> None:
    summary = summary_of(tiny)
    assert summary.macs == 12
    assert summary.parameters == 12 + 2
    assert summary.weight_bytes == 12 + 2 * 4
    assert summary.peak_activation_bytes == 6 + 2
    assert summary.op_set == ("FULLY_CONNECTED",)
    assert summary.op_versions == (("FULLY_CONNECTED", 5),)
    assert summary.description == "tiny"
    assert summary.file_bytes == len(tiny)
    assert (summary.inputs[0].scale, summary.inputs[0].zero_point, summary.inputs[0].shape) == (0.5, -3, (1, 2, 3))
    assert summary.is_full_int8
    assert op_rows(summary) == [("0", "FULLY_CONNECTED", "1 x 2", "14", "20", "12", "8")]
    require_full_int8(summary, "tiny.tflite")


@pytest.mark.parametrize("name", sorted(MACS))
def test_macs_are_the_published_ones(shared_models: Path, name: str) -> None:
    summary = summary_of((shared_models / f"{name}.tflite").read_bytes())
    assert summary.macs == MACS[name]
    assert summary.macs == sum(op.macs for op in summary.ops)
    require_full_int8(summary, name)


@pytest.mark.parametrize("name", sorted(OBSTACLES))
def test_third_party_models_are_accepted_or_refused_with_the_tensor(shared_models: Path, name: str) -> None:
    summary = summary_of((shared_models / "thirdparty" / f"{name}.tflite").read_bytes())
    if not OBSTACLES[name]:
        require_full_int8(summary, name)
        return
    with pytest.raises(ModelError) as caught:
        require_full_int8(summary, name)
    assert str(caught.value).startswith(f"{name}: its {OBSTACLES[name]}")


def test_float_and_hybrid_models_list_their_float_ops(shared_models: Path) -> None:
    """The first is float throughout, the second has int8 weights in float ops, the third converts at its ends only."""
    folder = shared_models / "thirdparty"
    files = (
        "nanguoyu__Magic_Wand_Data__model",
        "raadsr15__TinyML-HAR__gesture_model_optimized",
        "ashwinbyte__HAR_project__model_int8",
    )
    floats = [summary_of((folder / f"{name}.tflite").read_bytes()).float_ops for name in files]
    assert floats[0][:2] == ("#0 RESHAPE", "#1 CONV_2D")
    assert floats[1][:2] == ("#0 EXPAND_DIMS", "#1 CONV_2D")
    assert floats[2] == ()


def test_float_input_and_output_are_named(tiny_model: Make, pack: Pack, schema: Any) -> None:
    for number, what in ((0, "input 'window'"), (3, "output 'scores'")):
        model = tiny_model()
        model.subgraphs[0].tensors[number].type = schema.TensorType.FLOAT32
        with pytest.raises(ModelError) as caught:
            require_full_int8(summary_of(pack(model)), "float.tflite")
        assert str(caught.value).startswith(f"float.tflite: its {what} is FLOAT32; expected INT8")


def test_an_input_needs_one_scale(tiny_model: Make, pack: Pack) -> None:
    model = tiny_model()
    model.subgraphs[0].tensors[0].quantization = None
    with pytest.raises(ModelError, match="its input 'window' carries no scale and zero point"):
        require_full_int8(summary_of(pack(model)), "x")


def test_a_float_op_between_int8_ends_is_named(tiny_model: Make, pack: Pack, schema: Any) -> None:
    model = tiny_model()
    graph = model.subgraphs[0]
    middle = schema.TensorT()
    middle.name, middle.type, middle.shape = "middle", schema.TensorType.FLOAT32, [1, 2, 3]
    graph.tensors.append(middle)
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.DEQUANTIZE
    model.operatorCodes.append(code)
    op = schema.OperatorT()
    op.opcodeIndex, op.inputs, op.outputs = 1, [0], [4]
    graph.operators.insert(0, op)
    graph.operators[1].inputs = [4, 1, 2]
    summary = summary_of(pack(model))
    assert summary.float_ops == ("#1 FULLY_CONNECTED",)
    with pytest.raises(ModelError, match=r"^x: op #0 DEQUANTIZE computes on FLOAT32; expected full int8"):
        require_full_int8(summary, "x")


def test_a_shared_constant_counts_once(tiny_model: Make, pack: Pack, schema: Any) -> None:
    model = tiny_model()
    graph = model.subgraphs[0]
    twin = schema.TensorT()
    twin.name, twin.type, twin.shape = "twin", schema.TensorType.INT8, [1, 2]
    twin.quantization = graph.tensors[3].quantization
    graph.tensors.append(twin)
    op = schema.OperatorT()
    op.inputs, op.outputs = [0, 1, 2], [4]
    op.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    op.builtinOptions = schema.FullyConnectedOptionsT()
    graph.operators.append(op)
    summary = summary_of(pack(model))
    assert (summary.macs, summary.parameters, summary.weight_bytes) == (24, 14, 20)


def test_the_file_decides_and_not_its_size_field(tiny: bytes) -> None:
    longer = summary_of(tiny + bytes(64))
    assert longer == replace(summary_of(tiny), file_bytes=len(tiny) + 64)


@pytest.mark.filterwarnings("ignore:Statistics for quantized inputs")
def test_parameters_and_macs_are_those_of_keras() -> None:
    tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((20, 3), batch_size=1),
            keras.layers.Conv1D(8, 5, padding="same", activation="relu"),
            keras.layers.SeparableConv1D(6, 3, strides=1, padding="same"),
            keras.layers.GlobalAveragePooling1D(),
            # A bias of zeros would be left out.
            keras.layers.Dense(4, activation="softmax", bias_initializer="ones"),
        ]
    )
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    windows = np.random.default_rng(0).normal(size=(20, 1, 20, 3)).astype(np.float32)
    converter.representative_dataset = lambda: ([window] for window in windows)
    summary = summary_of(converter.convert())
    require_full_int8(summary, "keras")
    # The converter gives the depthwise half of a separable convolution a bias of its own, 8 elements.
    assert summary.parameters == model.count_params() + 8
    assert summary.macs == 20 * 8 * 5 * 3 + 20 * 3 * 8 + 20 * 8 * 6 + 6 * 4
    assert summary.inputs[0].shape == (1, 20, 3)
