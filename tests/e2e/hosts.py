"""Starts nina on the hosts of tests/cluster."""

import shutil
import subprocess
from pathlib import Path

import pytest

from cluster import Cluster, reason_to_skip
from many import finish
from program import DONE, PROGRAM, Argument, Result, Status, embed_arguments, environment


def library() -> str:
    """The MPI library that nina was built with, as "Open MPI v4"."""
    said = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True).stdout if PROGRAM.exists() else ""
    return next((name for name in ("Open MPI v4", "Open MPI v5", "MPICH") if name in said), "")


LIBRARY = library()
MPICH = LIBRARY == "MPICH"


def reason() -> str | None:
    if not LIBRARY:
        return "the hosts have been tried with Open MPI 4, Open MPI 5 and MPICH alone"
    if MPICH and not shutil.which("mpiexec.mpich"):
        return "mpiexec.mpich is not there: scripts/setup --cluster installs it"
    return reason_to_skip()


REASON = reason()
needs_hosts = pytest.mark.skipif(REASON is not None, reason=REASON or "")

# On each host: its fake cards are not the other hosts' cards, each rank has a log of its own, and a host may have a library loaded in
# front of nina, and options of its own.
RANK = """host=$(uname -n)
options=$(printenv "FAKE_OPTIONS_$host")
[ -z "$FAKE_CUDA_LOG" ] || export FAKE_CUDA_LOG=$FAKE_CUDA_LOG${OMPI_COMM_WORLD_RANK:-$PMI_RANK}
preload=$(printenv "FAKE_PRELOAD_$host") && export LD_PRELOAD="$preload"
FAKE_CUDA_MACHINE=${host#node} exec "$0" "$@" $options"""


def start_on(cluster: Cluster, ranks: dict[str, int], *arguments: Argument, fault: str | None = None) -> subprocess.Popen[bytes]:
    """Starts nina with so many ranks on each host, the first host's first. A fault that waits waits for ever."""
    variables = environment(fault)
    names = [name for name in sorted(variables) if name.startswith(("CLOCK_", "FAKE_", "NINA_"))]
    passed_on = [] if MPICH else [word for name in names for word in ("-x", name)]
    words = [*cluster.launcher(ranks, LIBRARY), *passed_on, "sh", "-c", RANK, str(PROGRAM), *map(str, arguments)]
    return cluster.start(next(iter(ranks)), words, variables)


def nina_on(cluster: Cluster, ranks: dict[str, int], *arguments: Argument, status: Status = DONE) -> Result:
    return finish(start_on(cluster, ranks, *arguments), status)


def start_embed_on(
    cluster: Cluster, ranks: dict[str, int], out: Path, *inputs: Argument, fault: str | None = None, **options: Argument
) -> subprocess.Popen[bytes]:
    return start_on(cluster, ranks, *embed_arguments(out, *inputs, **options), fault=fault)


def embed_on(cluster: Cluster, ranks: dict[str, int], out: Path, *inputs: Argument, status: Status = DONE, **options: Argument) -> Result:
    return finish(start_embed_on(cluster, ranks, out, *inputs, **options), status)
