"""Training: the same data, settings and seed give the same weights, interrupted or not."""

from edgecnn.training.batches import WindowPart
from edgecnn.training.loop import TrainingResult, train

__all__ = ["TrainingResult", "WindowPart", "train"]
