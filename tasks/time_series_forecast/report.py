"""Images of forecasts: against the truth, and how errors grow with the horizon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lightning_tf.callback import Callback
from lightning_tf.tasks.time_series_forecast.comparison import COLUMNS, ForecastComparison

if TYPE_CHECKING:
    from lightning_tf.trainer import Trainer


MOST_PANELS = 4  # series and targets that are drawn
LONGEST = 400  # rows of a panel
COLOURS = {"truth": "black", "naive": "tab:gray", "seasonal_naive": "tab:green"}
COLOURS |= {"linear": "tab:orange"}
OWN = "tab:blue"


def forecast_figure(comparison: ForecastComparison) -> Any:
    """Draw forecasts and the truth over time.

    Forecasts of one step make one line. Longer ones are drawn from origins that are a horizon
    apart, each beginning at a dot. Quantiles make a band. At most four panels: the targets of the
    first series, or the first target of several.

    Args:
        comparison: Of a task with data.

    Returns:
        A matplotlib Figure that belongs to no window.

    Example:
        >>> forecast_figure(ForecastComparison(task, "test")).savefig("forecast.png")
    """
    from matplotlib.figure import Figure

    store = comparison.store
    series = store.series_of(comparison.origins)
    drawn = [(number, 0) for number in np.unique(series)][:MOST_PANELS]
    if len(drawn) == 1:
        drawn = [(drawn[0][0], target) for target in range(len(store.targets))][:MOST_PANELS]
    figure = Figure(figsize=(10, 1 + 3 * len(drawn)), layout="constrained")
    all_axes = figure.subplots(len(drawn), 1, squeeze=False)[:, 0]
    for axes, (number, target) in zip(all_axes, drawn, strict=True):
        _draw_panel(axes, comparison, np.flatnonzero(series == number), target)
        axes.set_title(" ".join(filter(None, (store.names[number], store.targets[target]))))
        axes.grid(alpha=0.3)
        axes.legend(loc="best")
    return figure


def _draw_panel(axes: Any, comparison: ForecastComparison, windows: Any, target: int) -> None:
    store, horizon = comparison.store, comparison.truth.shape[1]
    # From the end, whole forecasts: the last rows are the ones that matter now.
    chosen = windows[::-1][::horizon][: max(1, LONGEST // horizon)][::-1]
    origins = comparison.origins[chosen]
    first, last = origins[0], origins[-1] + horizon
    before = max(first - 2 * horizon, store.starts[store.series_of(origins[:1])[0]])
    shown = slice(before if horizon > 1 else first, last)
    truth = store.target_values[shown, target]
    axes.plot(store.times[shown], truth, color=COLOURS["truth"], linewidth=1.2, label="truth")
    own = next(iter(comparison.points))
    points = comparison.points[own][chosen][:, :, target]
    bands = comparison.forecast[chosen][:, :, target] if comparison.task.quantiles else None
    if horizon == 1:
        points, origins = points.reshape(1, -1), origins[:1]
        bands = None if bands is None else bands.reshape(1, -1, bands.shape[-1])
    for number, origin in enumerate(origins):
        times = store.times[origin : origin + points.shape[1]] if horizon > 1 else None
        times = store.times[comparison.origins[chosen]] if times is None else times
        label = own if number == 0 else None
        axes.plot(times, points[number], color=OWN, linewidth=1.2, label=label)
        if horizon > 1:
            axes.plot(times[:1], points[number, :1], color=OWN, marker=".")
        if bands is not None:
            low, high = comparison.task.quantiles[0], comparison.task.quantiles[-1]
            axes.fill_between(
                times,
                bands[number, :, 0],
                bands[number, :, -1],
                color=OWN,
                alpha=0.25,
                linewidth=0,
                label=f"{low:g} to {high:g}" if number == 0 else None,
            )


def horizon_figure(comparison: ForecastComparison) -> Any:
    """Draw the error of every step of the horizon, the network's and the baselines'.

    Args:
        comparison: Of a task with data.

    Returns:
        A matplotlib Figure that belongs to no window; bars where there is one step.

    Example:
        >>> horizon_figure(ForecastComparison(task, "test")).savefig("horizon.png")
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    found = comparison.by_horizon()
    if comparison.truth.shape[1] == 1:
        heights = [float(error[0]) for error in found.values()]
        colours = [COLOURS.get(name, OWN) for name in found]
        axes.bar_label(axes.bar(list(found), heights, color=colours), fmt="%.4g")
        axes.margins(y=0.12)
    else:
        for name, error in found.items():
            steps = np.arange(1, len(error) + 1)
            width = 1.2 if name in COLOURS else 2.2
            colour = COLOURS.get(name, OWN)
            axes.plot(steps, error, color=colour, marker=".", linewidth=width, label=name)
        axes.set_xlabel("rows ahead")
        axes.set_ylim(bottom=0)
        axes.legend()
    axes.set_ylabel("root mean squared error")
    axes.grid(alpha=0.3)
    return figure


class ForecastReport(Callback):
    """Logs forecasts beside those that need no network, after training and after every test.

    Loggers get a table ``val/baselines`` or ``test/baselines`` with the errors of the network and
    of the naive, the seasonal-naive and the linear forecast on the same windows, the errors of
    these as numbers (``test_naive_rmse``, ...), and the figures ``test/forecast`` and
    ``test/error_by_horizon``; of validation the same without the numbers. It costs one more forward
    pass over the part.

    Works with every task that has the attributes of a TimeSeriesForecast.
    """

    logs_metrics = False

    def on_fit_end(self, trainer: Trainer, task: Any) -> None:
        """Report on the validation part."""
        if trainer.num_val_batches != 0:
            self._log(trainer, task, "val", trainer.num_val_batches)

    def on_test_end(self, trainer: Trainer, task: Any) -> None:
        """Report on the test part."""
        self._log(trainer, task, "test", trainer.num_test_batches)

    def _log(self, trainer: Trainer, task: Any, stage: str, batches: Any) -> None:
        if not trainer.loggers or task.walking or stage not in (task.data.splits or {}):
            return
        limit = None if batches is None else int(batches) * task.data.batch_size
        comparison = ForecastComparison(task, stage, limit)
        rows = comparison.rows()
        columns = ["forecast", *COLUMNS]
        cells = [[row[column] for column in columns] for row in rows]
        trainer.log_table(f"{stage}/baselines", columns, cells)
        if stage == "test":  # in validation they would be curves of one point
            trainer.log_metrics(
                {f"test_{row['forecast']}_{c}": row[c] for row in rows[1:] for c in COLUMNS}
            )
        trainer.log_figure(f"{stage}/forecast", forecast_figure(comparison))
        trainer.log_figure(f"{stage}/error_by_horizon", horizon_figure(comparison))
