from lightning_tf.loops.window_clock import GROWTH, TARGET_SECONDS, WindowClock


def test_the_first_window_is_one_batch():
    assert WindowClock().count == 1


def test_windows_grow_to_the_time_target_and_stay_there():
    clock, a_batch = WindowClock(), 0.001
    for _ in range(10):
        clock.measured(clock.count, clock.count * a_batch)
    assert abs(clock.count * a_batch - TARGET_SECONDS) < 0.1 * TARGET_SECONDS


def test_one_fast_window_grows_the_next_by_a_bounded_factor():
    clock = WindowClock()
    clock.measured(1, 1e-12)
    assert clock.count == GROWTH
    clock.measured(GROWTH, 0.0)
    assert clock.count == GROWTH**2


def test_a_slow_batch_makes_windows_of_one():
    clock = WindowClock()
    clock.measured(1, 0.0)
    clock.measured(clock.count, 1000.0)
    assert clock.count == 1


def test_a_window_cut_short_by_somebody_awake_does_not_shrink_the_next():
    clock = WindowClock()
    for _ in range(10):
        clock.measured(clock.count, clock.count * 0.001)
    before = clock.count
    clock.measured(1, 0.001)
    assert clock.count >= 0.9 * before
