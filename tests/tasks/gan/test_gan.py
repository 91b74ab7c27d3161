"""GAN: what is learnt, what is drawn, what is refused, on one device and on two."""

import functools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import Rows, fitted, named, quiet
from helpers.replicated import assert_equal_on_replicas
from helpers.resumable import assert_resume_is_exact
from helpers.small_gan import CLASSES, SIDE, few_images, small_gan

from lightning_tf import Trainer
from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.tasks import GAN, ImageClassification

LOSSES = ("minimax", "lsgan", "hinge", "wgan-gp")


def weights(task):
    models = (task.generator, task.discriminator, *([task.averaged_generator] if task.ema else []))
    return [np.asarray(weight) for model in models for weight in model.variables]


def differ(one, other):
    return any(not np.array_equal(a, b) for a, b in zip(weights(one), weights(other), strict=True))


def trained(loss="minimax", seed=0, epochs=1, **options):
    task = small_gan(loss, **options)
    fitted(task, max_epochs=epochs, seed=seed, limit_val_batches=0)
    return task


def configured(**options):
    """With the weights of the beginning, which is all that a test of shapes needs."""
    task = small_gan(**options)
    task.configure_model()
    return task


@functools.cache
def baseline():
    """What is learnt with no option given."""
    return trained()


def pair(side=SIDE, latent_dim=6, norm=False, outputs=1):
    """A generator and a discriminator of one's own."""
    layers = keras.layers
    generator = keras.Sequential(
        [
            keras.Input((latent_dim,)),
            layers.Dense(side * side, activation="tanh"),
            layers.Reshape((side, side, 1)),
        ]
    )
    hidden = [layers.BatchNormalization()] if norm else []
    discriminator = keras.Sequential(
        [keras.Input((SIDE, SIDE, 1)), layers.Flatten(), *hidden, layers.Dense(outputs)]
    )
    return generator, discriminator


# ---- it learns


@pytest.mark.slow
def test_digits_are_made_that_a_classifier_takes_for_all_ten():
    classifier = ImageClassification("digits")
    fitted(classifier, max_epochs=6, seed=0)
    task = GAN(
        "digits",
        networks="mlp",
        learning_rate=5e-4,
        batch_size=64,
        quality=classifier,
        quality_every_n_epochs=15,
    )
    rows = Rows()
    trainer = Trainer(**quiet(max_epochs=60, seed=0, logger=rows))
    trainer.fit(task)
    (_, first), *_, (_, last) = rows.column("train/fid")
    assert last < first / 2
    assert last < 15
    assert trainer.callback_metrics["classes_covered"] == 10
    assert trainer.callback_metrics["fid_floor"] < 3


@pytest.mark.parametrize(
    "loss",
    ["minimax", *(pytest.param(name, marks=pytest.mark.slow) for name in LOSSES[1:])],
)
def test_generated_images_come_near_the_brightness_of_real_ones(loss):
    x = np.full((64, SIDE, SIDE, 1), 200, "uint8")
    x[:, :4] = 40
    task = small_gan(loss, data=x, learning_rate=1e-2, n_critic=2, ema=0.5, batch_size=16)
    fitted(task, max_epochs=25, seed=0)
    images = task.sample(50)
    assert images[:, :4].mean() == pytest.approx(40, abs=35)
    assert images[:, 4:].mean() == pytest.approx(200, abs=35)


@pytest.mark.slow
def test_a_conditional_gan_makes_the_class_that_is_asked_for():
    x, y = few_images(240)
    task = small_gan(
        data=(x, y), conditional=True, learning_rate=5e-3, width=32, ema=0.9, batch_size=24
    )
    fitted(task, max_epochs=120, seed=0)
    for label in range(CLASSES):
        rows = task.sample(40, labels=label).mean(axis=(2, 3))
        assert (rows[:, [0, 2, 4]].argmax(axis=1) == label).mean() > 0.9


# ---- options


@pytest.mark.slow
@pytest.mark.parametrize(
    "option",
    [
        {"n_critic": 2},
        {"label_smoothing": 0.1},
        {"ema": 0.1},
        {"spectral_normalization": True},
        {"loss": "hinge"},
        {"latent_dim": 5},
        {"dropout": 0.5},
        {"optimizer": "sgd"},
        {"learning_rate": (2e-3, 1e-3)},
        {"batch_size": 4},
    ],
    ids=named,
)
def test_every_option_changes_what_is_learnt(option):
    plain, other = baseline(), trained(**option)
    one, two = weights(plain), weights(other)
    same_shapes = [a.shape for a in one] == [b.shape for b in two]
    assert not same_shapes or differ(plain, other)


@pytest.mark.slow
def test_the_weight_of_the_penalty_counts():
    assert differ(trained("wgan-gp"), trained("wgan-gp", penalty_weight=1.0))


@pytest.mark.slow
def test_the_seed_of_the_trainer_repeats_a_run():
    assert not differ(baseline(), trained())


def test_updates_of_both_optimizers_are_counted():
    task = small_gan(n_critic=3)
    trainer = fitted(task, max_steps=4, limit_val_batches=0)
    assert int(trainer.optimizers["generator"].iterations) == 4
    assert int(trainer.optimizers["discriminator"].iterations) == 12


def test_what_is_logged_has_the_names_that_the_docstring_gives():
    trainer = fitted(small_gan("wgan-gp", n_critic=1, data=few_images(60)), max_epochs=1)
    names = {"generator_loss", "discriminator_loss", "real_score", "fake_score"}
    expected = names | {f"val_{name}" for name in names} | {"gradient_penalty"}
    assert set(trainer.callback_metrics) == expected


def test_the_average_follows_the_generator_by_its_formula():
    task = small_gan(ema=0.9)
    trainer = Trainer(**quiet(max_steps=1, seed=0, limit_val_batches=0))
    trainer.fit(task)
    average = [np.asarray(v) for v in task.averaged_generator.variables]
    later = Trainer(**quiet(max_steps=1, seed=5, limit_val_batches=0))
    later.fit(task)
    decay = 2 / 11  # of the first update of the new optimizer
    for old, new, moved in zip(
        average, task.generator.variables, task.averaged_generator.variables, strict=True
    ):
        expected = decay * old + (1 - decay) * np.asarray(new)
        np.testing.assert_allclose(moved, expected, atol=1e-6)
    assert not np.array_equal(average[0], task.averaged_generator.variables[0])


def test_dcgan_fits_small_and_odd_images_or_says_what_does():
    for side, channels in ((8, 1), (12, 3), (28, 1)):
        x = np.random.default_rng(0).integers(0, 255, (4, side, side, channels)).astype("uint8")
        task = small_gan(data=x, networks="dcgan", width=4)
        task.configure_model()
        assert task.generator.output_shape == (None, side, side, channels)
        assert task.discriminator.output_shape == (None, 1)
    with pytest.raises(ConfigurationError, match="25 x 25"):
        small_gan(
            data=np.zeros((4, 25, 25, 1), "uint8") + x[:, :25, :25], networks="dcgan", width=4
        ).configure_model()


# ---- samples


def test_samples_follow_their_seed_in_the_range_of_the_data():
    task = configured(data=(few_images()[0].astype("float32") / 255 - 0.5, few_images()[1]))
    one, same, other = task.sample(5), task.sample(5), task.sample(5, seed=1)
    assert one.shape == (5, SIDE, SIDE, 1)
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    low, high = task.value_range
    assert one.min() >= low
    assert one.max() <= high
    assert task.to_display_range(one).min() >= 0.0


def test_prediction_gives_the_images_of_its_latent_vectors():
    task = small_gan(conditional=True, num_samples=11)
    predicted = np.concatenate(Trainer(**quiet()).predict(task, collect=True))
    assert predicted.shape == (11, SIDE, SIDE, 1)
    batches = list(task.data.predict_dataset())
    np.testing.assert_allclose(
        predicted, np.concatenate([task.predict_step(b) for b in batches]), atol=1e-3
    )


def test_interpolation_begins_and_ends_where_its_vectors_are():
    task = configured(conditional=True)
    between = task.interpolate(3, steps=5, labels=[0, 1, 2], seed=4)
    assert between.shape == (3, 5, SIDE, SIDE, 1)
    ends = task.sample(6, labels=[0, 0, 1, 1, 2, 2], seed=4)
    np.testing.assert_allclose(between[:, 0], ends[::2], atol=1e-2)
    np.testing.assert_allclose(between[:, -1], ends[1::2], atol=1e-2)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("conditional", [False, True])
def test_an_exported_generator_makes_the_same_images(tmp_path, conditional):
    task = configured(conditional=conditional)
    task.configured = True
    task.export(tmp_path / "model")
    task.export(tmp_path / "model", format="keras") if not conditional else None
    vectors = np.random.default_rng(0).normal(size=(4, 6)).astype("float32")
    latent = (vectors, np.array([0, 1, 2, 0], "int32")) if conditional else vectors
    expected = task.predict_step(latent)
    served = tf.saved_model.load(tmp_path / "model")
    images = served.serve(list(map(tf.constant, latent)) if conditional else tf.constant(latent))
    np.testing.assert_allclose(images, expected, atol=1e-2)
    if not conditional:
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        np.testing.assert_allclose(loaded(vectors), expected, atol=1e-2)


def test_a_checkpoint_makes_the_same_images(tmp_path):
    task = small_gan()
    fitted(task, max_epochs=1, seed=0).save_checkpoint(tmp_path / "c", weights_only=True)
    again = GAN.from_checkpoint(tmp_path / "c", data=few_images())
    np.testing.assert_array_equal(again.sample(4), task.sample(4))
    assert json.loads(json.dumps(task.hparams)) == task.hparams


# ---- with the rest of the house


@pytest.mark.distributed
@pytest.mark.parametrize(
    ("loss", "options"),
    [
        ("wgan-gp", {"n_critic": 2, "optimizer": "sgd"}),
        *(
            pytest.param(loss, options, marks=pytest.mark.distributed)
            for loss, options in (
                ("hinge", {"spectral_normalization": True, "networks": "dcgan", "width": 4}),
                ("minimax", {"conditional": True}),
                ("lsgan", {"label_smoothing": 0.1}),
            )
        ),
    ],
    ids=named,
)
def test_two_replicas_learn_what_one_learns(loss, options):
    # The slope of a Wasserstein critic's last bias is 0 but for rounding, which Adam would enlarge.
    # 37 images in batches of 6: the last batch is one image, and one replica has none.
    assert_equal_on_replicas(
        lambda: small_gan(loss, data=few_images(37), batch_size=6, **options),
        tolerance=1e-4,
        evaluates=False,
        limit_val_batches=0,
    )


@pytest.mark.distributed
def test_replicas_draw_for_every_example_what_one_device_draws():
    assert_equal_on_replicas(
        lambda: small_gan(data=few_images(50), batch_size=7, optimizer="sgd"), counts=(4,)
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loss", "options"),
    [
        ("wgan-gp", {"n_critic": 2, "dropout": 0.3}),
        ("minimax", {"ema": 0.0}),
    ],
    ids=named,
)
def test_training_goes_on_exactly_where_a_checkpoint_stopped(tmp_path, loss, options):
    assert_resume_is_exact(tmp_path, lambda: small_gan(loss, **options), list, stop=3, end=8)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loss", "precision"),
    [
        ("wgan-gp", "16-mixed"),
        ("wgan-gp", "bf16-mixed"),
        ("minimax", "16-mixed"),
    ],
)
def test_mixed_precision_trains_and_makes_float32_images(loss, precision):
    task = small_gan(loss, networks="dcgan", width=4, n_critic=1)
    trainer = fitted(task, max_epochs=2, precision=precision, seed=0)
    assert np.isfinite(list(trainer.callback_metrics.values())).all()
    assert task.generator.output.dtype == task.discriminator.output.dtype == "float32"
    assert np.isfinite(task.sample(3)).all()


# ---- bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "hing"}, "Did you mean 'hinge'"),
        ({"networks": "dcgn"}, "Did you mean 'dcgan'"),
        ({"networks": (1, 2)}, "a pair of Keras models"),
        ({"data": "digts"}, "Did you mean 'digits'"),
        ({"n_critic": 0}, "n_critic is 0"),
        ({"n_critic": 1.5}, "n_critic is 1.5"),
        ({"latent_dim": 0}, "latent_dim is 0"),
        ({"ema": 1.0}, "ema is 1.0"),
        ({"penalty_weight": 0.0}, "penalty_weight is 0.0"),
        ({"dropout": -0.1}, "dropout is -0.1"),
        ({"label_smoothing": 0.1, "loss": "hinge"}, "label_smoothing=0.1"),
        ({"learning_rate": (1e-3,)}, "learning_rate"),
        ({"optimizer": keras.optimizers.Adam()}, "needs two"),
        ({"optimizer": "adm"}, "Did you mean 'adam'"),
        ({"quality": "nowhere.keras"}, "nothing is there"),
        ({"quality": 3}, "quality is a int"),
        ({"networks": pair(), "width": 8}, "width=8 is for the package's own"),
    ],
    ids=named,
)
def test_what_cannot_be_is_refused_when_it_is_named(options, message):
    with pytest.raises(ConfigurationError, match=message):
        GAN(**options)


@pytest.mark.parametrize(
    ("loss", "networks", "message"),
    [
        ("minimax", pair(side=6), r"outputs of shape \(None, 6, 6, 1\) .* the data's images"),
        ("minimax", pair(latent_dim=5), "cannot take inputs of shape"),
        ("minimax", pair(outputs=2), "a number each"),
        ("wgan-gp", pair(norm=True), "LayerNormalization"),
    ],
    ids=["image", "latent", "outputs", "batch normalisation"],
)
def test_networks_that_do_not_fit_are_told_before_training(loss, networks, message):
    with pytest.raises(ConfigurationError, match=message):
        configured(loss=loss, networks=networks)


def test_a_configuration_makes_two_optimizers():
    config = keras.optimizers.serialize(keras.optimizers.SGD(0.01))
    trainer = fitted(small_gan(optimizer=config, learning_rate=None), max_steps=2)
    first, second = trainer.optimizers.values()
    assert first is not second
    assert {type(first), type(second)} == {keras.optimizers.SGD}


def test_networks_of_ones_own_are_trained():
    networks = pair()
    before = np.asarray(networks[0].weights[0])
    fitted(small_gan(networks=networks), max_epochs=1)
    assert not np.array_equal(before, networks[0].weights[0])


def test_classes_need_labels_and_labels_need_classes():
    with pytest.raises(ConfigurationError, match="conditional=True needs a class"):
        configured(data=few_images()[0], conditional=True)
    task = configured()
    with pytest.raises(ConfigurationError, match="conditional=True"):
        task.sample(2, labels=1)
    with pytest.raises(DataError, match="0 to 2"):
        configured(conditional=True).sample(2, labels=[0, 5])


def test_several_critic_updates_and_accumulation_exclude_each_other():
    with pytest.raises(ConfigurationError, match="accumulate_grad_batches"):
        fitted(small_gan(n_critic=2), max_epochs=1, accumulate_grad_batches=2)
