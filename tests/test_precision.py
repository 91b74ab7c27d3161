import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringTask, Recorder, fitted, quiet
from helpers.stand_in_gpus import StandInGpus

from lightning_tf import Trainer
from lightning_tf.distribute.single_device import SingleDevice
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.precision import computes_in_tf32, parse_precision, use_policy
from lightning_tf.run import spoken_lines


class Seen(BoringTask):
    """Remembers the dtypes that its training step meets."""

    def training_step(self, batch):
        x, y = batch
        logits = self.model(x, training=True)
        self.dtypes = (logits.dtype, self.model.layers[-1].kernel.dtype)
        losses = keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True)
        return tf.reduce_mean(tf.cast(losses, "float32"))


@pytest.mark.parametrize(
    ("name", "policy"),
    [
        ("float32", "float32"),
        ("32-true", "float32"),
        (32, "float32"),
        ("16-mixed", "mixed_float16"),
        ("mixed_float16", "mixed_float16"),
        ("bf16-mixed", "mixed_bfloat16"),
        ("mixed_bfloat16", "mixed_bfloat16"),
        ("bf16-true", "bfloat16"),
        ("64-true", "float64"),
    ],
)
def test_names_of_keras_and_lightning(name, policy):
    assert parse_precision(name) == policy
    assert keras.DTypePolicy(parse_precision(name)).name == policy


@pytest.mark.parametrize("name", ["bf16-mixd", "half", 17, None])
def test_an_unknown_name_lists_the_known(name):
    with pytest.raises(ConfigurationError, match=r"precision=.*Known: .*bf16-mixed"):
        parse_precision(name)


def test_an_almost_right_name_is_guessed():
    with pytest.raises(ConfigurationError, match="Did you mean 'bf16-mixed'"):
        Trainer(precision="bf16-mixd", max_epochs=1)


def test_the_policy_before_comes_back_also_after_an_error():
    before, inside = keras.config.dtype_policy(), []

    def fails():
        with use_policy("mixed_bfloat16"):
            inside.append(keras.config.dtype_policy().name)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert inside == ["mixed_bfloat16"]
    assert keras.config.dtype_policy() is before


@pytest.mark.parametrize("fails", [False, True])
def test_a_fit_leaves_the_policy_as_it_was(tmp_path, fails):
    class Breaks(BoringTask):
        def on_train_epoch_end(self):
            assert keras.config.dtype_policy().name == "mixed_bfloat16"
            if fails:
                raise RuntimeError

    trainer = Trainer(**quiet(max_epochs=1, precision="bf16-mixed", default_root_dir=tmp_path))
    if fails:
        with pytest.raises(RuntimeError):
            trainer.fit(Breaks())
    else:
        trainer.fit(Breaks())
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize(
    ("precision", "computed", "kept"),
    [
        ("float32", "float32", "float32"),
        ("bf16-mixed", "bfloat16", "float32"),
        ("16-mixed", "float16", "float32"),
        ("bf16-true", "bfloat16", "bfloat16"),
        ("64-true", "float64", "float64"),
    ],
)
def test_a_model_computes_and_keeps_its_weights_as_the_precision_says(
    tmp_path, precision, computed, kept
):
    task = Seen()
    fitted(task, max_steps=2, precision=precision, default_root_dir=tmp_path)
    assert task.dtypes == (computed, kept)
    assert np.isfinite(np.asarray(task.model.layers[-1].kernel, "float32")).all()


def test_losses_and_metrics_are_float32_under_mixed_precision(tmp_path):
    class Exact(BoringTask):
        def training_step(self, batch):
            loss = super().training_step(batch)
            # 1 + 2**-10 needs 10 bits of mantissa; bfloat16 has 7.
            self.log("fine", tf.constant(1.0 + 2.0**-10))
            return loss

    trainer = fitted(Exact(), max_epochs=1, precision="bf16-mixed", default_root_dir=tmp_path)
    assert trainer.callback_metrics["fine"] == 1.0 + 2.0**-10
    with tf.device("/CPU:0"):
        assert trainer.training.metrics.metrics["accuracy"].result().dtype == tf.float32


def test_a_model_built_before_the_trainer_is_refused_under_mixed_precision(tmp_path):
    class Early(BoringTask):
        def __init__(self):
            super().__init__()
            self.model = keras.Sequential([keras.Input((32,)), keras.layers.Dense(2)])

        def configure_model(self):
            pass

    recorder = Recorder()
    arguments = quiet(max_epochs=1, default_root_dir=tmp_path, callbacks=recorder)
    with pytest.raises(ConfigurationError, match="made before the Trainer"):
        Trainer(**arguments, precision="bf16-mixed").fit(Early())
    assert "on_train_start" not in recorder.names
    Trainer(**arguments, precision="float32").fit(Early())


def test_prediction_does_not_hold_the_policy_between_batches(tmp_path):
    task = BoringTask()
    trainer = Trainer(**quiet(precision="bf16-mixed", default_root_dir=tmp_path))
    for outputs in trainer.predict(task):
        assert outputs.shape == (16, 2)
        assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize(
    ("capability", "precision", "expected"),
    [
        ((8, 0), None, True),
        ((8, 0), "high", True),
        ((8, 0), "highest", False),
        ((7, 5), None, False),
    ],
)
def test_a_gpu_that_has_tf32_is_told_unless_it_is_off(monkeypatch, capability, precision, expected):
    gpus = StandInGpus(1)
    gpus.install(monkeypatch)
    details = {"compute_capability": capability}
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: details)
    assert computes_in_tf32(precision) is expected

    trainer = Trainer(max_steps=1, accelerator="cpu", float32_matmul_precision=precision)
    assert spoken_lines._precision(trainer) == "float32"
    trainer.placement = SingleDevice("/GPU:0")
    assert ("TF32" in spoken_lines._precision(trainer)) is expected
