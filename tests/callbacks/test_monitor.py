import math

import pytest

from lightning_tf.callbacks.monitor import Monitor
from lightning_tf.exceptions import ConfigurationError


@pytest.mark.parametrize(("mode", "low_is_better"), [("min", True), ("max", False)])
def test_better_is_by_mode_and_by_more_than_the_margin(mode, low_is_better):
    monitor = Monitor("EarlyStopping", "val_loss", mode)
    assert monitor.is_better(1.0, 2.0) is low_is_better
    assert monitor.is_better(2.0, 1.0) is not low_is_better
    assert not monitor.is_better(1.0, 1.0)
    assert not monitor.is_better(1.0, 2.0, by=1.0)
    assert not monitor.is_better(2.0, 1.0, by=1.0)
    assert monitor.is_better(0.0, monitor.worst)
    assert not monitor.is_better(math.nan, monitor.worst)


def test_what_validation_measures_is_judged_after_it():
    assert not Monitor("A", "val_loss", "min").at_epoch_end
    assert Monitor("A", "loss", "min").at_epoch_end
    assert Monitor("A", "val_loss", "min", at_epoch_end=True).at_epoch_end


def test_an_unknown_mode_is_refused_in_the_owners_name():
    with pytest.raises(ConfigurationError, match=r"EarlyStopping\(mode='mni'\).*'min'"):
        Monitor("EarlyStopping", "loss", "mni")
