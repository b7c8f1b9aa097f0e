"""scripts/slurm.sbatch under a real Slurm, on hosts made of namespaces: the bytes of one process, and what is not tried again."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import slurm as package
from cluster import Cluster
from hosts import LIBRARY, needs_hosts
from many import AS_ROOT, needs_mpirun
from program import FULL, LONGEST_RUN, MODEL, PROGRAM, ROOT
from shards import make_archive
from slurm import ENDED, Slurm
from test_cluster import OPTIONS, check_complete

REASON = package.reason_to_skip() if LIBRARY.startswith("Open MPI") else "Slurm has been tried with Open MPI alone"
needs_slurm = pytest.mark.skipif(REASON is not None, reason=REASON or "")
pytestmark = [needs_mpirun, needs_hosts, needs_slurm]

SCRIPT = ROOT / "scripts" / "slurm.sbatch"
SLOW = ["--null-rate", "500"]  # tokens/s per rank
full = pytest.mark.skipif(not FULL, reason="as mpirun with 2 ranks a host; NINA_FULL_TESTS=1")


@pytest.fixture
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """node1 has the controller; node2 and node3 compute."""
    with Cluster(3, [tmp_path_factory.getbasetemp(), PROGRAM.parent]) as cluster:
        yield Slurm(cluster)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return make_archive(tmp_path_factory.mktemp("archive"), (300, 0, 140, 17, 1, 150, 233, 64, 20))


def launcher_variables() -> dict[str, str]:
    return AS_ROOT | {"OMPI_MCA_btl_tcp_if_include": "eth0", "OMPI_MCA_oob_tcp_if_include": "eth0"}


def submit(
    slurm: Slurm, archive: list[Path], out: Path, launcher: str, *options: str, each: int = 2, nina: list[str] = SLOW, program: Path = PROGRAM
) -> str:
    """Two hosts with `each` ranks each."""
    place = {"NINA": str(program), "MODEL": str(MODEL), "ARCHIVE": str(archive[0].parent), "OUT": str(out), "LAUNCHER": launcher, "GRACE": "5"}
    settings = ["--widths", OPTIONS["widths"], "--block-lines", str(OPTIONS["block_lines"]), "--device", "null"]
    job = [f"--chdir={out.parent}", "--nodes=2", f"--ntasks-per-node={each}", "--cpus-per-task=1", *options, str(SCRIPT), *settings, *nina]
    return slurm.sbatch(*job, variables=launcher_variables() | place)


def log(out: Path, job: str) -> str:
    path = out.parent / f"nina-{job}.log"
    return path.read_text(errors="replace") if path.exists() else ""


def said_by_the_script(out: Path, job: str) -> str:
    words = "queued again", "ended with", "once more", "out of time", "nina: done", "CANCELLED", "Node failure", "lost communication", "not "
    return "".join(f"\n    {line}" for line in log(out, job).splitlines() if any(word in line for word in words))


def check_done(slurm: Slurm, archive: list[Path], out: Path, job: str, what: str, since: float, restarts: int = 0) -> None:
    """Waits until the job has completed, after at least so many starts anew, and checks what it wrote."""
    ended = slurm.wait_for(job, ENDED, restarts)
    print(f"\n{what}: {time.monotonic() - since:.0f} s until its end, {ended['Restarts']} starts anew{said_by_the_script(out, job)}")
    assert ended["JobState"] == "COMPLETED", log(out, job)
    assert "nina: done" in log(out, job) and not (out.parent / f"nina-{job}.starts").exists()
    check_complete(out, archive, out.parent / "alone")


@pytest.mark.parametrize("launcher, each", [
    ("mpirun", 2),
    pytest.param("mpirun", 1, marks=full),
    pytest.param("srun", 1, marks=full),
    pytest.param("srun", 2, marks=full),
])  # fmt: skip
def test_job_gives_the_bytes_of_one_process(slurm: Slurm, tmp_path: Path, archive: list[Path], launcher: str, each: int) -> None:
    began, out = time.monotonic(), tmp_path / "out"
    job = submit(slurm, archive, out, launcher, each=each, nina=[])
    check_done(slurm, archive, out, job, f"{launcher}, 2 hosts with {each} ranks each", began)


def test_refusal_is_not_tried_again(slurm: Slurm, tmp_path: Path, archive: list[Path]) -> None:
    out = tmp_path / "out"
    job = submit(slurm, archive, out, "mpirun", nina=["--widths", "4096"])
    assert slurm.wait_for(job, ENDED)["ExitCode"] == "2:0"
    assert "nina refused the options, the input or OUT" in log(out, job) and "queued again" not in log(out, job)


def test_job_array_is_refused_with_what_to_do_instead(slurm: Slurm, tmp_path: Path, archive: list[Path]) -> None:
    job = submit(slurm, archive, tmp_path / "out", "mpirun", "--array=1-2", f"--output={tmp_path}/array-%a.log")
    end = time.monotonic() + LONGEST_RUN
    while len(list(tmp_path.glob("array-*.log"))) < 2 or slurm.run("squeue", "--noheader", "--jobs", job).strip():
        assert time.monotonic() < end
        time.sleep(0.2)
    for index in 1, 2:
        assert "ask for more --nodes or --ntasks-per-node instead" in (tmp_path / f"array-{index}.log").read_text()
    assert not (tmp_path / "out").exists()
