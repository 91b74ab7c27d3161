import math

import pytest

from lightning_tf.callbacks.early_stopping import EarlyStopping
from lightning_tf.exceptions import ConfigurationError


@pytest.mark.parametrize(("mode", "low_is_better"), [("min", True), ("max", False)])
def test_better_is_by_mode_and_by_more_than_the_margin(mode, low_is_better):
    monitor = EarlyStopping("val_loss", mode=mode)
    assert monitor._is_better(1.0, 2.0) is low_is_better
    assert monitor._is_better(2.0, 1.0) is not low_is_better
    assert not monitor._is_better(1.0, 1.0)
    assert not monitor._is_better(1.0, 2.0, by=1.0)
    assert not monitor._is_better(2.0, 1.0, by=1.0)
    assert monitor._is_better(0.0, monitor._worst)
    assert not monitor._is_better(math.nan, monitor._worst)


def test_what_validation_measures_is_judged_after_it():
    assert not EarlyStopping("val_loss")._at_epoch_end
    assert EarlyStopping("loss")._at_epoch_end
    assert EarlyStopping("val_loss", check_on_train_epoch_end=True)._at_epoch_end


def test_an_unknown_mode_is_refused_in_the_owners_name():
    with pytest.raises(ConfigurationError, match=r"EarlyStopping: mode is 'mni'.*'min'"):
        EarlyStopping("loss", mode="mni")
