"""TimeSeriesForecast: the next values of one or several series."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.callback import Callback
from lightning_tf.checks import check_known, checked_integer
from lightning_tf.data.series.series_reading import SeriesReading
from lightning_tf.data.series.time_series import TimeSeries
from lightning_tf.data.series.time_series_data import time_series_data
from lightning_tf.data.sources.new_examples import NewExamples
from lightning_tf.data.sources.options import merged_options
from lightning_tf.tasks.common.metrics import PercentageError
from lightning_tf.tasks.common.optimizer_settings import OptimizerSettings
from lightning_tf.tasks.common.regression_losses import check_regression_loss, regression_loss
from lightning_tf.tasks.common.spec_task import SpecTask, inputs_of
from lightning_tf.tasks.time_series_forecast.comparison import ForecastComparison
from lightning_tf.tasks.time_series_forecast.export import export_forecaster
from lightning_tf.tasks.time_series_forecast.forecast_writer import ForecastWriter
from lightning_tf.tasks.time_series_forecast.forecaster import Forecaster
from lightning_tf.tasks.time_series_forecast.new_histories import (
    forecast_columns,
    new_histories,
)
from lightning_tf.tasks.time_series_forecast.report import ForecastReport
from lightning_tf.tasks.time_series_forecast.rolling_forecast import rolling_forecast
from lightning_tf.tasks.time_series_forecast.series_spec import SeriesSpec
from lightning_tf.tasks.time_series_forecast.statistical_forecast import MODELS
from lightning_tf.tasks.time_series_forecast.walk_forward import walk_forward
from lightning_tf.trainer import Trainer

HISTORY, HORIZON = 60, 1
CSV_OPTIONS = ("encoding", "sep", "quoting")  # of `TimeSeries`


class TimeSeriesForecast(SpecTask):
    """Learns to forecast the rows that follow a window of a series.

    The data give windows in their own units (see `SeriesWindows`); scaling and, where asked for,
    the change to differences or returns happen inside the step, by weights that are fitted on the
    training split, so that checkpoints and exported models carry them. All steps of the horizon are
    forecast at once. The loss is taken of scaled values, every metric in the data's units.

    Metrics: ``rmse``, ``mae``, ``mape`` (per cent, of true values that are not 0), ``mase`` (the
    absolute error to that of a naive forecast in the training split; Hyndman and Koehler 2006,
    https://doi.org/10.1016/j.ijforecast.2006.03.001) and, with quantiles, ``coverage``, the share
    of true values between the outer two. `predict_step` gives (batch, horizon, targets), with
    quantiles (batch, horizon, targets, quantiles).

    Args:
        data: ``google_stock``, ``co2``, ``sunspots``; a CSV, TSV or Parquet file, a DataFrame or
            Series, arrays by column, an array (rows,) or (rows, targets), or a `TimeSeries`; see
            `time_series_data`. None for a task from a checkpoint that is only asked.
        network: ``mlp``, ``rnn``, ``gru``, ``lstm``, ``cnn``, ``nbeats``, or a Keras model from
            windows (batch, rows, channels) to horizon x targets x quantiles numbers.
        history: Rows that the network sees; None is the data's own, 60.
        horizon: Rows that it forecasts; None is the data's own, 1.
        season: Rows of a season, for the seasonal-naive forecast and MASE; None for no season.
        transform: What the network sees and gives: ``last_value``, ``none``, ``difference`` or
            ``return``; see `SeriesTransform`.
        scaler: ``standard``, ``minmax`` or ``none``.
        quantiles: To forecast, such as (0.1, 0.5, 0.9); none for a point forecast.
        loss: ``mse``, ``mae`` or ``huber`` of a point forecast; None is mse.
        units: Of each hidden layer of a named network.
        depth: Its hidden layers; blocks of nbeats.
        dropout: The rate behind each hidden layer.
        bidirectional: Whether a recurrent network reads the window from both ends.
        unroll: Whether a recurrent network is written out step by step. None chooses at the first
            fit: where that makes up for the longer tracing (see `unrolling_pays`). Checkpoints
            remember the choice, and runs that begin from one keep it.
        batch_size: Windows in a global batch; None is the data's own, 32.
        data_dir: Where the files of a named data set are.
        data_options: Further options of `TimeSeries`, such as ``{"target": "Close"}``.
        optimizer: A name (adam, adamw, sgd, ...), a pair of name and options, a Keras optimizer or
            its configuration.
        learning_rate: At the start, or after the warm-up; None is the optimizer's default.
        schedule: As for `ImageClassification`.
        warmup_steps: Updates of a linear warm-up, or a fraction of all of them below 1.0.
        weight_decay: Decoupled, biases spared.

    Raises:
        ConfigurationError: A name is unknown, a number is out of range, or options contradict each
            other.

    Example:
        >>> from lightning_tf import Trainer
        >>> wave = np.sin(np.arange(1000) / 8)
        >>> task = TimeSeriesForecast(wave, "mlp", history=60, horizon=10, season=50)
        >>> trainer = Trainer(max_epochs=5, seed=0)
        >>> trainer.fit(task)
        >>> trainer.test(task)["test_mase"] < 0.2
        True
        >>> task.forecast(wave[-60:], steps=30).shape
        (30, 1)
    """

    input_kind = "history"
    finds_several = True
    data: TimeSeries | None
    spec: SeriesSpec | None = None
    spec_class = SeriesSpec
    reading = SeriesReading()
    walking = False

    def __init__(
        self,
        data: Any,
        network: Any = "gru",
        *,
        history: int | None = None,
        horizon: int | None = None,
        season: int | None = None,
        transform: str = "last_value",
        scaler: str = "standard",
        quantiles: Sequence[float] = (),
        loss: str | None = None,
        units: int = 64,
        depth: int = 2,
        dropout: float = 0.0,
        bidirectional: bool = False,
        unroll: bool | None = None,
        batch_size: int | None = None,
        data_dir: str | os.PathLike[str] | None = None,
        data_options: Mapping[str, Any] | None = None,
        optimizer: Any = "adam",
        learning_rate: float | None = None,
        schedule: Any = None,
        warmup_steps: float = 0,
        weight_decay: float | None = None,
    ) -> None:
        check_regression_loss(loss, quantiles)
        layers: dict[str, Any] = {"units": units, "depth": depth, "dropout": dropout}
        layers |= {"bidirectional": bidirectional, "unroll": unroll}
        self.forecaster = Forecaster(network, transform, scaler, quantiles, layers)
        self.optimizer_settings = OptimizerSettings(
            optimizer, learning_rate, schedule, warmup_steps, weight_decay
        )
        self.loss, self.quantiles = loss or "mse", tuple(quantiles)
        self.season = None if season is None else checked_integer("season", season, least=1)

        options = merged_options(
            data_options,
            history=history,
            horizon=horizon,
            batch_size=batch_size,
            data_dir=data_dir,
        )
        self._csv_options = {name: options[name] for name in CSV_OPTIONS if name in options}
        if isinstance(data, TimeSeries):  # as a checkpoint records them, they say the same again
            options = {k: v for k, v in options.items() if getattr(data, k, None) != v}
        self.data = None if data is None else time_series_data(data, **options)

        # Without data, a series of one value checks the two numbers as data would.
        windows = self.data or TimeSeries(
            [0.0], history=history or HISTORY, horizon=horizon or HORIZON
        )
        self.history, self.horizon = windows.history, windows.horizon
        self.hparams |= {"history": self.history, "horizon": self.horizon}
        self.record_data(data)

    def learn_spec(self) -> SeriesSpec:
        """Return the spec, and keep how its table was read, so that others are read alike.

        Data that come after those of a fit, or of a checkpoint, are joined with them by name.

        Raises:
            DataError: They have other columns, or series that the task does not know.
        """
        before = self.spec
        spec: SeriesSpec = super().learn_spec()
        if spec is before or self.data is None:
            return spec
        if before is None:
            self.reading = self.data.store.reading
        else:
            self.data.align(before)
            self.spec = spec = before
        return spec

    def state_dict(self) -> dict[str, Any]:
        """Return the spec, how tables are read, and whether the network is unrolled."""
        unroll = self.forecaster.layers.unroll
        return {**super().state_dict(), "reading": self.reading.state(), "unroll": unroll}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the spec and the reading, and the choice of `unroll` where none was given."""
        super().load_state_dict(state)
        self.reading = SeriesReading.of(state["reading"])
        layers = self.forecaster.layers
        layers.unroll = state["unroll"] if layers.unroll is None else layers.unroll

    def configure_model(self) -> None:
        """Build the network, as `model`, to the columns; its scales are unknown until a fit."""
        spec = self.learn_spec()
        self.forecaster.choose_unrolling(self.history, self._trainer)
        self.built = self.forecaster.build(spec, self.history, self.horizon)
        self.model, self.transform = self.built.model, self.built.transform

    def configure_optimizers(self) -> keras.optimizers.Optimizer:
        """Make the optimizer, with its schedule over the updates of this fit.

        Scales that no checkpoint has brought are fitted here, on the training split alone.
        """
        if not self.transform.is_fitted and self.data is not None:
            self.transform.fit(
                self.data.store,
                self.data.boundaries[0],
                history=self.history,
                horizon=self.horizon,
                season=self.season or 1,
            )
        return self.optimizer_settings.build(self.trainer.estimated_stepping_batches, self.model)

    def configure_metrics(self) -> dict[str, keras.metrics.Metric]:
        """Return errors in the data's units, of float64: one beside 1e9 would be 0 in float32."""
        return {
            "rmse": keras.metrics.RootMeanSquaredError(dtype="float64"),
            "mae": keras.metrics.MeanAbsoluteError(dtype="float64"),
            "mape": PercentageError(dtype="float64"),
        }

    def training_step(self, batch: Any) -> tf.Tensor:
        """Return the mean loss of scaled forecasts, and what the model's layers add."""
        return tf.add_n([self._loss(batch, training=True), *self.added_losses()])

    def validation_step(self, batch: Any) -> tf.Tensor:
        """Return the mean loss of scaled forecasts."""
        return self._loss(batch, training=False)

    def predict_step(self, batch: Any) -> tf.Tensor:
        """Return forecasts in the data's units of windows, with or without targets."""
        inputs = inputs_of(batch)
        return self.built.forecast(self.built.outputs(inputs, training=False), inputs)

    def forecast(
        self, history: Any, steps: int, *, known: Any = None, series: Any = None
    ) -> NDArray[np.float64]:
        """Forecast rows beyond the end of a history; longer than the horizon, it rolls on.

        Args:
            history: At least `history` rows in the data's units: a table, whose rows are joined by
                their series and times, or an array, the latest row last.
            steps: Rows to forecast.
            known: Of these rows, the features that are known in the future: a table or an array.
            series: The name of one, where there are several.

        Returns:
            Float64 of shape (steps, targets), with quantiles (steps, targets, quantiles); see
            `rolling_forecast`.
        """
        self.check_built()
        return rolling_forecast(
            self, history, checked_integer("steps", steps, least=1), known=known, series=series
        )

    def new_examples(
        self,
        data: Any,
        *,
        known: Any = None,
        series: Any = None,
        encoding: str | None = None,
        sep: str | None = None,
        quoting: bool | None = None,
    ) -> NewExamples:
        """Return the last window of each series of a history, to forecast the horizon after it.

        Args:
            data: As `forecast` takes it, or the file of a table; it may hold several series.
            known: Of the rows to come, the features that are known in the future; or their file.
            series: The name of one; None is every one that the table has.
            encoding: Of CSV and TSV files; None is as of the task's own, as for `sep`, `quoting`.
            sep: Between their fields.
            quoting: Whether quotation marks enclose them.

        Raises:
            DataError: A file, a column or a series is missing, or rows are too few.
        """
        self.check_built()
        given = {"encoding": encoding, "sep": sep, "quoting": quoting}
        chosen = {name: value for name, value in given.items() if value is not None}
        return new_histories(self, data, known, series, {**self._csv_options, **chosen})

    def prediction_columns(self, outputs: Any, names: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row for each step of each series, with its time where it is known."""
        return forecast_columns(self, outputs, names)

    def compare(self, stage: str = "test", statistical: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Errors of this task and of forecasts that need no network, on the same windows.

        Args:
            stage: train, val or test.
            statistical: More of them, from the extra `baselines`: ``auto_arima``, ``auto_ets``;
                see `statistical_forecast`.

        Returns:
            A dict for each with ``forecast`` (its name), ``rmse``, ``mae``, ``mape``, ``mase``.

        Raises:
            ConfigurationError: A name is unknown, or statsforecast is not installed.
        """
        self.check_built()
        for name in statistical:
            check_known(f"statistical={name!r}", name, MODELS)
        return ForecastComparison(self, stage, statistical=statistical).rows()

    def backtest(
        self, trainer: Trainer, folds: int = 5, refit: Callable[[], Trainer] | None = None
    ) -> list[dict[str, Any]]:
        """Test on consecutive stretches of the test split; see `walk_forward`."""
        self.check_built()
        return walk_forward(self, trainer, folds, refit)

    def export_saved_model(self, path: Path) -> None:
        """Write a SavedModel that takes and gives the data's units; see `export_forecaster`."""
        export_forecaster(self, path)

    def prediction_writer(
        self, directory: str | os.PathLike[str] | None, format: str, save_images: bool = False
    ) -> Callback | None:
        """Return a `ForecastWriter` for ``csv``, whose rows have their series and times."""
        if format == "csv" and not save_images:
            return ForecastWriter(directory)
        return super().prediction_writer(directory, format, save_images)

    def callbacks(self) -> list[Callback]:
        """Bring the comparison with the baselines, and images."""
        return [ForecastReport()]

    def _loss(self, batch: Any, training: bool) -> tf.Tensor:
        inputs, y = batch
        outputs = self.built.outputs(inputs, training)
        # In the data's units, as every metric, and in float64.
        y, forecast = tf.cast(y, tf.float64), self.built.forecast(outputs, inputs)
        point = self.built.point(forecast)  # (batch, horizon, targets)
        self.update_metrics(y, point)

        naive = tf.gather(tf.convert_to_tensor(self.transform.naive_error), inputs["series"])
        self.log("mase", tf.reduce_mean(tf.abs(y - point) / naive[:, tf.newaxis]))
        if self.quantiles:
            inside = (forecast[..., 0] <= y) & (y <= forecast[..., -1])
            self.log("coverage", tf.reduce_mean(tf.cast(inside, tf.float32)))

        # The loss alone is of scaled values.
        target = self.transform.target(y, inputs["past"], inputs["series"])
        return regression_loss(target, outputs, self.loss, self.quantiles)
