"""Injure a run of two workers again and again, and compare it with the run that nobody touched.

    python benchmarks/injuries.py [--injuries 50] [--seed 0] [--write]

Two networks against each other (shuffling, dropout, accumulation of 3) are trained by two worker
processes under ``lightning-tf launch --max-restarts``, with a checkpoint every few updates in a
store behind a URL. At random moments a worker is killed, or both are, or one is stopped for some
seconds; the disk of the working copies is full for a while (a small tmpfs, which needs root), or
the store is away; a worker gets SIGTERM; or the whole launch does and begins again with
``ckpt_path="last"``, as a scheduler requeues it, half of the times with an empty disk, as on
another machine. Compared bit by bit: every variable at the end and every logged row.
"""

from __future__ import annotations

import argparse
import contextlib
import filecmp
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from kill_test import EPOCHS, EVERY, TwoOptimizers

from lightning_tf.checkpoint.io import read_checkpoint

SCHEME, STORE, AWAY = "injured", "INJURED_STORE", "away"
STARTED, TIMEOUT = "this worker trains, process", 300
DISK = 4 * 2**20  # bytes of the disk of the working copies
INJURIES_OF_A_RUN = 10  # then it may end, and another run begins
LONGEST_WAIT = 1.5  # seconds of training before an injury
AT_MOST = 4.0  # seconds that a worker is stopped, a disk full, a store away


def worker(folder: str) -> None:
    """Train as one of two workers, from the newest checkpoint of the store where there is one."""
    import fsspec
    from fsspec.implementations.dirfs import DirFileSystem
    from fsspec.implementations.local import LocalFileSystem

    from lightning_tf import Callback, Task, Trainer
    from lightning_tf.callbacks import ModelCheckpoint

    class Store(DirFileSystem):
        """A folder as a store behind a URL, which is away where a file says so."""

        protocol = SCHEME

        def __init__(self, **options: object) -> None:
            super().__init__(os.environ[STORE], LocalFileSystem(auto_mkdir=True))

        def _join(self, path: str | list[str]) -> str | list[str]:
            if os.path.exists(f"{os.environ[STORE]}.{AWAY}"):
                raise ConnectionError("the store is away")
            return super()._join(path)  # type: ignore[no-any-return]

    class Announce(Callback):
        """Prints a line when training starts, with this process's number."""

        logs_metrics = False

        def on_train_start(self, trainer: Trainer, task: Task) -> None:
            """Print a line."""
            print(STARTED, os.getpid(), flush=True)

    fsspec.register_implementation(SCHEME, Store)
    saves = ModelCheckpoint(
        f"{SCHEME}://run",
        every_n_train_steps=EVERY,
        save_top_k=1,
        save_last=True,
        max_save_failures=None,
    )
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=EPOCHS,
        seed=5,
        accumulate_grad_batches=3,
        log_every_n_steps=1,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        callbacks=[saves, Announce()],
    )
    trainer.fit(TwoOptimizers(), ckpt_path="last")
    trainer.save_checkpoint(os.path.join(folder, "end"))


@dataclass
class Launch:
    """A launcher with its workers.

    Attributes:
        folder: Of the run.
        started: Process numbers of the workers that train now.
    """

    folder: Path
    cache: Path
    started: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        command = [sys.executable, "-W", "ignore", "-m", "lightning_tf", "launch", "--workers", "2"]
        command += ["--max-restarts", "100", "--log-dir", str(self.folder / "logs")]
        environment = {STORE: str(self.folder / "store"), "LIGHTNING_TF_CACHE": str(self.cache)}
        (self.folder / "store").mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            [*command, "--", __file__, "--worker", str(self.folder)],
            env={**os.environ, **environment, "TF_CPP_MIN_LOG_LEVEL": "3"},
            stdout=subprocess.PIPE,
            stderr=(self.folder / "errors.txt").open("a"),
            text=True,
        )
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            if STARTED in line:  # "[1] this worker trains, process 4711"
                self.started[int(line[1])] = int(line.split()[-1])

    def wait_for_training(self) -> bool:
        """Wait until both workers train, and return whether they do: the run may have ended."""
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end and self.process.poll() is None:
            if len(self.started) == 2 and all(map(_runs, self.started.values())):
                return True
            time.sleep(0.02)
        return False

    def forget(self) -> None:
        """Wait for other workers than those that train now."""
        self.started.clear()


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


# ---- injuries; each returns the launch that goes on


def kill_one(launch: Launch) -> Launch:
    """Kill a worker; the launcher starts both again."""
    return _signal(launch, [random.choice([0, 1])], signal.SIGKILL)


def kill_both(launch: Launch) -> Launch:
    """Kill both workers."""
    return _signal(launch, [0, 1], signal.SIGKILL)


def terminate_one(launch: Launch) -> Launch:
    """Send SIGTERM to a worker, after which all leave together."""
    return _signal(launch, [random.choice([0, 1])], signal.SIGTERM)


def stop_one(launch: Launch) -> Launch:
    """Stop a worker for some seconds; nothing restarts."""
    pid = launch.started[random.choice([0, 1])]
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
        time.sleep(random.uniform(0.5, AT_MOST))
        os.kill(pid, signal.SIGCONT)
    return launch


def fill_disk(launch: Launch) -> Launch:
    """Leave no byte on the disk of the working copies for some seconds."""
    filler = launch.cache / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    time.sleep(random.uniform(0.5, AT_MOST))
    filler.unlink()
    return launch


def take_store_away(launch: Launch) -> Launch:
    """Let every call of the store fail for some seconds."""
    flag = Path(f"{launch.folder / 'store'}.{AWAY}")
    flag.touch()
    time.sleep(random.uniform(0.5, AT_MOST))
    flag.unlink()
    return launch


def requeue(launch: Launch) -> Launch:
    """End the launch with SIGTERM and begin it again, half of the times on an empty disk."""
    launch.process.send_signal(signal.SIGTERM)
    launch.process.wait(TIMEOUT)
    if random.random() < 0.5:
        for path in launch.cache.iterdir():
            shutil.rmtree(path)
    return Launch(launch.folder, launch.cache)


def _signal(launch: Launch, workers: list[int], number: signal.Signals) -> Launch:
    pids = [launch.started[worker] for worker in workers]
    launch.forget()
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    return launch


INJURIES = (kill_one, kill_both, terminate_one, stop_one, fill_disk, take_store_away, requeue)

# ---- runs


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Give a disk that is full soon, for the working copies of what goes to the store."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def run(folder: Path, injuries: list[str], counts: Counter[str]) -> str:
    """Train to the end with these injuries; return what went wrong, or nothing."""
    folder.mkdir()
    with small_disk(folder / "cache") as cache:
        launch = Launch(folder, cache)
        for name in injuries:
            if not launch.wait_for_training():
                break
            time.sleep(random.uniform(0.0, LONGEST_WAIT))
            if launch.process.poll() is None:
                launch = globals()[name](launch)
                counts[name] += 1
        code = launch.process.wait(TIMEOUT)
    errors = (folder / "errors.txt").read_text().strip().splitlines()
    return f"exit code {code}: {errors[-1] if errors else ''}" if code else ""


def differences(reference: Path, folder: Path) -> list[str]:
    """Return what differs between two runs that have ended."""
    expected, actual = (read_checkpoint(each / "end") for each in (reference, folder))
    found = sorted(set(expected.tensors) ^ set(actual.tensors))
    for name in set(expected.tensors) & set(actual.tensors):
        if expected.tensors[name].tobytes() != actual.tensors[name].tobytes():
            found.append(name)
    # A run that was killed before its first checkpoint started again in another folder.
    tables = [Path(each.run["loggers"][0][1]) / "metrics.csv" for each in (expected, actual)]
    return found if filecmp.cmp(*tables, shallow=False) else [*found, "rows"]


def main() -> None:
    """Injure, compare, print the counts."""
    import measure

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--injuries", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0, help="of the injuries and their moments")
    parser.add_argument("--write", action="store_true", help="write the counts to RESULTS.md")
    options = parser.parse_args()
    random.seed(options.seed)

    counts: Counter[str] = Counter()
    failures, different, runs = [], [], 0
    with tempfile.TemporaryDirectory() as parent:
        failed = run(Path(parent) / "reference", [], Counter())
        if failed:
            raise SystemExit(f"the run that nobody touched fails: {failed}")
        while counts.total() < options.injuries and not failures:
            left = min(INJURIES_OF_A_RUN, options.injuries - counts.total())
            chosen = [random.choice(INJURIES).__name__ for _ in range(left)]
            folder = Path(parent) / f"run_{runs}"
            failed, runs = run(folder, chosen, counts), runs + 1
            failures += [failed] if failed else []
            different += [] if failed else differences(Path(parent) / "reference", folder)
            print(f"{counts.total()} injuries, {len(different)} differences {failed}", flush=True)

    rows = [[name.replace("_", " "), str(counts[name])] for name in sorted(counts)]
    rows += [["injuries", str(counts.total())], ["runs that ended and were compared", str(runs)]]
    rows += [["runs that failed", str(len(failures))], ["differences", str(len(different))]]
    print(*failures, *different, sep="\n")
    table = measure.table(["two workers", "count"], rows)
    print(table)
    if options.write:
        measure.write("injuries", f"## injuries\n\n{measure.machine()}.\n\n{table}\n")
    sys.exit(bool(failures or different))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(sys.argv[2])
    else:
        main()
