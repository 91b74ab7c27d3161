import logging

import keras
import numpy as np
import pytest
from helpers.boring import NumberData, NumberTask, Rows, fitted, quiet

from lightning_tf import Logger, Trainer
from lightning_tf.exceptions import ConfigurationError


class Broken(Logger):
    """A server that is away: every method fails."""

    def _fails(self, *args, **kwargs):
        raise ConnectionError("the server is away")

    log_metrics = log_hparams = log_images = log_table = log_text = log_figure = log_file = _fails
    finalize = _fails


def task(**options):
    return NumberTask(NumberData(range(10), held_out=[1.0], **options), keras.optimizers.SGD(0.0))


def test_a_failing_logger_is_warned_about_once_and_never_ends_a_run(caplog):
    rows = Rows()
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        fitted(task(), max_epochs=2, log_every_n_steps=1, logger=[Broken(), rows])
    warnings = [record for record in caplog.records if "Broken" in record.getMessage()]
    assert len(warnings) == 1
    assert "the server is away" in warnings[0].getMessage()
    assert len(rows.column("train/loss")) == 20
    assert rows.ends == ["success"]


def test_two_failing_loggers_are_both_named(caplog):
    class AlsoBroken(Broken):
        pass

    with caplog.at_level(logging.WARNING, "lightning_tf"):
        fitted(task(), max_steps=1, logger=[Broken(), AlsoBroken()])
    text = caplog.text
    assert text.count("AlsoBroken.") == 1
    assert text.count(" Broken.") == 1


@pytest.mark.parametrize("hook", ["setup", "on_fit_start", "on_train_epoch_end", "teardown"])
def test_a_loggers_hooks_do_not_end_a_run_either(hook, caplog):
    logger = Broken()
    setattr(logger, hook, logger._fails)
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        trainer = fitted(task(), max_epochs=1, logger=logger)
    assert trainer.current_epoch == 1
    assert "the server is away" in caplog.text


def test_ctrl_c_inside_a_logger_is_not_swallowed():
    class Interrupted(Rows):
        def log_metrics(self, metrics, step):
            raise KeyboardInterrupt

    logger = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        fitted(task(), max_epochs=1, log_every_n_steps=1, logger=logger)
    assert logger.ends == ["interrupted"]


def test_rows_carry_loggers_names_and_the_epoch():
    rows = Rows()
    fitted(task(), max_epochs=2, log_every_n_steps=5, logger=rows)
    assert [step for step, _ in rows.column("train/loss")] == [5, 10, 15, 20]
    assert [value for _, value in rows.column("train/loss")] == [2.0, 7.0, 2.0, 7.0]
    assert rows.column("train/loss_epoch") == [(10, 4.5), (20, 4.5)]
    assert rows.column("val/loss") == [(10, 1.0), (20, 1.0)]
    assert [row["epoch"] for _, row in rows.rows] == [0] * 4 + [1] * 4
    steps = [step for step, _ in rows.rows]
    assert steps == sorted(steps)


def test_a_row_holds_the_mean_since_the_last_row_also_over_the_end_of_an_epoch():
    rows = Rows()
    data = NumberData([1, 2, 3])
    fitted(
        NumberTask(data, keras.optimizers.SGD(0.0)), max_epochs=4, log_every_n_steps=2, logger=rows
    )
    assert rows.column("train/loss") == [
        (2, 1.5), (4, 2.0), (6, 2.5), (8, 1.5), (10, 2.0), (12, 2.5)
    ]  # fmt: skip


def test_hyperparameters_and_settings_are_given_once_per_entry_point():
    rows = Rows()
    trainer = Trainer(**quiet(max_epochs=1, logger=rows))
    trainer.fit(task())
    trainer.test(task())
    assert len(rows.hparams) == 2
    assert rows.hparams[0]["trainer"]["max_epochs"] == 1
    assert rows.hparams[0]["data"]["type"].endswith("NumberData")
    assert rows.ends == ["success", "success"]


def test_images_tables_texts_figures_and_files_reach_every_logger_with_the_step():
    class Shows(NumberTask):
        def on_train_epoch_end(self):
            self.trainer.log_images("images", np.zeros((1, 2, 2, 1)), captions=["black"])
            self.trainer.log_table("table", ["a"], [[1]])
            self.trainer.log_text("text", "a text")
            with pytest.raises(ConfigurationError, match=r"log_text\('text'\) takes a str, not"):
                self.trainer.log_text("text", ["a", "text"])
            self.trainer.log_figure("figure", "a figure")
            self.trainer.log_file("file", "a path")

    first, second = Rows(), Rows()
    fitted(Shows(NumberData([1, 2])), max_epochs=1, logger=[first, second])
    assert first.sent == second.sent
    assert first.sent == [
        ("images", "images", 2, ["black"]),
        ("table", "table", 2, [[1]]),
        ("text", "text", 2, "a text"),
        ("figure", "figure", 2, "a figure"),
        ("file", "file", 2, "a path"),
    ]


def test_the_base_class_takes_everything_and_does_nothing():
    logger = Logger()
    logger.log_metrics({"loss": 1.0}, 1)
    logger.log_hparams({})
    logger.log_images("a", np.zeros((1, 2, 2, 1)), 1)
    logger.log_table("a", [], [], 1)
    logger.log_text("a", "b", 1)
    logger.log_figure("a", None, 1)
    logger.log_file("a", "b", 1)
    logger.finalize("success")
    assert logger.log_dir is None
    assert logger.name == "Logger"


def test_the_status_of_a_failed_run_is_failed():
    class Fails(NumberTask):
        def on_train_epoch_end(self):
            raise RuntimeError("no")

    rows = Rows()
    with pytest.raises(RuntimeError, match="no"):
        fitted(Fails(NumberData([1])), max_epochs=1, logger=rows)
    assert rows.ends == ["failed"]
