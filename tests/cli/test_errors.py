"""What is said of options that cannot work: the reason, and the nearest of the right kind."""

import sys

import pytest

from lightning_tf.cli.main import main

TASK = ["--task", "ImageClassification", "--data", "digits", "--max_epochs", "1"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    (tmp_path / "importing_nothing.py").write_text("import no_such_module")
    (tmp_path / "with_syntax.py").write_text("class T(")
    source = "from lightning_tf import Task\nclass Autoencoder(Task): pass\ndef helper(): pass\n"
    (tmp_path / "task_of_errors.py").write_text(source)
    monkeypatch.delitem(sys.modules, "task_of_errors", raising=False)
    return tmp_path


def said(capsys, *arguments):
    assert main(["fit", *arguments]) == 2
    text = capsys.readouterr().err
    assert "Traceback" not in text
    assert len(text.splitlines()) == 1
    return text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--trainer.callbacks+=EarlyStoping", "Did you mean 'EarlyStopping'? Known: Backbone"),
        ("--trainer.callbacks EarlyStoping", "Did you mean 'EarlyStopping'?"),
        ("--callbacks CSVLoger", "there is no 'CSVLoger' to import"),
        ("--trainer.callbacks+=EarlyStopping", "EarlyStopping needs monitor: give it"),
        ("--callbacks EarlyStopping", "EarlyStopping needs monitor: give it"),
        ("--callbacks EMA --decya 1", "EMA has no argument 'decya'. Did you mean 'decay'?"),
        ("--callbacks EMA --decay x", "--trainer.callbacks.decay: 'x' cannot be used; expected fl"),
        ("--callbacks task_of_errors.helper", "'task_of_errors.helper' is no Callback. Known: "),
        ("--logger WandbLoger", "Did you mean 'WandbLogger'? Known: CSVLogger, "),
        ("--learning_rate fast", "--task.learning_rate: 'fast' cannot be used; expected float"),
        ("--max_epochs x", "--trainer.max_epochs: 'x' cannot be used; expected int"),
        ("--epochs 3", "there is no option --epochs. Instead: max_epochs"),
        ("stray", "'stray' is no option"),
        ("--patience", "--patience needs a value"),
        ("--config none.yaml", "none.yaml"),
    ],
)
def test_an_option_is_refused_with_its_reason(folder, capsys, arguments, message):
    assert message in said(capsys, *TASK, *arguments.split())


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("importing_nothing.T", "importing_nothing cannot be imported: No module named 'no_such_m"),
        (
            "with_syntax.T",
            "cannot be used: '(' was never closed (with_syntax.py, line 1)",
        ),
        ("no_module.T", "there is no 'no_module.T' to import"),
        ("task_of_errors.Autoencodr", "Did you mean 'Autoencoder'? Known: Autoencoder."),
        ("task_of_errors.helper", "'task_of_errors.helper' is no Task. Known: GAN, "),
        ("ImageClasification", "Did you mean 'ImageClassification'? Known: GAN, "),
    ],
)
def test_a_task_that_is_none_is_refused_with_its_reason(folder, capsys, task, message):
    assert message in said(capsys, "--task", task, "--max_epochs", "1")


def test_a_call_without_a_task_and_one_without_a_command_say_how_it_goes(capsys):
    assert said(capsys, "--max_epochs", "1") == "lightning-tf fit: --task is missing.\n"
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
    assert "usage: lightning-tf" in capsys.readouterr().err
