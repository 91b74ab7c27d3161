"""The image of a search shows every trial that was measured, and points out the best."""

from matplotlib.figure import Figure

from lightning_tf.tuning.parallel_coordinates import draw_parallel_coordinates
from lightning_tf.tuning.search_space import search_space

SPACE = search_space({"task.rate": "0.001..0.1 log", "units": "1..4", "network": "mlp,convnet"})


def drawn(lines, mode="max", best=None):
    axes = Figure().add_subplot()
    draw_parallel_coordinates(axes, SPACE, lines, monitor="val_x", mode=mode, best=best)
    trials = [line for line in axes.lines if len(line.get_xdata()) == 4]
    return trials, [text.get_text() for text in axes.texts]


def line(number, rate, value, is_pruned=False):
    return ({"task.rate": rate, "units": 2, "network": "mlp"}, value, is_pruned, number)


def test_a_log_range_has_a_log_axis_and_choices_have_their_names():
    (trial,), texts = drawn([line(0, 0.01, 0.5)], best=0)
    assert trial.get_ydata()[0] == 0.5  # the middle decade
    assert {"0.001", "0.01", "0.1", "mlp", "convnet", "rate\n(log)", "val_x"} <= set(texts)
    assert "best: trial 0\nval_x 0.5" in texts


def test_the_better_a_trial_the_wider_and_the_best_is_above_all():
    lines = [line(0, 0.01, 0.9), line(1, 0.02, 0.5, is_pruned=True), line(2, 0.03, 0.7)]
    trials, texts = drawn(lines, best=0)
    widths = {round(t.get_ydata()[-1], 3): t.get_linewidth() for t in trials}
    assert list(dict(sorted(widths.items())).values()) == sorted(widths.values())
    assert [t.get_linestyle() == "--" for t in trials] == [True, False, False]
    assert "darker and wider: better; dashed: ended early" in texts


def test_where_less_is_better_the_axis_is_turned_round():
    trials, _ = drawn([line(0, 0.01, 0.2), line(1, 0.02, 0.8)], mode="min", best=0)
    assert [t.get_ydata()[-1] for t in trials] == [0.0, 1.0]


def test_trials_that_went_wrong_do_not_press_the_others_together():
    good = [line(n, 0.01, 0.9 + n / 100) for n in range(6)]
    trials, texts = drawn([*good, line(6, 0.1, 0.1)], best=5)
    heights = sorted(t.get_ydata()[-1] for t in trials)
    assert heights[0] == 0.0
    assert heights[1] > 0.5
    assert any(text.endswith("or worse") for text in texts)
