"""A tracker in memory, which can be away, hang, or lose its answers, and a logger for it."""

import threading

from lightning_tf.callbacks.loggers.delivering_logger import DeliveringLogger
from lightning_tf.callbacks.loggers.run_receiver import RunReceiver


class Tracker:
    """What arrived; a row that comes twice as it was is the same, as in MLflow."""

    def __init__(self):
        self.rows, self.files, self.ends, self.asked = {}, [], [], 0
        self.is_away = self.loses_answers = self.takes_no_files = False
        self.answers = threading.Event()
        self.answers.set()

    def column(self, name):
        """Return pairs of step and value, as they were sent."""
        return [(step, value) for (step, _, key), value in self.rows.items() if key == name]

    def answer(self):
        """Let the caller wait while the tracker hangs, and fail while it is away."""
        self.asked += 1
        self.answers.wait()
        if self.is_away:
            raise ConnectionError("nobody is there")


class KeptRun(RunReceiver):
    tracker = Tracker()

    def check_reachable(self):
        if self.tracker.is_away:
            raise ConnectionError("nobody is there")

    def open(self):
        self.tracker.answer()

    def last_step(self):
        return max((step for step, _, _ in self.tracker.rows), default=-1)

    def send_rows(self, lines):
        self.tracker.answer()
        for line in lines:
            for name, value in line.values.items():
                self.tracker.rows[line.step, line.time, name] = value
        if self.tracker.loses_answers:
            raise ConnectionError("the answer was lost")
        return True

    def send_file(self, line, name, item):
        self.tracker.answer()
        if self.tracker.takes_no_files:
            raise PermissionError("no files")
        with open(item["path"], "rb") as file:
            self.tracker.files.append((line.step, name, file.read()))
        return True

    def close(self, status):
        self.tracker.answer()
        self.tracker.ends.append(status)


class KeptLogger(DeliveringLogger):
    """Needs no package."""

    package, receiver = "json", KeptRun

    def __init__(self, root, run_id=None, finish_timeout=5.0):
        super().__init__("kept", root, run_id, "", finish_timeout)

    def _record_of_run(self, trainer, run_id):
        return {"id": run_id, "settings": {}, "config": {}, "tags": {}, "status": None}
