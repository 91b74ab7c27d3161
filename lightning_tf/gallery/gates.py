"""gates: what the gates of a GRU and an LSTM do over 60 days of Google's price.

And of a GRU whose task makes them switch, see `marked_value`.

Cho, K. et al. (2014), https://arxiv.org/abs/1406.1078 (GRU); Hochreiter, S. and Schmidhuber, J.
(1997), https://doi.org/10.1162/neco.1997.9.8.1735 (LSTM).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.gallery.common.forecast_windows import forecast_windows
from lightning_tf.gallery.common.marked_value import switching_gates
from lightning_tf.gallery.common.quiet_trainer import quiet_trainer
from lightning_tf.layers import gate_activations
from lightning_tf.tasks import TimeSeriesForecast

DAYS, UNITS, EPOCHS = 60, 16, 12
RATES = {"gru": 0.003, "lstm": 0.01}
SHOWN = {"gru": ("update", "reset"), "lstm": ("forget", "input", "output")}
MEMORY = {"gru": "update", "lstm": "forget"}  # the gate that keeps the old state
FORECAST_DAY = "2017-11-24"  # four weeks after the largest rise of the test's year
STYLES = ("-", "--", ":")
BANDS = ("tab:blue", "tab:orange", "tab:green")


@dataclass(frozen=True)
class Insight:
    """What is seen inside of one trained network.

    Attributes:
        name: gru or lstm.
        days: Of the window, shape (60,).
        prices: Of the window and of the day after it, shape (61,).
        forecast: Of the day after it.
        gates: Of the window, each of shape (60, units).
        distance: At most, of the states that follow from the gates, from the layer's output.
        dependence: The share of each day in what a forecast depends on, shape (60,).
        errors: Mean absolute errors of the network and the naive forecast, in dollars.
    """

    name: str
    days: NDArray[Any]
    prices: NDArray[np.floating]
    forecast: float
    gates: Mapping[str, NDArray[np.floating]]
    distance: float
    dependence: NDArray[np.floating]
    errors: tuple[float, float]


def run(folder: Path, *, full: bool, data_dir: str | None) -> Mapping[str, float]:
    """Train both on prices as the course does, and look into their gates.

    Args:
        folder: For gates.png and gates_that_switch.png.
        full: Nothing takes longer.
        data_dir: Has google_stock.csv.
    """
    insights = [_insight(name, data_dir) for name in RATES]
    _figure(insights).savefig(folder / "gates.png", dpi=100)

    figures: dict[str, float] = {}
    for insight in insights:
        name = insight.name.upper()
        figures[f"{name}'s share of the last 5 days"] = float(insight.dependence[-5:].sum())
        figures[f"distance of the gates' states from the {name}'s output"] = insight.distance
        for gate in SHOWN[insight.name]:
            figures[f"{gate} gate of the {name}, mean"] = float(insight.gates[gate].mean())
        kept = insight.gates[MEMORY[insight.name]].mean(axis=0)  # (units,)
        figures[f"{MEMORY[insight.name]} gate of the {name}, least of a unit"] = float(kept.min())
        figures[f"{MEMORY[insight.name]} gate of the {name}, most of a unit"] = float(kept.max())
        figures[f"mean absolute error, {name}"], figures["mean absolute error, naive"] = (
            insight.errors
        )
    return {**figures, **switching_gates(folder / "gates_that_switch.png")}


def _insight(name: str, data_dir: str | None) -> Insight:
    task: Any = TimeSeriesForecast(
        "google_stock",
        name,
        history=DAYS,
        transform="none",  # the price itself, as in the course
        scaler="minmax",
        units=UNITS,
        depth=1,
        learning_rate=RATES[name],
        schedule="cosine",
        data_dir=data_dir,
        data_options={"test_from": "2017-01-01"},
    )
    quiet_trainer(EPOCHS).fit(task)

    inputs, truth = forecast_windows(task)
    scaled = task.transform.past(inputs["past"], inputs["series"])  # (windows, 60, 1)
    (layer,) = (x for x in task.model.layers if isinstance(x, keras.layers.RNN))
    gates = gate_activations(layer, scaled)

    origins = task.data.store.times[task.data.splits["test"].indices]
    shown = int(np.searchsorted(origins, np.datetime64(FORECAST_DAY)))
    end = int(np.searchsorted(task.data.store.times, origins[shown]))
    errors = {row["forecast"]: row["mae"] for row in task.compare("test")}
    return Insight(
        name,
        task.data.store.times[end - DAYS : end],
        np.append(inputs["past"][shown, :, 0], truth[shown]),
        float(task.predict_step(inputs)[shown, 0, 0]),
        {gate: values[shown] for gate, values in gates.items()},
        float(np.abs(gates["state"][:, -1] - layer(scaled)).max()),
        _dependence(task, inputs),
        (errors[name], errors["naive"]),
    )


def _dependence(task: Any, inputs: dict[str, tf.Tensor]) -> NDArray[np.floating]:
    """Return each day's share in the absolute gradient of the forecasts, shape (60,)."""
    past = inputs["past"]
    with tf.GradientTape() as tape:
        tape.watch(past)
        forecasts = task.predict_step({**inputs, "past": past})
    by_day = np.abs(tape.gradient(forecasts, past))[:, :, 0].mean(axis=0)
    share: NDArray[np.floating] = by_day / by_day.sum()
    return share


def _figure(insights: list[Insight]) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 9.2), layout="constrained")
    rows = figure.subplots(4, 2, height_ratios=(1, 1, 0.9, 0.8), sharey="row")
    for column, insight in zip(rows.T, insights, strict=True):
        _draw_prices(column[0], insight)
        _draw_gates(column[1], insight)
        image = _draw_units(column[2], insight)
        _draw_dependence(column[3], insight)
    figure.colorbar(image, ax=rows[2], label="share that is kept", fraction=0.03)

    names = ("price, dollars", "gates, mean of units", "unit", "share of the forecast")
    for row, name in zip(rows, names, strict=True):
        row[0].set_ylabel(name)
    for axes in rows[:3].flat:
        axes.set_xlim(-DAYS - 0.5, 1.5)
    for axes in rows[3]:
        axes.set_xticks(range(-20, 0, 5))
    return figure


def _draw_prices(axes: Any, insight: Insight) -> None:
    axes.plot(range(-DAYS, 0), insight.prices[:-1], color="black")
    axes.plot(0, insight.prices[-1], "o", color="black", label="the day after")
    axes.plot(0, insight.forecast, "x", color="tab:red", markersize=9, label="forecast")
    first, last = (str(day)[:10] for day in insight.days[[0, -1]])
    axes.set_title(f"{insight.name.upper()}\n{first} to {last}", fontsize=10)
    axes.legend(loc="upper left", fontsize=8)


def _draw_gates(axes: Any, insight: Insight) -> None:
    days = range(-DAYS, 0)
    for gate, line, color in zip(SHOWN[insight.name], STYLES, BANDS, strict=False):
        values = insight.gates[gate]  # (days, units)
        low, high = np.quantile(values, (0.1, 0.9), axis=1)
        axes.fill_between(days, low, high, color=color, alpha=0.15, linewidth=0)
        axes.plot(days, values.mean(axis=1), line, color=color, label=gate)
    axes.set_ylim(0, 1)
    axes.legend(loc="lower left", fontsize=8, ncols=3)


def _draw_units(axes: Any, insight: Insight) -> Any:
    kept = insight.gates[MEMORY[insight.name]]
    order = np.argsort(kept.mean(axis=0))
    image = axes.imshow(
        kept[:, order].T,
        aspect="auto",
        origin="lower",
        vmin=0,
        vmax=1,
        cmap="gray",
        extent=(-DAYS - 0.5, -0.5, 0.5, UNITS + 0.5),
    )
    axes.set_title(f"{MEMORY[insight.name]} gate of every unit", fontsize=9)
    axes.set_xlabel("days before the forecast")
    return image


def _draw_dependence(axes: Any, insight: Insight) -> None:
    shown = 20
    axes.bar(range(-shown, 0), insight.dependence[-shown:], color="tab:gray")
    last = insight.dependence[-5:].sum()
    axes.set_title(f"the last 5 days: {100 * last:.0f} %", fontsize=9)
    axes.set_xlabel("days before the forecast")
