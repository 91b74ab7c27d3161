# %% [markdown]
# # Forecast a series
#
# The sales of a shop, day by day: a trend, a week, a year, and days of promotion that are known in
# advance. The series is made up, so it is known how well *anybody* could forecast it: the noise
# has a standard deviation of 5, and in the long run no forecast can have a smaller error.

# %% tags=["remove-output"]
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from lightning_tf import Trainer
from lightning_tf.tasks import TimeSeriesForecast

# %%
NOISE = 5.0
random = np.random.default_rng(0)
days = pd.date_range("2020-01-01", "2024-12-31")
week = np.array([0, -6, -4, 0, 8, 22, -20])[days.day_of_week]
year = 15 * np.sin(2 * np.pi * days.day_of_year / 365.25)
promotion = (random.random(len(days)) < 0.08).astype(float)
noise = random.normal(0, NOISE, len(days))
sold = 100 + 0.02 * np.arange(len(days)) + week + year + 30 * promotion + noise
table = pd.DataFrame({"day": days, "promotion": promotion, "sold": sold})

table.set_index("day").sold["2024"].plot(figsize=(10, 2.6), title="sold in 2024")
plt.show()
# %% [markdown]
# ## The task
#
# From the last 28 days the next 14. `known` says that promotions of the future are known. The
# quantiles give a range beside the forecast: four days of five should lie between the lowest and
# the highest.
#
# The rows are split by time, and what comes last is the test: a forecast must never have seen the
# future.

# %%
task = TimeSeriesForecast(
    table,
    "mlp",
    history=28,
    horizon=14,
    season=7,
    quantiles=(0.1, 0.5, 0.9),
    data_options={"time": "day", "target": "sold", "known": ["promotion"]},
)
task

# %%
trainer = Trainer(max_epochs=15, seed=0)
trainer.fit(task)

# %%
results = trainer.test(task)

# %% [markdown]
# ## Is it any good?
#
# An error alone says nothing. `compare` measures forecasts that need no network on the same days:
# the last value, the value of a week ago, and others.

# %%
errors = pd.DataFrame(task.compare("test")).set_index("forecast").round(2)
errors

# %%
print(f"the noise alone: {NOISE}; inside the range: {100 * results['test_coverage']:.0f} % of 80 %")

# %% [markdown]
# ## The next two weeks
#
# `forecast` goes on after the last row of a history. What is known of the future is given with it:
# a promotion on the sixth day.

# %%
future = pd.DataFrame({"day": pd.date_range("2025-01-01", periods=14), "promotion": 0.0})
future.loc[5, "promotion"] = 1.0
forecast = task.forecast(table, steps=14, known=future)
low, middle, high = forecast[:, 0].T  # of one target

figure, axes = plt.subplots(figsize=(10, 2.6))
axes.plot(days[-28:], sold[-28:], "k.-", label="sold")
axes.plot(future.day, middle, ".-", label="forecast")
axes.fill_between(future.day, low, high, alpha=0.25, label="80 % range")
axes.legend(loc="upper center", ncols=3)
plt.show()

# %% [markdown]
# ## Your own series
#
# `TimeSeriesForecast("sales.csv", data_options={"time": "day", "target": "sold"})` reads a file;
# several series, missing days and other time formats are in
# [TimeSeriesForecast](../time_series_forecast.md).
