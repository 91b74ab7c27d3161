"""A search runs trials in good order, whatever they come to."""

import sys

import keras
import pandas as pd
import pytest
from helpers.boring import NumberData, NumberTask, quiet

from lightning_tf import HyperparameterSearch, Trainer
from lightning_tf.exceptions import ConfigurationError

pytest.importorskip("optuna", reason="pip install 'lightning-tf[tune]'")
RATES = {"rate": "0.001..1.0 log"}


class Scores(NumberTask):
    """Whose val_score is the rate in every epoch; some rates go wrong."""

    def __init__(self, rate, wrong=None):
        super().__init__(NumberData(range(1, 3), held_out=[1]))
        self.rate, self.wrong = rate, wrong

    def on_fit_start(self):
        if self.wrong is not None and self.wrong(self.rate):
            raise MemoryError("no room")

    def on_validation_end(self):
        self.log("val_score", self.rate)


def maker(epochs=1, wrong=None, seen=None):
    def make(values, folder):
        if seen is not None:
            seen.append(values)
        trainer = Trainer(**quiet(max_epochs=epochs), default_root_dir=folder)
        return trainer, Scores(**values, wrong=wrong)

    return make


def search(space=RATES, **arguments):
    return HyperparameterSearch(space, "val_score", "max", **arguments)


def test_a_grid_runs_every_combination_once_and_names_the_best(tmp_path):
    seen = []
    grid = search({"rate": "0.01..1.0 log 3"}, method="grid", output=str(tmp_path / "out"))
    result = grid.run(maker(seen=seen))
    assert sorted(each["rate"] for each in seen) == pytest.approx([0.01, 0.1, 1.0])
    assert result.best.values == {"rate": 1.0}
    assert result.epochs == 3
    table = pd.read_csv(tmp_path / "out" / "trials.csv")
    assert sorted(table["val_score"]) == pytest.approx(sorted(table["rate"]))
    assert (tmp_path / "out" / "parallel_coordinates.png").exists()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["random", "tpe"])
def test_the_same_seed_draws_the_same_values(method, tmp_path):
    runs = []
    for name in ("a", "b"):
        result = search(method=method, seed=3, output=str(tmp_path / name)).run(maker(), trials=3)
        runs.append([trial.values["rate"] for trial in result.trials])
    assert runs[0] == runs[1]


def test_hyperband_ends_trials_that_fall_behind(tmp_path):
    hyperband = search(method="hyperband", output=str(tmp_path / "out"))
    result = hyperband.run(maker(epochs=9), trials=12)
    by_state = {
        state: [t for t in result.trials if t.state == state] for state in ("complete", "pruned")
    }
    assert {t.epochs for t in by_state["complete"]} == {9}
    assert {t.epochs for t in by_state["pruned"]} <= {1, 3}
    assert by_state["pruned"]
    assert result.best.value == max(t.value for t in result.trials)
    assert result.epochs == sum(t.epochs for t in result.trials) < 12 * 9


def test_a_failed_trial_is_told_and_counted_and_the_next_begins(tmp_path, caplog):
    space = {"rate": [0.1, 0.5, 0.9]}
    make = maker(wrong=lambda rate: rate == 0.9)
    result = search(space, method="grid", output=str(tmp_path / "out")).run(make)
    assert result.best.values == {"rate": 0.5}
    (failed,) = (trial for trial in result.trials if trial.state == "failed")
    assert failed.reason == "MemoryError: no room"
    assert f"trial {failed.number} failed: MemoryError: no room (rate=0.9)" in caplog.text
    assert "3 trials: " in str(result)
    assert "1 failed" in str(result)


def test_a_value_that_is_no_number_is_a_failure(tmp_path):
    space = {"rate": [0.1, float("nan")]}
    result = search(space, method="grid", output=str(tmp_path / "out")).run(maker())
    assert sorted(trial.state for trial in result.trials) == ["complete", "failed"]


def test_where_no_trial_ends_well_there_is_no_best(tmp_path):
    result = search(output=str(tmp_path / "out")).run(maker(wrong=lambda rate: True), trials=2)
    assert result.best is None
    assert not (tmp_path / "out" / "parallel_coordinates.png").exists()


def test_the_same_wrong_option_in_the_first_trials_ends_the_search(tmp_path):
    def make(values, folder):
        raise ConfigurationError("data='nowhere' is no folder.")

    with pytest.raises(ConfigurationError, match="data='nowhere'"):
        search(output=str(tmp_path / "out")).run(make, trials=50)
    assert len(pd.read_csv(tmp_path / "out" / "trials.csv")) == 2


def test_a_monitor_that_nothing_logs_is_refused_in_the_first_trial(tmp_path):
    seen = []
    wrong = HyperparameterSearch(RATES, "val_los", output=str(tmp_path / "out"))
    with pytest.raises(
        ConfigurationError, match=r"monitor='val_los': nothing logs it. Did you mean"
    ):
        wrong.run(maker(seen=seen), trials=5)
    assert len(seen) == 1


def test_a_programming_error_in_the_first_trials_ends_the_search_as_itself(tmp_path, caplog):
    def make(values, folder):
        return undefined_name  # noqa: F821

    with pytest.raises(NameError, match="undefined_name"):
        search(output=str(tmp_path / "out")).run(make, trials=50)
    table = pd.read_csv(tmp_path / "out" / "trials.csv")
    assert table["reason"].str.startswith("NameError: ").tolist() == [True, True]
    assert "the first 2 trials all ended so: NameError" in caplog.text


def test_every_trial_begins_with_the_dtype_policy_of_the_call(tmp_path):
    seen = []

    def make(values, folder):
        seen.append(keras.config.dtype_policy().name)
        return maker()(values, folder)

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        search(output=str(tmp_path / "out")).run(make, trials=2)
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy(before)
    assert seen == ["mixed_bfloat16"] * 2


def test_a_second_run_goes_on_after_the_first_and_prunes_too(tmp_path):
    hyperband = search(method="hyperband", output=str(tmp_path / "out"))
    hyperband.run(maker(epochs=9), trials=4)
    result = hyperband.run(maker(epochs=9), trials=12)
    assert [trial.number for trial in result.trials] == list(range(16))
    assert len({trial.values["rate"] for trial in result.trials}) == 16
    assert "pruned" in {trial.state for trial in result.trials[4:]}


def test_hyperband_prunes_in_the_second_run_of_a_storage(tmp_path):
    where = {"storage": f"sqlite:///{tmp_path}/study.db", "output": str(tmp_path / "out")}
    search(method="hyperband", **where).run(maker(epochs=9), trials=6)
    result = search(method="hyperband", **where).run(maker(epochs=9), trials=12)
    assert "pruned" in {trial.state for trial in result.trials[6:]}


def test_a_second_run_counts_its_own_errors(tmp_path):
    def make(values, folder):
        raise ConfigurationError("no.")

    again = search(output=str(tmp_path / "out"))
    again.run(make, trials=1)
    assert len(again.run(make, trials=1).trials) == 2


def test_a_second_run_whose_trials_all_fail_has_failed_beside_an_older_best(tmp_path):
    trials = search(method="random", output=str(tmp_path / "out"))
    assert trials.run(maker(), trials=1).best is not None
    assert not trials.has_failed
    assert trials.run(maker(wrong=lambda rate: True), trials=1).best is not None
    assert trials.has_failed


def test_a_grid_that_has_ended_trains_nothing_again(tmp_path):
    where = {"storage": f"sqlite:///{tmp_path}/study.db", "output": str(tmp_path / "out")}
    space, seen = {"rate": [0.1, 0.5]}, []
    search(space, method="grid", **where).run(maker())
    result = search(space, method="grid", **where).run(maker(seen=seen))
    assert not seen
    assert result.best.values == {"rate": 0.5}


def test_an_interrupted_combination_of_a_grid_is_told_and_tried_again(tmp_path):
    def interrupted(values, folder):
        if folder.endswith("trial_1"):
            raise KeyboardInterrupt
        return maker()(values, folder)

    where = {"storage": f"sqlite:///{tmp_path}/study.db", "output": str(tmp_path / "out")}
    space = {"rate": [0.1, 0.5, 0.9]}
    with pytest.raises(KeyboardInterrupt):
        search(space, method="grid", **where).run(interrupted)
    table = pd.read_csv(tmp_path / "out" / "trials.csv")
    assert table["state"].tolist() == ["complete", "failed"]
    assert table["reason"].tolist()[1] == "interrupted"

    trials = search(space, method="grid", seed=7, **where).run(maker()).trials
    complete = [trial.values["rate"] for trial in trials if trial.state == "complete"]
    assert sorted(complete) == [0.1, 0.5, 0.9]
    assert [trial.state for trial in trials].count("failed") == 1


def test_two_that_share_a_storage_at_once_draw_different_values(tmp_path):
    where = {"storage": f"sqlite:///{tmp_path}/study.db", "method": "random"}
    other = search(**where, output=str(tmp_path / "b"))

    def make(values, folder):
        if folder.endswith("trial_0"):
            other.run(maker(), trials=2)
        return maker()(values, folder)

    result = search(**where, output=str(tmp_path / "a")).run(make, trials=2)
    assert len({trial.values["rate"] for trial in result.trials}) == 4


def test_an_interrupted_search_keeps_what_was_done_and_goes_on_in_its_storage(tmp_path):
    storage, out = f"sqlite:///{tmp_path}/study.db", str(tmp_path / "out")

    def interrupted(values, folder):
        if folder.endswith("trial_2"):
            raise KeyboardInterrupt
        return maker()(values, folder)

    with pytest.raises(KeyboardInterrupt):
        search(storage=storage, output=out).run(interrupted, trials=5)
    states = ["complete", "complete", "failed"]
    assert pd.read_csv(tmp_path / "out" / "trials.csv")["state"].tolist() == states
    assert (tmp_path / "out" / "parallel_coordinates.png").exists()

    result = search(storage=storage, output=out).run(maker(), trials=1)
    assert [trial.state for trial in result.trials] == [*states, "complete"]
    assert len({trial.values["rate"] for trial in result.trials}) == 4


def test_a_storage_of_another_search_is_refused(tmp_path):
    storage = f"sqlite:///{tmp_path}/study.db"
    search(storage=storage, output=str(tmp_path / "a")).run(maker(), trials=1)
    other = search({"rate": "0.1..0.5"}, storage=storage, output=str(tmp_path / "b"))
    with pytest.raises(ConfigurationError, match="holds another search"):
        other.run(maker(), trials=1)


def test_a_folder_that_holds_a_search_is_refused(tmp_path):
    search(output=str(tmp_path)).run(maker(), trials=1)
    with pytest.raises(ConfigurationError, match="holds a search"):
        search(output=str(tmp_path))


def test_a_folder_of_another_search_is_refused_with_a_storage_too(tmp_path):
    search(output=str(tmp_path / "old")).run(maker(), trials=1)
    new = search(storage=f"sqlite:///{tmp_path}/new.db", output=str(tmp_path / "old"))
    with pytest.raises(ConfigurationError, match="holds another search; give another folder"):
        new.run(maker(), trials=1)


def test_two_searches_at_once_have_folders_of_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    searches = [search(), search()]
    for each in searches:
        each.run(maker(), trials=1)
    assert [str(each.folder) for each in searches] == ["tune_0", "tune_1"]


def test_a_storage_of_another_setup_is_refused_with_what_differs(tmp_path):
    where = {"storage": f"sqlite:///{tmp_path}/study.db", "output": str(tmp_path / "out")}
    search(setup="data: digits\nepochs: 1", **where).run(maker(), trials=1)
    with pytest.raises(ConfigurationError, match="there epochs: 1, here epochs: 2; give"):
        search(setup="data: digits\nepochs: 2", **where).run(maker(), trials=1)


def test_hyperband_without_epochs_to_save_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="max_epochs, which is 2"):
        search(method="hyperband", output=str(tmp_path)).run(maker(epochs=2), trials=3)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"method": "hyperbend"}, "Did you mean 'hyperband'"),
        ({"method": "grid"}, "needs the number of points"),
        ({"storage": "sqlite:///no/folder/study.db"}, "storage='sqlite:///no/folder/study.db'"),
    ],
)
def test_arguments_that_cannot_work_are_refused(arguments, reason, tmp_path):
    with pytest.raises(ConfigurationError, match=reason):
        search(output=str(tmp_path), **arguments).run(maker(), trials=1)


@pytest.mark.parametrize("trials", [None, 0])
def test_a_number_of_trials_is_needed_where_there_is_no_grid(trials, tmp_path):
    with pytest.raises(ConfigurationError, match="trials"):
        search(output=str(tmp_path)).run(maker(), trials=trials)


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigurationError, match=r"lightning-tf\[tune\]"):
        search()
