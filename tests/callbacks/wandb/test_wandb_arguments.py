"""What a logger hands to wandb: wandb's rules choose the mode, and mistakes are found at once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import wandb
from helpers.boring import BoringTask, fitted
from helpers.wandb_log import logged_runs

from lightning_tf.callbacks import WandbLogger
from lightning_tf.callbacks.wandb.wandb_arguments import chosen_mode
from lightning_tf.exceptions import ConfigurationError

pytestmark = pytest.mark.usefixtures("sealed")


def write_settings(mode):
    """What `wandb offline` and `wandb disabled` leave behind, by wandb's own command."""
    subprocess.run([sys.executable, "-m", "wandb", mode], check=True, capture_output=True)


# ---- the mode


@pytest.mark.parametrize(
    ("argument", "settings", "variable", "file", "expected"),
    [
        (None, {}, None, None, None),
        (None, {}, None, "offline", "offline"),
        (None, {}, None, "disabled", "disabled"),
        (None, {}, "dryrun", "disabled", "offline"),
        (None, {}, "run", "offline", "online"),
        (None, {}, "shared", None, "shared"),
        (None, {"mode": "offline"}, "online", "disabled", "offline"),
        ("online", {"mode": "offline"}, "disabled", "offline", "online"),
        (None, {"mode": None}, None, "offline", "offline"),
    ],
)
def test_the_nearest_choice_of_a_mode_holds(
    monkeypatch, argument, settings, variable, file, expected
):
    if variable is not None:
        monkeypatch.setenv("WANDB_MODE", variable)
    if file is not None:
        Path(os.environ["WANDB_CONFIG_DIR"], "settings").write_text(f"[default]\nmode = {file}\n")
    assert chosen_mode(argument, settings) == expected


def test_a_mode_that_is_none_is_refused_before_training(monkeypatch, tmp_path):
    monkeypatch.setenv("WANDB_MODE", "nonsense")
    task = BoringTask()
    with pytest.raises(ConfigurationError, match=r"WANDB_MODE is 'nonsense'.*online"):
        fitted(task, max_epochs=1, logger=WandbLogger("digits", dir=tmp_path))
    assert not logged_runs(tmp_path)


@pytest.mark.parametrize("said", ["true", "TRUE", " 1 ", "yes", "on"])
def test_wandb_disabled_disables_where_no_mode_is_chosen(monkeypatch, said):
    monkeypatch.setenv("WANDB_DISABLED", said)
    assert chosen_mode(None, {}) == "disabled"
    assert chosen_mode("online", {}) == "online"
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert chosen_mode(None, {}) == "offline"


def test_what_is_no_yes_disables_nothing(monkeypatch):
    for said in ("", "false", "0", "no"):
        monkeypatch.setenv("WANDB_DISABLED", said)
        assert chosen_mode(None, {}) is None


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("WANDB_MODE", "OFFLINE", "WANDB_MODE is 'OFFLINE'.*offline"),
        ("WANDB_MODE", " offline ", "WANDB_MODE is ' offline '"),
        ("WANDB_MODE", "", "WANDB_MODE is ''"),
        ("WANDB_RUN_ID", "a/b", "WANDB_RUN_ID='a/b'"),
        ("WANDB_RUN_ID", "..", "WANDB_RUN_ID='..'"),
        ("WANDB_PROJECT", "me/digits", "WANDB_PROJECT='me/digits'.*'/'"),
        ("WANDB_INIT_TIMEOUT", "long", "WANDB_INIT_TIMEOUT='long'.*number"),
        ("WANDB_SILENT", "maybe", "WANDB_SILENT='maybe'.*boolean"),
        ("WANDB_TAGS", "x" * 65, "WANDB_TAGS=.*64 characters"),
        ("WANDB_BASE_URL", "nowhere", "WANDB_BASE_URL='nowhere'"),
    ],
)
@pytest.mark.parametrize("mode", [None, "offline"])
def test_a_variable_that_wandb_refuses_is_named_before_training(
    monkeypatch, tmp_path, name, text, words, mode
):
    monkeypatch.setenv(name, text)
    monkeypatch.setenv("WANDB_API_KEY", "a secret")
    with pytest.raises(ConfigurationError, match=words) as caught:
        fitted(BoringTask(), max_epochs=1, logger=WandbLogger(dir=tmp_path, mode=mode))
    assert "secret" not in str(caught.value)
    assert not logged_runs(tmp_path)


ASKED = {
    "WANDB_DISABLED=true": "true",
    "WANDB_MODE=dryrun": "dryrun",
    "WANDB_MODE=offline": "offline",
    "wandb offline": None,
    "wandb disabled": None,
    "settings": {"mode": "offline"},
    "wandb.Settings": wandb.Settings(mode="offline"),
    "offline=True": True,
}


@pytest.mark.distributed  # a server and wandb's own process take part
@pytest.mark.parametrize("how", ASKED)
def test_nothing_leaves_the_machine_where_somebody_said_so(server, tmp_path, monkeypatch, how):
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("WANDB_MODE")
    arguments = {}
    if how.startswith("WANDB_"):
        monkeypatch.setenv(how.partition("=")[0], ASKED[how])
    elif how.startswith("wandb "):
        monkeypatch.delenv("WANDB_DIR")  # wandb writes the file there, and reads the one of here
        monkeypatch.chdir(tmp_path)
        write_settings(how.split()[1])
    elif how == "offline=True":
        arguments["offline"] = True
    else:
        arguments["settings"] = ASKED[how]

    fitted(BoringTask(), max_epochs=1, logger=WandbLogger("digits", dir=tmp_path, **arguments))
    assert server.requests["UpsertBucket"] == server.requests["file_stream"] == 0
    runs = logged_runs(tmp_path)
    assert len(runs) == (how not in ("wandb disabled", "WANDB_DISABLED=true"))
    assert all(run.column("train/loss_epoch") for run in runs)


@pytest.mark.distributed
def test_shared_runs_are_shared(server, tmp_path):
    logger = WandbLogger("digits", dir=tmp_path, mode="shared", settings=server.settings())
    fitted(BoringTask(), max_epochs=2, logger=logger)
    assert len(server.run(logger.run_id).column("train/loss_epoch")) == 2


# ---- the id and the folder


@pytest.mark.slow
def test_the_environment_names_run_and_folder_where_no_argument_does(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "theirs"))
    monkeypatch.setenv("WANDB_RUN_ID", "abc123")
    logger = WandbLogger("digits")
    fitted(BoringTask(), max_epochs=1, logger=logger, default_root_dir=tmp_path / "root")
    assert logger.run_id == "abc123"
    (run,) = logged_runs(tmp_path / "theirs")
    assert run.id == "abc123"
    assert (tmp_path / "root/wandb_runs/digits/abc123/rows.jsonl").exists()

    logger = WandbLogger("digits", id="mine", dir=tmp_path / "own")
    fitted(BoringTask(), max_epochs=1, logger=logger)
    assert [run.id for run in logged_runs(tmp_path / "own")] == ["mine"]

    monkeypatch.setenv("WANDB_RUN_ID", "../up")
    with pytest.raises(ConfigurationError, match=r"WANDB_RUN_ID='../up'"):
        fitted(BoringTask(), max_epochs=1, logger=WandbLogger("digits", dir=tmp_path))


# ---- arguments


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"mode": "off"}, "mode is 'off'"),
        ({"log_model": "some"}, "log_model is 'some'"),
        ({"add_file_policy": "none"}, "add_file_policy is 'none'"),
        ({"finish_timeout": 0.5}, "at least 1 second"),
        ({"resume": "must"}, "resume='must'"),
        ({"entitiy": "me"}, "'entitiy'.*'entity'"),
        ({"finish_timeou": 5}, "'finish_timeou'.*'finish_timeout'"),
        ({"offlin": True}, "'offlin'.*'offline'"),
        ({"offline": True, "mode": "online"}, "mode='online', offline='offline'"),
        ({"id": "a", "version": "b"}, "id='a', version='b'"),
        ({"settings": {"x_disable_stat": True}}, "x_disable_stat.*x_disable_stats"),
        ({"settings": {"mode": "nonsense"}}, "mode Input should be 'online'"),
        ({"settings": {"mode": "offline", "init_timout": 3}}, "init_timout.*init_timeout"),
        ({"settings": {"resume": "must"}}, "resume='must'"),
        ({"settings": {"run_id": "../up"}}, "run_id='../up'"),
        ({"settings": "offline"}, "settings='offline'.*a dict or wandb.Settings"),
        ({"fork_from": "abc?_step=3"}, "fork_from=.*ckpt_path="),
        ({"id": "a/b"}, "id='a/b'"),
        ({"id": ".."}, "id='..'"),
        ({"version": ""}, "id=''"),
        ({"project": "me/digits"}, "project='me/digits'.*'/'"),
        ({"project": 3}, "project=3.*valid string"),
        ({"tags": [1, 2]}, "tags=.*valid string"),
        ({"tags": ["x" * 65]}, "tags=.*64 characters"),
        ({"tags": 5}, "tags=5"),
        ({"entity": 3}, "entity=3.*valid string"),
        ({"notes": ["a"]}, "notes=.*valid string"),
        ({"save_code": "maybe"}, "save_code='maybe'.*boolean"),
        ({"experiment": "a run"}, "experiment='a run'.*wandb.init returned"),
    ],
)
def test_arguments_that_cannot_work_are_refused_when_the_logger_is_made(arguments, words):
    with pytest.raises(ConfigurationError, match=words):
        WandbLogger(**{"project": "digits", **arguments})


@pytest.mark.parametrize(
    ("tags", "expected"),
    [(("a", "b"), ["a", "b"]), (None, [])],
    ids=["tuple", "none"],
)
def test_tags_may_be_a_text_or_several(tmp_path, tags, expected):
    logger = WandbLogger("digits", dir=tmp_path, offline=True, tags=tags)
    fitted(BoringTask(), max_epochs=1, logger=logger)
    (run,) = logged_runs(tmp_path)
    assert run.tags == expected


def test_lightnings_arguments_mean_what_they_mean_there(tmp_path):
    logger = WandbLogger("digits", save_dir=tmp_path, version="v7", offline=True, tags="baseline")
    fitted(BoringTask(), max_epochs=1, logger=logger)
    (run,) = logged_runs(tmp_path)
    assert (run.id, run.tags, logger.run_id) == ("v7", ["baseline"], "v7")


def test_a_run_that_the_user_has_opened_is_used_and_left_open(tmp_path):
    with wandb.init(project="theirs", id="open1", mode="offline", dir=tmp_path) as run:
        run.log({"before": 1})
        logger = WandbLogger(experiment=run, dir=tmp_path)
        fitted(BoringTask(), max_epochs=1, logger=logger)
        assert logger.run_id == "open1"
        run.log({"after": 1})
    (logged,) = logged_runs(tmp_path)
    assert {"before", "train/loss_epoch", "after"} <= {
        name for row in logged.history for name in row
    }


def test_a_run_that_is_finished_is_refused_when_given_and_when_training_begins(tmp_path):
    with wandb.init(project="theirs", id="over", mode="offline", dir=tmp_path) as run:
        logger = WandbLogger(experiment=run, dir=tmp_path)
    with pytest.raises(ConfigurationError, match=r"'over' is finished.*id='over'"):
        fitted(BoringTask(), max_epochs=1, logger=logger)
    with pytest.raises(ConfigurationError, match="'over' is finished"):
        WandbLogger(experiment=run, dir=tmp_path)
