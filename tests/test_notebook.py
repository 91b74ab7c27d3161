"""What a Jupyter notebook shows of a run, while it runs and when it is saved."""

import queue
import re
import time

import pytest
from helpers.kernel import environment, run_cells, said, shown
from jupyter_client.manager import start_new_kernel

from lightning_tf.notebook import in_notebook

IMPORTS = """
import logging
import numpy as np
from helpers.boring import BoringTask
from lightning_tf import Callback, Trainer

class Draws(Callback):
    def on_train_epoch_end(self, trainer, task):
        import matplotlib.pyplot as plt

        trainer.log_images("samples", np.full((1, 8, 8, 1), trainer.current_epoch / 30))
        if trainer.current_epoch % 10 == 0:
            figure, axes = plt.subplots(figsize=(2, 2))
            trainer.log_figure("plot", figure)

class Noted(BoringTask):
    "Is <script>alert(1)</script>."

task = Noted()
trainer = Trainer(max_epochs=25, seed=0, callbacks=[Draws()])
"""
CELLS = {
    "imports": IMPORTS,
    "fit": "trainer.fit(task)",
    "test": "results = trainer.test(task)",
    "results": "results",
    "trainer": "trainer",
    "task": "task",
    "predict": "predictions = trainer.predict(task, collect=True)",
    "warning": "logging.getLogger('lightning_tf').warning('careful')",
    "off": "Trainer(max_epochs=1, logger=False, enable_progress_bar=False).fit(task)",
}


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    """The outputs of each cell by its name, and how often an output was replaced."""
    outputs, replaced = run_cells(CELLS.values(), tmp_path_factory.mktemp("notebook"))
    return dict(zip(CELLS, outputs, strict=True)), replaced


def test_a_test_is_no_notebook():
    assert not in_notebook()


def test_a_fit_leaves_its_last_lines_and_one_table(notebook):
    outputs, replaced = notebook
    (text, html) = next(pair for pair in shown(outputs["fit"], "text/html") if "epoch" in pair[0])
    assert text.splitlines()[0] == "... 5 lines before"
    assert re.findall(r"^epoch (\d+)/25", text, re.MULTILINE) == [str(n) for n in range(6, 26)]
    assert html.count("<table>") == 1
    assert not any("<progress" in html for _, html in shown(outputs["fit"], "text/html"))
    assert 2 <= replaced < 60  # of 25 epochs, each of which has two bars and a line


def test_the_model_summary_is_a_table(notebook):
    (summary, bars) = shown(notebook[0]["fit"], "text/html")
    assert "output shape" in summary[0]
    assert "output shape</th>" in summary[1]
    assert "epoch" in bars[0]


def test_curves_and_figures_are_there_once_also_those_of_pyplot(notebook):
    names = [name for name, _ in shown(notebook[0]["fit"], "image/png")]
    assert names == ["curves", "samples", "plot"]


def test_messages_are_no_errors_and_warnings_are(notebook):
    outputs, _ = notebook
    for name in ("fit", "test", "predict"):
        assert said(outputs[name]).startswith(f"{name} Noted")
        assert said(outputs[name], "stderr") == ""
    assert "fit ended: max_epochs=25 is reached" in said(outputs["fit"])
    assert said(outputs["warning"], "stderr") == "careful\n"


def test_a_prediction_leaves_a_line(notebook):
    ((text, _),) = shown(notebook[0]["predict"], "text/html")
    assert re.fullmatch(r"predict  \(\d+\.\d s\)", text)


def test_results_tasks_and_trainers_show_themselves(notebook):
    outputs, _ = notebook
    ((text, html),) = shown(outputs["results"], "text/html")
    assert text.startswith("{'test_loss': ")
    assert "test&#95;loss" in html
    ((_, html),) = shown(outputs["trainer"], "text/html")
    assert "25 epochs" in html
    ((_, html),) = shown(outputs["task"], "text/html")
    assert "&lt;script&gt;" in html
    assert "<script>" not in html


def test_what_is_switched_off_stays_off(notebook):
    assert [text.split()[0] for text, _ in shown(notebook[0]["off"], "text/html")] == ["name"]
    assert shown(notebook[0]["off"], "image/png") == []


@pytest.mark.slow
def test_an_interrupted_cell_says_where_training_stands(tmp_path):
    manager, client = start_new_kernel(env=environment(tmp_path), cwd=str(tmp_path))
    try:
        client.execute(f"{IMPORTS}\ntrainer.max_epochs = 100000\ntrainer.fit(task)")
        messages = []
        _read(client, messages, until=lambda content: "epoch 2/" in str(content))
        manager.interrupt_kernel()
        _read(client, messages, until=lambda content: content.get("execution_state") == "idle")
        errors = [content for kind, content in messages if kind == "error"]
        assert [error["traceback"] for error in errors] == [["KeyboardInterrupt"]]
        text = "".join(c["text"] for _, c in messages if c.get("name") == "stderr")
        assert re.search(r"^Ctrl-C: training ends here\. \d+ epochs", text, re.MULTILINE)
        assert "To go on: fit(task, ckpt_path='last')." in text

        reply = client.execute_interactive("assert trainer.global_step > 0", timeout=60)
        assert reply["content"]["status"] == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def _read(client, messages, until):
    """Take the kernel's messages until one of them is the right one."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            message = client.get_iopub_msg(timeout=5)
        except queue.Empty:
            continue
        messages.append((message["msg_type"], message["content"]))
        if until(message["content"]):
            return
    raise TimeoutError(f"the kernel said {messages[-3:]}")
