"""What every test stands on: a fixed seed, an empty working directory, and nothing left behind."""

import os

# Read by TensorFlow and matplotlib when they are imported, hence before the imports below.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")

import gc
import signal
import threading
import time
from pathlib import Path

import keras
import pytest
import tensorflow as tf

from lightning_tf.run.termination import TERMINATION

# 6 % of the time of the suite went to looking, again and again, through what these imports made.
gc.collect()
gc.freeze()
gc.set_threshold(50_000, 20, 100)

# Fixed when TensorFlow starts, hence for all tests: enough for those of several replicas.
LOGICAL_CPUS = 4
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * LOGICAL_CPUS,
)

SIGNALS = (signal.SIGINT, signal.SIGTERM)
# A shell starts what runs in the background with Ctrl-C ignored, which tests and their processes
# would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Set by libraries while they are imported, which happens inside whatever test comes first.
SET_BY_IMPORTS = {"KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK", "PYTEST_CURRENT_TEST", "TF2_BEHAVIOR"}
GRACE_SECONDS = 2.0


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark the users of the fixture `real_data`; skip all that are marked where there is none."""
    for item in items:
        if "real_data" in getattr(item, "fixturenames", ()):
            item.add_marker("real_data")
        if item.get_closest_marker("real_data") and not _real_data_folder():
            reason = "LIGHTNING_TF_DATA does not name a folder with the real data"
            item.add_marker(pytest.mark.skip(reason=reason))


def _real_data_folder():
    name = os.environ.get("LIGHTNING_TF_DATA")
    return Path(name) if name and Path(name).is_dir() else None


@pytest.fixture(scope="session")
def real_data():
    """The folder of real images, texts and tables."""
    return _real_data_folder()


@pytest.fixture(scope="module", autouse=True)
def _free_memory_between_modules():
    yield
    keras.utils.clear_session()


@pytest.fixture(autouse=True)
def _fixed_seed():
    keras.utils.set_random_seed(0)


@pytest.fixture(autouse=True)
def _nothing_left_behind(tmp_path_factory):
    """Fail a test that leaves files in the working directory, settings, threads or handlers."""
    home, here = Path.cwd(), tmp_path_factory.mktemp("cwd")
    os.chdir(here)
    threads, before = set(threading.enumerate()), _settings()
    yield
    os.chdir(home)
    left = sorted(path.name for path in here.iterdir())
    assert not left, f"files left in the working directory: {left}; write to tmp_path"
    after = _settings()
    changed = {key: (before[key], after[key]) for key in before if before[key] != after[key]}
    # Put right first, so that one forgetful test fails alone.
    keras.config.set_dtype_policy(before["dtype policy"])
    keras.config.set_floatx(before["floatx"])
    for name in set(after["environment"]) - set(before["environment"]):
        del os.environ[name]
    os.environ.update(before["environment"])
    for number in SIGNALS:
        signal.signal(number, before[number.name])
    assert not changed, f"global settings changed (before, after): {changed}"
    running = _threads_beyond(threads)
    assert not running, f"threads still running: {running}"


def _settings():
    environment = {key: value for key, value in os.environ.items() if key not in SET_BY_IMPORTS}
    return {
        "dtype policy": keras.config.dtype_policy().name,
        "floatx": keras.config.floatx(),
        "environment": environment,
        **{number.name: _handler(number) for number in SIGNALS},
    }


def _handler(number):
    # A Trainer that lives on, in a fixture or in a cycle, keeps the guard: no test has left it.
    handler = signal.getsignal(number)
    return signal.SIG_DFL if TERMINATION.owns(handler) else handler


def _threads_beyond(known):
    """Threads that would keep the process alive; they get a moment to end."""
    deadline = time.monotonic() + GRACE_SECONDS
    while True:
        new = [t.name for t in threading.enumerate() if t not in known and not t.daemon]
        if not new or time.monotonic() > deadline:
            return new
        time.sleep(0.01)
