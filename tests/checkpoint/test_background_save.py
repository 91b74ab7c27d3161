import threading

import pytest

from lightning_tf.checkpoint.background_save import BackgroundSave


def test_work_goes_on_beside_and_wait_waits_for_it():
    begun, may_end, done = threading.Event(), threading.Event(), []

    def work():
        begun.set()
        may_end.wait(10)
        done.append(threading.current_thread().name)

    saving = BackgroundSave(work)
    assert begun.wait(10)
    assert done == []
    assert not saving.is_done
    may_end.set()
    assert saving.wait() is None
    assert saving.is_done
    assert done == ["checkpoint"]


def test_what_the_disk_says_is_returned_and_anything_else_raised():
    def full():
        raise OSError("full")

    def wrong():
        raise TypeError("wrong")

    assert str(BackgroundSave(full).wait()) == "full"
    saving = BackgroundSave(wrong)
    with pytest.raises(TypeError, match="wrong"):
        saving.wait()
