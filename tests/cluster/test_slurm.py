"""Sweeps on a real SLURM: two nodes on this machine, without accounting, that are started here and ended again.

Skipped where SLURM or Snakemake is not installed, for others than root, and where a SLURM is configured already.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import kills
import pytest
import torch
import yaml

from ecgtl import paths, processes
from ecgtl.commands import sweep
from ecgtl.experiments import queue, runners

pytestmark = pytest.mark.cluster
NAME, ROWS, COLUMN = "weimann2021-table2", ("majority", "random", "beat"), "25"
CONF = Path("/etc/slurm/slurm.conf")  # srun inside a job looks for it here, whatever SLURM_CONF says
OURS, LOCK = "# of ecgtl's tests\n", "/run/lock/ecgtl-slurm"  # that file is one for the whole machine
PATH = f"{sweep.WORKFLOW.parent / 'build' / 'sweep-env' / 'bin'}:{os.environ['PATH']}:/usr/sbin:/sbin"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")
# The plugin asks SLURM ten seconds later each time that no job has ended: too seldom for jobs of seconds
ASK_OFTEN = """
try:
    from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor
    RemoteExecutor.next_seconds_between_status_checks = property(lambda self: 2, lambda self, seconds: None)
except ImportError:
    pass
"""


def absent():
    if missing := [name for name in PROGRAMS if not shutil.which(name, path=PATH)]:
        return f"SLURM is not installed here (no {', '.join(missing)}): apt-get install slurm-wlm munge"
    if os.geteuid() != 0:
        return "SLURM's daemons need root"
    if CONF.exists() and not CONF.read_text().startswith(OURS):
        return f"a SLURM is configured here already: {CONF}"
    return "" if shutil.which("snakemake", path=PATH) else "Snakemake is not installed here: make sweep-env"


class Cluster:
    """munge, a controller and two nodes of two cores each."""

    def __init__(self, folder):
        self.folder, self.environment = folder, os.environ | {"PATH": PATH}
        self.daemons, self.sweeps = {}, []

    def begin(self):
        folder = self.folder
        (folder / "state").mkdir()
        (folder / "key").write_bytes(os.urandom(1024))
        (folder / "key").chmod(0o400)
        port = 20_000 + os.getpid() % 10_000
        CONF.parent.mkdir(exist_ok=True)
        CONF.write_text(OURS + "\n".join([
            "ClusterName=test", f"SlurmctldHost={os.uname().nodename}(127.0.0.1)", f"SlurmctldPort={port}",
            "SlurmUser=root", "AuthType=auth/munge", "CredType=cred/munge", f"AuthInfo=socket={folder}/socket",
            f"StateSaveLocation={folder}/state", f"SlurmdSpoolDir={folder}/%n", f"SlurmctldPidFile={folder}/pid",
            f"SlurmdPidFile={folder}/pid-%n", "ProctrackType=proctrack/linuxproc", "TaskPlugin=task/none",
            "MpiDefault=none", "JobAcctGatherType=jobacct_gather/none", "SelectType=select/cons_tres",
            "SelectTypeParameters=CR_Core", "SlurmdParameters=config_overrides", "SlurmdTimeout=5", "ReturnToService=2",
            f"NodeName=n[1-2] NodeAddr=127.0.0.1 Port=[{port + 1}-{port + 2}] CPUs=2 RealMemory=65536",
            "PartitionName=main Nodes=n[1-2] Default=YES", ""]))
        self.start("munged", "--foreground", "--force", f"--key-file={folder}/key", f"--socket={folder}/socket",
                   f"--pid-file={folder}/pid-munge", f"--log-file={folder}/log-munge", f"--seed-file={folder}/seed")
        wait(lambda: (folder / "socket").exists(), "munge")
        self.start("slurmctld", "-D")
        for name in ("n1", "n2"):
            self.start_node(name)
        wait(lambda: self.say("sinfo", "-h", "-o", "%T %D").split() == ["idle", "2"], "two idle nodes")

    def start(self, program, *words):
        with open(self.folder / f"log-{program}", "a") as log:
            self.daemons[program, *words] = subprocess.Popen(
                [program, *words], env=self.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                start_new_session=True)

    def start_node(self, name):
        self.start("slurmd", "-D", "-N", name)

    def kill(self, *daemon):
        """With all that it has started, as if its machine had failed: a job's step is a daemon's child no more."""
        process = self.daemons.pop(daemon)
        jobs = [pid for pid in all_processes() if daemon[0] == "slurmd" and
                f"SLURMD_NODENAME={daemon[-1]}" in environment_of(pid)]
        steps = [pid for pid in all_processes() if "slurmstepd" in words_of(pid) and {*processes.below(pid)} & {*jobs}]
        for pid in (process.pid, *jobs, *steps):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()

    def say(self, *words):
        return subprocess.run(words, env=self.environment, capture_output=True, text=True, timeout=60).stdout

    def end(self):
        """Of what a failed test has left, too."""
        for process in self.sweeps:
            if process.poll() is None:
                kills.kill(process)
        with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
            self.say("scancel", "--user=root")
            wait(lambda: not self.say("squeue", "-h"), "end of the jobs", seconds=15)
        for daemon in [*self.daemons]:
            self.kill(*daemon)
        CONF.unlink(missing_ok=True)


def all_processes():
    return [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]


def words_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
    except OSError:
        return ""


def environment_of(pid):
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def wait(condition, what, seconds=180):
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until, f"no {what} within {seconds} s"
        time.sleep(0.2)
    return found


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    if reason := absent():
        pytest.skip(reason)
    made = Cluster(tmp_path_factory.mktemp("slurm"))
    with open(LOCK, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pytest.skip(f"other tests have started a SLURM on this machine ({LOCK})")
        try:
            made.begin()
            yield made
        finally:
            made.end()


@pytest.fixture
def profile(tmp_path):
    """The committed profile, for a SLURM without accounting whose jobs take seconds."""
    def write(**changes):
        shipped = yaml.safe_load((sweep.WORKFLOW / "profiles" / "slurm" / "config.yaml").read_text())
        shipped |= {"slurm-status-command": "squeue", "latency-wait": 5}
        (tmp_path / "profile").mkdir(exist_ok=True)
        (tmp_path / "profile" / "config.yaml").write_text(yaml.safe_dump(shipped | changes))
        return tmp_path / "profile"

    return write


def start_sweep(cluster, folder, profile, rows=ROWS):
    (folder / "sitecustomize.py").write_text(ASK_OFTEN)
    environment = cluster.environment | {"ECGTL_RESULTS": str(folder / "results"),
                                         "PYTHONPATH": f"{paths.repository()}:{folder}"}
    words = ["--tier", "demo", "--rows", ",".join(rows), "--columns", COLUMN, "--profile", str(profile), "--folder",
             str(folder / "sweep")]
    cluster.sweeps.append(subprocess.Popen([sys.executable, "-m", "ecgtl", "sweep", NAME, *words], env=environment,
                                           cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                           start_new_session=True))
    return cluster.sweeps[-1]


def finish(process):
    out, err = process.communicate(timeout=400)
    return process.returncode, out, err


def nodes_of(folder, run):
    """On which nodes the sweeps of ``folder`` are making ``run``."""
    said = [environment_of(pid) for pid in all_processes() if words_of(pid).endswith(f" --only {run} ")]
    return {one.partition("=")[2] for words in said if f"ECGTL_RESULTS={folder / 'results'}" in words
            for one in words if one.startswith("SLURMD_NODENAME=")}


def on_one_machine(folder, monkeypatch):
    """What ``run`` does there, run by run."""
    monkeypatch.setenv("ECGTL_RESULTS", str(folder / "results"))
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", os.environ.get("ONEDNN_MAX_CPU_ISA", ""))
    queue.hold()
    if not os.environ["ONEDNN_MAX_CPU_ISA"]:
        monkeypatch.delenv("ONEDNN_MAX_CPU_ISA")
    torch.set_num_threads(1)
    for run in runners.chosen(NAME, "demo", ROWS, (COLUMN,)):
        if run.obstacle():
            assert runners.make(queue.start_of(run, singles=True), "command")
        assert runners.make(run, "command")
    return kills.scores(folder)


def test_whatever_is_killed_a_sweep_ends_with_the_scores_of_one_machine(cluster, tmp_path, profile, monkeypatch):
    """A node in the middle of a run, the controller, then Snakemake; no finished run is lost or made again."""
    given = profile()
    first = start_sweep(cluster, tmp_path, given)
    run = f"{NAME}/cinc2017-demo-random-{COLUMN}-run0"
    wait(lambda: [*(tmp_path / "results").rglob("*.json")] and nodes_of(tmp_path, run), "run beside a finished one")
    [node] = nodes_of(tmp_path, run)
    cluster.kill("slurmd", "-D", "-N", node)
    cluster.kill("slurmctld", "-D")
    cluster.start("slurmctld", "-D")
    wait(lambda: nodes_of(tmp_path, run) - {node}, "other node that makes the run", seconds=300)
    assert first.poll() is None
    kills.kill(first)
    done = {file: file.stat().st_mtime_ns for file in (tmp_path / "results").rglob("*.json")}

    cluster.start_node(node)
    status, _, err = finish(start_sweep(cluster, tmp_path, given))
    assert (status, err) == (0, "")
    assert done and {file: file.stat().st_mtime_ns for file in done} == done
    assert kills.scores(tmp_path) == on_one_machine(tmp_path / "alone", monkeypatch)
    monkeypatch.setenv("ECGTL_RESULTS", str(tmp_path / "results"))
    assert sweep.plan([NAME], "demo", ROWS, (COLUMN,)) == []


def test_an_unknown_partition_and_a_full_disk_are_one_line_and_a_rerun_works(cluster, tmp_path, profile):
    disk, rows = tmp_path / "results", ["majority", "random"]
    disk.mkdir()
    nowhere = profile(**{"default-resources": {"slurm_partition": "nowhere"}, "restart-times": 0})
    status, _, err = finish(start_sweep(cluster, tmp_path, nowhere, rows))
    assert status == 2 and err.count("\n") == 1
    assert "invalid partition" in err and "nowhere" in err

    given, kept = profile(**{"restart-times": 0}), {}
    with small_disk(disk) as enlarge:
        if enlarge:
            status, _, err = finish(start_sweep(cluster, tmp_path, given, rows))
            assert status == 2 and err.count("\n") == 1
            kept = {file: file.stat().st_mtime_ns for file in disk.rglob("*.json")}
            [lost] = {"majority", "random"} - {file.stem.split("-")[2] for file in kept}
            assert "1 of 2 steps" in err and "no space left" in err and f"{lost}-25-run0" in err
            enlarge()
        status, _, err = finish(start_sweep(cluster, tmp_path, given, rows))
        assert (status, err) == (0, "")
        assert len([*disk.rglob("*.json")]) == 2
        assert {file: file.stat().st_mtime_ns for file in kept} == kept
    if not enlarge:
        pytest.skip("no small disk can be mounted here; all but the full disk has been tested")


@contextlib.contextmanager
def small_disk(folder):
    """A disk of three pages, too few for the files of a second run; what enlarges it, None where it is not allowed."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=12k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        yield None
        return
    try:
        yield lambda: subprocess.run(["mount", "-o", "remount,size=8m", folder], check=True)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
