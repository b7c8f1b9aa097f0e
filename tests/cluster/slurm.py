"""A real Slurm (Debian's packages slurm-wlm and munge) on the hosts of cluster.py, for the tests:

    with Cluster(3, shared=[tmp_path]) as cluster:
        slurm = Slurm(cluster)
        job = slurm.sbatch("--nodes=2", script, variables={"OUT": str(out)})
        slurm.wait_for(job, ENDED)

The first host has the controller, sbatch and srun, and computes nothing; the others compute. Each host has a munged with the cluster's
own key. The daemons are started in the foreground, know nothing of the machine's own Slurm if it has one, and end with the cluster's box."""

import os
import shutil
import subprocess
import time
from pathlib import Path

from cluster import Cluster

PROGRAMS = "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "munged"
LONGEST_START = 60  # seconds
LONGEST_JOB = 600
ENDED = ("COMPLETED", "FAILED", "TIMEOUT", "CANCELLED", "NODE_FAIL")

# Two things are shorter than Slurm's defaults: a requeued job waits cred_expire before it starts again (120 s), and a host that is silent
# for SlurmdTimeout (300 s) is down.
CONFIGURATION = """
ClusterName=box
SlurmctldHost={head}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=/tmp/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir=/tmp/slurmd
SlurmctldPidFile=/tmp/slurmctld.pid
SlurmdPidFile=/tmp/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
SlurmdTimeout=20
KillWait=10
GresTypes=gpu
NodeName={nodes} CPUs=8 Gres=gpu:2
PartitionName=all Nodes=ALL Default=YES State=UP
"""


def reason_to_skip() -> str | None:
    missing = [program for program in PROGRAMS if not shutil.which(program)]
    return f"{', '.join(missing)} not there: apt-get install slurm-wlm munge" if missing else None


class Slurm:
    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.folder = cluster, cluster.folder / "slurm"
        self.head, *self.nodes = cluster.names
        self.configuration = self.folder / "slurm.conf"
        self.variables = os.environ | {"SLURM_CONF": str(self.configuration)}
        (self.folder / "state").mkdir(parents=True)
        (self.folder / "key").write_bytes(os.urandom(1024))
        (self.folder / "key").chmod(0o600)
        self.configuration.write_text(CONFIGURATION.format(head=self.head, folder=self.folder, nodes=",".join(self.nodes)))
        for card in range(2):
            (self.folder / f"card{card}").symlink_to("/dev/null")
        (self.folder / "gres.conf").write_text(f"Name=gpu File={self.folder}/card[0-1]\n")
        self.daemon(self.head, "munged", *self.munged())
        self.daemon(self.head, "slurmctld", "slurmctld", "-D", "-f", str(self.configuration))
        for node in self.nodes:
            self.join(node)
        self.wait_for_controller()
        self.wait_for_nodes(*self.nodes)

    def munged(self) -> list[str]:
        """--force: the key and the socket lie in folders that others may write to."""
        places = {"key-file": self.folder / "key", "socket": "/tmp/munge.socket", "pid-file": "/tmp/munge.pid", "seed-file": "/tmp/munge.seed"}
        return ["munged", "--foreground", "--force", *(f"--{name}={place}" for name, place in places.items())]

    def daemon(self, name: str, what: str, *command: str) -> None:
        with open(self.folder / f"{what}-{name}.log", "ab") as log:
            subprocess.Popen(self.cluster.on(name, list(command)), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.variables)

    def wait_for_controller(self) -> None:
        end = time.monotonic() + LONGEST_START
        while subprocess.run(self.cluster.on(self.head, ["scontrol", "ping"]), capture_output=True, env=self.variables).returncode != 0:
            assert time.monotonic() < end, (self.folder / f"slurmctld-{self.head}.log").read_text()
            time.sleep(0.2)

    def join(self, node: str) -> None:
        """Starts the daemons of a host that computes."""
        self.daemon(node, "munged", *self.munged())
        self.daemon(node, "slurmd", "slurmd", "-D", "-f", str(self.configuration))

    def run(self, *command: str, variables: dict[str, str] | None = None) -> str:
        """Runs one of Slurm's commands on the controller's host. Returns what the command prints."""
        words, env = self.cluster.on(self.head, list(command)), self.variables | (variables or {})
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env, timeout=LONGEST_JOB)
        assert done.returncode == 0, f"{command}: exit status {done.returncode}\n{done.stderr}"
        return done.stdout

    def sbatch(self, *words: str, variables: dict[str, str]) -> str:
        """Returns the job's number."""
        return self.run("sbatch", "--parsable", *words, variables=variables).strip()

    def job(self, number: str) -> dict[str, str]:
        """What Slurm knows of a job: JobState, Restarts, ExitCode, NodeList ..."""
        words = self.run("scontrol", "--oneliner", "show", "job", number).split()
        return dict(word.split("=", 1) for word in words if "=" in word)

    def wait_for(self, number: str, states: tuple[str, ...], restarts: int = 0) -> dict[str, str]:
        """Waits until a job that was started again at least so many times is in one of the states."""
        end = time.monotonic() + LONGEST_JOB
        while True:
            job = self.job(number)
            if job["JobState"] in states and int(job["Restarts"]) >= restarts:
                return job
            assert time.monotonic() < end, f"job {number} never was in one of {states}: {job}"
            time.sleep(0.2)

    def wait_for_nodes(self, *names: str) -> None:
        """Waits until these hosts can be given jobs."""
        end = time.monotonic() + LONGEST_START
        while "".join(self.run("sinfo", "--noheader", "--nodes", ",".join(names), "--format=%T").split()) != "idle":
            assert time.monotonic() < end, self.run("sinfo", "--Node", "--long")
            time.sleep(0.2)
