"""AutoARIMA and AutoETS beside a network."""

import sys

import numpy as np
import pytest
from helpers.boring import fitted
from helpers.extras import needs

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks import TimeSeriesForecast
from lightning_tf.tasks.time_series_forecast.statistical_forecast import MODELS


def task_of_two_series():
    import pandas as pd

    steps, random = np.arange(96), np.random.default_rng(0)
    wave = np.sin(2 * np.pi * steps / 4)
    values = [level + 3 * wave + 0.1 * random.normal(size=96) for level in (10.0, 200.0)]
    table = pd.DataFrame({"shop": np.repeat(["a", "b"], 96), "sold": np.concatenate(values)})
    columns = {"series": "shop", "target": "sold"}
    options = {"history": 8, "horizon": 4, "season": 4, "data_options": columns}
    return TimeSeriesForecast(table, "mlp", **options, units=8, depth=1)


@pytest.mark.slow
@needs("statsforecast", "baselines")
@pytest.mark.filterwarnings("ignore")  # statsforecast's and numba's own
def test_models_of_each_series_repeat_its_season_at_its_level():
    task = task_of_two_series()
    fitted(task, max_epochs=1)
    rows = {row["forecast"]: row["rmse"] for row in task.compare("test", sorted(MODELS))}
    assert list(rows)[-2:] == ["auto_arima", "auto_ets"]
    assert max(rows[name] for name in MODELS) < 0.2 < 1.0 < rows["naive"]  # the noise has 0.1


def test_a_model_whose_package_is_missing_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "statsforecast", None)
    monkeypatch.setitem(sys.modules, "statsforecast.models", None)
    task = task_of_two_series()
    fitted(task, max_epochs=1)
    with pytest.raises(ConfigurationError, match=r"lightning-tf\[baselines\]"):
        task.compare("test", ["auto_ets"])
    with pytest.raises(ConfigurationError, match="Did you mean 'auto_arima'"):
        task.compare("test", ["auto_arim"])
