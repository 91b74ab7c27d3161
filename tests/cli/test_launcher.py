"""Local worker processes are started, watched and ended together."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from helpers.paths import ROOT

from lightning_tf.cli.launcher import Launcher, free_ports
from lightning_tf.cli.main import main
from lightning_tf.cli.worker_group import Outcome, WorkerGroup

ALONE = 'import json, os; i = json.loads(os.environ["TF_CONFIG"])["task"]["index"]; '


def launched(code, workers=2, **options):
    return Launcher([sys.executable, "-c", ALONE + code], workers, **options).run()


def test_every_worker_gets_its_own_place_in_one_cluster(capfd):
    assert launched('print("worker", i, os.environ["TF_CONFIG"], flush=True)', workers=3) == 0
    lines = sorted(capfd.readouterr().out.splitlines())
    assert [line[:12] for line in lines] == [f"[{i}] worker {i}" for i in range(3)]
    assert len({line.split('"cluster": ')[1].split("}")[0] for line in lines}) == 1


def test_the_exit_code_is_that_of_the_first_worker_that_failed(capfd):
    code = "import sys, time; time.sleep(0.5 * i); sys.exit(3 + i)"
    assert launched(code) == 3
    assert "worker 0 ended with exit code 3" in capfd.readouterr().err


def test_the_others_are_killed_after_the_grace(capfd):
    began = time.monotonic()
    code = "import sys, time; sys.exit(5) if i else time.sleep(100)"
    assert launched(code, grace_seconds=0.2) == 5
    assert time.monotonic() - began < 10
    assert "workers [0] did not end by themselves" in capfd.readouterr().err


def test_a_worker_that_is_killed_gives_128_and_the_signal(capfd):
    code = "import signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert launched(code, workers=1) == 128 + signal.SIGKILL
    assert "SIGKILL" in capfd.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_reach_every_worker(tmp_path, number):
    worker = tmp_path / "worker.py"
    worker.write_text(
        "import json, os, signal, sys, time\n"
        'i = json.loads(os.environ["TF_CONFIG"])["task"]["index"]\n'
        "def end(number, frame):\n"
        '    print("got", number, flush=True)\n'
        "    sys.exit(9)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "signal.signal(signal.SIGINT, end)\n"
        'print("ready", flush=True)\n'
        # A signal between Python's last look and a long sleep's start would wait for its end.
        "while True:\n"
        "    time.sleep(0.1)\n"
    )
    command = [sys.executable, "-m", "lightning_tf", "launch", "--workers", "2"]
    command += ["--log-dir", tmp_path / "logs", "--", worker]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    ready = [process.stdout.readline() for _ in range(2)]
    assert sorted(ready) == ["[0] ready\n", "[1] ready\n"]
    process.send_signal(number)
    rest, _ = process.communicate(timeout=30)
    assert sorted(rest.splitlines()) == [f"[{i}] got {int(number)}" for i in range(2)]
    assert process.returncode == 9


def test_each_worker_is_shown_gpus_of_its_own(capfd, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert launched('print(os.environ["CUDA_VISIBLE_DEVICES"])', gpus_per_worker=2) == 0
    assert sorted(capfd.readouterr().out.splitlines()) == ["[0] 0,1", "[1] 2,3"]


@pytest.mark.parametrize(
    ("shown", "each", "expected"),
    [("4,5", 1, ["4", "5"]), ("GPU-ab,MIG-cd,7,8", None, ["GPU-ab,MIG-cd", "7,8"])],
)
def test_the_gpus_that_are_shown_are_split_and_never_replaced(
    capfd, monkeypatch, shown, each, expected
):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", shown)
    assert launched('print(os.environ["CUDA_VISIBLE_DEVICES"])', gpus_per_worker=each) == 0
    printed = capfd.readouterr()
    assert sorted(printed.out.splitlines()) == [f"[{i}] {text}" for i, text in enumerate(expected)]
    assert f"worker 1: CUDA_VISIBLE_DEVICES={expected[1]}" in printed.err


@pytest.mark.parametrize(("shown", "own"), [("4", "0"), ("4,5", "1")])
def test_workers_are_told_whether_they_see_the_gpus_of_others(capfd, monkeypatch, shown, own):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", shown)
    assert launched('print(os.environ["LIGHTNING_TF_OWN_GPUS"])') == 0
    assert sorted(capfd.readouterr().out.splitlines()) == [f"[0] {own}", f"[1] {own}"]


def test_more_gpus_than_are_shown_are_refused(capsys, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5")
    with pytest.raises(SystemExit) as ended:
        main(["launch", "--workers", "2", "--gpus-per-worker", "2", "--", "x.py"])
    assert ended.value.code == 2
    assert "2 workers with 2 GPUs each need 4, and CUDA_VISIBLE_DEVICES=4,5 shows 2" in (
        " ".join(capsys.readouterr().err.split())
    )


def test_free_ports_differ():
    assert len(set(free_ports(20))) == 20


def test_the_launcher_needs_no_tensorflow():
    code = "import sys, lightning_tf.cli.main; sys.exit('tensorflow' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["launch", "--workers", "2"], "give what to run after --"),
        (["launch", "--workers", "0", "--", "x.py"], "give at least 1"),
        (["launch", "--", "x.py"], "--workers"),
        ([], "command"),
    ],
)
def test_a_wrong_command_line_is_refused(arguments, message, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_the_command_passes_arguments_on(capfd, tmp_path):
    program = "import sys; print(sys.argv[1:])"
    launch = ["launch", "--workers", "1", "--log-dir", str(tmp_path)]
    assert main([*launch, "--", sys.executable, "-c", program, "--a", "-b"]) == 0
    assert capfd.readouterr().out == "[0] ['--a', '-b']\n"


FIRST = 'r = int(os.environ["LIGHTNING_TF_RESTART"]); import signal, sys; '


@pytest.fixture(autouse=True)
def _no_back_off(monkeypatch):
    monkeypatch.setattr("lightning_tf.cli.launcher.FIRST_DELAY", 0.01)


@pytest.mark.parametrize("ending", ["os.kill(os.getpid(), signal.SIGKILL)", "sys.exit(143)"])
def test_a_worker_that_is_lost_or_asks_for_it_starts_all_again(capfd, ending):
    code = FIRST + f'print("start", i, r, flush=True)\nif r == 0 and i == 1: {ending}'
    assert launched(code, max_restarts=2) == 0
    printed = capfd.readouterr()
    starts = sorted(printed.out.splitlines())
    assert starts == [f"[{i}] start {i} {r}" for i in range(2) for r in range(2)]
    assert "restart 1 of 2" in printed.err


def test_an_error_of_the_program_is_not_tried_again_though_the_others_lost_a_worker(capfd):
    code = FIRST + "import time; (time.sleep(0.5), sys.exit(1)) if i else sys.exit(143)"
    assert launched(code, max_restarts=5) == 1
    assert "restart" not in capfd.readouterr().err


def test_restarts_are_counted_and_the_last_lines_are_shown(capfd, tmp_path):
    code = FIRST + 'print("ends in attempt", r, flush=True); sys.exit(143 * i)'
    assert launched(code, max_restarts=2, log_dir=tmp_path / "logs") == 143
    printed = capfd.readouterr().err
    assert "worker 1 wrote last (" in printed
    assert printed.splitlines()[-2:] == [
        "  ends in attempt 2",
        "lightning-tf launch: no restart is left of 2",
    ]
    log = (tmp_path / "logs" / "worker_1.log").read_text().splitlines()
    assert [line for line in log if "launch" not in line] == [
        f"ends in attempt {r}" for r in range(3)
    ]
    assert len([line for line in log if "worker 1, attempt" in line]) == 3


def test_each_restart_waits_twice_as_long(capfd, monkeypatch):
    monkeypatch.setattr("lightning_tf.cli.launcher.FIRST_DELAY", 0.1)
    assert launched("import sys; sys.exit(143)", workers=1, max_restarts=3) == 143
    waits = [line.split()[-2] for line in capfd.readouterr().err.splitlines() if " in " in line]
    assert waits == ["0.1", "0.2", "0.4"]


def test_whoever_ends_the_launcher_wants_no_restart(tmp_path):
    worker = tmp_path / "worker.py"
    worker.write_text(
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))\n"
        'print("ready", flush=True)\n'
        "while True:\n"
        "    time.sleep(0.1)\n"
    )
    command = [sys.executable, "-m", "lightning_tf", "launch", "--workers", "1"]
    command += ["--max-restarts", "3", "--log-dir", tmp_path / "logs", "--", worker]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout.readline() == "[0] ready\n"
    process.send_signal(signal.SIGTERM)
    rest, _ = process.communicate(timeout=30)
    assert (rest, process.returncode) == ("", 143)


def test_logs_have_a_folder_of_their_own_by_default(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    for number in range(2):
        assert main(["launch", "--workers", "1", "--", "echo", "hello"]) == 0
        log = tmp_path / "launch_logs" / f"launch_{number}" / "worker_0.log"
        assert log.read_text().splitlines()[-1] == "hello"
        assert f"logs of the workers: launch_logs/launch_{number}" in capfd.readouterr().err


def test_a_folder_that_cannot_be_made_is_refused(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit) as ended:
        main(["launch", "--workers", "1", "--log-dir", str(tmp_path / "file" / "x"), "--", "true"])
    assert ended.value.code == 2
    assert "give another folder" in " ".join(capsys.readouterr().err.split())


def test_workers_end_where_the_launcher_is_killed(tmp_path):
    """kill -9 of the launcher: Linux sends its workers SIGTERM, which they may answer."""
    worker = tmp_path / "worker.py"
    worker.write_text(
        "import os, pathlib, signal, sys, time\n"
        "here = pathlib.Path(sys.argv[1]) / str(os.getpid())\n"
        "def end(number, frame):\n"
        '    here.write_text("saved")\n'
        "    os._exit(143)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "here.touch()\n"
        "time.sleep(100)\n"
    )
    (tmp_path / "pids").mkdir()
    command = [sys.executable, "-m", "lightning_tf", "launch", "--workers", "2", "--log-dir"]
    command += [str(tmp_path / "logs"), "--", str(worker), str(tmp_path / "pids")]
    launcher = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})

    def files():
        return list((tmp_path / "pids").iterdir())

    def wait_for(there):
        deadline = time.monotonic() + 60
        while not there() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert there()

    wait_for(lambda: len(files()) == 2)
    launcher.kill()
    launcher.wait()
    wait_for(lambda: [file.read_text() for file in files()] == ["saved", "saved"])


MANY_LINES = '[print("x" * 99, flush=True) for _ in range(3000)]'  # more than a pipe holds


def test_a_full_disk_does_not_stop_the_workers(capfd, tmp_path):
    (tmp_path / "worker_0.log").symlink_to("/dev/full")
    assert launched(MANY_LINES, workers=1, log_dir=tmp_path) == 0
    assert len(capfd.readouterr().out.splitlines()) == 3000


def test_a_closed_terminal_does_not_stop_the_workers(tmp_path):
    command = [sys.executable, "-m", "lightning_tf", "launch", "--workers", "1", "--log-dir"]
    command += [str(tmp_path), "--", sys.executable, "-c", MANY_LINES + '; print("end")']
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    reading, writing = os.pipe()
    os.close(reading)
    try:
        subprocess.run(command, stdout=writing, env=environment, timeout=60)
    finally:
        os.close(writing)
    lines = (tmp_path / "worker_0.log").read_text().splitlines()
    assert (len(lines), lines[-1]) == (3002, "end")


def test_a_log_that_cannot_be_opened_is_told_once(capfd, tmp_path):
    (tmp_path / "worker_0.log").mkdir()
    assert launched('print("a"); print("b")', workers=1, log_dir=tmp_path) == 0
    printed = capfd.readouterr()
    assert printed.out == "[0] a\n[0] b\n"
    assert printed.err.count("worker 0 has no log") == 1


def leaves(pid_file, **options):
    """Run a worker that is killed and leaves a process, which holds its pipe."""
    code = (
        "import os, signal, subprocess, sys\n"
        f'left = subprocess.Popen(["sleep", "60"], **{options!r})\n'
        f"open({str(pid_file)!r}, 'w').write(str(left.pid))\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    group = WorkerGroup([sys.executable, "-c", code], {0: dict(os.environ)}, 60.0, None)
    assert group.run() == Outcome(128 + signal.SIGKILL, 0)


def test_what_a_dead_worker_started_ends_with_it(tmp_path):
    began = time.monotonic()
    leaves(tmp_path / "pid")
    assert time.monotonic() - began < 8  # less than KILL_SECONDS: nobody holds the pipe


def test_what_left_a_worker_does_not_hold_the_launcher(tmp_path, monkeypatch):
    monkeypatch.setattr("lightning_tf.cli.worker_group.KILL_SECONDS", 0.2)
    before = set(threading.enumerate())
    leaves(tmp_path / "pid", start_new_session=True)
    readers = set(threading.enumerate()) - before
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert [reader.daemon for reader in readers] == [True]
    for reader in readers:
        reader.join(10)
