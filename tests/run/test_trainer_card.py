"""What a notebook shows of a Trainer."""

from helpers.boring import BoringTask, quiet

from lightning_tf import Trainer


def test_a_card_of_a_trainer_that_has_not_begun_names_its_settings():
    card = Trainer(**quiet(max_epochs=3, seed=7, precision="bf16-mixed"))._repr_html_()
    for text in ("max&#95;epochs=3", "mixed&#95;bfloat16", "CPU:0", ">7<", "none yet"):
        assert text in card


def test_a_card_tells_where_training_stands_and_what_was_measured():
    trainer = Trainer(**quiet(max_epochs=2))
    trainer.fit(BoringTask())
    card = trainer._repr_html_()
    assert "BoringTask" in card
    assert f"2 epochs, {trainer.global_step} updates" in card
    assert str(round(trainer.callback_metrics["val_loss"], 6)) in card


def test_a_trainer_without_a_limit_says_what_fit_needs():
    assert "none: fit needs one" in Trainer(**quiet())._repr_html_()
