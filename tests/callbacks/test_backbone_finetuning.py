import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringTask, NumberData, NumberTask, fitted, quiet
from helpers.resumable import BATCHES, TwoParts, assert_resume_is_exact, bits, resumed

from lightning_tf import Callback, Trainer
from lightning_tf.callbacks import (
    EMA,
    BackboneFinetuning,
    EarlyStopping,
    GradientAccumulationScheduler,
    ModelCheckpoint,
)
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks import ImageClassification


class Weights(Callback):
    """Keeps the weights of every layer of the backbone at each epoch's end, and what trains."""

    logs_metrics = False

    def __init__(self):
        self.layers, self.trainable, self.rates, self.slots = [], [], [], []

    def on_train_start(self, trainer, task):
        self._note(trainer, task)

    def on_train_epoch_end(self, trainer, task):
        self._note(trainer, task)

    def _note(self, trainer, task):
        layers = [*task.backbone.layers, task.head]
        self.layers.append({x.name: [w.numpy().tobytes() for w in x.weights] for x in layers})
        self.trainable.append({x.name for x in layers if x.trainable and x.trainable_weights})
        optimizers = trainer.optimizers.items()
        self.rates.append({name: float(o.learning_rate) for name, o in optimizers})
        self.slots.append({name: [v.numpy() for v in o.variables] for name, o in optimizers})

    def moved(self, epoch):
        """The layers with weights that an epoch changed."""
        before, after = self.layers[epoch], self.layers[epoch + 1]
        return {name for name in before if before[name] != after[name]}


class Counted(TwoParts):
    traced = 0

    def training_step(self, batch):
        self.traced += 1
        return super().training_step(batch)


def watched(epochs=3, task=None, trainer=None, **arguments):
    """Fit with a backbone that is unfrozen at epoch 1; return what was seen, and the task."""
    weights, task = Weights(), task or Counted()
    callbacks = [BackboneFinetuning(unfreeze_at_epoch=1, **arguments), weights]
    fitted(task, max_epochs=epochs, callbacks=callbacks, seed=0, **(trainer or {}))
    return weights, task


# ---- freezing and unfreezing


def test_the_backbone_is_frozen_statistics_included_and_then_trains():
    weights, task = watched(train_batch_norm=True)
    assert weights.moved(0) == {"head"}
    assert weights.moved(1) == weights.moved(2) == {"low", "norm", "high", "head"}
    assert task.traced == 2


def test_batch_normalization_stays_frozen_unless_asked_for():
    weights, _ = watched()
    assert weights.moved(1) == weights.moved(2) == {"low", "high", "head"}


@pytest.mark.slow
def test_frozen_batch_normalization_computes_with_its_moving_statistics():
    class Watches(Counted):
        def training_step(self, batch):
            x = tf.ones((2, 4)) * [[-50.0], [50.0]]
            low, norm = self.backbone.get_layer("low"), self.backbone.get_layer("norm")
            self.log("spread", tf.math.reduce_std(norm(low(x), training=True)))
            return super().training_step(batch)

    spreads = {}
    for trains in (False, True):
        task = Watches()
        callbacks = [BackboneFinetuning(unfreeze_at_epoch=1, train_batch_norm=trains)]
        for epochs in (1, 2):
            trainer = fitted(task, max_epochs=epochs, callbacks=callbacks)
            spreads[trains, epochs] = trainer.callback_metrics["spread"]
            task = Watches()
    # Statistics of the batch would make the spread at most about 1.
    assert spreads[False, 1] > 10.0
    assert spreads[False, 2] > 10.0
    assert spreads[True, 2] < 2.0


@pytest.mark.parametrize("layers", [1, pytest.param("high", marks=pytest.mark.slow)])
def test_only_the_top_layers_are_unfrozen(layers):
    weights, _ = watched(layers=layers)
    assert weights.moved(0) == {"head"}
    assert weights.moved(1) == weights.moved(2) == {"high", "head"}


@pytest.mark.slow
def test_layers_with_weights_are_counted():
    weights, _ = watched(layers=3, train_batch_norm=True)
    assert weights.moved(1) == {"low", "norm", "high", "head"}


def test_named_layers_stay_frozen_always():
    weights, _ = watched(always_frozen=["low"])
    assert weights.moved(1) == weights.moved(2) == {"high", "head"}


@pytest.mark.slow
def test_layers_that_the_task_froze_stay_frozen():
    class Freezes(Counted):
        def configure_model(self):
            super().configure_model()
            self.backbone.get_layer("low").trainable = False

    weights, _ = watched(task=Freezes())
    assert weights.moved(1) == weights.moved(2) == {"high", "head"}


@pytest.mark.slow
def test_a_head_inside_the_model_trains_from_the_start():
    class Flat(TwoParts):
        def configure_model(self):
            super().configure_model()
            top = [keras.layers.Dense(2, name="top"), keras.layers.Activation("linear")]
            self.model = keras.Sequential([keras.Input((4,)), *self.backbone.layers, *top])
            self.backbone, self.head = self.model, self.model.get_layer("top")

    for head in (1, "top"):
        weights, _ = watched(task=Flat(), head=head)
        assert weights.moved(0) == {"top"}
        assert weights.moved(1) == {"low", "high", "top"}


@pytest.mark.slow
def test_the_layers_are_as_they_were_after_fit_and_after_an_exception():
    class Fails(Counted):
        def on_train_epoch_end(self):
            raise RuntimeError("a failing hook")

    _, task = watched(epochs=2)
    assert all(layer.trainable for layer in task.model._flatten_layers())
    failing = Fails()
    with pytest.raises(RuntimeError, match="a failing hook"):
        watched(task=failing)
    assert all(layer.trainable for layer in failing.model._flatten_layers())


def test_a_layer_that_two_containers_share_is_set_once_and_right():
    class Shares(BoringTask):
        def configure_model(self):
            shared = keras.layers.Dense(32, name="shared")
            first = keras.Sequential([keras.Input((32,)), shared], name="first")
            second = keras.Sequential([keras.Input((32,)), shared], name="second")
            self.backbone = keras.Sequential([keras.Input((32,)), first, second])
            self.head = keras.layers.Dense(2)
            self.model = keras.Sequential([keras.Input((32,)), self.backbone, self.head])

    task = Shares()
    tuning = BackboneFinetuning(unfreeze_at_epoch=1, always_frozen=["shared"])
    with pytest.raises(ConfigurationError, match="would unfreeze nothing"):
        fitted(task, max_epochs=2, callbacks=[tuning])


# ---- optimizers


@pytest.mark.parametrize(
    "factor",
    [0.1, pytest.param(1.0, marks=pytest.mark.slow), pytest.param(2.0, marks=pytest.mark.slow)],
)
def test_the_rate_is_lowered_when_it_is_unfrozen(factor):
    weights, _ = watched(learning_rate_factor=factor)
    rates = [rate[""] for rate in weights.rates]
    assert rates == pytest.approx([0.05, 0.05, 0.05 * factor, 0.05 * factor])


def test_slots_are_kept():
    weights, task = watched()
    kernel = next(w for w in task.head.weights if w.shape == (8, 2))
    before, after = (
        [s for s in slots[""] if s.shape == kernel.shape] for slots in weights.slots[1:3]
    )
    assert all(np.abs(slot).max() > 0.0 for slot in before)
    # Adam's second moments of the head fade slowly: beginning anew they would be smaller by far.
    assert np.abs(after[1]).max() > 0.9 * np.abs(before[1]).max()
    assert int(weights.slots[-1][""][0]) == 3 * BATCHES


def test_a_schedule_goes_on_and_is_scaled_from_then_on():
    schedule = keras.optimizers.schedules.PolynomialDecay(0.05, 3 * BATCHES, 0.0)
    weights, task = watched(task=Counted(schedule))
    rates = [rate[""] for rate in weights.rates]
    assert rates == pytest.approx([0.05, 0.05 * 2 / 3, 0.005 / 3, 0.0])
    assert task.traced == 2


def test_a_scaled_schedule_moves_the_weights_by_the_scaled_rate():
    class Number(NumberTask):
        def configure_model(self):
            super().configure_model()
            self.backbone = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
            self.backbone.build((None, 1))

        def training_step(self, batch):
            return tf.reduce_mean(batch) * (self.weight + tf.reduce_sum(self.backbone.kernel))

    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([1], [1.0, 0.5])
    task = Number(NumberData([1, 1]), keras.optimizers.SGD(schedule))
    fitted(task, max_epochs=2, callbacks=[BackboneFinetuning(unfreeze_at_epoch=1)])
    # Updates 0 and 1 have the rate 1.0, then comes 0.5; a tenth of it from the second epoch on.
    assert float(task.weight) == pytest.approx(-(1.0 + 1.0 + 0.05 + 0.05))
    assert float(task.backbone.kernel[0, 0]) == pytest.approx(1.0 - 0.05 - 0.05)


def test_an_optimizer_of_the_backbone_alone_rests_and_is_the_only_one_lowered():
    rates = {"backbone": keras.optimizers.schedules.CosineDecay(0.05, 100), "head": 0.02}
    weights, task = watched(task=Counted(rates), learning_rate_factor=0.5)
    assert weights.moved(0) == {"head"}
    assert weights.moved(1) == {"low", "high", "head"}
    assert weights.rates[1]["backbone"] == pytest.approx(0.05)
    assert weights.rates[2]["backbone"] < 0.026
    assert {rate["head"] for rate in weights.rates} == {np.float32(0.02)}
    assert int(weights.slots[1]["backbone"][0]) == 0
    assert int(weights.slots[3]["backbone"][0]) == 2 * BATCHES
    assert task.traced == 2


@pytest.mark.slow
def test_a_second_run_with_the_same_optimizer_scales_its_schedule_once():
    class Keeps(TwoParts):
        optimizer = None

        def configure_optimizers(self):
            if self.optimizer is None:
                rate = keras.optimizers.schedules.CosineDecay(0.1, 1000)
                self.optimizer = keras.optimizers.Adam(rate)
            return self.optimizer

    task = Keeps()
    for _ in range(2):
        weights, _ = watched(epochs=2, task=task)
        before, after = weights.rates[1][""], weights.rates[2][""]
        assert after == pytest.approx(0.1 * before, rel=0.01)


@pytest.mark.slow
def test_accumulation_clipping_and_mixed_precision_go_with_it():
    trainer = {
        "accumulate_grad_batches": 3,
        "gradient_clip_val": 1.0,
        "precision": "16-mixed",
    }
    weights, _ = watched(trainer=trainer)
    assert weights.moved(0) == {"head"}
    assert weights.moved(2) == {"low", "high", "head"}


# ---- resume


SCHEDULE = keras.optimizers.schedules.CosineDecay(0.1, 40)


TWO = {"backbone": SCHEDULE, "head": 0.05}


@pytest.mark.parametrize(
    ("rates", "stop"),
    [
        pytest.param(0.05, 5, marks=pytest.mark.slow),
        pytest.param(0.05, 13, marks=pytest.mark.slow),
        pytest.param(SCHEDULE, 13, marks=pytest.mark.slow),
        (TWO, 8),
        pytest.param(TWO, 13, marks=pytest.mark.slow),
    ],
)
def test_a_resumed_run_equals_the_one_never_stopped(tmp_path, rates, stop):
    assert_resume_is_exact(
        tmp_path,
        lambda: TwoParts(rates),
        lambda: [BackboneFinetuning(unfreeze_at_epoch=1, always_frozen=["low"])],
        stop=stop,
        end=20,
    )


@pytest.mark.slow
@pytest.mark.parametrize(("rates", "stop"), [(0.05, 4), (TWO, 10), (TWO, 13)])
def test_all_three_together_resume_exactly(tmp_path, rates, stop):
    # 8 updates, then 4 an epoch, then 3.
    assert_resume_is_exact(
        tmp_path,
        lambda: TwoParts(rates),
        lambda: [
            EarlyStopping("val_loss", patience=20),
            BackboneFinetuning(unfreeze_at_epoch=1, train_batch_norm=True),
            GradientAccumulationScheduler({1: 2, 2: 3}),
            EMA(0.9, warmup=True),
        ],
        stop=stop,
        end=16,
    )


@pytest.mark.slow
def test_a_resume_by_the_same_trainer_freezes_again(tmp_path):
    task, weights = Counted(), Weights()
    callbacks = [BackboneFinetuning(unfreeze_at_epoch=1), weights]
    trainer = fitted(task, max_epochs=1, callbacks=callbacks, seed=3)
    trainer.save_checkpoint(tmp_path / "frozen")
    trainer.max_epochs = 2
    trainer.fit(task, ckpt_path=tmp_path / "frozen")
    expected, rates = bits(dict(enumerate(task.model.weights))), weights.rates[-1]
    trainer.fit(task, ckpt_path=tmp_path / "frozen")
    assert weights.trainable[-2] == {"head"}
    assert weights.trainable[-1] == {"low", "high", "head"}
    assert bits(dict(enumerate(task.model.weights))) == expected
    assert weights.rates[-1] == rates


@pytest.mark.slow
def test_another_fit_goes_on_unfrozen_and_lowers_nothing_again():
    task, weights = Counted(), Weights()
    callbacks = [BackboneFinetuning(unfreeze_at_epoch=1), weights]
    trainer = fitted(task, max_epochs=2, callbacks=callbacks, seed=3)
    trainer.max_epochs = 3
    trainer.fit(task)
    assert weights.rates[-1][""] == pytest.approx(0.005)
    assert weights.trainable[-1] == {"low", "high", "head"}


@pytest.mark.slow
def test_with_model_checkpoint_and_early_stopping(tmp_path):
    def run(folder, epochs):
        saves = ModelCheckpoint(tmp_path / folder, monitor="val_loss", save_last=True)
        tuning = BackboneFinetuning(unfreeze_at_epoch=2)
        callbacks = [saves, EarlyStopping("val_loss", patience=9), tuning]
        shared = {"enable_checkpointing": True, "seed": 1, "num_sanity_val_steps": 0}
        return {"max_epochs": epochs, "callbacks": callbacks, **shared}

    whole = fitted(TwoParts(), **run("whole", 4))
    fitted(TwoParts(), **run("part", 3))
    again = resumed(TwoParts(), tmp_path / "part" / "last.ckpt", **run("again", 4))
    assert again.callback_metrics == whole.callback_metrics


# ---- names


class Hubbed(BoringTask):
    """Networks in a list, and a backbone inside a model."""

    def configure_model(self):
        super().configure_model()
        base = keras.Sequential([keras.Input((32,)), keras.layers.Dense(3)], name="base")
        head = keras.layers.Dense(2)
        self.model = keras.Sequential([keras.Input((32,)), base, head], name="classifier")
        self.networks = [keras.layers.Dense(4), {"deep": self.model}]


@pytest.mark.parametrize("path", ["model.base", "networks.1.deep.base"])
def test_a_path_goes_through_attributes_lists_dicts_and_layer_names(path):
    task = Hubbed()
    base = {}

    class Looks(Callback):
        def on_train_epoch_end(self, trainer, task):
            layer = task.model.get_layer("base")
            base[trainer.current_epoch] = [w.numpy().tolist() for w in layer.weights]

    callbacks = [BackboneFinetuning(path, unfreeze_at_epoch=2), Looks()]
    fitted(task, max_epochs=3, callbacks=callbacks)
    assert base[0] == base[1]
    assert base[1] != base[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backbone": "bakbone"}, r"TwoParts has no 'bakbone'\. Did you mean 'backbone'\?"),
        ({"backbone": "model.bakbone"}, r"model has no 'bakbone'\. Did you mean 'backbone'\?"),
        ({"layers": "hihg"}, r"layers='hihg'.*Did you mean 'high'\?"),
        ({"layers": 4}, "layers=4.*there are 3 layers with weights"),
        ({"head": "hihg"}, r"head='hihg'.*Did you mean 'high'\?"),
        ({"always_frozen": ["lwo"]}, r"no layer 'lwo'\. Did you mean 'low'\?"),
        ({"always_frozen": ["low", "norm", "high"]}, "would unfreeze nothing"),
        ({"backbone": "model"}, "leaves nothing to train"),
        ({"backbone": "heads"}, "is a dict; name a layer or a model"),
    ],
)
def test_a_wrong_name_is_told_before_training_with_the_nearest(arguments, message):
    class Heads(TwoParts):
        def configure_model(self):
            super().configure_model()
            self.heads = {"head": self.head}

        def training_step(self, batch):
            raise AssertionError("training has begun")

    Heads.__name__ = "TwoParts"
    with pytest.raises(ConfigurationError, match=message):
        fitted(Heads(), max_epochs=1, callbacks=[BackboneFinetuning(**arguments)])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"unfreeze_at_epoch": 0}, "unfreeze_at_epoch is 0"),
        ({"layers": 0}, "layers=0"),
        ({"head": True}, "head=True"),
        ({"learning_rate_factor": 0.0}, r"learning_rate_factor=0\.0"),
        ({"always_frozen": "low"}, "always_frozen='low'"),
    ],
)
def test_arguments_that_cannot_work_are_refused(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        BackboneFinetuning(**arguments)


def test_a_rate_that_is_a_function_is_refused_unless_it_is_left_alone():
    class Calls(TwoParts):
        def configure_optimizers(self):
            return keras.optimizers.SGD(lambda: 0.1)

    with pytest.raises(ConfigurationError, match=r"pass learning_rate_factor=1\.0"):
        watched(task=Calls())
    weights, _ = watched(task=Calls(), learning_rate_factor=1.0)
    assert weights.moved(1) == {"low", "high", "head"}


def test_two_that_overlap_are_refused_and_two_that_do_not_work():
    parts = [
        BackboneFinetuning("backbone", unfreeze_at_epoch=1),
        BackboneFinetuning("model.backbone", unfreeze_at_epoch=2),
    ]
    with pytest.raises(ConfigurationError, match="have layers in common"):
        fitted(TwoParts(), max_epochs=3, callbacks=parts)
    weights = Weights()
    parts = [
        BackboneFinetuning("backbone.low", unfreeze_at_epoch=2),
        BackboneFinetuning("backbone.high", unfreeze_at_epoch=1),
        weights,
    ]
    schedule = keras.optimizers.schedules.PolynomialDecay(0.1, 10**6, 0.0999)
    fitted(TwoParts(schedule), max_epochs=3, callbacks=parts)
    assert weights.moved(0) == {"norm", "head"}
    assert weights.moved(1) == {"norm", "high", "head"}
    assert weights.moved(2) == {"low", "norm", "high", "head"}
    rates = [rate[""] for rate in weights.rates]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.001], rel=1e-3)


# ---- a real task


@pytest.mark.slow
def test_a_backbone_that_knows_digits_is_finetuned_below_a_new_head():
    shape = (8, 8, 1)
    layers = [keras.layers.Conv2D(16, 3, activation="relu"), keras.layers.BatchNormalization()]
    base = keras.Sequential([keras.Input(shape), *layers, keras.layers.Flatten()], name="base")

    def task():
        inputs = keras.Input(shape)
        return ImageClassification(
            "digits", keras.Model(inputs, keras.layers.Dense(10)(base(inputs)))
        )

    fitted(task(), max_epochs=4, seed=0)
    kernel = layers[0].kernel.numpy()
    tuning = BackboneFinetuning("model.base", unfreeze_at_epoch=3, layers=2)
    tuned = task()
    trainer = fitted(tuned, max_epochs=5, seed=0, callbacks=[tuning, EMA(0.9)])
    assert tuning.is_unfrozen
    assert not np.array_equal(layers[0].kernel, kernel)
    assert trainer.test(tuned)["test_accuracy"] > 0.9


@pytest.mark.slow
def test_a_backbone_of_keras_hub_is_found():
    import keras_hub

    backbone = keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[3],
        stackwise_num_filters=[64],
        stackwise_num_blocks=[2],
        stackwise_num_strides=[1],
        block_type="basic_block",
        image_shape=(None, None, 3),
    )
    images = np.random.default_rng(0).uniform(size=(16, 8, 8, 3)).astype("float32")
    data = (images, np.arange(16) % 3)
    task = ImageClassification(data, backbone, batch_size=8)
    frozen = {}

    class Looks(Callback):
        def on_train_epoch_end(self, trainer, task):
            weights = task.model.backbone.trainable_weights
            frozen[trainer.current_epoch] = not weights

    callbacks = [BackboneFinetuning("model.backbone", unfreeze_at_epoch=1), Looks()]
    fitted(task, max_epochs=2, limit_train_batches=1, limit_val_batches=0, callbacks=callbacks)
    assert frozen == {0: True, 1: False}


@pytest.mark.slow
def test_a_checkpoint_is_evaluated_without_the_callback(tmp_path):
    trainer = fitted(TwoParts(), max_epochs=2, callbacks=[BackboneFinetuning(unfreeze_at_epoch=1)])
    trainer.save_checkpoint(tmp_path / "tuned")
    plain = Trainer(**quiet())
    measured = plain.validate(TwoParts(), ckpt_path=tmp_path / "tuned")
    assert measured["val_loss"] == pytest.approx(trainer.callback_metrics["val_loss"])
