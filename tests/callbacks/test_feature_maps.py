"""FeatureMaps: what convolutions give for images, and figures of it in every logger."""

import keras
import numpy as np
import pytest
from helpers.boring import BoringTask, Rows, fitted

from lightning_tf.callbacks import FeatureMaps
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks import ImageClassification, KerasTask, TransferLearning

IMAGES = np.random.default_rng(0).random((40, 8, 8, 3)).astype("float32")
LABELS = np.arange(40) % 2


def layers():
    return [
        keras.layers.Conv2D(4, 3, padding="same", name="first"),
        keras.layers.DepthwiseConv2D(3, name="depthwise"),
        keras.layers.SeparableConv2D(5, 3, name="separable"),
        keras.layers.Conv2DTranspose(7, 2, name="transposed"),
        keras.layers.Conv2D(6, 1, name="last"),
        keras.layers.ReLU(name="relu"),
        keras.layers.GlobalAveragePooling2D(name="pool"),
        keras.layers.Dense(2, name="logits"),
    ]


def image_task(network=None):
    model = keras.Sequential([keras.Input((8, 8, 3)), *layers()])
    return ImageClassification((IMAGES, LABELS), network or model, batch_size=4)


def figures(rows):
    return {name: figure for what, name, _, figure in rows.sent if what == "figure"}


def test_the_first_and_the_last_convolution_are_logged_every_so_many_epochs():
    rows = Rows()
    callback = FeatureMaps(images=2, channels=3, every_n_epochs=2)
    fitted(image_task(), max_epochs=3, logger=rows, callbacks=[callback])

    steps = [step for what, name, step, _ in rows.sent if name == "feature_maps/first"]
    assert len(steps) == 1  # after the second of three epochs
    names = {name for name in figures(rows) if not name.startswith("val/")}
    # A kernel of 1 x 1 is no image.
    assert names == {"filters/first", "feature_maps/first", "feature_maps/last"}
    maps = figures(rows)["feature_maps/first"]
    assert len(maps.axes) == 4  # an image and its maps, twice
    assert maps.get_suptitle() == "first: 3 of 4 maps, 8 x 8"


def test_maps_are_what_the_layers_give_and_nothing_stays_behind():
    task = image_task()
    fitted(task, max_epochs=1)
    model = task.model
    names = ["first", "depthwise", "relu"]
    maps = FeatureMaps(names).feature_maps(task, IMAGES[:2])
    expected = keras.Model(model.inputs, [model.get_layer(name).output for name in names])
    inputs = task.built.inputs(task._images(IMAGES[:2]))
    for name, array in zip(names, expected(inputs), strict=True):
        np.testing.assert_allclose(maps[name], array, rtol=1e-5, atol=1e-5)
    assert not any("call" in vars(layer) for layer in model.layers)


def test_filters_have_a_place_for_each_input_channel():
    task = image_task()
    fitted(task, max_epochs=1)
    chosen = ["first", "depthwise", "separable", "transposed", "last", "relu"]
    filters = FeatureMaps(chosen).filters(task)
    assert {name: kernel.shape for name, kernel in filters.items()} == {
        "first": (3, 3, 3, 4),
        "depthwise": (3, 3, 1, 4),
        "separable": (3, 3, 1, 4),
        "transposed": (2, 2, 5, 7),
    }
    kernel = task.model.get_layer("transposed").kernel.numpy()  # (2, 2, 7, 5)
    np.testing.assert_array_equal(filters["transposed"][..., 3], kernel[:, :, 3])


def test_layers_inside_a_backbone_are_reached():
    backbone = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, name="inner")])
    rows = Rows()
    task = TransferLearning((IMAGES, LABELS), backbone, cache_features=True)
    fitted(task, max_epochs=1, logger=rows, callbacks=[FeatureMaps("inner")])
    assert {"filters/inner", "feature_maps/inner"} <= set(figures(rows))


def test_images_may_be_given_and_a_task_of_ones_own_has_them_drawn():
    model = keras.Sequential([keras.Input((8, 8, 3)), *layers()])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    task = KerasTask(model, loss=loss, optimizer="sgd", data=(IMAGES, LABELS))
    rows = Rows()
    fitted(task, max_epochs=1, logger=rows, callbacks=[FeatureMaps("relu", images=IMAGES[:3])])
    assert len(figures(rows)["feature_maps/relu"].axes) == 6


def test_a_run_is_the_same_with_it_and_without():
    weights = []
    for callbacks in ([], [FeatureMaps(images=3)]):
        task = image_task("convnet")
        fitted(task, max_epochs=2, seed=0, logger=Rows(), callbacks=callbacks)
        weights.append(task.model.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_without_a_logger_nothing_is_computed():
    fitted(image_task(), max_epochs=1, callbacks=[FeatureMaps("no such layer")])


def test_what_cannot_be_drawn_is_refused_before_training():
    with pytest.raises(ConfigurationError, match=r"no layer 'frist'.*'first'\? Known: depthwise"):
        fitted(image_task(), max_epochs=1, logger=Rows(), callbacks=[FeatureMaps("frist")])
    with pytest.raises(ConfigurationError, match=r"no convolution\. Leave the callback out"):
        fitted(BoringTask(), max_epochs=1, logger=Rows(), callbacks=[FeatureMaps()])
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2, name="dense")])
    data = (IMAGES[:, 0, :2].reshape(40, 6), IMAGES[:, 0, :2, 0])
    numbers = KerasTask(model, loss="mse", optimizer="sgd", data=data)
    callbacks = [FeatureMaps("dense", images=3)]
    with pytest.raises(ConfigurationError, match=r"of shape \(3, 6\); it draws"):
        fitted(numbers, max_epochs=1, logger=Rows(), callbacks=callbacks)
    task = image_task()
    fitted(task, max_epochs=1)
    with pytest.raises(ConfigurationError, match=r"layer 'pool' gives \(40, 6\)"):
        FeatureMaps("pool").feature_maps(task, IMAGES)
    for arguments in ({"images": 0}, {"channels": 0}, {"every_n_epochs": 0}):
        with pytest.raises(ConfigurationError, match="FeatureMaps: "):
            FeatureMaps(**arguments)


def test_layers_without_maps_and_images_of_another_shape_are_refused_before_training():
    for callback, match in (
        (FeatureMaps("logits"), r"'logits' gives \(1, 2\)"),
        (
            FeatureMaps(images=np.zeros((2, 8, 8, 1), "float32")),
            r"does not take images of shape \(2, 8, 8, 1\); give images= of .* these: .*incompat",
        ),
    ):
        task = image_task()
        with pytest.raises(ConfigurationError, match=f"(?s){match}"):
            fitted(task, max_epochs=1, logger=Rows(), callbacks=[callback])
        assert task.trainer.global_step == 0


def test_no_layers_and_no_images_are_refused_when_the_callback_is_made():
    for layers in (3, [], [3], ()):
        with pytest.raises(ConfigurationError, match=r"layers=.* names no layers; give names"):
            FeatureMaps(layers)
    with pytest.raises(ConfigurationError, match=r"shape \(0, 8, 8, 3\) are none; give at least"):
        FeatureMaps(images=IMAGES[:0])
    with pytest.raises(ConfigurationError, match=r"of shape \(8, 8, 3\); it draws"):
        FeatureMaps(images=IMAGES[0])


def test_layers_of_the_same_name_go_by_their_places():
    inner = keras.Sequential(
        [keras.Input((8, 8, 4)), keras.layers.Conv2D(5, 3, name="c")], name="inner"
    )
    outer = keras.layers.Conv2D(4, 3, padding="same", name="c")
    pool = keras.layers.GlobalAveragePooling2D()
    task = image_task(
        keras.Sequential([keras.Input((8, 8, 3)), outer, inner, pool, keras.layers.Dense(2)])
    )
    rows = Rows()
    fitted(task, max_epochs=1, logger=rows, callbacks=[FeatureMaps()])
    assert {"filters/c", "filters/inner/c", "feature_maps/c", "feature_maps/inner/c"} <= set(
        figures(rows)
    )

    callback = FeatureMaps(["inner/c", "c", "c"])
    kernels, maps = callback.filters(task), callback.feature_maps(task, IMAGES[:2])
    np.testing.assert_array_equal(kernels["c"], outer.kernel)
    np.testing.assert_array_equal(kernels["inner/c"], inner.layers[-1].kernel)
    assert {name: array.shape for name, array in maps.items()} == {
        "inner/c": (2, 6, 6, 5),
        "c": (2, 8, 8, 4),
    }


def test_layers_of_the_same_name_in_two_models_go_by_their_models_too():
    task = BoringTask()
    for name in ("one", "two"):
        layer = keras.layers.Conv2D(4, 3, name="c")
        setattr(task, name, keras.Sequential([keras.Input((8, 8, 3)), layer]))
    with pytest.raises(ConfigurationError, match=r"no layer 'c'.*Known: one/c, two/c"):
        FeatureMaps("c").chosen_layers(task)
    assert FeatureMaps("two/c").chosen_layers(task) == {"two/c": task.two.layers[-1]}
