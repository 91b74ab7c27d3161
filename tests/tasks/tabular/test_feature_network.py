"""FeatureNetwork: categories of all columns are one operation, and rows lie in memory once."""

import subprocess
import sys

import keras
import numpy as np
import pandas as pd
import pytest
from helpers.boring import fitted

from lightning_tf.data.tables.feature_columns import FeatureColumns
from lightning_tf.tasks import Regression
from lightning_tf.tasks.tabular.network import FeatureNetwork
from lightning_tf.variables import all_variables

# Columns of 2, 5, 5, 1 and 7 categories.
KNOWN = {f"c{place}": list("abcdefg"[:count]) for place, count in enumerate([2, 5, 5, 1, 7])}

PEAK = """
import resource
import numpy as np, pandas as pd
from lightning_tf import Trainer
from lightning_tf.tasks import Regression

def fit(rows):
    numbers = np.random.default_rng(0).normal(size=(rows, 20))
    table = pd.DataFrame(numbers, columns=[f"x{place}" for place in range(20)])
    table["y"] = numbers[:, 0]
    del numbers
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    options = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    Trainer(max_epochs=1, seed=0, **options).fit(Regression(table, "y", batch_size=4096))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before

fit(1000)
print("peak", fit(400_000) * 1024 / (400_000 * 20 * 4))
"""


def model_of(known, **options):
    columns = FeatureColumns(["x"], known)
    return FeatureNetwork((3,), **options).build(columns, 1).model


def inputs_of(known, rows=40):
    random = np.random.default_rng(0)
    codes = [random.integers(0, len(names) + 1, rows) for names in known.values()]
    return [random.normal(size=(rows, 1)).astype("float32"), np.stack(codes, 1).astype("int32")]


def concatenated(model, inputs):
    layer = next(each for each in model.layers if isinstance(each, keras.layers.Concatenate))
    return keras.Model(model.inputs, layer.output)(inputs).numpy()


def test_more_categorical_columns_make_no_more_operations():
    few, many = (model_of({f"c{place}": ["a", "b"] for place in range(count)}) for count in (2, 60))
    assert len(many.operations) == len(few.operations)


def test_an_embedded_column_makes_one_operation_more():
    few, many = (
        model_of({f"c{place}": ["a", "b"] for place in range(count)}, embed_above=1)
        for count in (2, 10)
    )
    assert len(many.operations) == len(few.operations) + 8


@pytest.mark.parametrize("embed_above", [None, 2, 0])
def test_categories_are_encoded_as_by_a_layer_for_each_column(embed_above):
    model, inputs = model_of(KNOWN, embed_above=embed_above), inputs_of(KNOWN)
    tables = iter(layer for layer in model.layers if isinstance(layer, keras.layers.Embedding))
    parts = [inputs[0]]
    for place, names in enumerate(KNOWN.values()):
        codes = inputs[1][:, place : place + 1]
        if embed_above is not None and len(names) > embed_above:
            parts.append(next(tables)(codes[:, 0]).numpy())
        else:
            encoding = keras.layers.CategoryEncoding(len(names) + 1, output_mode="one_hot")
            parts.append(encoding(codes).numpy())
    np.testing.assert_array_equal(concatenated(model, inputs), np.concatenate(parts, axis=1))


def test_variables_have_the_names_and_order_of_checkpoints_from_before():
    class Owner:
        model = None

    owner = Owner()
    owner.model = model_of(KNOWN, embed_above=2)
    shapes = {name: tuple(variable.shape) for name, variable in all_variables(owner).items()}
    assert shapes == {
        "model.0000.embeddings": (6, 4),
        "model.0001.embeddings": (6, 4),
        "model.0002.embeddings": (8, 5),
        "model.0003.kernel": (1 + 3 + 4 + 4 + 2 + 5, 3),
        "model.0004.bias": (3,),
        "model.0005.kernel": (3, 1),
        "model.0006.bias": (1,),
    }


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras' saving
def test_a_keras_file_of_many_categories_needs_keras_alone(tmp_path):
    model, inputs = model_of(KNOWN, embed_above=2), inputs_of(KNOWN)
    assert {type(each).__module__.split(".")[0] for each in model.operations} == {"keras"}
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(inputs).numpy(), model(inputs).numpy())


def test_a_table_in_a_file_and_in_memory_make_the_same_weights(tmp_path):
    random = np.random.default_rng(0)
    table = pd.DataFrame({"a": random.normal(size=90), "b": random.choice(["x", "y"], 90)})
    table["n"], table["y"] = random.integers(0, 9, 90), random.normal(size=90)
    table.to_csv(tmp_path / "table.csv", index=False)
    single = table.astype({"a": "float32", "n": "int16", "y": "float32"})
    weights = []
    for data in (table, tmp_path / "table.csv", single):
        task = Regression(data, "y", units=(4,))
        fitted(task, max_epochs=1, seed=0)
        weights.append([variable.numpy() for variable in task.model.variables])
    for one, *others in zip(*weights, strict=True):
        for other in others:
            np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_rows_lie_in_memory_once():
    """The peak over a DataFrame is a few times its numbers in float32, most of it passing."""
    run = subprocess.run([sys.executable, "-c", PEAK], capture_output=True, text=True, check=True)
    assert float(run.stdout.split("peak")[-1]) < 3.0
