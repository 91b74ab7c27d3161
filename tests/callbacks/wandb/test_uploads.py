import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from lightning_tf.callbacks.wandb.artifacts import CheckpointArtifact, WandbArtifacts
from lightning_tf.callbacks.wandb.uploads import WandbUploads

pytestmark = pytest.mark.usefixtures("sealed")


class Run:
    """Takes artifacts, or refuses them, as an offline wandb.Run does."""

    offline = True

    def __init__(self, error=None):
        self.error, self.got = error, []

    def log_artifact(self, artifact, aliases):
        if self.error:
            raise self.error
        self.got.append(
            (artifact.name, aliases, artifact.metadata, sorted(artifact.manifest.entries))
        )


def a_checkpoint(folder):
    folder.mkdir()
    (folder / "run.json").write_text("{}")
    (folder / "state.safetensors").write_bytes(b"weights")
    return str(folder)


def test_files_are_held_though_the_original_goes(tmp_path):
    run, problems = Run(), []
    uploads = WandbUploads(tmp_path / "run", lambda: run, lambda *problem: problems.append(problem))
    path = Path(a_checkpoint(tmp_path / "a.ckpt"))
    uploads.add(CheckpointArtifact(str(path), "model", ["best"], {"score": 1.0}))
    for file in path.iterdir():
        file.unlink()
    assert uploads.end(time.monotonic() + 5.0)
    metadata = {"task": None, "score": 1.0}
    del metadata["task"]  # run.json above is no checkpoint's
    assert run.got == [("model", ["best"], metadata, ["run.json", "state.safetensors"])]
    assert uploads.pending() == problems == []


def test_what_is_refused_stays_noted_and_is_tried_again(tmp_path):
    run, problems = Run(ConnectionError("away")), []
    uploads = WandbUploads(tmp_path / "run", lambda: run, lambda *problem: problems.append(problem))
    uploads.add(CheckpointArtifact(a_checkpoint(tmp_path / "a.ckpt"), "model", []))
    assert not uploads.end(time.monotonic() + 5.0)
    assert [what for what, _ in problems] == ["the upload (model)"]
    (left,) = uploads.pending()
    assert left.size == len("{}") + len("weights")

    run.error = None
    later = WandbUploads(tmp_path / "run", lambda: run, lambda *problem: problems.append(problem))
    later.retry()
    assert later.end(time.monotonic() + 5.0)
    assert len(run.got) == 1
    assert later.pending() == []


def writer(best, last, score=0.5):
    paths = {"best_model_path": best, "last_model_path": last, "best_model_score": score}
    return SimpleNamespace(monitor="val_loss", mode="min", **paths)


@pytest.mark.parametrize(
    ("log_model", "sent"),
    [
        ("best", [("best.ckpt", ["latest", "best"], 0.5)]),
        ("last", [("last.ckpt", ["latest"], None)]),
        ("all", []),
        (False, []),
    ],
)
def test_which_checkpoint_is_sent_at_the_end(log_model, sent):
    artifacts = WandbArtifacts(log_model)
    artifacts.after_save(writer("best.ckpt", "last.ckpt"), "model")
    last = artifacts.at_end("model")
    assert [(a.path, a.aliases, a.metadata["score"]) for a in last] == sent


def test_of_all_checkpoints_only_a_new_best_one_gets_the_alias():
    artifacts, callback = WandbArtifacts("all"), writer("1.ckpt", "1.ckpt")
    assert artifacts.after_save(callback, "model")[0].aliases == ["latest", "best"]
    callback.last_model_path = "2.ckpt"
    assert artifacts.after_save(callback, "model")[0].aliases == ["latest"]
    assert artifacts.after_save(writer("3.ckpt", "3.ckpt"), "model")[0].name == "model-1"
