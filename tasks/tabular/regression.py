"""Regression: numbers from the rows of a table."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.callback import Callback
from lightning_tf.data.sources.options import merged_options
from lightning_tf.tasks.common.feature_scaler import FeatureScaler, warn_of_equal
from lightning_tf.tasks.common.optimizer_settings import OptimizerSettings
from lightning_tf.tasks.common.regression_losses import check_regression_loss, regression_loss
from lightning_tf.tasks.common.regression_metrics import (
    regression_metrics,
    update_regression_metrics,
)
from lightning_tf.tasks.common.regression_report import RegressionReport
from lightning_tf.tasks.tabular.network import FeatureNetwork, training_rows
from lightning_tf.tasks.tabular.tabular_task import TabularTask


class Regression(TabularTask):
    """Learns one or several numbers from numeric and categorical columns.

    Features and targets are scaled inside the step by weights fitted on the training split.
    The loss is taken of scaled targets, metrics in the table's own units: ``mae``, ``rmse`` and
    ``r2``, the share of the variance that is explained (over all targets together, each scaled).
    `predict_step` gives float32 of shape (batch, targets). The task brings along
    `RegressionReport`: predicted against true values and learning curves in one image.

    Args:
        data: ``diabetes`` or ``make_regression``; a CSV, TSV or Parquet file, a DataFrame, arrays
            by column, arrays ``(x, y)``, or a `FeatureTable`; see `feature_data`. None for a task
            from a checkpoint that is only asked.
        target: The column to learn, or several.
        units: Of each hidden layer; () is linear regression.
        activation: Of the hidden layers.
        initializer: Of their kernels.
        batch_norm: Whether they are normalised.
        dropout: The rate behind each.
        scaler: ``standard``, ``minmax`` or ``none``, of features and targets.
        embed_above: Columns of more categories than this get an embedding; None embeds none.
        loss: ``mse``, ``mae`` or ``huber``.
        batch_size: Rows in a global batch; None is the data's own, 32.
        data_options: Further options of `FeatureTable`, such as ``{"categorical": ["town"]}``.
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
        >>> task = Regression("diabetes", units=(16,))
        >>> trainer = Trainer(max_epochs=30, seed=0)
        >>> trainer.fit(task)
        >>> trainer.test(task)["test_r2"] > 0.3
        True
    """

    def __init__(
        self,
        data: Any = "diabetes",
        target: str | Sequence[str] | None = None,
        *,
        units: Sequence[int] = (64, 64),
        activation: str | Callable[[Any], Any] = "relu",
        initializer: str | keras.Initializer = "he_normal",
        batch_norm: bool = False,
        dropout: float = 0.0,
        scaler: str = "standard",
        embed_above: int | None = None,
        loss: str = "mse",
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

        check_regression_loss(loss, ())
        self.loss = loss
        options = merged_options(data_options, target=target, batch_size=batch_size)
        self.take_data(data, **options)

    def configure_model(self) -> None:
        """Build the network, and the scale of the targets."""
        super().configure_model()
        self.target_scaler = FeatureScaler(
            len(self.targets),
            self.network.scaler,
            precise=self.learn_spec().precise_targets,
            name="target_scaler",
        )

    def configure_optimizers(self) -> keras.optimizers.Optimizer:
        """Make the optimizer; fit scales that no checkpoint has brought."""
        if self.data is not None and not self.target_scaler.is_fitted:
            targets = training_rows(self.data, lambda _, targets: targets)  # (rows, targets)
            self.target_scaler.fit([targets])
            warn_of_equal(self.target_scaler, targets, self.targets)
        return super().configure_optimizers()

    def configure_metrics(self) -> dict[str, keras.metrics.Metric]:
        """Return errors in the table's units, and the share of the variance that is explained."""
        return regression_metrics(len(self.targets))

    def training_step(self, batch: Any) -> tf.Tensor:
        """Return the mean loss of scaled targets, and what the model's layers add."""
        return tf.add_n([self._loss(batch, training=True), *self.added_losses()])

    def validation_step(self, batch: Any) -> tf.Tensor:
        """Return the mean loss of scaled targets."""
        return self._loss(batch, training=False)

    def predict_step(self, batch: Any) -> tf.Tensor:
        """Return predictions of shape (batch, targets), in the table's units.

        They are float32, or float64 where float32 would make different targets equal.
        """
        return self.target_scaler.inverse(self.outputs(batch, training=False))  # (batch, targets)

    def callbacks(self) -> list[Callback]:
        """Bring an image of predictions and learning curves."""
        return [RegressionReport()]

    def _loss(self, batch: Any, training: bool) -> tf.Tensor:
        outputs, y = self.outputs(batch, training), batch[1]  # (batch, targets)
        scaled = self.target_scaler(y)
        update_regression_metrics(self.metrics, self.target_scaler, scaled, outputs, y)
        return regression_loss(scaled, outputs, self.loss)
