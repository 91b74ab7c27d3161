"""StyleTransfer: small images and a VGG of random weights; real ones at the end."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import Rows, fitted, named, quiet
from helpers.replicated import assert_equal_on_replicas
from helpers.resumable import assert_killed_run_is_exact, assert_resume_is_exact
from helpers.style_tasks import CHEAP, HEIGHT, WIDTH, fast_network, optimized_image, pixels
from PIL import Image

from lightning_tf import Trainer
from lightning_tf.callbacks import WandbLogger
from lightning_tf.data.sources.repetitions import Repetitions
from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.tasks import StyleTransfer


@pytest.fixture(scope="session")
def vgg(tmp_path_factory):
    """A file of one VGG16's random weights: two tasks see the same."""
    import warnings

    import keras

    file = tmp_path_factory.mktemp("vgg") / "vgg16.weights.h5"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Keras' own saving
        keras.utils.set_random_seed(0)
        keras.applications.VGG16(include_top=False, weights=None).save_weights(file)
    return file


MAKERS = {"optimize": optimized_image, "fast": fast_network}
# Tracing the network and its gradient takes 5 s and more.
METHODS = ["optimize", pytest.param("fast", marks=pytest.mark.slow)]


# ---- optimize


def test_the_image_moves_towards_the_style_and_is_the_only_thing_that_trains(vgg):
    rows = Rows()
    task = optimized_image(vgg, content_weight=0.0, style_weight=1.0)
    trainer = fitted(task, max_steps=40, seed=0, logger=rows, log_every_n_steps=5)
    style = [value for _, value in rows.column("train/style_loss")]
    assert style[-1] < 0.3 * style[0]
    (owned,) = [o.variables for o in trainer.training.optimizers.values()]
    assert [tuple(v.shape) for v in owned] == [(1, HEIGHT, WIDTH, 3)]
    total = trainer.callback_metrics
    assert total["loss"] == pytest.approx(total["style_loss"] + total["tv_loss"], rel=1e-4)


@pytest.mark.slow
def test_without_a_style_the_content_comes_back_from_noise(vgg):
    task = optimized_image(vgg, start="noise", style_weight=0.0, tv_weight=0.0, learning_rate=0.05)
    rows = Rows()
    fitted(task, max_steps=100, seed=0, logger=rows, log_every_n_steps=10)
    losses = [value for _, value in rows.column("train/content_loss")]
    assert losses[-1] < 0.2 * losses[0]


def test_the_image_stays_within_what_can_be_shown(vgg):
    task = optimized_image(vgg, learning_rate=5.0)
    fitted(task, max_steps=3, seed=0)
    stylized = np.asarray(task.preview())
    assert stylized.min() >= 0.0
    assert stylized.max() <= 1.0
    assert stylized.std() > 0.1


@pytest.mark.slow
def test_a_total_variation_weight_smoothes(vgg):
    variations = []
    for weight in (0.0, 1000.0):
        task = optimized_image(vgg, tv_weight=weight, start="noise")
        fitted(task, max_steps=20, seed=0)
        variations.append(float(np.abs(np.diff(task.preview(), axis=1)).mean()))
    assert variations[1] < 0.7 * variations[0]


@pytest.mark.slow
def test_a_style_of_all_the_weight_is_as_that_style_alone(vgg):
    arguments = {"weights": vgg, "image_size": WIDTH, "progress_every": 0, **CHEAP}
    styles = [pixels(1), pixels(5)]
    stylized = {}
    for name, style, weights in (
        ("first", styles[0], None),
        ("mostly first", styles, [1.0, 1e-6]),
        ("both", styles, [1.0, 1.0]),
    ):
        task = StyleTransfer(pixels(0), style, style_weights=weights, **arguments)
        fitted(task, max_steps=5, seed=0)
        stylized[name] = task.preview()
    assert np.abs(stylized["first"] - stylized["mostly first"]).max() < 0.02
    assert np.abs(stylized["first"] - stylized["both"]).max() > 0.05


def test_luminance_keeps_the_hues_of_the_content(vgg):
    task = optimized_image(vgg, colors="luminance", style_weight=20.0)
    fitted(task, max_steps=15, seed=0)
    stylized, content = task.preview()[0], pixels(0) / 255.0
    hues = np.array([[0.596, -0.274, -0.322], [0.211, -0.523, 0.312]]).T
    inside = (stylized > 0.004) & (stylized < 0.996)  # a clipped channel loses its hue
    whole = inside.all(-1)
    assert whole.mean() > 0.3
    np.testing.assert_allclose((stylized @ hues)[whole], (content @ hues)[whole], atol=0.01)
    assert np.abs(stylized - content).mean() > 0.02


@pytest.mark.slow
def test_histogram_leaves_the_image_nearer_to_the_colors_of_the_content(vgg):
    content = pixels(0) // 4
    means = {}
    for colors in ("style", "histogram"):
        task = StyleTransfer(
            content, pixels(1) // 2 + 127, weights=vgg, colors=colors, image_size=WIDTH, **CHEAP
        )
        fitted(task, max_steps=30, seed=0)
        means[colors] = task.preview().mean()
    goal = content.mean() / 255.0
    assert abs(means["histogram"] - goal) < 0.5 * abs(means["style"] - goal)


def test_the_loggers_see_the_image_on_its_way(vgg):
    rows = Rows()
    fitted(optimized_image(vgg, progress_every=4), max_steps=10, seed=0, logger=rows)
    sent = [(name, step) for what, name, step, _ in rows.sent if what == "images"]
    assert sent == [("train/stylized", step) for step in (4, 8, 10)]


def test_the_finished_image_is_a_png_with_the_transparency_of_the_content(vgg, tmp_path):
    content = np.dstack([pixels(0), np.full((HEIGHT, WIDTH), 255, "uint8")])
    content[:8, :, 3] = 0
    Image.fromarray(content).save(tmp_path / "content.png")
    Image.fromarray(pixels(1)).save(tmp_path / "style.jpg")
    task = StyleTransfer(
        tmp_path / "content.png", str(tmp_path / "style.jpg"), weights=vgg, **CHEAP, image_size=40
    )
    fitted(task, max_steps=2, seed=0)
    stylized = task.stylize(out=tmp_path / "deep" / "made.png")
    assert stylized.shape == (30, 40, 4)
    assert (stylized[:6, :, 3] < 5).all()  # resizing rings beside the edge
    assert (stylized[14:, :, 3] > 250).all()
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "deep" / "made.png")), stylized)


# ---- fast


@pytest.mark.slow
def test_a_network_learns_a_style_and_paints_an_image_of_another_size(vgg, tmp_path):
    task = fast_network(vgg, learning_rate=1e-2, content_weight=0.1, style_weight=10.0, filters=8)
    rows = Rows()
    fitted(task, max_steps=40, seed=0, logger=rows, log_every_n_steps=5)
    style = [value for _, value in rows.column("train/style_loss")]
    assert style[-1] < 0.5 * style[0]
    assert rows.column("val/style_loss")[-1][1] < 0.5 * style[0]
    stylized = task.stylize(pixels(30, 29, 41), out=tmp_path / "made.png")
    assert stylized.shape == (29, 41, 3)
    assert task.stylize(pixels(30, 60, 80), image_size=24).shape == (18, 24, 3)


@pytest.mark.slow
def test_an_exported_network_paints_decoded_images_and_files(vgg, tmp_path):
    task = fast_network(vgg, colors="luminance")
    fitted(task, max_steps=2, seed=0)
    image = pixels(30, 21, 30)
    expected = task.stylize(image)
    task.export(tmp_path / "model")
    Image.fromarray(image).save(tmp_path / "image.png")
    code = """
import sys
import numpy as np
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
file = tf.io.read_file(sys.argv[2])
png = model.signatures["encoded"](file)["png"]
decoded = tf.cast(tf.io.decode_png(file), tf.float32)[tf.newaxis]
stylized = model.signatures["serving_default"](decoded)["stylized"]
np.savez(sys.argv[3], encoded=tf.io.decode_png(png), decoded=stylized[0])
"""
    files = [tmp_path / name for name in ("model", "image.png", "made.npz")]
    subprocess.run([sys.executable, "-c", code, *map(str, files)], check=True, env=bare())
    stylized = np.load(files[-1])
    for name in ("encoded", "decoded"):
        assert np.abs(stylized[name].astype("float64") - expected).max() <= 1.0, name


def bare():
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


@pytest.mark.slow
def test_a_network_comes_back_from_a_checkpoint_without_the_loss_network_in_it(vgg, tmp_path):
    task = fast_network(vgg)
    trainer = fitted(task, max_steps=2, seed=0)
    trainer.save_checkpoint(tmp_path / "one.ckpt", weights_only=True)
    size = sum(path.stat().st_size for path in (tmp_path / "one.ckpt").iterdir())
    assert size < 2**20
    again = StyleTransfer.from_checkpoint(
        tmp_path / "one.ckpt", content=np.stack([pixels(3)] * 3), style=pixels(1), weights=str(vgg)
    )
    np.testing.assert_array_equal(again.stylize(pixels(7)), task.stylize(pixels(7)))


# ---- hub


class Average(tf.Module):
    """Stands in for the network of the hub: the mean of content and the style's mean colour."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, None, 3], tf.float32),
            tf.TensorSpec([None, None, None, 3], tf.float32),
        ]
    )
    def __call__(self, content, style):
        mixed = (content + tf.reduce_mean(style, [1, 2], keepdims=True)) / 2.0
        return [tf.pad(mixed, [[0, 0], [0, 1], [0, 2], [0, 0]])]  # as sides that four divides


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hub") / "average"
    tf.saved_model.save(Average(), str(folder))
    return folder


@pytest.mark.parametrize("colors", ["style", "histogram", "luminance"])
def test_a_saved_model_paints_any_image_and_predicts(hub, colors):
    task = StyleTransfer(pixels(0), pixels(1), "hub", hub=hub, colors=colors)
    stylized = task.stylize()
    assert stylized.shape == (HEIGHT, WIDTH, 3)
    assert task.stylize(pixels(5, 31, 33)).shape == (31, 33, 3)
    (predicted,) = Trainer(**quiet()).predict(task, collect=True)
    np.testing.assert_allclose(predicted[0] * 255.0, stylized, atol=0.51)
    if colors == "style":
        style = np.asarray(Image.fromarray(pixels(1)).resize((256, 192), Image.Resampling.LANCZOS))
        expected = (pixels(0) + style.mean((0, 1))) / 2.0
        np.testing.assert_allclose(stylized, expected, atol=1.0)


@pytest.mark.parametrize("stage", ["fit", "validate", "test"])
def test_what_only_predicts_refuses_to_train(hub, stage):
    task = StyleTransfer(pixels(0), pixels(1), "hub", hub=hub)
    with pytest.raises(ConfigurationError, match="'hub' only predicts"):
        getattr(Trainer(**quiet(max_steps=1)), stage)(task)


def test_a_saved_model_refuses_a_mixed_precision(hub):
    task = StyleTransfer(pixels(0), pixels(1), "hub", hub=hub)
    with pytest.raises(ConfigurationError, match="computes in float32"):
        Trainer(**quiet(precision="bf16-mixed")).predict(task, collect=True)


# ---- with the rest of the house


@pytest.mark.distributed
@pytest.mark.parametrize("method", METHODS)
def test_two_devices_paint_what_one_paints(vgg, method):
    def make():
        return MAKERS[method](vgg)

    has_validation = method == "fast"
    assert_equal_on_replicas(
        make, tolerance=2e-3, max_steps=4, evaluates=has_validation, predicts=not has_validation
    )


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed"])
def test_mixed_precision_trains_a_float32_image(vgg, method, precision):
    task = MAKERS[method](vgg)
    trainer = fitted(task, max_steps=4, seed=0, precision=precision, log_every_n_steps=1)
    assert np.isfinite(trainer.callback_metrics["loss"])
    assert task.method.attempt(some_batch(task), training=False)[0].dtype == tf.float32
    exact = MAKERS[method](vgg)
    plain = fitted(exact, max_steps=4, seed=0).callback_metrics["style_loss"]
    # float16 leaves out the first updates until the loss scale fits.
    apart = 0.2 if precision == "16-mixed" else 0.1
    assert trainer.callback_metrics["style_loss"] == pytest.approx(plain, rel=apart)


def some_batch(task):
    return next(iter(task.data.train_dataset(0)))


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_a_resumed_run_paints_the_image_of_the_run_that_was_not_stopped(vgg, method, tmp_path):
    def make():
        # A schedule would know how many updates are to come, which the stopped run did not.
        options = {"start": "noise"} if method == "optimize" else {}
        return MAKERS[method](vgg, schedule="constant", **options)

    assert_resume_is_exact(tmp_path, make, list, stop=4, end=8)


def from_noise(vgg):
    return optimized_image(vgg, start="noise")


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_in_the_same_image(vgg, tmp_path):
    assert_killed_run_is_exact(tmp_path, from_noise, str(vgg), every=2, killed=7, end=9)


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """W&B's own folders below `tmp_path`, no key, and no process of it afterwards."""
    import wandb

    for name in ("DIR", "CONFIG_DIR", "CACHE_DIR", "DATA_DIR", "ARTIFACT_DIR"):
        (tmp_path / "of wandb" / name).mkdir(parents=True)
        monkeypatch.setenv(f"WANDB_{name}", str(tmp_path / "of wandb" / name))
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    yield
    wandb.teardown(exit_code=0)


@pytest.mark.slow
@pytest.mark.usefixtures("offline")
def test_a_run_goes_to_wandb_offline_with_its_images(vgg, tmp_path):
    logger = WandbLogger("style", mode="offline", dir=tmp_path)
    fitted(optimized_image(vgg, progress_every=2), max_steps=4, seed=0, logger=logger)
    images = [path for path in tmp_path.rglob("*.png") if "images" in path.parts]
    assert len(images) >= 2
    shown = np.asarray(Image.open(images[0]))
    assert shown.shape[:2] == (HEIGHT, WIDTH)


def test_hyperparameters_are_plain_and_make_the_same_task_again(tmp_path):
    for name in ("content", "style"):
        Image.fromarray(pixels(0)).save(tmp_path / f"{name}.png")
    arguments = {"content": str(tmp_path / "content.png"), "style": [str(tmp_path / "style.png")]}
    task = StyleTransfer(**arguments, weights=None, style_layers={"block1_conv1": 2.0})
    again = StyleTransfer(**json.loads(json.dumps(task.hparams)))
    assert again.hparams == task.hparams


# ---- bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "optimise"}, "Did you mean 'optimize'"),
        ({"colors": "luminence"}, "Did you mean 'luminance'"),
        ({"network": "VG16"}, "Did you mean 'VGG16'"),
        ({"pooling": "averge"}, "Did you mean 'average'"),
        ({"start": "nois"}, "Did you mean 'noise'"),
        ({"weights": "gone.h5"}, r"weights='gone.h5' .* is no file"),
        ({"style": None}, "style: give an image"),
        ({"style": [pixels(1)] * 2, "style_weights": [1.0]}, "1 numbers for 2 style images"),
        ({"style_weights": [0.0]}, "style_weights: 0.0 must be a number above 0"),
        ({"content_weight": -1.0}, "content_weight: -1.0 must be a number of at least 0"),
        ({"tv_weight": float("nan")}, "tv_weight: nan"),
        ({"style_layers": "block1_conv1"}, "give a list of names"),
        ({"content_layers": []}, "give a list of names"),
        ({"filters": 8}, "filters=8 is for method='fast'"),
        ({"method": "hub", "learning_rate": 0.1}, "for method='optimize' or 'fast'"),
        (
            {"method": "hub", "style": [pixels(1)] * 2, "weights": "imagenet"},
            "takes one style image",
        ),
        ({"method": "fast", "content": None}, "learns from photos"),
        ({"method": "fast", "colors": "histogram"}, "colors='histogram' matches"),
        ({"method": "fast", "content": pixels(0)}, "must have rank 4"),
        ({"optimizer": "adm"}, "Did you mean 'adam'"),
        ({"progress_every": -1}, "progress_every is -1"),
        ({"content": "gone.jpg"}, "content 'gone.jpg' is no file"),
        ({"style": "gone.jpg"}, "style 'gone.jpg' is no file"),
        ({"content": 3}, "content is a int"),
    ],
    ids=lambda value: ", ".join(value) if isinstance(value, dict) else named(value),
)
def test_what_cannot_be_is_refused_when_it_is_named(options, message):
    with pytest.raises((ConfigurationError, DataError), match=message):
        StyleTransfer(**{"content": pixels(0), "style": pixels(1), "weights": None, **options})


def test_a_layer_that_the_network_lacks_is_told(vgg):
    with pytest.raises(ConfigurationError, match="Did you mean 'block1_conv1'"):
        fitted(optimized_image(vgg, content_layers=["blok1_conv1"]), max_steps=1)


def test_weights_of_another_network_are_told(vgg):
    with pytest.raises(ConfigurationError, match="of backbone 'VGG19' cannot be loaded"):
        fitted(optimized_image(vgg, network="VGG19"), max_steps=1)


@pytest.mark.parametrize("which", ["content", "style"])
def test_an_image_of_which_the_network_leaves_nothing_is_told(vgg, which):
    arguments = {"content": pixels(0), "style": pixels(1), which: pixels(0, 3, 40)}
    layers = CHEAP | {"content_layers": ["block4_conv1"]}
    task = StyleTransfer(**arguments, weights=vgg, **layers, image_size=40)
    with pytest.raises(ConfigurationError, match=rf"the {which} image has .* need 8 or more"):
        fitted(task, max_steps=1)


def test_a_folder_without_images_is_told(vgg, tmp_path):
    task = StyleTransfer(str(tmp_path), pixels(1), "fast", weights=vgg, **CHEAP)
    with pytest.raises(DataError, match="holds no images"):
        fitted(task, max_steps=1)


@pytest.mark.slow
def test_a_method_says_which_images_it_paints(vgg, tmp_path):
    with pytest.raises(ConfigurationError, match="stylize before training"):
        optimized_image(vgg).stylize()
    task = optimized_image(vgg)
    fitted(task, max_steps=1, seed=0)
    with pytest.raises(ConfigurationError, match="makes one image"):
        task.stylize(pixels(3))
    with pytest.raises(ConfigurationError, match=r"end it in \.png"):
        task.stylize(out=tmp_path / "made.jpg")
    with pytest.raises(ConfigurationError, match="trains no network"):
        task.export(tmp_path / "model")
    network = fast_network(vgg)
    fitted(network, max_steps=1, seed=0)
    with pytest.raises(ConfigurationError, match="needs an image"):
        network.stylize()
    with pytest.raises(ConfigurationError, match="needs 16 each way"):
        network.stylize(pixels(0, 8, 40))


# ---- real images


@pytest.fixture
def real_images(real_data):
    from sklearn.datasets import load_sample_image

    file = real_data / "vgg16_notop.weights.h5"
    if not file.is_file():
        pytest.skip("vgg16_notop.weights.h5 is not in the folder of real data")
    return load_sample_image("china.jpg"), load_sample_image("flower.jpg"), file


@pytest.mark.slow
def test_the_real_network_sees_style_where_a_random_one_sees_texture(real_images):
    content, style, file = real_images
    task = StyleTransfer(content, style, weights=file, image_size=128)
    rows = Rows()
    fitted(task, max_steps=60, seed=0, logger=rows, log_every_n_steps=10)
    losses = [value for _, value in rows.column("train/style_loss")]
    assert losses[-1] < 0.5 * losses[0]
    assert rows.column("train/content_loss")[-1][1] < 0.7


def test_the_real_hub_model_paints_in_the_style_colors(real_data):
    from sklearn.datasets import load_sample_image

    folder = real_data / "arbitrary_style_small"
    if not folder.is_dir():
        pytest.skip("arbitrary_style_small is not in the folder of real data")
    content, style = load_sample_image("china.jpg"), load_sample_image("flower.jpg")
    stylized = StyleTransfer(style=style, method="hub", hub=folder).stylize(content, image_size=256)
    assert stylized.shape == (171, 256, 3)
    mean, its, styles = (image.mean((0, 1)) for image in (stylized, content, style))
    assert np.linalg.norm(mean - styles) < 0.5 * np.linalg.norm(mean - its)


def test_repetitions_are_numbered_from_nothing():
    data = Repetitions(3)
    assert [batch.tolist() for batch in data.train_dataset(4).as_numpy_iterator()] == [
        [0],
        [1],
        [2],
    ]
    assert data.predict_dataset() is None
