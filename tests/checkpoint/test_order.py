from lightning_tf.checkpoint.order import newest_first


def at(step, time, batches=0, **more):
    return {"progress": {"global_step": step, "total_batches": batches}, "saved_at": time, **more}


def test_a_clock_that_is_behind_does_not_make_an_earlier_update_the_newest():
    runs = [("run/60.ckpt", at(60, 10_000.0)), ("run/100.ckpt", at(100, 10_000.0 - 3600))]
    assert newest_first(runs) == ["run/100.ckpt", "run/60.ckpt"]


def test_a_run_in_two_folders_is_one_run():
    runs = [
        ("old/60.ckpt", at(60, 9000.0, run_id="a")),
        ("new/100.ckpt", at(100, 5000.0, run_id="a", attempt=1)),
    ]
    assert newest_first(runs)[0] == "new/100.ckpt"


def test_between_runs_time_decides():
    runs = [
        ("run/100.ckpt", at(100, 1000.0, run_id="a")),
        ("run/20.ckpt", at(20, 2000.0, run_id="b")),
        ("run/10.ckpt", at(10, 1500.0, run_id="b")),
    ]
    assert newest_first(runs) == ["run/20.ckpt", "run/10.ckpt", "run/100.ckpt"]


def test_a_run_that_went_back_goes_on_from_where_it_went_back_to():
    runs = [
        ("run/100.ckpt", at(100, 1000.0, run_id="a")),
        ("run/80.ckpt", at(80, 900.0, run_id="a", attempt=1)),
    ]
    assert newest_first(runs) == ["run/80.ckpt", "run/100.ckpt"]


def test_batches_decide_inside_an_accumulation_window():
    runs = [("run/a.ckpt", at(7, 1000.0, 30)), ("run/b.ckpt", at(7, 900.0, 31))]
    assert newest_first(runs) == ["run/b.ckpt", "run/a.ckpt"]


def test_weights_alone_are_ordered_by_where_they_stood():
    weights = [("run/60.ckpt", 60, 2000.0), ("run/100.ckpt", 100, 1000.0)]
    runs = [
        (path, {"stood_at": {"global_step": step, "total_batches": step}, "saved_at": time})
        for path, step, time in weights
    ]
    assert newest_first(runs)[0] == "run/100.ckpt"


def test_a_damaged_one_that_was_written_later_is_looked_at_first():
    runs = [("run/60.ckpt", at(60, 1000.0))]
    damaged = {"run/80.ckpt": 1001.0, "run/40.ckpt": 900.0}
    assert newest_first(runs, damaged) == ["run/80.ckpt", "run/60.ckpt", "run/40.ckpt"]
