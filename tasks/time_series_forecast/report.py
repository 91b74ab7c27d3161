"""Images of forecasts: against the truth, and how errors grow with the horizon."""

from typing import Any

import numpy as np

from lightning_tf.tasks.common.stage_report import StageReport
from lightning_tf.tasks.time_series_forecast.comparison import COLUMNS, ForecastComparison
from lightning_tf.trainer import Trainer

MOST_PANELS = 4  # series and targets that are drawn
LONGEST = 400  # rows of a panel
COLORS = {"truth": "black", "naive": "tab:gray", "seasonal_naive": "tab:green"}
COLORS |= {"linear": "tab:orange"}
NETWORK_COLOR = "tab:blue"


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

    from lightning_tf.panel_layout import PanelLayout

    store = comparison.store
    series = store.series_of(comparison.origins)
    panels = [(number, 0) for number in np.unique(series)][:MOST_PANELS]
    if len(panels) == 1:
        panels = [(panels[0][0], target) for target in range(len(store.targets))][:MOST_PANELS]

    figure = Figure(figsize=(10, 1 + 3 * len(panels)), layout=PanelLayout())
    all_axes = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
    for axes, (number, target) in zip(all_axes, panels, strict=True):
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
    rows = slice(before if horizon > 1 else first, last)
    truth = store.target_values[rows, target]
    axes.plot(store.times[rows], truth, color=COLORS["truth"], linewidth=1.2, label="truth")

    network = next(iter(comparison.points))
    points = comparison.points[network][chosen][:, :, target]  # (windows, horizon)
    bands = comparison.forecast[chosen][:, :, target] if comparison.task.quantiles else None
    times = store.times[origins[:, np.newaxis] + np.arange(horizon)]
    if horizon == 1:  # forecasts of one step make one line
        points, times = points.reshape(1, -1), times.reshape(1, -1)
        bands = None if bands is None else bands.reshape(1, -1, bands.shape[-1])

    for number, window_times in enumerate(times):
        label = network if number == 0 else None  # once in the legend
        axes.plot(window_times, points[number], color=NETWORK_COLOR, linewidth=1.2, label=label)
        if horizon > 1:
            axes.plot(window_times[:1], points[number, :1], color=NETWORK_COLOR, marker=".")
        if bands is not None:
            low, high = comparison.task.quantiles[0], comparison.task.quantiles[-1]
            label = f"{low:g} to {high:g}" if number == 0 else None
            edges = bands[number, :, 0], bands[number, :, -1]
            axes.fill_between(
                window_times, *edges, color=NETWORK_COLOR, alpha=0.25, linewidth=0, label=label
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
    from matplotlib.ticker import MaxNLocator

    from lightning_tf.panel_layout import PanelLayout

    figure = Figure(figsize=(7, 4), layout=PanelLayout())
    axes = figure.add_subplot()
    errors = comparison.by_horizon()
    if comparison.truth.shape[1] == 1:
        heights = [float(error[0]) for error in errors.values()]
        colors = [COLORS.get(name, NETWORK_COLOR) for name in errors]
        axes.bar_label(axes.bar(list(errors), heights, color=colors), fmt="%.4g")
        axes.margins(y=0.12)
    else:
        for name, error in errors.items():
            steps = np.arange(1, len(error) + 1)
            width = 1.2 if name in COLORS else 2.2
            color = COLORS.get(name, NETWORK_COLOR)
            axes.plot(steps, error, color=color, marker=".", linewidth=width, label=name)
        axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
        axes.set_xlabel("rows ahead")
        axes.set_ylim(bottom=0)
        axes.legend()
    axes.set_ylabel("root mean squared error")
    axes.grid(alpha=0.3)
    return figure


class ForecastReport(StageReport):
    """Logs forecasts beside those that need no network, after training and after every test.

    Loggers get a table ``val/baselines`` or ``test/baselines`` with the errors of the network and
    of the naive, the seasonal-naive and the linear forecast on the same windows, the errors of
    these as numbers (``test_naive_rmse``, ...), and the figures ``test/forecast`` and
    ``test/error_by_horizon``; of validation the same without the numbers. It costs one more forward
    pass over the part.

    Works with every task that has the attributes of a TimeSeriesForecast.
    """

    def report(self, trainer: Trainer, task: Any, stage: str) -> None:
        """Log the comparison with the baselines, and images."""
        if task.walking or stage not in (task.data.splits or {}):
            return

        batches = trainer.num_test_batches if stage == "test" else trainer.num_val_batches
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
