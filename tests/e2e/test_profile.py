"""`nina embed --profile`: where the time of a run's threads went. No test asserts how long something takes."""

import json
from pathlib import Path
from typing import Any

import pytest

from many import embed_many, needs_mpirun
from output import Output
from program import GOLDEN, USAGE, embed
from shards import make_documents, write_shard

STEPS = [
    "embedding",
    "product q, k, v",
    "attention",
    "product out",
    "add, norm",
    "product up",
    "GELU",
    "product down",
    "pooling",
    "Dense modules",
    "widths",
]
ENCODER = [*STEPS, "rows in order"]
STAGES = ["reader", "tokenizers", "encoder", "committers"]
OPTIONS = {"device": "cpu", "widths": "32,8", "block_lines": 16, "threads": 2}


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    return write_shard(tmp_path / "texts.jsonl", make_documents(100, 1))


def events(stderr: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stderr.splitlines()]


def check_sums(profile: dict[str, Any], always: list[str]) -> None:
    """Every part has a name, and the encoder's parts add up to the time of its threads."""
    seconds, worked = profile["seconds"], profile["worked"]
    assert list(seconds) == ["reading", "tokenizing", *ENCODER, "writing"]
    assert list(worked) == list(profile["waiting"]) == STAGES
    assert all(time >= 0 for part in (seconds, worked, profile["waiting"]) for time in part.values())
    assert all(seconds[name] > 0 for name in always)
    assert sum(seconds[name] for name in ENCODER) == pytest.approx(worked["encoder"], abs=1e-6)
    assert sum(seconds.values()) == pytest.approx(sum(worked.values()), abs=1e-6)


@pytest.mark.sanitize
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_profile_names_every_part_and_they_add_up(tmp_path: Path, shard: Path, precision: str) -> None:
    said = embed(tmp_path / "out", shard, profile=True, progress="json", precision=precision, **OPTIONS).stderr
    profile, end = events(said)[-2:]
    assert (profile["event"], end["event"]) == ("profile", "end")
    check_sums(profile, [name for name in STEPS if name != "Dense modules"])
    assert (profile["rows"], profile["tokens"]) == (end["encoded"], end["tokens"])


def test_profile_has_the_dense_modules_of_a_model_with_some(tmp_path: Path, shard: Path) -> None:
    model = GOLDEN / "modules" / "dense"
    said = embed(tmp_path / "out", shard, model=model, profile=True, progress="json", **OPTIONS).stderr
    check_sums(events(said)[-2], STEPS)


def test_profile_for_people_is_a_table_after_the_summary(tmp_path: Path, shard: Path) -> None:
    lines = embed(tmp_path / "out", shard, profile=True, **OPTIONS).stderr.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("  profile "))
    assert lines[start - 1].startswith("  bottleneck ")
    assert "work of all threads together; " in lines[start] and lines[start].endswith(" tokens encoded")
    names = [line[4:20].strip(" 0123456789") for line in lines[start + 2 :]]
    assert names == ["reading", "tokenizing", *(n for n in ENCODER if n != "Dense modules"), "writing", "in all", "waiting", "", "", ""]
    assert [line.split()[-1] for line in lines[-4:]] == STAGES
    assert max(map(len, lines[start:])) <= 80


def test_profile_changes_no_byte_and_says_nothing_without_work(tmp_path: Path, shard: Path) -> None:
    assert "  profile  " not in embed(tmp_path / "plain", shard, **OPTIONS).stderr
    embed(tmp_path / "timed", shard, profile=True, **OPTIONS)
    assert Output(tmp_path / "timed").embedding() == Output(tmp_path / "plain").embedding()
    again = embed(tmp_path / "plain", shard, profile=True, **OPTIONS)  # no setting: a resume may have it or not
    again.says("already complete")
    assert "  profile  " not in again.stderr


@needs_mpirun
def test_profile_sums_the_ranks(tmp_path: Path, shard: Path) -> None:
    said = embed_many(tmp_path / "out", shard, ranks=2, profile=True, progress="json", **OPTIONS | {"threads": 1}).stderr
    profile, end = [json.loads(line) for line in said.splitlines() if line.startswith("{")][-2:]
    check_sums(profile, [])
    assert (profile["rows"], profile["tokens"]) == (end["encoded"], end["tokens"])


def test_profile_is_refused_if_there_is_none(tmp_path: Path, shard: Path) -> None:
    error = embed(tmp_path / "out", shard, profile=True, widths=8, status=USAGE).error
    assert error == (
        "--profile measures the steps of the cpu encoder, and this run's device is null, whose steps nina cannot "
        "measure: pass --device cpu, or leave --profile out"
    )
    assert not (tmp_path / "out").exists()
    error = embed(tmp_path / "out", shard, profile=True, dry_run=True, **OPTIONS, status=USAGE).error
    assert error == "--profile is for a run: --dry-run encodes only a few texts"
