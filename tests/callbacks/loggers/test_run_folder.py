import os

import pytest
from helpers.boring import BoringTask, quiet

from lightning_tf import Trainer
from lightning_tf.callbacks import CSVLogger, JSONLinesLogger, TensorBoardLogger
from lightning_tf.callbacks.loggers.run_folder import newest_version
from lightning_tf.exceptions import ConfigurationError


def run(tmp_path, loggers, tests=0):
    trainer = Trainer(**quiet(max_epochs=1, default_root_dir=tmp_path, logger=loggers))
    task = BoringTask()
    trainer.fit(task)
    for _ in range(tests):
        trainer.test(task)
    return trainer


def test_loggers_of_different_kinds_share_one_folder(tmp_path):
    loggers = [JSONLinesLogger(), TensorBoardLogger(), CSVLogger()]
    trainer = run(tmp_path, loggers, tests=2)
    assert {logger.log_dir for logger in loggers} == {str(tmp_path / "runs" / "version_0")}
    assert os.listdir(tmp_path / "runs") == ["version_0"]
    of_csv = {"metrics.csv", "hparams.json", "calls.jsonl", "curves.png"}
    written = of_csv | {"log.jsonl", "tensorboard"}
    assert set(os.listdir(trainer.log_dir)) == written
    run(tmp_path, loggers)
    assert sorted(os.listdir(tmp_path / "runs")) == ["version_0", "version_1"]
    assert set(os.listdir(tmp_path / "runs" / "version_1")) == written


def test_two_of_a_kind_or_with_other_names_do_not_share(tmp_path):
    loggers = [CSVLogger(), JSONLinesLogger(), JSONLinesLogger(), CSVLogger(name="other")]
    run(tmp_path, loggers)
    folders = [os.path.relpath(logger.log_dir, tmp_path / "runs") for logger in loggers]
    assert folders == ["version_0", "version_0", "version_1", os.path.join("other", "version_0")]


@pytest.mark.parametrize(
    "kind",
    [
        CSVLogger,
        pytest.param(JSONLinesLogger, marks=pytest.mark.slow),
        pytest.param(TensorBoardLogger, marks=pytest.mark.slow),
    ],
)
def test_a_version_that_holds_a_run_is_refused_unless_resumed(tmp_path, kind):
    run(tmp_path, kind(version="mine"))
    with pytest.raises(ConfigurationError, match=rf"{kind.__name__}\(version='mine'\).*resume"):
        run(tmp_path, kind(version="mine"))
    again = kind(version="mine", resume=True)
    run(tmp_path, again)
    assert os.listdir(tmp_path / "runs") == ["mine"]


def test_the_newest_version_is_the_highest_number(tmp_path):
    for name in ("version_9", "version_10", "version_x", "other"):
        (tmp_path / name).mkdir()
    assert newest_version(tmp_path) == 10
    assert newest_version(tmp_path / "none") == -1
