"""What the package says, where nobody has set up logging and where somebody has."""

import logging
import signal
import subprocess
import sys
from functools import partial

import pytest
from helpers.paths import ROOT

from lightning_tf.screen import ScreenHandler, speak_for_all, unchanged_root

slow = partial(pytest.param, marks=pytest.mark.slow)
SAYS = "import lightning_tf, logging; {}; logging.getLogger('lightning_tf.data').info('found it')"
FITS = """
import os, signal
from helpers.boring import BoringTask
from lightning_tf import Callback, Trainer

class Interrupts(Callback):
    def on_train_epoch_end(self, trainer, task):
        if trainer.current_epoch == 1:
            os.kill(os.getpid(), signal.SIGINT)

Trainer(max_epochs=100, default_root_dir={root!r}, callbacks=Interrupts()).fit(BoringTask())
"""


def said(program):
    """Return what a Python process says on standard error, and how it ended."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "PATH": "", "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    return done.stderr, done.returncode


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("pass", "found it\n"),
        ("logging.basicConfig(level='INFO', format='>%(message)s')", ">found it\n"),
        ("logging.basicConfig(format='>%(message)s')", ""),
        ("logging.getLogger('lightning_tf').setLevel('WARNING')", ""),
    ],
    ids=["nothing set up", "set up", "set up for warnings", "switched off"],
)
def test_messages_reach_the_screen_once(setting, expected):
    assert said(SAYS.format(setting)) == (expected, 0)


def test_workers_but_the_first_say_only_what_is_wrong(monkeypatch):
    monkeypatch.setattr(logging.getLogger("lightning_tf"), "handlers", [ScreenHandler()])
    (handler,) = logging.getLogger("lightning_tf").handlers

    speak_for_all(False)
    assert handler.level == logging.WARNING
    speak_for_all(True)
    assert handler.level == logging.NOTSET


def test_ctrl_c_ends_a_script_with_a_sentence_instead_of_a_traceback(tmp_path):
    text, code = said(FITS.format(root=str(tmp_path)))
    assert code == -signal.SIGINT
    assert "Traceback" not in text
    last = text.strip().splitlines()[-1]
    assert last.startswith("Ctrl-C: training ends here. 1 epoch and 8 updates are done.")
    assert "To go on: fit(task, ckpt_path='last')." in last
    assert "checkpoints/epoch=0-step=4.ckpt" in last


# What the import itself says of jax is Grain's.
WITH_GRAIN = """
import logging
{0}
import lightning_tf
{1}
{2}
logging.getLogger("lightning_tf").info("found it")
logging.getLogger("lightning_tf.data").warning("look out")
"""


@pytest.mark.parametrize(
    ("before", "after", "setting", "expected"),
    [
        ("import grain", "", "", ["found it", "look out"]),
        slow("", "import grain", "", ["found it", "look out"]),
        slow(
            "import grain",
            "",
            "logging.basicConfig(level='INFO', format='>%(message)s', force=True)",
            [">found it", ">look out"],
        ),
        slow("import grain", "", "logging.getLogger().setLevel('ERROR')", []),
    ],
    ids=["imported before", "imported after", "set up", "root set up"],
)
def test_grain_changes_nothing_of_how_messages_look(before, after, setting, expected):
    pytest.importorskip("grain")
    printed, code = said(WITH_GRAIN.format(before, after, setting))
    lines = [line for line in printed.splitlines() if "jax profiler" not in line]
    assert (lines, code) == (expected, 0)


def test_what_leaves_the_root_logger_alone_takes_back_what_others_add():
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    with unchanged_root():
        root.addHandler(logging.NullHandler())
        root.setLevel("DEBUG")
    assert (root.handlers, root.level) == (handlers, level)


STATE = """
import lightning_tf, logging, tensorflow as tf
from lightning_tf.loops.iterator_state import iterator_state, restore_iterator
numbers = tf.data.Dataset.range(9).shuffle(4, seed=1)
restore_iterator(iter(numbers), iterator_state(iter(numbers)))
assert not logging.getLogger().handlers
logging.getLogger("lightning_tf").info("found it")
"""


@pytest.mark.slow
def test_the_state_of_an_iterator_leaves_the_root_logger_alone():
    printed, code = said(STATE)
    assert code == 0, printed
    assert printed.splitlines()[-1] == "found it"
