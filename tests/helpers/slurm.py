"""A real SLURM on this machine alone, with daemons, folders and ports of its own."""

import os
import shutil
import subprocess
import time
from pathlib import Path

from lightning_tf.cli.launcher import free_ports

DAEMONS = ("munged", "slurmctld", "slurmd")
CONFIG = """
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
KillWait=30
JobRequeue=1
SlurmdParameters=config_overrides
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
NodeName=localhost NodeAddr=127.0.0.1 CPUs=64 RealMemory=20000
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def why_none():
    """Why there can be no SLURM here; empty where there can."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    missing = [name for name in DAEMONS if shutil.which(name, path=path) is None]
    if missing:
        return f"{', '.join(missing)} not installed (apt-get install slurm-wlm munge)"
    return "" if os.geteuid() == 0 else "SLURM's daemons need root"


class Slurm:
    """Daemons that run between `start` and `stop`; only they are ended.

    Args:
        folder: For their files; short, because it holds a socket.
    """

    def __init__(self, folder):
        self.folder, self._started = Path(folder), []
        self.environment = {**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf")}
        self.environment["PATH"] += ":/usr/sbin:/sbin"

    def start(self):
        for name in ("state", "spool"):
            (self.folder / name).mkdir(parents=True)
        self.folder.chmod(0o755)
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        controller, node = free_ports(2)
        config = CONFIG.format(folder=self.folder, controller=controller, node=node)
        (self.folder / "slurm.conf").write_text(config)

        files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log"}
        options = [f"--{o}={self.folder}/munge.{name}" for o, name in files.items()]
        options.append(f"--seed-file={self.folder}/munge.seed")
        self._start("munged", "--foreground", "--force", *options)
        self._until(lambda: (self.folder / "munge.socket").exists(), "munge's socket")
        self._start("slurmctld", "-D", "-c")
        self._start("slurmd", "-D", "-N", "localhost")
        self._until(lambda: "idle" in self.run("sinfo", "-h", "-o", "%T"), "an idle node", 60)

    def stop(self):
        for process in reversed(self._started):
            process.terminate()
        for process in reversed(self._started):
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def run(self, *command):
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        return done.stdout + done.stderr

    def submit(self, *arguments, **environment):
        """Submit a job and return its number."""
        done = subprocess.run(
            ["sbatch", "--parsable", *map(str, arguments)],
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def state(self, job):
        words = self.run("scontrol", "show", "job", job).split()
        return next((w.removeprefix("JobState=") for w in words if w.startswith("JobState=")), "")

    def start_now(self, job):
        """Start a job that was requeued, which SLURM puts off by two minutes."""
        self._until(lambda: self.state(job) == "PENDING", f"the end of job {job}'s run", 60)
        # Part of why it waits: the end of the batch script before is told late, and would count
        # as the end of the next.
        self._until(lambda: "idle" in self.run("sinfo", "-h", "-o", "%T"), "an idle node", 60)
        time.sleep(5)
        self.run("scontrol", "update", f"JobId={job}", "StartTime=now")

    def until_ended(self, job, seconds=300):
        ended = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY")
        self._until(lambda: self.state(job) in ended, f"the end of job {job}", seconds)
        return self.state(job)

    def _start(self, *command):
        log = open(self.folder / f"{command[0]}.out", "wb")  # noqa: SIM115 - the process has it
        self._started.append(
            subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        )
        log.close()

    def _until(self, is_there, what, seconds=30):
        deadline = time.monotonic() + seconds
        while not is_there():
            if time.monotonic() > deadline:
                logs = [p.read_text()[-1500:] for p in self.folder.glob("*.log")]
                raise AssertionError("\n".join([f"{what} did not come", *logs]))
            time.sleep(0.2)
