import math

from lightning_tf.callbacks.checkpointing.top_k import TopK


def test_the_worst_goes_when_there_is_no_room():
    best = TopK(2, "min")
    assert best.add("a", 3.0) == []
    assert best.add("b", 1.0) == []
    assert best.add("c", 2.0) == ["a"]
    assert (best.best, best.worst) == ("b", "c")


def test_mode_max_turns_the_order():
    best = TopK(1, "max")
    best.add("a", 1.0)
    assert not best.would_keep(0.5)
    assert best.would_keep(1.5)


def test_a_score_equal_to_the_kth_is_not_better():
    best = TopK(1, "min")
    best.add("a", 1.0)
    assert not best.would_keep(1.0)


def test_of_equal_scores_the_earlier_is_the_best_and_the_later_goes():
    best = TopK(2, "min")
    best.add("a", 1.0)
    best.add("b", 1.0)
    assert best.best == "a"
    assert best.add("c", 0.5) == ["b"]


def test_nan_has_room_but_is_never_the_best():
    best = TopK(2, "max")
    assert best.would_keep(math.nan)
    best.add("nan", math.nan)
    assert best.best == ""
    best.add("a", -5.0)
    assert best.best == "a"
    assert not best.would_keep(math.nan)
    assert best.add("b", -9.0) == ["nan"]


def test_any_number_beats_nan_even_infinity_the_wrong_way():
    for mode, worst in (("min", math.inf), ("max", -math.inf)):
        best = TopK(1, mode)
        best.add("nan", math.nan)
        assert best.would_keep(worst)


def test_zero_keeps_none_and_minus_one_keeps_all():
    assert not TopK(0, "min").would_keep(1.0)
    best = TopK(-1, "min")
    for number in range(20):
        assert best.would_keep(float(number))
        assert best.add(str(number), float(number)) == []
    assert len(best.scores) == 20


def test_a_path_written_again_has_its_new_score():
    best = TopK(1, "min")
    best.add("a", 2.0)
    assert best.add("a", 1.0) == []
    assert best.scores == {"a": 1.0}
