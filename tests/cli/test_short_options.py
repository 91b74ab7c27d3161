"""Options without their prefixes, and tasks that are given by the path of their file."""

import sys

import keras
import numpy as np
import pandas as pd
import pytest

from lightning_tf.callbacks import EMA, EarlyStopping
from lightning_tf.cli.main import main
from lightning_tf.cli.short_options import ShortOptions
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks import GAN

QUIET = ["--max_epochs", "1", "--enable_progress_bar", "false", "--enable_model_summary", "false"]
TASK = """
import keras
import tensorflow as tf
from lightning_tf import DataModule, Task

class Ones(DataModule):
    def __init__(self, rows: int = 32):
        self.rows = rows

    def train_dataset(self, epoch):
        return tf.data.Dataset.from_tensors((tf.ones((self.rows, 4)), tf.ones((self.rows, 1))))

    def test_dataset(self):
        return self.train_dataset(0)

class Mine(Task):
    def __init__(self, data: DataModule, units: int = 1):
        self.data, self.units = data, units

    def configure_model(self):
        self.layer = keras.layers.Dense(self.units)

    def configure_optimizers(self):
        return keras.optimizers.SGD(0.1)

    def training_step(self, batch):
        return tf.reduce_mean((self.layer(batch[0]) - batch[1]) ** 2)

    def test_step(self, batch):
        return self.training_step(batch)

def helper():
    pass
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "my_own_task", raising=False)
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "my_own_task.py").write_text(TASK)
    return tmp_path


def short(words):
    known = {"GAN": GAN, "EMA": EMA, "EarlyStopping": EarlyStopping}
    options = ShortOptions({"task", "ckpt_path"}, {"max_epochs", "seed"}, known.get)
    return " ".join(options(words.split()))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--task GAN --max_epochs 5", "--task GAN --trainer.max_epochs 5"),
        ("--task=GAN --latent_dim=8", "--task=GAN --task.latent_dim=8"),
        ("--data photos --seed 3", "--task.data photos --trainer.seed 3"),
        ("--task GAN --callbacks EMA --decay 0.9", None),
        ("--ckpt_path best --trainer.max_epochs 3", "--ckpt_path best --trainer.max_epochs 3"),
        ("--trainer.callbacks EMA", "--trainer.callbacks+=EMA"),
        ("--trainer.callbacks+=EMA", "--trainer.callbacks+=EMA"),
        ("--callbacks=EMA", "--trainer.callbacks+=EMA"),
        ("--logger false", "--trainer.logger false"),
        ("--trainer.logger EMA --decay 1", "--trainer.logger=EMA --trainer.logger.decay 1"),
        ("--logger EMA --logger EMA", "--trainer.logger=EMA --trainer.logger+=EMA"),
        ("--data.rows 3", "--task.data.rows 3"),
        ("--max_epoch 3", "--trainer.max_epoch 3"),
        ("--task GAN --latent_dims 3", "--task GAN --task.latent_dims 3"),
    ],
)
def test_an_option_goes_where_it_is_known(words, expected):
    expected = expected or "--task GAN --trainer.callbacks+=EMA --trainer.callbacks.decay 0.9"
    assert short(words) == expected


def test_arguments_of_a_callback_follow_it():
    assert short("--callbacks EarlyStopping --monitor loss --callbacks EMA --decay 1") == (
        "--trainer.callbacks+=EarlyStopping --trainer.callbacks.monitor loss "
        "--trainer.callbacks+=EMA --trainer.callbacks.decay 1"
    )


def test_what_two_may_take_and_a_class_without_a_name_are_refused():
    options = ShortOptions(set(), {"seed"}, {"EMA": EMA}.get)
    with pytest.raises(ConfigurationError, match="--callbacks needs the name of a class"):
        options(["--callbacks", "--seed", "3"])
    options = ShortOptions(set(), {"decay"}, {"EMA": EMA}.get)
    with pytest.raises(ConfigurationError, match=r"write --trainer\.decay or --task\.decay"):
        options(["--task", "EMA", "--decay", "3"])


def test_a_task_is_given_by_its_file_and_found_again_by_its_config(folder, monkeypatch, capsys):
    own = ["--task", "code/my_own_task.py:Mine", "--data", "my_own_task.Ones", "--data.rows", "8"]
    assert main(["fit", *own, "--units", "1", *QUIET]) == 0
    monkeypatch.delitem(sys.modules, "my_own_task")
    config = str(folder / "runs" / "version_0" / "config.yaml")

    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    capsys.readouterr()
    last = str(next((folder / "runs" / "version_0" / "checkpoints").glob("*.ckpt")))
    assert main(["test", "--config", config, *QUIET[2:], "--ckpt_path", last]) == 0
    assert "test_loss" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("code/my_own_task.py:Mien", "there is no Mien. Did you mean 'Mine'?"),
        ("code/my_own_task.py:Ones", "Ones is no Task."),
        ("code/nothing.py", "there is no file code/nothing.py"),
        ("broken.py", "broken.py cannot be imported: ModuleNotFoundError: No module named 'nope'"),
        ("two.py", "two.py has 2 tasks: First, Second; give one of them, as two.py:NAME."),
        ("json.py", "json.py has the name of another module"),
    ],
)
def test_what_a_file_lacks_is_said(folder, capsys, task, message):
    (folder / "broken.py").write_text("import nope")
    (folder / "json.py").write_text("")
    classes = "class First(Task): pass\nclass Second(Task): pass\n"
    (folder / "two.py").write_text(f"from lightning_tf import Task\n{classes}")
    assert main(["fit", "--task", task, *QUIET]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("source", ["folder", "table"])
def test_validation_data_stand_beside_the_data(folder, capsys, source):
    random = np.random.default_rng(0)
    for split, count in (("a", 4), ("b", 3)):
        for name in ("x", "y"):
            (folder / split / name).mkdir(parents=True)
            for i in range(count):
                image = random.uniform(0, 255, (8, 8, 3))
                keras.utils.save_img(folder / split / name / f"{i}.png", image)
        rows = {"text": ["good film", "bad film"] * count, "label": ["pos", "neg"] * count}
        pd.DataFrame(rows).to_csv(folder / f"{split}.csv", index=False)

    task, ending = {
        "folder": (["ImageClassification", "--network", "mlp", "--image_size", "8"], ""),
        "table": (["TextClassification"], ".csv"),
    }[source]
    data = ["--data", f"a{ending}", "--val_data", f"b{ending}"]
    assert main(["fit", "--task", *task, *data, *QUIET]) == 0
    config = (folder / "runs" / "version_0" / "config.yaml").read_text()
    assert ("val: " + (str(folder / "b") if source == "folder" else "b.csv")) in config
    assert "val_loss" in capsys.readouterr().out


def test_validation_data_beside_what_takes_none_are_refused(folder, capsys):
    beside = ["--data", "digits", "--val_data", "photos"]
    assert main(["fit", "--task", "ImageClassification", *beside, *QUIET]) == 2
    assert "--val_data goes with a folder of classes or a table" in capsys.readouterr().err
