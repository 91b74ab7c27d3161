"""TransferLearning: tiny backbones made on the spot go the way that the public ones go."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import Rows, fitted, quiet

from lightning_tf import Trainer
from lightning_tf.callbacks import EMA, BackboneFinetuning
from lightning_tf.exceptions import CheckpointError, ConfigurationError, DataError
from lightning_tf.tasks import TransferLearning

SIDE = 8


def arrays(count=64, channels=3):
    """Two classes of images: dark on top, or dark below."""
    random = np.random.default_rng(0)
    x = random.integers(100, 255, (count, SIDE, SIDE, channels))
    y = np.arange(count) % 2
    x[y == 0, : SIDE // 2] //= 3
    x[y == 1, SIDE // 2 :] //= 3
    return x.astype("uint8"), y.astype("int32")


def tiny_backbone(seed=0, channels=3):
    """Two convolutions with a normalisation between; the same weights for the same seed."""
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((SIDE, SIDE, channels)),
            keras.layers.Conv2D(6, 3, 2, "same", activation="relu", name="lower"),
            keras.layers.BatchNormalization(name="normalisation"),
            keras.layers.Conv2D(8, 3, 1, "same", activation="relu", name="upper"),
        ],
        name="tiny",
    )


def transfer(backbone=None, **options):
    defaults = {"batch_size": 16, "learning_rate": 1e-2, "schedule": "constant", **options}
    return TransferLearning(arrays(), backbone or tiny_backbone(), **defaults)


def weights(layer):
    return [weight.numpy() for weight in layer.weights]


def equal(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


# ---- what trains


def test_the_head_learns_and_the_backbone_stays_as_it_was():
    backbone = tiny_backbone()
    before = weights(backbone)
    trainer = fitted(task := transfer(backbone, dropout=0.0), max_epochs=25, seed=0)
    assert trainer.callback_metrics["accuracy"] > 0.9
    assert equal(before, weights(task.backbone))  # moving statistics included


def test_two_phases_in_one_fit_train_the_top_and_keep_what_is_fixed():
    task = transfer(train="all", fixed_layers=["lower"])
    thaw = BackboneFinetuning("backbone", unfreeze_at_epoch=1)
    first = weights(task.classifier.backbone.backbone)
    fitted(task, max_epochs=3, seed=0, callbacks=[thaw])
    moved = [not np.array_equal(a, b) for a, b in zip(first, weights(task.backbone), strict=True)]
    names = [weight.path.split("/")[-2] for weight in task.backbone.weights]
    assert dict(zip(names, moved, strict=True)) == {
        "lower": False,
        "normalisation": False,
        "upper": True,
    }


def test_all_of_it_trains_where_nobody_freezes_it():
    task = transfer(train="all")
    before = weights(task.classifier.backbone.backbone)
    fitted(task, max_epochs=1, seed=0)
    assert not any(
        np.array_equal(a, b) for a, b in zip(before, weights(task.backbone), strict=True)
    )


def test_the_callback_refuses_a_backbone_that_the_task_has_frozen():
    with pytest.raises(ConfigurationError, match="would unfreeze nothing"):
        fitted(transfer(), max_epochs=2, callbacks=[BackboneFinetuning("backbone", 1)])


@pytest.mark.parametrize(
    ("preprocessing", "limits"),
    [(None, (-1.0, 1.0)), ("[0, 1]", (0.0, 1.0)), ("[0, 255]", (0.0, 255.0))],
)
def test_the_images_reach_the_backbone_preprocessed_as_it_wants(preprocessing, limits):
    x = np.zeros((32, 4, 4, 3), "uint8")
    x[:, :2] = 255
    keep = keras.layers.Activation("linear")
    backbone = keras.Sequential([keras.Input((4, 4, 3)), keep])
    task = TransferLearning((x, np.arange(32) % 2), backbone, preprocessing=preprocessing)
    task.configure_model()
    maps = task.built.to_maps(x.astype("float32")).numpy()
    assert (maps.min(), maps.max()) == limits


def test_gray_images_get_three_channels():
    x, y = arrays(channels=1)
    task = TransferLearning((x, y), tiny_backbone(), batch_size=16)
    assert fitted(task, max_epochs=1).callback_metrics["loss"] > 0.0


# ---- cached features


def test_a_cache_changes_no_number_beyond_rounding():
    plain = transfer(dropout=0.3)
    cached = transfer(dropout=0.3, cache_features=True)
    rows = Rows(), Rows()
    for task, logger in zip((plain, cached), rows, strict=True):
        fitted(task, max_epochs=3, seed=0, logger=logger, log_every_n_steps=1)
    for name in ("train/loss", "val/loss", "val/accuracy"):
        one, other = (dict(logger.column(name)) for logger in rows)
        assert one.keys() == other.keys() != set()
        np.testing.assert_allclose(list(one.values()), list(other.values()), rtol=1e-4)
    for a, b in zip(weights(plain.head), weights(cached.head), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_a_cached_task_is_tested_and_predicts_on_images():
    task = TransferLearning(
        arrays(160),
        tiny_backbone(),
        cache_features=True,
        data_options={"test_fraction": 0.25},
        learning_rate=3e-2,
        dropout=0.0,
    )
    trainer = fitted(task, max_epochs=20, seed=0)
    assert trainer.test(task)["test_accuracy"] > 0.8
    predictions = np.concatenate(trainer.predict(task, collect=True))
    np.testing.assert_allclose(predictions.sum(axis=-1), 1.0, rtol=1e-5)


@pytest.mark.parametrize("wrong", [{"train": "all"}, {"augmentation": "flip"}])
def test_a_cache_refuses_what_would_change_the_features(wrong):
    with pytest.raises(ConfigurationError, match="cache_features=True goes without"):
        transfer(cache_features=True, **wrong)


def test_a_run_resumed_with_another_backbone_is_not_given_stale_features(tmp_path):
    first = transfer(cache_features=True)
    fitted(first, max_epochs=1, seed=0).save_checkpoint(tmp_path / "first.ckpt")
    other = transfer(tiny_backbone(seed=1), cache_features=True)
    trainer = Trainer(**quiet(max_epochs=2, seed=0))
    with pytest.raises(ConfigurationError, match="weights changed after its features were cached"):
        trainer.fit(other, ckpt_path=tmp_path / "first.ckpt")


# ---- with the rest of the house


@pytest.mark.parametrize("cached", [pytest.param(False, marks=pytest.mark.slow), True])
def test_a_resumed_run_equals_the_run_that_was_not_stopped(cached, tmp_path):
    def task():
        if cached:
            return transfer(cache_features=True)
        return transfer(train="all", augmentation="flip")

    def callbacks():
        return [] if cached else [BackboneFinetuning("backbone", 1, layers=1), EMA(0.9)]

    whole = task()
    fitted(whole, max_epochs=4, seed=0, callbacks=callbacks())
    trainer = Trainer(**quiet(max_epochs=2, seed=0, callbacks=callbacks()))
    trainer.fit(task())
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    resumed = task()
    trainer = Trainer(**quiet(max_epochs=4, seed=0, callbacks=callbacks()))
    trainer.fit(resumed, ckpt_path=tmp_path / "half.ckpt")
    assert equal(weights(whole.model), weights(resumed.model))


@pytest.mark.distributed
@pytest.mark.parametrize("cached", [False, True])
def test_two_devices_give_the_weights_of_one(cached, tmp_path):
    heads = []
    for devices in (1, 2):
        task = transfer(dropout=0.0, cache_features=cached)
        rows = Rows()
        fitted(task, max_epochs=2, seed=0, accelerator="cpu", devices=devices, logger=rows)
        heads.append(weights(task.head))
        assert "val/heat_maps" in [name for what, name, *_ in rows.sent if what == "figure"]
        task.export(tmp_path / str(devices))
    exported = tf.saved_model.load(str(tmp_path / "2")).signatures["serving_default"]
    images = tf.constant(arrays(4)[0].astype("float32"))
    np.testing.assert_allclose(
        exported(images)["probabilities"], task.predict_step(images), rtol=1e-4
    )
    for one, two in zip(*heads, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_under_mixed_precision_the_backbone_feels_it_and_the_head_is_float32():
    task = TransferLearning(
        (np.zeros((32, 32, 32, 3), "uint8"), np.arange(32) % 2), "MobileNetV2", weights=None
    )
    trainer = fitted(task, max_epochs=1, seed=0, precision="mixed_bfloat16", limit_val_batches=0)
    assert np.isfinite(trainer.callback_metrics["loss"])
    assert {layer.compute_dtype for layer in task.head.layers} == {"float32"}
    assert task.backbone.layers[1].compute_dtype == "bfloat16"


def test_a_task_comes_back_from_a_checkpoint_to_be_fine_tuned(tmp_path):
    task = transfer(cache_features=True)
    trainer = fitted(task, max_epochs=2, seed=0)
    trainer.save_checkpoint(tmp_path / "head.ckpt")
    again = TransferLearning.from_checkpoint(
        tmp_path / "head.ckpt",
        data=arrays(),
        backbone=tiny_backbone(seed=5),
        train="all",
        cache_features=False,
    )
    assert equal(weights(task.model), weights(again.model))
    assert fitted(again, max_epochs=1, seed=0).callback_metrics["loss"] < 1.0
    with pytest.raises(CheckpointError, match="backbone=Sequential"):
        TransferLearning.from_checkpoint(tmp_path / "head.ckpt", data=arrays())


# ---- Grad-CAM and export


def test_fit_logs_heat_maps_beside_the_predictions():
    rows = Rows()
    fitted(transfer(), max_epochs=1, logger=rows)
    figures = {name: figure for what, name, _, figure in rows.sent if what == "figure"}
    (grid,), (predictions,) = (figures[f"val/{x}"].axes for x in ("heat_maps", "predictions"))
    assert len(grid.images) == 2 * len(predictions.images)
    titles = [[text.get_text() for text in axes.texts] for axes in (grid, predictions)]
    assert titles[0] == titles[1]


# ---- bad input


@pytest.mark.parametrize(
    ("backbone", "options", "said"),
    [
        ("MobilNetV2", {}, "Did you mean 'MobileNetV2'"),
        (3, {}, "backbone is a int"),
        ("MobileNetV2", {"weights": "gone.h5"}, r"weights='gone.h5' .* is no file"),
        ("hub:gone", {"weights": "gone.h5"}, "is for names of keras.applications"),
        ("MobileNetV2", {"train": "heads"}, "Did you mean 'head'"),
        ("MobileNetV2", {"dropout": 1.0}, "dropout is 1.0"),
        ("MobileNetV2", {"hidden_units": 0}, "hidden_units is 0"),
        ("MobileNetV2", {"fixed_layers": "Conv1"}, "give a list"),
        ("MobileNetV2", {"preprocessing": "[0, 2]"}, r"preprocessing='\[0, 2\]'"),
        ("MobileNetV2", {"lerning_rate": 1.0}, "Did you mean 'learning_rate'"),
    ],
)
def test_a_wrong_argument_is_told_at_once(backbone, options, said):
    with pytest.raises(ConfigurationError, match=said):
        TransferLearning(arrays(), backbone, **options)


def test_a_layer_to_be_fixed_that_is_not_there_is_told():
    with pytest.raises(ConfigurationError, match="Did you mean 'lower'"):
        fitted(transfer(fixed_layers=["lowr"]), max_epochs=1)


@pytest.mark.parametrize(
    ("backbone", "said"),
    [
        ("MobileNetV2", r"'MobileNetV2' cannot take images of 8 x 8 .*larger image_size="),
        ("VGG16", r"'VGG16' cannot take images of 8 x 8 .*larger image_size="),
    ],
)
def test_images_that_are_too_small_are_told(backbone, said):
    with pytest.raises(ConfigurationError, match=said):
        fitted(TransferLearning(arrays(), backbone, weights=None), max_epochs=1)


def test_a_model_of_other_images_is_told():
    backbone = keras.Sequential([keras.Input((9, 9, 3)), keras.layers.Flatten()])
    with pytest.raises(ConfigurationError, match=r"cannot take the data's images of shape"):
        fitted(transfer(backbone), max_epochs=1)


def test_a_model_that_ends_in_no_features_is_told():
    backbone = keras.Sequential([keras.Input((SIDE, SIDE, 3)), keras.layers.Reshape((64, 3))])
    with pytest.raises(ConfigurationError, match=r"must give feature maps .* or vectors"):
        fitted(transfer(backbone), max_epochs=1)


def test_a_class_with_one_image_is_told(tmp_path):
    from PIL import Image

    for name, count in (("many", 20), ("single", 1)):
        (tmp_path / name).mkdir()
        for index in range(count):
            image = np.full((SIDE, SIDE, 3), index * 10, "uint8")
            Image.fromarray(image).save(tmp_path / name / f"{index}.png")
    task = TransferLearning(str(tmp_path), tiny_backbone(), image_size=SIDE)
    with pytest.raises(DataError, match="class 'single' has one example"):
        fitted(task, max_epochs=1)


# ---- real images

WEIGHTS = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"


@pytest.mark.slow
def test_a_linear_head_tells_cats_from_dogs(real_data):
    file = real_data / WEIGHTS
    if not file.is_file():
        pytest.skip(f"{WEIGHTS} is not in the folder of real data")
    task = TransferLearning(
        str(real_data / "cats_dogs"), weights=str(file), image_size=160, cache_features=True
    )
    trainer = fitted(task, max_epochs=30, seed=0)
    assert trainer.test(task)["test_accuracy"] >= 0.9625
