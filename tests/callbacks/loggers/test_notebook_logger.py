"""NotebookLogger where there is no notebook; tests/test_notebook.py runs it in one."""

import pytest
from helpers.boring import BoringTask, quiet

from lightning_tf import Trainer
from lightning_tf.callbacks import NotebookLogger
from lightning_tf.exceptions import ConfigurationError


def test_outside_a_notebook_a_trainer_adds_none():
    assert not any(isinstance(logger, NotebookLogger) for logger in Trainer(max_epochs=1).loggers)


def test_outside_a_notebook_it_shows_nothing(capsys):
    Trainer(**quiet(max_epochs=1, logger=NotebookLogger())).fit(BoringTask())
    assert capsys.readouterr().out == ""


def test_a_time_below_zero_is_refused_by_name():
    with pytest.raises(ConfigurationError, match=r"NotebookLogger\(refresh_seconds=-1\)"):
        NotebookLogger(refresh_seconds=-1)
