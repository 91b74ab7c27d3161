"""What the benchmarks share: ratios of rounds, targets with slack, contenders in turn."""

import pytest

from benchmarks.measure import Target, Timing, alternate, later_epoch, speed


def test_a_speed_is_the_median_of_the_ratios_of_rounds():
    # The machine was busy in the last round: both took ten times as long.
    ours, theirs = ([Timing(epoch, 9.0) for epoch in epochs] for epochs in ((1, 2, 10), (3, 6, 30)))
    assert speed(ours, theirs) == 3
    assert speed(theirs, ours) == pytest.approx(1 / 3)


def test_the_first_epoch_is_left_out():
    assert later_epoch([0.0, 100.0, 101.0, 104.0]) == 2.0


def test_slack_makes_either_bound_easier():
    above, below = Target("time", 1.2, at_most=1.1), Target("speed", 4.5, at_least=5)
    assert not above.is_met
    assert not below.is_met
    assert above.with_slack(1.25).is_met
    assert below.with_slack(1.25).is_met
    assert not Target("speed", 3.9, at_least=5).with_slack(1.25).is_met


@pytest.mark.slow
def test_contenders_take_turns_in_changing_order_behind_a_round_that_does_not_count():
    turns = []

    def contender(name):
        return lambda: turns.append(name) or Timing(len(turns), 0.0)

    contenders = {name: contender(name) for name in ("a", "b")}
    medians, rounds = alternate(contenders, 2)
    assert turns == ["a", "b", "b", "a", "a", "b"]
    assert [timing.epoch for timing in rounds["a"]] == [4, 5]
    assert medians["b"].epoch == 4.5
    turns.clear()
    alternate(contenders, 1, warm_up=False)
    assert turns == ["b", "a"]
