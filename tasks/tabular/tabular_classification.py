"""TabularClassification: one class for each row of a table."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.callback import Callback
from lightning_tf.checks import checked_fraction
from lightning_tf.data.sources.options import merged_options
from lightning_tf.tasks.common.class_weights import ClassWeight, check_class_weight
from lightning_tf.tasks.common.classification_task import ClassificationTask
from lightning_tf.tasks.common.confusion_matrix import ConfusionMatrix
from lightning_tf.tasks.common.metrics import Accuracy, AreaUnderCurve
from lightning_tf.tasks.common.optimizer_settings import OptimizerSettings
from lightning_tf.tasks.tabular.decision_boundary import DecisionBoundary
from lightning_tf.tasks.tabular.network import FeatureNetwork
from lightning_tf.tasks.tabular.tabular_task import TabularTask


class TabularClassification(TabularTask, ClassificationTask):
    """Learns which of several classes a row of a table is of.

    Features are scaled inside the step by weights fitted on the training split. The loss is
    the softmax cross entropy in float32; label smoothing enters the training loss alone. Metrics:
    ``accuracy`` and ``auc``. `predict_step` gives probabilities of shape (batch, classes). The task
    brings along `ConfusionMatrix` (up to 100 classes) and, where the features are two numbers,
    `DecisionBoundary`.

    Args:
        data: ``and``, ``or``, ``xor``, ``circles``, ``spirals``, ``wine`` or ``breast_cancer``; a
            CSV, TSV or Parquet file, a DataFrame, arrays by column, arrays ``(x, y)``, or a
            `FeatureTable`; see `feature_data`. None for a task from a checkpoint that is only
            asked.
        target: The column of the classes.
        units: Of each hidden layer; () is logistic regression.
        activation: Of the hidden layers.
        initializer: Of their kernels.
        batch_norm: Whether they are normalised.
        dropout: The rate behind each.
        scaler: ``standard``, ``minmax`` or ``none``.
        embed_above: Columns of more categories than this get an embedding; None embeds none.
        label_smoothing: Share of each training label that is spread over all classes.
        class_weight: ``balanced``, or a weight by class, for the training loss alone; see
            `class_weights`.
        sampling: ``balanced`` draws every class equally often in an epoch, which has as many
            examples as without; see `balanced_order`.
        batch_size: Rows in a global batch; None is the data's own, 32.
        data_options: Further options of `feature_data`, such as ``{"noise": 0.1}``.
        optimizer: A name (adam, adamw, sgd, ...), a pair of name and options, a Keras optimizer or
            its configuration.
        learning_rate: At the start, or after the warm-up; None is the optimizer's default.
        schedule: As for `ImageClassification`.
        warmup_steps: Updates of a linear warm-up, or a fraction of all of them below 1.0.
        weight_decay: Decoupled, biases and normalisation spared.

    Raises:
        ConfigurationError: A name is unknown, a number is out of range, or options contradict each
            other.

    Example:
        >>> from lightning_tf import Trainer
        >>> task = TabularClassification("xor", units=(8,), learning_rate=0.02)
        >>> trainer = Trainer(max_epochs=10, seed=0)
        >>> trainer.fit(task)
        >>> trainer.test(task)["test_accuracy"]
        1.0
    """

    learns_classes = True

    def __init__(
        self,
        data: Any = "xor",
        target: str | None = None,
        *,
        units: Sequence[int] = (64, 64),
        activation: str | Callable[[Any], Any] = "relu",
        initializer: str | keras.Initializer = "he_normal",
        batch_norm: bool = False,
        dropout: float = 0.0,
        scaler: str = "standard",
        embed_above: int | None = None,
        label_smoothing: float = 0.0,
        class_weight: ClassWeight = None,
        sampling: str | None = None,
        batch_size: int | None = None,
        data_options: Mapping[str, Any] | None = None,
        optimizer: Any = "adam",
        learning_rate: float | None = None,
        schedule: Any = None,
        warmup_steps: float = 0,
        weight_decay: float | None = None,
    ) -> None:
        self.network = FeatureNetwork(
            units, activation, initializer, batch_norm, dropout, scaler, embed_above
        )
        self.optimizer_settings = OptimizerSettings(
            optimizer, learning_rate, schedule, warmup_steps, weight_decay
        )

        self.label_smoothing = checked_fraction("label_smoothing", label_smoothing)
        check_class_weight(class_weight, sampling)
        self.class_weight = class_weight
        options = merged_options(
            data_options, target=target, batch_size=batch_size, sampling=sampling
        )
        self.take_data(data, **options)

    def configure_model(self) -> None:
        """Build the network to the columns and classes."""
        super().configure_model()
        self.set_classes(len(self.class_names))

    def configure_metrics(self) -> dict[str, keras.metrics.Metric]:
        """Return accuracy and the area under the ROC curve."""
        return {
            "accuracy": Accuracy(),
            "auc": AreaUnderCurve(self.num_classes),
        }

    def training_step(self, batch: Any) -> tf.Tensor:
        """Return the mean cross entropy, and what the model's layers add."""
        logits, labels = self.outputs(batch, training=True), batch[1]  # (batch, classes), (batch,)
        self.update_metrics(labels, logits)
        return self.training_loss(tf.one_hot(labels, self.num_classes, dtype=tf.float32), logits)

    def validation_step(self, batch: Any) -> tf.Tensor:
        """Return the mean cross entropy; count which classes are predicted as which."""
        return self.validation_loss(batch[1], self.outputs(batch, training=False))

    def predict_step(self, batch: Any) -> tf.Tensor:
        """Return probabilities of shape (batch, classes)."""
        return tf.nn.softmax(self.outputs(batch, training=False))

    def callbacks(self) -> list[Callback]:
        """Bring a confusion matrix and an image of the plane."""
        return [ConfusionMatrix(), DecisionBoundary()]
