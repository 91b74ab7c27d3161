"""statistical_forecast: AutoARIMA and AutoETS of statsforecast as baselines of a network."""

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.series.series_store import SeriesStore
from lightning_tf.exceptions import ConfigurationError

MODELS = {"auto_arima": "AutoARIMA", "auto_ets": "AutoETS"}


def statistical_forecast(
    name: str,
    store: SeriesStore,
    origins: NDArray[np.int64],
    horizon: int,
    *,
    season: int,
    train_ends: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Forecast with a model that is chosen for each series and target on its training rows.

    The order and the coefficients stay as they were fitted; each forecast starts from all rows of
    its series before the origin, as a network that is not trained further sees them.

    Source: Hyndman and Khandakar 2008, https://doi.org/10.18637/jss.v027.i03, as implemented in
    statsforecast, https://github.com/Nixtla/statsforecast.

    Args:
        name: A key of `MODELS`.
        store: The series.
        origins: The first row to forecast of each window, shape (windows,).
        horizon: Rows to forecast.
        season: Rows of a season, 1 for none.
        train_ends: The first row of each series that is not for training, shape (series,).

    Returns:
        Float64 of shape (windows, horizon, targets).

    Raises:
        ConfigurationError: statsforecast is not installed.

    Example:
        >>> ends = np.array([100])
        >>> points = statistical_forecast(
        ...     "auto_ets", store, np.array([110]), 3, season=12, train_ends=ends
        ... )
        >>> points.shape
        (1, 3, 1)
    """
    make = _model_class(name)
    result = np.empty((len(origins), horizon, len(store.targets)))

    series = store.series_of(origins)
    for number in np.unique(series):
        start = store.starts[number]
        for target in range(len(store.targets)):
            values = store.target_values[:, target].astype(np.float64)
            model = make(season_length=season).fit(values[start : train_ends[number]])
            for window in np.flatnonzero(series == number):
                history = values[start : origins[window]]
                result[window, :, target] = model.forward(y=history, h=horizon)["mean"]
    return result


def _model_class(name: str) -> Any:
    try:
        return getattr(import_module("statsforecast.models"), MODELS[name])
    except ImportError as error:
        raise ConfigurationError(
            f"the baseline {name!r} needs statsforecast: pip install 'lightning-tf[baselines]'"
        ) from error
