"""TensorFlow imported through the package, in new processes: what is left out, and works."""

import os
import subprocess
import sys
import textwrap

import pytest

HEAVY = {"pandas", "sklearn", "scipy.stats", "matplotlib.pyplot"}


def run(program):
    """Run a program in a new process, without the caller's allocator; return what it prints."""
    command = [sys.executable, "-W", "error::DeprecationWarning:__main__", "-c"]
    done = subprocess.run(
        [*command, textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if "TF_CPU" not in name},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_package_first_leaves_out_what_keras_imports_for_others():
    printed = run(f"""
        import gc, sys
        from lightning_tf import Trainer
        assert "tensorflow" in sys.modules and "keras" in sys.modules
        print(sorted({HEAVY!r} & set(sys.modules)), gc.isenabled())
    """)
    assert printed == "[] True"


def test_what_was_left_out_works_when_it_is_used():
    printed = run("""
        from lightning_tf import Trainer
        import keras, numpy as np, pandas as pd
        from sklearn.base import clone, is_classifier

        def model(X, y, loss="mse"):
            layers = [keras.Input((2,)), keras.layers.Dense(1)]
            model = keras.Sequential(layers)
            model.compile("sgd", loss)
            return model

        table = pd.DataFrame({"a": np.arange(8.0), "b": np.ones(8)})
        history = model(None, None).fit(table, table["a"], verbose=0)
        assert np.isfinite(history.history["loss"][0])

        wrapper = keras.wrappers.SKLearnRegressor(model, fit_kwargs={"verbose": 0})
        assert clone(wrapper).fit(table, table["a"]).predict(table).shape == (8,)
        assert is_classifier(keras.wrappers.SKLearnClassifier(model))

        boxes = keras.visualization.draw_bounding_boxes
        from keras.src.visualization import plot_image_gallery
        assert callable(boxes) and callable(plot_image_gallery.plot_image_gallery)
        print("works")
    """)
    assert printed.endswith("works")


@pytest.mark.slow
def test_keras_first_is_left_as_it_is():
    printed = run("""
        import keras
        import gc, sys
        from lightning_tf import Trainer
        print(gc.get_freeze_count(), "pandas" in sys.modules, gc.isenabled())
    """)
    assert printed == "0 True True"


@pytest.mark.slow
def test_a_collector_that_is_off_stays_off():
    printed = run("""
        import gc
        gc.disable()
        from lightning_tf import Trainer
        print(gc.isenabled())
    """)
    assert printed == "False"


def test_tensorflow_keeps_its_memory_unless_the_environment_decides():
    program = """
        import os
        {set}
        from lightning_tf import Trainer
        names = ("TF_CPU_ALLOCATOR_USE_BFC", "TF_CPU_BFC_MEM_LIMIT_IN_MB")
        print([os.environ.get(name) for name in names])
    """
    assert run(program.format(set="")) == "['true', '1048576']"
    users = 'os.environ["TF_CPU_ALLOCATOR_USE_BFC"] = "false"'
    assert run(program.format(set=users)) == "['false', None]"
