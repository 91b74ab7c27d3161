"""Several ModelCheckpoints in one folder: every file whole, none missing, none deleted."""

import os
import subprocess
import sys
from threading import Thread

import pytest
from helpers.boring import BoringTask, quiet
from helpers.paths import SEARCHED
from helpers.variants import slow_but

from lightning_tf import Trainer
from lightning_tf.callbacks import ModelCheckpoint
from lightning_tf.checkpoint.atomic_directory import final_name
from lightning_tf.checkpoint.io import read_checkpoint

STEPS = (2, 4, 6, 8, 10, 12)  # of `every_two`, in 3 epochs of 4 updates


def every_two(**arguments):
    return ModelCheckpoint(every_n_train_steps=2, save_top_k=-1, **arguments)


def fitted(root, callbacks, **arguments):
    own = {"max_epochs": 3, "default_root_dir": root, "enable_checkpointing": True}
    trainer = Trainer(**{**quiet(), **own, **arguments, "callbacks": callbacks})
    trainer.fit(BoringTask())
    return trainer


def kept_by(callback):
    return {*callback._manager.top.scores, callback.last_model_path} - {""}


def check(root, callbacks):
    """Every file under a final name is whole, and every callback has all that it keeps."""
    folder = root / "checkpoints"
    names = os.listdir(folder)
    assert [name for name in names if name.startswith(".")] == []
    steps = [read_checkpoint(folder / name).run["progress"]["global_step"] for name in names]
    assert {*steps} >= {*STEPS}

    kept = [kept_by(callback) for callback in callbacks]
    assert {str(folder / name) for name in names} == set.union(*kept)
    for callback in callbacks:
        if callback.every_n_steps == 2:
            held = [read_checkpoint(p).run["progress"]["global_step"] for p in kept_by(callback)]
            assert {*held} == {*STEPS}


SETS = {
    "best and every two": lambda: [ModelCheckpoint(monitor="val_loss"), every_two()],
    "best, last and every two": lambda: [
        ModelCheckpoint(monitor="val_loss", save_last=True),
        every_two(save_last="link"),
    ],
    "three": lambda: [
        ModelCheckpoint(monitor="val_loss", save_top_k=2),
        every_two(save_last=True),
        ModelCheckpoint(every_n_epochs=1, save_last=True),
    ],
}


@pytest.mark.parametrize("callbacks", slow_but(SETS, "best, last and every two"))
def test_every_file_of_several_callbacks_is_whole_and_there(tmp_path, callbacks):
    for number in range(2):
        given = SETS[callbacks]()
        fitted(tmp_path / str(number), given)
        check(tmp_path / str(number), given)


@pytest.mark.slow
def test_a_hundred_fits_under_load(tmp_path):
    stop = []

    def load():
        while not stop:
            sum(i * i for i in range(10_000))

    threads = [Thread(target=load)]
    for thread in threads:
        thread.start()
    try:
        for number in range(100):
            given = list(SETS.values())[number % len(SETS)]()
            fitted(tmp_path / str(number), given)
            check(tmp_path / str(number), given)
    finally:
        stop.append(True)
        for thread in threads:
            thread.join()


def test_the_second_of_one_name_gets_a_version(tmp_path):
    given = [every_two(), ModelCheckpoint(every_n_epochs=1, save_top_k=-1)]
    fitted(tmp_path, given, max_epochs=1)
    names = sorted(os.listdir(tmp_path / "checkpoints"))
    assert names == ["epoch=0-step=2.ckpt", "epoch=0-step=4-v1.ckpt", "epoch=0-step=4.ckpt"]


def test_what_another_callback_keeps_is_not_deleted(tmp_path):
    """Without versions the two write the same names; one keeps all, the other the newest."""
    own = {"enable_version_counter": False, "save_on_train_epoch_end": True}
    newest = ModelCheckpoint(every_n_epochs=1, **own)
    every = ModelCheckpoint(every_n_epochs=1, mode="max", save_top_k=-1, **own)
    fitted(tmp_path, [newest, every])
    names = sorted(os.listdir(tmp_path / "checkpoints"))
    assert names == ["epoch=0-step=4.ckpt", "epoch=1-step=8.ckpt", "epoch=2-step=12.ckpt"]
    for name in names:
        read_checkpoint(tmp_path / "checkpoints" / name)


def test_the_last_one_that_keeps_a_checkpoint_deletes_it(tmp_path):
    own = {"enable_version_counter": False, "every_n_epochs": 1}
    given = [ModelCheckpoint(**own), ModelCheckpoint(mode="max", **own)]
    fitted(tmp_path, given)
    assert os.listdir(tmp_path / "checkpoints") == ["epoch=2-step=12.ckpt"]


def test_several_callbacks_resume_with_the_files_that_each_had(tmp_path):
    first = SETS["three"]()
    fitted(tmp_path, first, max_epochs=2)
    kept = [kept_by(callback) for callback in first]
    again = SETS["three"]()
    trainer = Trainer(
        **{**quiet(max_epochs=3, default_root_dir=tmp_path), "enable_checkpointing": True},
        callbacks=again,
    )
    trainer.fit(BoringTask(), ckpt_path=first[2].last_model_path)
    check(tmp_path, again)
    assert kept[1] <= kept_by(again[1])


FITS = """
import sys
from helpers.boring import NumberData, NumberTask, quiet
from lightning_tf import Trainer
from lightning_tf.callbacks import ModelCheckpoint

arguments = {**quiet(max_epochs=10, default_root_dir=sys.argv[1]), "enable_checkpointing": True}
saves = [ModelCheckpoint(every_n_train_steps=1, save_top_k=-1), ModelCheckpoint(save_last=True)]
Trainer(**arguments, callbacks=saves).fit(NumberTask(NumberData([1, 1])))
"""


@pytest.mark.slow
def test_two_processes_in_one_folder_leave_whole_files(tmp_path):
    command = [sys.executable, "-W", "ignore", "-c", FITS, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": SEARCHED}
    others = [subprocess.Popen(command, env=environment) for _ in range(2)]
    assert [other.wait() for other in others] == [0, 0]
    names = os.listdir(tmp_path / "checkpoints")
    assert [name for name in names if final_name(name) != name] == []
    assert {f"epoch={i // 2}-step={i + 1}.ckpt" for i in range(20)} <= {*names}
    for name in names:
        read_checkpoint(tmp_path / "checkpoints" / name)
