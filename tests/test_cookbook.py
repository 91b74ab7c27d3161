"""Every program of the cookbook runs, and learns more than chance or a baseline knows."""

import importlib.util
import re

import pytest
from helpers.paths import ROOT
from safetensors import safe_open

LEARNED = {
    "actor_critic": lambda steps_upright, untrained: steps_upright > 100 > 3 * untrained,
    "autoencoder": lambda error, error_of_pca: error < 0.75 * error_of_pca,
    "character_language_model": lambda bits, of_frequencies: bits < 0.5 * of_frequencies,
    "contrastive_text_image": lambda retrieved, by_chance: retrieved > 0.7 > 10 * by_chance,
    "distillation": lambda with_teacher, alone: with_teacher > alone + 0.05,
    "dqn": lambda caught, by_chance: caught > 0.9 and by_chance < 0.3,
    "masked_language_model": lambda accuracy, of_frequencies: accuracy > of_frequencies + 0.2,
    "multi_label_images": lambda f1, of_all_labels: f1 > of_all_labels + 0.2,
    "policy_gradient": lambda reward, by_chance: reward > 0.6 and by_chance < 0,
    "seq2seq": lambda exact, chance: exact > 0.9 and chance < 1e-6,
    "sequence_labeling": lambda span_f1, by_letter: span_f1 > 0.95 and by_letter < 0.1,
    "simclr": lambda accuracy, untrained: accuracy > untrained + 0.1,
    "two_heads": lambda digits, turns, **chance: digits > 0.75 and turns > 0.75,
    "unet": lambda mean_iou, of_background: mean_iou > of_background + 0.4,
    "wgan_gp": lambda places, near, chance: places == 8 and near > chance + 0.4,
}
FOLDER = ROOT / "scripts" / "cookbook"


def recipe(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("name", LEARNED)
def test_a_recipe_learns(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    figures = recipe(name).main()
    assert LEARNED[name](**figures), figures


@pytest.mark.parametrize(
    ("name", "arguments", "figure", "least"),
    [
        ("two_heads", {"epochs": 2}, "turns", 0.4),
        ("dqn", {"epochs": 20}, "caught", 0.5),
        ("sequence_labeling", {"epochs": 2, "count": 1000}, "span_f1", 0.5),
    ],
)
def test_a_recipe_learns_a_little_in_a_second(
    name, arguments, figure, least, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert recipe(name).main(**arguments)[figure] > least


@pytest.mark.slow
def test_the_frozen_teacher_stays_out_of_checkpoints(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = recipe("distillation")
    task, trainer = module.Student(module.large_network()), module.Trainer(max_steps=2, seed=0)
    trainer.fit(task, (module.x, module.y))
    trainer.save_checkpoint("student")
    with safe_open("student/state.safetensors", framework="numpy") as file:
        assert not [name for name in file.keys() if "teacher" in name]  # noqa: SIM118
    again = module.Student.from_checkpoint("student", teacher=task.teacher)
    assert trainer.test(again, (module.x, module.y)) == trainer.test(task, (module.x, module.y))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dqn", "policy_gradient"])
def test_a_resumed_run_plays_the_same_games(name, tmp_path, monkeypatch):
    """What a simulator gave is part of the run, and stands in its checkpoints."""
    monkeypatch.chdir(tmp_path)
    module = recipe(name)
    kind = next(getattr(module, kind) for kind in ("DQN", "PPO") if hasattr(module, kind))

    def weights(*limits):
        trained = None
        for limit in limits:
            checkpoint = None if trained is None else tmp_path / "half"
            trained = kind()
            trainer = module.Trainer(seed=0, enable_progress_bar=False, logger=False, **limit)
            trainer.fit(trained, ckpt_path=checkpoint)
            trainer.save_checkpoint(tmp_path / "half")
        parts = (getattr(trained, part) for part in ("online", "policy") if hasattr(trained, part))
        return [array.tobytes() for part in parts for array in part.get_weights()]

    whole = weights({"max_epochs": 4})
    assert weights({"max_steps": 130 if name == "dqn" else 70}, {"max_epochs": 4}) == whole


def test_every_program_is_short_and_stands_in_the_cookbook():
    programs = {path.stem for path in FOLDER.glob("*.py")}
    pages = "\n".join(path.read_text() for path in (ROOT / "docs" / "cookbook").glob("*.md"))
    assert programs == {*LEARNED}
    assert programs == set(re.findall(r'--8<-- "scripts/cookbook/(\w+)\.py"', pages))
    assert all(len((FOLDER / f"{name}.py").read_text().splitlines()) < 100 for name in programs)
