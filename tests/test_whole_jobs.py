"""Whole jobs: their folders, what is read from a run, and how it is compared."""

import sys

import numpy as np
import pytest

from benchmarks import whole_jobs
from benchmarks.frechet_distance import frechet_distance
from benchmarks.process_cost import ProcessCost


def runs(*figures):
    return [whole_jobs.Run(ProcessCost(wall, wall, 1, ""), q, "accuracy") for wall, q in figures]


def test_every_folder_is_a_job_of_ours_and_of_keras():
    folders = {folder.name for folder in whole_jobs.JOBS.iterdir() if folder.is_dir()}
    assert folders == set(whole_jobs.ALL_JOBS)
    for folder in folders:
        assert (whole_jobs.JOBS / folder / "ours.py").is_file()
        assert (whole_jobs.JOBS / folder / "keras_fit.py").is_file()


def test_a_contender_gets_its_data_and_epochs_and_prints_its_quality_last(tmp_path, monkeypatch):
    program = tmp_path / "short_run" / "ours.py"
    program.parent.mkdir()
    program.write_text("import sys; print('epoch 1'); print('accuracy', float(sys.argv[2]) / 10)")
    monkeypatch.setattr(whole_jobs, "JOBS", tmp_path)
    ((contender, python),) = whole_jobs.contenders("short_run")
    run = whole_jobs.run("short_run", contender, python, tmp_path, 9)
    assert (run.quality_name, run.quality, str(python)) == ("accuracy", 0.9, sys.executable)


def test_ratios_are_of_rounds_and_quality_is_compared_with_the_best_peer():
    # The machine was slow in the last round.
    ours, theirs = runs((1, 0.90), (2, 0.92), (10, 0.91)), runs((2, 0.93), (4, 0.95), (20, 0.94))
    assert whole_jobs.ratio(ours, theirs, whole_jobs.FIGURES["wall"]) == 0.5
    accuracy, rmse = whole_jobs.ALL_JOBS["tables"], whole_jobs.ALL_JOBS["forecast"]
    rounds = {"ours": ours, "keras_fit": theirs, "lightning_fit": runs((1, 0.5))}
    assert whole_jobs.shortfall(accuracy, rounds) == pytest.approx(0.03)
    assert whole_jobs.shortfall(rmse, rounds) == pytest.approx(0.91 / 0.5 - 1)


def test_samples_like_the_real_images_are_near_and_their_mean_is_at_1():
    random = np.random.default_rng(0)
    real, again = random.normal(size=(2, 4000, 6, 10)) * np.arange(1, 11)
    assert frechet_distance(again, real) < 0.01
    assert frechet_distance(np.broadcast_to(real.mean(axis=0), real.shape), real) == pytest.approx(
        1
    )
