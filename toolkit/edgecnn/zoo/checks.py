"""What every model, a preset's or a user's, must be like."""

from typing import TYPE_CHECKING, Any, Literal

from edgecnn.tensorflow_setup import import_keras
from edgecnn_firmware.errors import ModelError

if TYPE_CHECKING:
    import keras


def output_kind(model: "keras.Model") -> Literal["softmax", "sigmoid"]:
    """How the model's output is read: one probability of the second label, or one for each label."""
    return "sigmoid" if model.output_shape[-1] == 1 else "softmax"


def check_model(model: Any, name: str, input_shape: tuple[int, int], num_classes: int) -> None:
    """Check that a user's model fits the data and ends in probabilities.

    Args:
        model: what the user's file holds or the user's function returned.
        name: the file or function, for errors.
        input_shape: `(window_samples, channels)` of the data.
        num_classes: classes of the data.

    Raises:
        ModelError: it is no functional or sequential Keras model of built-in layers, or its shapes or its last
            activation are wrong.
    """
    keras = import_keras()
    if not isinstance(model, keras.Model):
        raise ModelError(f"{name}: expected a Keras model, got {type(model).__name__}")
    _require_built_in(model, name)
    _require_shapes(model, name, input_shape, num_classes)
    wanted = output_kind(model)
    found = _last_activation(model)
    if found != wanted:
        units = model.output_shape[-1]
        raise ModelError(
            f"{name}: the last layer must give probabilities; "
            f"end it with Dense({units}, activation='{wanted}') (it ends with {found or 'no activation'})"
        )


def _require_built_in(model: "keras.Model", name: str) -> None:
    keras = import_keras()
    # Layers inside wrappers such as Bidirectional too. Keras has no public way to list them.
    for layer in model._flatten_layers():  # noqa: SLF001
        place = f"{name}: layer '{layer.name}'"
        if isinstance(layer, keras.layers.Lambda):
            raise ModelError(f"{place} is a Lambda, which is code; use other layers of Keras")
        if not _is_part_of_keras(layer):
            if isinstance(layer, keras.Model):
                raise ModelError(
                    f"{name}: {type(layer).__name__} is a class of your own; "
                    "use keras.Sequential or keras.Model(inputs, outputs)"
                )
            raise ModelError(
                f"{place} ({type(layer).__name__}) is not part of Keras; "
                "a bundle must load without your code, so use layers of Keras"
            )
        if isinstance(layer, keras.layers.RNN) and not layer.unroll:
            # TensorFlow's converter ends the whole process on the loop.
            raise ModelError(f"{place} ({type(layer).__name__}) cannot be converted to int8 as a loop; set unroll=True")


def _is_part_of_keras(thing: object) -> bool:
    return type(thing).__module__.startswith("keras.")


def _require_shapes(model: "keras.Model", name: str, input_shape: tuple[int, int], num_classes: int) -> None:
    if len(model.inputs or ()) != 1 or len(model.outputs or ()) != 1:
        raise ModelError(f"{name}: the model must have one input and one output")
    found = tuple(model.input_shape[1:])
    if found != input_shape:
        raise ModelError(f"{name}: the model takes windows of shape {found}, the data have {input_shape}")
    if model.input_shape[0] is not None:
        raise ModelError(f"{name}: the model's batch is fixed at {model.input_shape[0]}; leave it open (None)")
    outputs = tuple(model.output_shape[1:])
    accepted = [(num_classes,)] + ([(1,)] if num_classes == 2 else [])
    if outputs not in accepted:
        shapes = " or ".join(str(shape) for shape in accepted)
        raise ModelError(f"{name}: the model's output has shape {outputs}, {num_classes} classes need {shapes}")


def _last_activation(model: "keras.Model") -> str:
    """Name of the activation that makes the output; empty if there is none."""
    keras = import_keras()
    last: Any = model
    while isinstance(last, keras.Model):
        last = last.outputs[0]._keras_history.operation  # noqa: SLF001 - Keras has no public way from tensor to layer
    if type(last).__name__ in {"Softmax", "Sigmoid"}:
        return type(last).__name__.lower()
    activation = getattr(last, "activation", None)
    return "" if activation is None else str(getattr(activation, "__name__", ""))
