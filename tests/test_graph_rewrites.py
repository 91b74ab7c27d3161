import keras
import numpy as np
import pytest
from boring import BoringTask
from tensorflow.core.protobuf.config_pb2 import ConfigProto
from tensorflow.python.eager import context

from lightning_tf import Trainer, graph_rewrites
from lightning_tf.graph_rewrites import JOINING, PASSES, SMALL, GraphRewrites


def passes() -> list[str]:
    """Those that a graph call made now would get; none where TensorFlow's defaults hold."""
    options = context.context().function_call_options
    config = ConfigProto.FromString(options.config_proto_serialized)
    return list(config.graph_options.rewrite_options.optimizers)


def test_a_small_graph_gets_few_passes_and_others_what_they_had():
    with GraphRewrites(SMALL * ["MatMul"]):
        assert passes() == list(PASSES)
    assert passes() == []
    with GraphRewrites((SMALL + 1) * ["MatMul"]):
        assert passes() == []


@pytest.mark.parametrize("operation", ["Conv2D", "DepthwiseConv2dNative"])
def test_a_convolution_is_joined_with_what_follows(operation):
    with GraphRewrites([operation, "BiasAdd"]):
        assert passes() == [*PASSES, JOINING]


def test_options_are_put_back_after_an_error():
    rewrites = GraphRewrites([])
    for _ in range(2):
        with pytest.raises(KeyError), rewrites:
            raise KeyError
        assert passes() == []


def test_what_the_program_chose_is_kept(monkeypatch):
    here = context.context()
    monkeypatch.setitem(here._optimizer_experimental_options, "constant_folding", False)
    before = here.function_call_options
    here.function_call_options = None  # made anew, with the choice
    try:
        with GraphRewrites([]):
            assert passes() == []
    finally:
        here.function_call_options = before


@pytest.mark.parametrize("optimizer", [keras.optimizers.Adam, keras.optimizers.SGD])
def test_few_passes_train_the_same_weights(optimizer, monkeypatch, tmp_path):
    class Deeper(BoringTask):
        def configure_model(self):
            hidden = keras.layers.Dense(8, activation="relu", bias_initializer="random_normal")
            self.model = keras.Sequential(
                [keras.Input((32,)), hidden, keras.layers.Dropout(0.2), keras.layers.Dense(2)]
            )

        def configure_optimizers(self):
            return optimizer(0.1)

    trained = []
    for small in (SMALL, 0):
        monkeypatch.setattr(graph_rewrites, "SMALL", small)
        task = Deeper()
        Trainer(max_epochs=3, seed=1, logger=False, default_root_dir=tmp_path).fit(task)
        trained.append(task.model.get_weights())
    for few, all_of_them in zip(*trained, strict=True):
        np.testing.assert_array_equal(few, all_of_them)


def test_a_window_is_called_with_few_passes(monkeypatch, tmp_path):
    seen = []

    class Watching(BoringTask):
        def training_step(self, batch):
            seen.append(("traced", passes()))
            return super().training_step(batch)

    entered = GraphRewrites.__enter__

    def noted(self):
        entered(self)
        seen.append(("called", passes()))

    monkeypatch.setattr(GraphRewrites, "__enter__", noted)
    trainer = Trainer(max_steps=2, limit_val_batches=0, logger=False, default_root_dir=tmp_path)
    trainer.fit(Watching())
    assert seen[0] == ("traced", [])
    assert seen[1:]
    assert all(entry == ("called", list(PASSES)) for entry in seen[1:])
    assert passes() == []
