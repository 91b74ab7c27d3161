import keras
import numpy as np
import pytest
from helpers.boring import BoringTask
from tensorflow.core.protobuf.config_pb2 import ConfigProto
from tensorflow.core.protobuf.rewriter_config_pb2 import RewriterConfig
from tensorflow.python.eager import context

from lightning_tf import Trainer
from lightning_tf.graph.grappler_options import GrapplerOptions


def leaves_out() -> bool:
    """Whether a graph call made now would go without the passes for a GPU."""
    options = context.context().function_call_options
    config = ConfigProto.FromString(options.config_proto_serialized)
    rewrites = config.graph_options.rewrite_options
    return bool(rewrites.disable_tfg_optimizer) and (
        rewrites.layout_optimizer == RewriterConfig.OFF
        and rewrites.memory_optimization == RewriterConfig.NO_MEM_OPT
    )


def test_options_are_put_back_also_after_an_error():
    rewrites = GrapplerOptions()
    for _ in range(2):
        with rewrites:
            assert leaves_out()
        assert not leaves_out()
        with pytest.raises(KeyError), rewrites:
            raise KeyError
        assert not leaves_out()


def test_what_the_program_chose_is_kept(monkeypatch):
    here = context.context()
    monkeypatch.setitem(here._optimizer_experimental_options, "constant_folding", False)
    before = here.function_call_options
    here.function_call_options = None  # made anew, with the choice
    try:
        with GrapplerOptions():
            assert not leaves_out()
    finally:
        here.function_call_options = before


class Convolving(BoringTask):
    def configure_model(self):
        layers = [
            keras.Input((32,)),
            keras.layers.Reshape((8, 4, 1)),
            keras.layers.Conv2D(4, 3, activation="relu", bias_initializer="random_normal"),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(2),
        ]
        self.model = keras.Sequential(layers)


@pytest.mark.parametrize(
    "optimizer", [pytest.param(keras.optimizers.Adam, marks=pytest.mark.slow), keras.optimizers.SGD]
)
def test_weights_are_those_of_all_passes(optimizer, monkeypatch, tmp_path):
    class Optimized(Convolving):
        def configure_optimizers(self):
            return optimizer(0.1)

    trained = []
    for enter in (GrapplerOptions.__enter__, lambda self: None):
        with monkeypatch.context() as patch:
            patch.setattr(GrapplerOptions, "__enter__", enter)
            if trained:
                patch.setattr(GrapplerOptions, "__exit__", lambda self, *error: None)
            task = Optimized()
            Trainer(max_epochs=3, seed=1, logger=False, default_root_dir=tmp_path).fit(task)
        trained.append(task.model.get_weights())
    for few, all_of_them in zip(*trained, strict=True):
        np.testing.assert_array_equal(few, all_of_them)


def test_every_window_is_called_without_the_passes(monkeypatch, tmp_path):
    seen = []

    class Watching(BoringTask):
        def training_step(self, batch):
            seen.append(("traced", leaves_out()))
            return super().training_step(batch)

    entered = GrapplerOptions.__enter__

    def noted(self):
        entered(self)
        seen.append(("called", leaves_out()))

    monkeypatch.setattr(GrapplerOptions, "__enter__", noted)
    trainer = Trainer(max_steps=2, limit_val_batches=0, logger=False, default_root_dir=tmp_path)
    trainer.fit(Watching())
    assert seen[0] == ("traced", False)
    assert seen[1:]
    assert all(entry == ("called", True) for entry in seen[1:])
    assert not leaves_out()
