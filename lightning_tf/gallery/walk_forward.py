"""walk_forward: why the naive forecast of a share's price is hard to beat, year after year.

The naive forecast is that of a random walk; Fama, E. (1965). The Behavior of Stock-Market Prices.
Journal of Business 38(1), https://doi.org/10.1086/294743
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.gallery.common.forecast_windows import forecast_windows
from lightning_tf.gallery.common.quiet_trainer import quiet_trainer
from lightning_tf.tasks import TimeSeriesForecast

FIRST_TEST, FOLDS, LAGS = "2014-01-01", 4, 20
ZOOM = slice(195, 225)  # days of the last year
NETWORKS: dict[str, dict[str, Any]] = {
    "GRU, prices": {"transform": "none", "scaler": "minmax", "learning_rate": 0.003},
    "GRU, returns": {"transform": "return"},
}
EPOCHS = {"GRU, prices": (12, 4), "GRU, returns": (2, 1)}  # at first, before each further year
STYLES = {"GRU, prices": ("tab:orange", "--", "s"), "GRU, returns": ("tab:blue", "-", "o")}


@dataclass(frozen=True)
class Walk:
    """One network's way through the years.

    Attributes:
        rows: Of `TimeSeriesForecast.backtest`, one for each year.
        forecasts: Of the last year, by the network that was trained up to it, shape (days,).
    """

    rows: Sequence[Mapping[str, Any]]
    forecasts: NDArray[np.floating]

    @property
    def ratios(self) -> list[float]:
        """The mean absolute error of each year, as a multiple of the naive forecast's."""
        return [row["test_mae"] / row["naive_mae"] for row in self.rows]

    @property
    def ratio(self) -> float:
        """The same of all years together."""
        network, naive = (
            sum(row["windows"] * row[name] for row in self.rows)
            for name in ("test_mae", "naive_mae")
        )
        return float(network / naive)


def run(folder: Path, *, full: bool, data_dir: str | None) -> Mapping[str, float]:
    """Test both networks on four years, each after training on all days before it.

    Args:
        folder: For walk_forward.png.
        full: Nothing takes longer.
        data_dir: Has google_stock.csv.
    """
    walks = {}
    for name in NETWORKS:
        task: Any = TimeSeriesForecast(
            "google_stock",
            "gru",
            units=16,
            depth=1,
            data_dir=data_dir,
            data_options={"test_from": FIRST_TEST},
            **NETWORKS[name],
        )
        first, further = EPOCHS[name]
        trainer = quiet_trainer(first)
        trainer.fit(task)
        rows = task.backtest(trainer, FOLDS, refit=lambda: quiet_trainer(further))  # noqa: B023
        inputs, _ = forecast_windows(task)
        walks[name] = Walk(rows, task.predict_step(inputs).numpy()[-rows[-1]["windows"] :, 0, 0])

    store = task.data.store  # of either: they are the same days
    prices = store.target_values[:, 0].astype(np.float64)
    correlations = autocorrelation(np.diff(np.log(prices)), LAGS)
    _figure(walks, store.times, prices, correlations).savefig(folder / "walk_forward.png", dpi=100)

    figures = {"error to the naive forecast's, returns": walks["GRU, returns"].ratio}
    figures["error to the naive forecast's, prices"] = walks["GRU, prices"].ratio
    for name, walk in walks.items():
        figures |= {
            f"{name}, {_year(row)}": ratio
            for row, ratio in zip(walk.rows, walk.ratios, strict=True)
        }
        for lag in (0, 1):
            moves = follows(prices[-len(walk.forecasts) - 2 :], walk.forecasts, lag)
            figures[f"{name}: correlation with the price's change, lag {lag}"] = moves
    figures["autocorrelation of returns, lag 1"] = float(correlations[0])
    figures["largest autocorrelation of returns, lags 1 to 20"] = float(np.abs(correlations).max())
    return figures


def autocorrelation(values: NDArray[np.float64], lags: int) -> NDArray[np.float64]:
    """Return the correlation of values with those of 1 to `lags` places before.

    Example:
        >>> autocorrelation(np.array([1.0, -1.0, 1.0, -1.0]), 1).tolist()
        [-0.75]
    """
    centered = values - values.mean()
    sums = [np.dot(centered[lag:], centered[:-lag]) for lag in range(1, lags + 1)]
    correlations: NDArray[np.float64] = np.array(sums) / np.dot(centered, centered)
    return correlations


def follows(prices: NDArray[np.float64], forecasts: NDArray[np.floating], lag: int) -> float:
    """Return the correlation of changes of forecasts with changes of prices `lag` days before.

    Args:
        prices: Of the forecast days and of two days before them.
        forecasts: Of as many days as `prices` has, less two.
        lag: 0 or 1; a forecast that repeats the last price has 1.0 at lag 1.
    """
    changes = np.diff(prices)  # of the day before the first, then of each forecast day
    end = len(changes) - lag
    return float(np.corrcoef(np.diff(forecasts), changes[2 - lag : end])[0, 1])


def _year(row: Mapping[str, Any]) -> int:
    # A stretch may begin on the last trading day of the year before.
    return int(str(row["from"] + np.timedelta64(7, "D"))[:4])


def _figure(
    walks: Mapping[str, Walk],
    times: NDArray[Any],
    prices: NDArray[np.float64],
    correlations: NDArray[np.float64],
) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 9.4), layout="constrained")
    grid = figure.add_gridspec(4, 2, height_ratios=(1.1, 0.9, 0.4, 0.8))
    days = len(walks["GRU, returns"].forecasts)
    _draw_year(figure.add_subplot(grid[0, 0]), walks, prices[-days:])
    _draw_zoom(figure.add_subplot(grid[0, 1]), walks, prices[-days:])
    _draw_correlations(figure.add_subplot(grid[1, 0]), correlations, len(prices) - 1)
    _draw_ratios(figure.add_subplot(grid[1, 1]), walks)
    price = figure.add_subplot(grid[2, :])
    price.plot(times, prices, color="black", linewidth=1)
    price.set_title("walking forward: each year is forecast after all before it", fontsize=10)
    price.set_ylabel("dollars")
    price.tick_params(labelbottom=False)
    _draw_folds(figure.add_subplot(grid[3, :], sharex=price), walks, times)
    return figure


def _draw_year(axes: Any, walks: Mapping[str, Walk], prices: NDArray[np.float64]) -> None:
    axes.plot(prices, color="black", label="price")
    axes.plot(walks["GRU, returns"].forecasts, color="tab:blue", linewidth=1, label="GRU, returns")
    axes.axvspan(ZOOM.start, ZOOM.stop - 1, color="silver", alpha=0.5)
    axes.set_title("2017: the forecast lies on the price", fontsize=10)
    axes.set_ylabel("dollars")
    axes.set_xlabel("trading day")
    axes.legend(loc="upper left", fontsize=8)


def _draw_zoom(axes: Any, walks: Mapping[str, Walk], prices: NDArray[np.float64]) -> None:
    days = np.arange(len(prices))[ZOOM]
    axes.plot(days, prices[ZOOM], ".-", color="black", label="price")
    for name, walk in walks.items():
        color, line, marker = STYLES[name]
        axes.plot(
            days, walk.forecasts[ZOOM], line, color=color, marker=marker, markersize=3, label=name
        )
    axes.set_title("the gray month: it lies a day behind", fontsize=10)
    axes.set_xlabel("trading day")
    axes.legend(fontsize=8)


def _draw_correlations(axes: Any, correlations: NDArray[np.float64], count: int) -> None:
    from matplotlib.ticker import MaxNLocator

    chance = 1.96 / np.sqrt(count)
    axes.axhspan(-chance, chance, color="silver", alpha=0.6, label="95 % by chance")
    axes.bar(range(1, LAGS + 1), correlations, color="tab:blue", width=0.6)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_ylim(-0.2, 0.2)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title("returns do not tell of the next ones", fontsize=10)
    axes.set_xlabel("days apart")
    axes.set_ylabel("autocorrelation")
    axes.legend(loc="lower right", fontsize=8)


def _draw_ratios(axes: Any, walks: Mapping[str, Walk]) -> None:
    axes.axhline(1, color="black", linewidth=1, label="naive")
    for name, walk in walks.items():
        color, line, marker = STYLES[name]
        years = [str(_year(row)) for row in walk.rows]
        axes.plot(years, walk.ratios, line, color=color, marker=marker, label=name)
        for year, ratio in zip(years, walk.ratios, strict=True):
            below = -12 if ratio < 1.05 else 6
            place = {"textcoords": "offset points", "ha": "center", "fontsize": 8}
            axes.annotate(f"{ratio:.2f}", (year, ratio), (0, below), **place)
    axes.margins(x=0.12, y=0.2)
    axes.set_ylim(bottom=0)
    axes.set_title("mean absolute error / the naive forecast's", fontsize=10)
    axes.legend(fontsize=8)


def _draw_folds(axes: Any, walks: Mapping[str, Walk], times: NDArray[Any]) -> None:
    starts = [row["from"] for row in walks["GRU, returns"].rows]
    ends = [*starts[1:], times[-1]]
    for fold, (start, end) in enumerate(zip(starts, ends, strict=True)):
        axes.barh(fold, start - times[0], left=times[0], height=0.6, color="lightgray")
        axes.barh(
            fold, end - start, left=start, height=0.6, color="white", edgecolor="black", hatch="///"
        )
        axes.text(times[0], fold, "  train", va="center", fontsize=9)
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        middle = start + (end - start) / 2
        axes.text(middle, fold, "test", va="center", ha="center", fontsize=9, bbox=box)
    axes.set_yticks(range(len(starts)), [f"fold {fold + 1}" for fold in range(len(starts))])
    axes.set_ylim(len(starts) - 0.5, -0.5)
