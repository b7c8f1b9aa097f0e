"""scripts/slurm.sbatch with GPUs: Slurm gives out the fake cards of tests/fake_cuda, two on each of two hosts. Only with
NINA_FULL_TESTS=1."""

from pathlib import Path

import pytest

from hosts import needs_hosts
from many import needs_mpirun
from output import Output
from program import FULL, PROGRAM, embed, nina
from shards import make_documents, write_shard
from slurm import ENDED, Slurm
from test_cuda_ranks import MODEL, OPTIONS
from test_slurm import SCRIPT, launcher_variables, log, needs_slurm, slurm  # noqa: F401 (a fixture)

pytestmark = [
    needs_mpirun,
    needs_hosts,
    needs_slurm,
    pytest.mark.skipif(not FULL, reason="as without cards; NINA_FULL_TESTS=1"),
    pytest.mark.skipif("fake-cuda" not in PROGRAM.name, reason="needs nina on the fake CUDA runtime: NINA=…/nina-fake-cuda"),
]

# What Slurm lets a rank see, and the number of its host, which the fake cards' uuids need.
NINA = """#!/bin/sh
echo "$(uname -n) $CUDA_VISIBLE_DEVICES" >>{seen}
FAKE_CUDA_CARDS=2 FAKE_CUDA_MACHINE=$(uname -n | tr -dc 0-9) exec {program} "$@"
"""


def submit(slurm: Slurm, tmp_path: Path, launcher: str, cards: str) -> str:
    """Two hosts with two ranks each."""
    write_shard(tmp_path / "a.jsonl.zst", make_documents(120, 1))
    program = tmp_path / "nina"
    program.write_text(NINA.format(seen=tmp_path / "seen", program=PROGRAM))
    program.chmod(0o755)
    place = {"MODEL": MODEL, "ARCHIVE": tmp_path / "a.jsonl.zst", "OUT": tmp_path / "out", "NINA": program, "LAUNCHER": launcher}
    names = "widths", "max_tokens", "batch_tokens", "block_lines"
    options = [word for name in names for word in ("--" + name.replace("_", "-"), str(OPTIONS[name]))]
    size = ["--nodes=2", "--ntasks-per-node=2", "--cpus-per-task=1", cards]
    variables = launcher_variables() | {name: str(value) for name, value in place.items()}
    return slurm.sbatch(f"--chdir={tmp_path}", *size, str(SCRIPT), *options, variables=variables)


@pytest.mark.parametrize(
    "launcher, cards, seen",
    [
        ("", "--gpus-per-task=1", ["node2 0", "node2 1", "node3 0", "node3 1"]),  # srun: a rank sees its own card
        ("mpirun", "--gpus-per-node=2", ["node2 0,1"] * 2 + ["node3 0,1"] * 2),
        ("srun", "--gpus-per-node=2", ["node2 0,1"] * 2 + ["node3 0,1"] * 2),
    ],
)
def test_each_rank_has_a_card_and_the_bytes_are_those_of_one_rank(
    slurm: Slurm, tmp_path: Path, launcher: str, cards: str, seen: list[str]
) -> None:
    job = submit(slurm, tmp_path, launcher, cards)
    assert slurm.wait_for(job, ENDED)["JobState"] == "COMPLETED", log(tmp_path / "out", job)
    assert sorted((tmp_path / "seen").read_text().splitlines()) == seen
    embed(tmp_path / "alone", tmp_path / "a.jsonl.zst", **OPTIONS)
    assert Output(tmp_path / "out").embedding() == Output(tmp_path / "alone").embedding()
    nina("verify", tmp_path / "out")


def test_mpirun_with_cards_for_each_task_is_refused_with_what_to_do(slurm: Slurm, tmp_path: Path) -> None:
    job = submit(slurm, tmp_path, "mpirun", "--gpus-per-task=1")
    assert slurm.wait_for(job, ENDED)["ExitCode"] == "2:0"
    assert "LAUNCHER=srun, or --gpus-per-node instead of --gpus-per-task" in log(tmp_path / "out", job)
