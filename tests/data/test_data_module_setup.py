"""A data module knows what it is set up for, whoever uses it."""

import pytest
from helpers.boring import NumberData, NumberTask, quiet

from lightning_tf import Trainer


class Loads(NumberData):
    """Has its numbers from `setup`."""

    def __init__(self):
        super().__init__([1.0, 2.0], held_out=[1.0])
        self.calls, self.loaded = [], False

    def prepare_data(self):
        self.calls.append("prepare")

    def setup(self, stage):
        self.calls.append(f"setup {stage}")
        self.loaded = True

    def dataset_for(self, *args, **kwargs):
        assert self.loaded, "not set up"
        return super().dataset_for(*args, **kwargs)


class Releases(Loads):
    def teardown(self, stage):
        self.calls.append(f"teardown {stage}")
        self.loaded = False


def trainer(**arguments):
    return Trainer(**quiet(max_epochs=1, **arguments))


def test_it_is_set_up_once_for_each_stage_by_several_trainers():
    data = Loads()
    for _ in range(2):
        trainer().fit(NumberTask(data))
    trainer().test(NumberTask(data))
    one = trainer()
    one.validate(NumberTask(data))
    one.test(NumberTask(data))
    one.predict(NumberTask(data), collect=True)
    expected = ["prepare", "setup fit", "setup test", "setup validate", "setup predict"]
    assert data.calls == expected


def test_two_data_modules_of_one_trainer_are_set_up_each():
    one, first, second = trainer(), Loads(), Loads()
    for data in (first, second, first):
        one.fit(NumberTask(data))
    assert first.calls == second.calls == ["prepare", "setup fit"]


def test_one_that_releases_is_set_up_again():
    data = Releases()
    task, one = NumberTask(data), trainer()
    one.fit(task)
    one.test(task)
    one.max_epochs = 2
    one.fit(task)
    assert one.current_epoch == 2
    fit, test = ["setup fit", "teardown fit"], ["setup test", "teardown test"]
    assert data.calls == ["prepare", *fit, *test, *fit]


def test_one_that_releases_is_set_up_again_after_an_exception():
    class Fails(NumberTask):
        def on_train_start(self):
            if len(self.data.calls) < 4:
                raise RuntimeError("on purpose")

    data = Releases()
    task = Fails(data)
    with pytest.raises(RuntimeError, match="on purpose"):
        trainer().fit(task)
    trainer().fit(task)
    assert data.calls == ["prepare", *["setup fit", "teardown fit"] * 2]


def test_a_setup_that_failed_is_done_again():
    class Flaky(Loads):
        def setup(self, stage):
            super().setup(stage)
            if len(self.calls) == 2:
                raise OSError("on purpose")

    data = Flaky()
    with pytest.raises(OSError, match="on purpose"):
        trainer().fit(NumberTask(data))
    trainer().fit(NumberTask(data))
    assert data.calls == ["prepare", "setup fit", "setup fit"]


def test_it_is_told_of_an_exception_before_it_is_torn_down():
    class Told(Releases):
        def on_exception(self, exception):
            self.calls.append(repr(exception))

    class Fails(NumberTask):
        def on_train_start(self):
            raise RuntimeError("on purpose")

    data, one = Told(), trainer()
    with pytest.raises(RuntimeError, match="on purpose"):
        one.fit(Fails(data))
    assert data.calls[-2:] == ["RuntimeError('on purpose')", "teardown fit"]
    assert one.interrupted
