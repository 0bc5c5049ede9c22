"""One training step and one validation step, as TensorFlow graphs."""

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from edgecnn.project import TrainingSettings
from edgecnn.tensorflow_setup import import_keras, import_tensorflow
from edgecnn.training.batches import Batch
from edgecnn.zoo.checks import output_kind

if TYPE_CHECKING:
    import keras

Arrays: TypeAlias = list[npt.NDArray[Any]]


class Stepper:
    """A model, its optimizer, and the average of its weights.

    The step is written out, and not left to `Model.fit`, so that everything that changes from step to step is a
    variable in `variables`: saving and restoring those is all it takes to go on exactly.
    """

    def __init__(self, model: "keras.Model", settings: TrainingSettings) -> None:
        tf, keras = import_tensorflow(), import_keras()
        self._tf = tf
        self._model = model
        self._optimizer = keras.optimizers.AdamW(settings.peak_learning_rate, weight_decay=settings.weight_decay)
        self._optimizer.build(model.trainable_variables)
        self._momentum = settings.ema
        self._averages = [tf.Variable(weight.value) for weight in model.weights] if settings.ema else []
        kinds = {"sigmoid": keras.losses.BinaryCrossentropy, "softmax": keras.losses.CategoricalCrossentropy}
        self._output = output_kind(model)
        self._loss = kinds[self._output](label_smoothing=settings.label_smoothing, reduction=None)
        windows = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)
        targets = tf.TensorSpec((None, *model.output_shape[1:]), tf.float32)
        weights, rate = tf.TensorSpec((None,), tf.float32), tf.TensorSpec((), tf.float32)
        self._train_graph = _graph(tf, self._train, [windows, targets, weights, rate])
        self._validate_graph = _graph(tf, self._validate, [windows, targets])

    def train(self, batch: Batch, learning_rate: float) -> tuple[float, int]:
        """Take one step; return the batch's mean loss and how many of its windows were right."""
        rate = np.float32(learning_rate)
        loss, right = self._train_graph(batch.windows, batch.targets, batch.weights, rate)
        return float(loss), int(right)

    def validate(self, batch: Batch) -> tuple[float, int]:
        """Return the sum of the batch's losses and how many of its windows are right."""
        loss, right = self._validate_graph(batch.windows, batch.targets)
        return float(loss), int(right)

    @property
    def variables(self) -> Arrays:
        """Everything a step changes: weights, dropout's seeds, the optimizer's state, the averages."""
        return [np.asarray(variable.numpy()) for variable in self._all_variables()]

    def restore(self, values: Arrays) -> None:
        """Set everything a step changes, as `variables` gave it."""
        for variable, value in zip(self._all_variables(), values, strict=True):
            variable.assign(value)

    @property
    def weights(self) -> Arrays:
        """The weights that training is after: the averages, or the model's own where there are none."""
        return [np.asarray(value.numpy()) for value in self._averages or self._model.weights]

    def swap_in(self, weights: Arrays) -> Arrays:
        """Give the model other weights and return those it had."""
        before = [np.asarray(weight.numpy()) for weight in self._model.weights]
        for variable, value in zip(self._model.weights, weights, strict=True):
            variable.assign(value)
        return before

    def _all_variables(self) -> list[Any]:
        return [*self._model.variables, *self._optimizer.variables, *self._averages]

    def _train(self, windows: Any, targets: Any, weights: Any, rate: Any) -> tuple[Any, Any]:
        tf = self._tf
        self._optimizer.learning_rate.assign(rate)
        with tf.GradientTape() as tape:
            predicted = self._model(windows, training=True)
            loss = tf.reduce_mean(self._loss(targets, predicted) * weights)
            total = tf.add_n([loss, *self._model.losses])
        trainable = self._model.trainable_variables
        self._optimizer.apply_gradients(zip(tape.gradient(total, [v.value for v in trainable]), trainable, strict=True))
        self._average()
        return loss, self._right(targets, predicted)

    def _average(self) -> None:
        """Move the averages; early on, when they still hold the initial weights, by more than `ema` says."""
        tf = self._tf
        steps = tf.cast(self._optimizer.iterations, tf.float32)
        keep = tf.minimum(self._momentum, (1 + steps) / (10 + steps))
        for average, weight in zip(self._averages, self._model.weights, strict=False):
            average.assign(keep * average + (1 - keep) * weight.value)

    def _validate(self, windows: Any, targets: Any) -> tuple[Any, Any]:
        tf = self._tf
        predicted = self._model(windows, training=False)
        return tf.reduce_sum(self._loss(targets, predicted)), self._right(targets, predicted)

    def _right(self, targets: Any, predicted: Any) -> Any:
        tf = self._tf
        if self._output == "sigmoid":
            hits = tf.equal(targets[:, 0] > 0.5, predicted[:, 0] > 0.5)
        else:
            hits = tf.equal(tf.argmax(targets, axis=1), tf.argmax(predicted, axis=1))
        return tf.reduce_sum(tf.cast(hits, tf.int32))


def _graph(tf: Any, function: Any, signature: list[Any]) -> Any:
    """Compile without XLA: it has no deterministic gradient of max pooling, and its compile time outweighs its gain."""
    return tf.function(function, input_signature=signature, autograph=False, jit_compile=False)
