from lightning_tf.callbacks.loggers.best_values import BestValues


def test_names_and_callbacks_tell_what_is_better():
    best = BestValues()
    best.modes["val/reward"] = "max"
    first = {"val/loss": 2.0, "val/accuracy": 0.5, "val/reward": 1.0, "val/count": 3.0}
    assert best.update(first, 1) == {"val/loss": 2.0, "val/accuracy": 0.5, "val/reward": 1.0}
    second = {"val/loss": 3.0, "val/accuracy": 0.6, "val/reward": 2.0}
    assert best.update(second, 2) == {"val/accuracy": 0.6, "val/reward": 2.0}
    assert best.values["val/loss"] == (2.0, 1)
    again = BestValues()
    again.load_state_dict(best.state_dict())
    assert again.values == best.values


def test_mean_average_precision_is_better_higher():
    best = BestValues()
    names = ("val/map", "val/map_50", "val/mar_100", "val/mapped", "val/margin")
    assert [best.mode(name) for name in names] == ["max", "max", "max", "", ""]


def test_nan_is_never_the_best():
    best = BestValues()
    assert best.update({"val/loss": float("nan")}, 1) == {}
    assert best.update({"val/loss": 1.0}, 2) == {"val/loss": 1.0}
