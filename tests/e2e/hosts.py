"""Starts nina on the hosts of tests/cluster."""

import shutil
import subprocess
from pathlib import Path

import pytest

from cluster import Cluster, reason_to_skip
from many import finish
from program import DONE, PROGRAM, Argument, Result, Status, embed_arguments, environment


def reason() -> str | None:
    version = subprocess.run(["mpirun", "--version"], capture_output=True, text=True).stdout if shutil.which("mpirun") else ""
    if "(Open MPI) 4." not in version:
        return "the hosts have been tried with the mpirun of Open MPI 4 alone"
    return reason_to_skip()


REASON = reason()
needs_hosts = pytest.mark.skipif(REASON is not None, reason=REASON or "")

# The fake cards of two hosts are not the same cards, and each rank has a log of its own.
RANK = """[ -z "$FAKE_CUDA_LOG" ] || export FAKE_CUDA_LOG=$FAKE_CUDA_LOG$OMPI_COMM_WORLD_RANK
FAKE_CUDA_MACHINE=$(uname -n | tr -dc 0-9) exec "$0" "$@" """


def start_on(cluster: Cluster, ranks: dict[str, int], *arguments: Argument) -> subprocess.Popen[bytes]:
    """Starts nina with so many ranks on each host, the first host's first."""
    variables = environment()
    passed_on = [word for name in sorted(variables) if name.startswith(("FAKE_", "NINA_")) for word in ("-x", name)]
    words = [*cluster.launcher(ranks), *passed_on, "sh", "-c", RANK, str(PROGRAM), *map(str, arguments)]
    return cluster.start(next(iter(ranks)), words, variables)


def nina_on(cluster: Cluster, ranks: dict[str, int], *arguments: Argument, status: Status = DONE) -> Result:
    return finish(start_on(cluster, ranks, *arguments), status)


def start_embed_on(cluster: Cluster, ranks: dict[str, int], out: Path, *inputs: Argument, **options: Argument) -> subprocess.Popen[bytes]:
    return start_on(cluster, ranks, *embed_arguments(out, *inputs, **options))


def embed_on(cluster: Cluster, ranks: dict[str, int], out: Path, *inputs: Argument, status: Status = DONE, **options: Argument) -> Result:
    return finish(start_embed_on(cluster, ranks, out, *inputs, **options), status)
