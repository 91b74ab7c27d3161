"""The options of a run beside its checkpoints."""

from helpers.boring import BoringTask, quiet

from lightning_tf import Trainer
from lightning_tf.callbacks.config_writer import ConfigWriter


def test_the_text_stands_in_the_runs_folder_before_training_ends(tmp_path):
    writer = ConfigWriter("task: mine\n")
    Trainer(**quiet(max_steps=1, logger=True, default_root_dir=tmp_path), callbacks=[writer]).fit(
        BoringTask()
    )
    assert (tmp_path / "runs/version_0/config.yaml").read_text() == "task: mine\n"


def test_a_dry_run_leaves_no_file(tmp_path):
    arguments = quiet(fast_dev_run=True, default_root_dir=tmp_path)
    Trainer(**arguments, callbacks=[ConfigWriter("x")]).fit(BoringTask())
    assert not list(tmp_path.iterdir())
