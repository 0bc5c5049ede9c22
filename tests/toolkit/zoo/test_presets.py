"""Every preset, for windows of many shapes."""

from pathlib import Path

import pytest

from edgecnn.project import ModelSettings
from edgecnn.zoo import PRESETS, build_model, describe
from edgecnn.zoo.checks import check_model, output_kind
from edgecnn.zoo.cost import weight_bytes_int8
from edgecnn_firmware.errors import ModelError, SettingsError

BASE = Path()
SHAPES = [(128, 6, 6), (140, 1, 2), (1000, 1, 5), (33, 12, 3)]


def build(name, window_samples, channels, classes, **options):
    settings = ModelSettings(name=name, options=options)
    return build_model(settings, (window_samples, channels), classes, base=BASE)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize(("window_samples", "channels", "classes"), SHAPES)
def test_preset_fits_the_data(name, window_samples, channels, classes):
    model = build(name, window_samples, channels, classes)
    check_model(model, name, (window_samples, channels), classes)
    assert output_kind(model) == ("sigmoid" if classes == 2 else "softmax")
    assert model.output_shape == (None, 1 if classes == 2 else classes)
    assert model.name == name


# Counted once and kept: a changed number means that a preset became another network.
PARAMETERS = {
    "small": 23190,
    "tiny": 2374,
    "ds": 13182,
    "resnet": 30246,
    "tcn": 18918,
    "inception": 8582,
    "fcn": 18630,
    "vgg1d": 2089222,
}


def test_parameters_are_stable():
    assert {name: build(name, 128, 6, 6).count_params() for name in PRESETS} == PARAMETERS


def test_small_and_tiny_are_as_small_as_promised():
    for window_samples, channels, classes in SHAPES:
        assert weight_bytes_int8(build("small", window_samples, channels, classes)) <= 64 * 1024
        assert weight_bytes_int8(build("tiny", window_samples, channels, classes)) < 10 * 1024


def test_vgg1d_is_the_published_network():
    model = build("vgg1d", 1000, 1, 2)
    layers = [(type(layer).__name__, layer.get_config()) for layer in model.layers]
    assert [kind for kind, _ in layers] == [
        *("InputLayer", "Conv1D", "Conv1D", "MaxPooling1D", "Conv1D", "Conv1D", "MaxPooling1D", "Conv1D", "Conv1D"),
        *("MaxPooling1D", "Flatten", "Dense", "Dropout", "Dense", "Dropout", "Dense"),
    ]
    convs = [config for kind, config in layers if kind == "Conv1D"]
    assert [config["filters"] for config in convs] == [64, 64, 128, 128, 256, 256]
    for config in convs:
        assert (config["kernel_size"], config["strides"], config["padding"]) == ((3,), (1,), "valid")
        assert config["activation"] == "relu"
        assert config["use_bias"]
    assert [config["pool_size"] for kind, config in layers if kind == "MaxPooling1D"] == [(2,)] * 3
    dense = [(config["units"], config["activation"]) for kind, config in layers if kind == "Dense"]
    assert dense == [(512, "relu"), (256, "relu"), (1, "sigmoid")]
    assert [config["rate"] for kind, config in layers if kind == "Dropout"] == [0.5, 0.5]
    convolutions = 1 * 3 * 64 + 64 * 3 * 64 + 64 * 3 * 128 + 128 * 3 * 128 + 128 * 3 * 256 + 256 * 3 * 256
    biases = 2 * (64 + 128 + 256)
    assert model.count_params() == convolutions + biases + 121 * 256 * 512 + 512 + 512 * 256 + 256 + 256 + 1


@pytest.mark.parametrize("name", PRESETS)
def test_shortest_window_builds_and_one_less_is_refused(name):
    shortest = PRESETS[name].min_window_samples
    assert build(name, shortest, 3, 4).output_shape == (None, 4)
    with pytest.raises(ModelError, match=f"windows of {shortest - 1} samples; it needs at least {shortest}"):
        build(name, shortest - 1, 3, 4)


def test_valid_convolution_on_a_short_window_names_the_stage():
    with pytest.raises(ModelError, match="'vgg1d': the window is too short: 2 samples reach a kernel of 5"):
        build("vgg1d", 20, 1, 2, kernel_size=(5,))


def test_pooling_is_left_out_once_nothing_is_left_to_pool():
    assert pooled_lengths(build("small", 5, 1, 3, pool=(2, 2, 2, 1))) == [2, 1]


def test_small_pools_as_its_window_asks_for():
    assert pooled_lengths(build("small", 128, 6, 6)) == [64, 32, 16]
    assert pooled_lengths(build("small", 140, 1, 5)) == [70, 35, 17]
    assert pooled_lengths(build("small", 499, 1, 2)) == [124, 62, 31, 15]
    assert pooled_lengths(build("small", 12, 1, 2)) == []


def test_small_for_long_windows_sees_two_events_at_once():
    model = build("small", 1000, 1, 2)
    assert pooled_lengths(model) == [125, 62, 31]
    assert input_samples_seen(model) == 621
    assert model.count_params() == build("small", 500, 1, 2).count_params() == 38257
    assert input_samples_seen(build("small", 499, 1, 2)) < 250


@pytest.mark.parametrize("name", PRESETS)
def test_defaults_of_shorter_windows_are_those_listed(name):
    assert PRESETS[name].options_for(499) == PRESETS[name].options


def test_options_go_before_the_defaults_of_long_windows():
    options = {"filters": (8, 16), "kernel_size": (3,), "stride": (1,), "pool": (2,)}
    assert pooled_lengths(build("small", 1000, 1, 2, **options)) == [500, 250]
    fewer = build("small", 1000, 1, 2, filters=(8, 16))
    assert [layer.kernel_size for layer in fewer.layers if type(layer).__name__ == "Conv1D"] == [(15,), (9,)]


def input_samples_seen(model):
    """Samples of the window that one value before the head depends on, counted layer by layer."""
    seen = step = 1
    for layer in model.layers:
        if type(layer).__name__ in {"Conv1D", "MaxPooling1D"}:
            config = layer.get_config()
            seen += (config.get("kernel_size", config.get("pool_size"))[0] - 1) * step
            step *= config["strides"][0]
    return seen


def pooled_lengths(model):
    return [layer.output.shape[1] for layer in model.layers if type(layer).__name__ == "MaxPooling1D"]


@pytest.mark.parametrize("name", PRESETS)
def test_same_seed_same_weights(name):
    def first_weights(seed):
        model = build_model(ModelSettings(name=name), (40, 2), 3, base=BASE, seed=seed)
        return next(weight.numpy() for weight in model.weights if "kernel" in weight.name)

    assert (first_weights(3) == first_weights(3)).all()
    assert (first_weights(3) != first_weights(4)).any()


def test_options_change_the_network():
    model = build(
        "small", 64, 2, 3, filters=(8, 16), kernel_size=(3,), pool=(4,), dropout=0, dense=(10,), head="avg+max"
    )
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds.count("Conv1D") == 2
    assert "Dropout" not in kinds
    assert {"GlobalAveragePooling1D", "GlobalMaxPooling1D", "Concatenate"} <= set(kinds)
    assert [layer.kernel_size for layer in model.layers if type(layer).__name__ == "Conv1D"] == [(3,), (3,)]
    assert model.layers[-2].units == 10


@pytest.mark.parametrize("head", ["avg", "max", "avg+max", "flatten"])
def test_every_head_builds(head):
    assert build("tiny", 32, 2, 3, head=head).output_shape == (None, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"filter": (8,)}, "unknown option 'filter'; did you mean 'filters'\\? accepted: filters, kernel_size"),
        ({"xyz": 1}, "unknown option 'xyz'; accepted: filters"),
        ({"dropout": 1.5}, "option 'dropout' = 1.5: expected a number from 0 to 0.9"),
        ({"dropout": "a"}, "option 'dropout' = 'a': expected a number"),
        ({"filters": (0,)}, "option 'filters' = \\[0\\]: expected a list of whole numbers from 1 to 4096"),
        ({"filters": ()}, "option 'filters' = \\[\\]"),
        ({"filters": 2.5}, "option 'filters' = 2.5"),
        ({"head": "mean"}, "option 'head' = 'mean': expected one of 'avg', 'max', 'avg\\+max', 'flatten'"),
        ({"filters": (8,), "pool": (2, 2)}, "option 'pool' has 2 numbers for 1 stages"),
    ],
)
def test_wrong_options_are_refused_in_one_line(options, message):
    with pytest.raises(SettingsError, match=message) as caught:
        build("small", 64, 2, 3, **options)
    assert "\n" not in str(caught.value)


def test_one_number_means_every_stage():
    model = build("small", 64, 2, 3, kernel_size=9)
    assert {layer.kernel_size for layer in model.layers if type(layer).__name__ == "Conv1D"} == {(9,)}


def test_unknown_preset_suggests_the_nearest():
    with pytest.raises(SettingsError, match=r"model 'smal': did you mean 'small'\? expected one of small, tiny"):
        build("smal", 64, 2, 3)


def test_one_class_is_refused():
    with pytest.raises(ModelError, match="1 class; a classifier needs at least 2"):
        build("small", 64, 2, 1)


def test_describe_lists_every_preset_with_a_sentence():
    described = describe()
    assert [name for name, _, _ in described] == list(PRESETS)
    assert all(text.endswith(".") and options for _, text, options in described)
