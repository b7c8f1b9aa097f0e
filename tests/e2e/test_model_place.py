"""Where a model is found: for every command, `--model org/name` is a snapshot in the Hugging Face cache."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from models import set_json
from program import FAILED, GOLDEN, MODEL, USAGE, embed, nina, tokenize
from shards import write_shard

COMMIT = "0123456789abcdef0123456789abcdef01234567"
VARIABLES = ("SENTENCE_TRANSFORMERS_HOME", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME")


def put_snapshot(repository: Path, commit: str = COMMIT, source: Path = MODEL) -> Path:
    """A snapshot as huggingface_hub stores it: links to blobs through `..`."""
    snapshot, blobs = repository / "snapshots" / commit, repository / "blobs"
    blobs.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(sorted(path for path in source.rglob("*") if path.is_file())):
        blob, link = blobs / f"{commit[:4]}{number:04x}", snapshot / path.relative_to(source)
        blob.write_bytes(path.read_bytes())
        link.parent.mkdir(parents=True, exist_ok=True)
        up = "../" * len(link.relative_to(repository).parent.parts)
        link.symlink_to(f"{up}blobs/{blob.name}")
    (repository / "refs").mkdir(exist_ok=True)
    (repository / "refs" / "main").write_text(commit)
    return snapshot


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    yield tmp_path / "hub" / "models--ca--model"


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    return write_shard(tmp_path / "a.jsonl", [{"text": "l'ajuntament"}, {"text": "la plaça"}])


@pytest.mark.sanitize
def test_every_command_takes_a_model_of_the_cache(repository: Path, tmp_path: Path, shard: Path) -> None:
    snapshot, name = put_snapshot(repository), Path("ca/model")
    embed(tmp_path / "out", shard, model=name, device="cpu", store_text=True)
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["model"]["name"] == "ca/model"
    found = nina("search", "--model", name, "--vectors", tmp_path / "out", "--json", "la plaça").stdout
    assert "la plaça" in found
    assert tokenize(["la plaça"], name) == tokenize(["la plaça"], MODEL)
    described = nina("info", name).stdout
    assert described.startswith("model       ca/model (xlm-roberta)")
    assert nina("info", snapshot).stdout == described

    # An options file may use the same name, and the output accepts the folder's own path afterwards.
    (tmp_path / "run.ini").write_text(f"[embed]\nmodel = ca/model@{COMMIT[:8]}\n")
    nina("embed", "--config", tmp_path / "run.ini", "--out", tmp_path / "out", "--device", "cpu", "--store-text", shard)
    embed(tmp_path / "out", shard, model=snapshot, device="cpu", store_text=True)


def test_evaluation_takes_a_model_of_the_cache(repository: Path, tmp_path: Path) -> None:
    put_snapshot(repository)
    data = tmp_path / "data"
    (data / "qrels").mkdir(parents=True)
    (data / "corpus.jsonl").write_text('{"_id": "a", "title": "", "text": "la plaça"}\n')
    (data / "queries.jsonl").write_text('{"_id": "q", "text": "la plaça"}\n')
    (data / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\ta\t1\n")
    result = nina("eval", "--model", "ca/model", "--data", data, "--out", tmp_path / "out", "--device", "cpu")
    assert "ca/model" in result.stdout


@pytest.mark.sanitize
def test_model_that_is_not_there_is_told_with_the_command_that_fetches_it(
    repository: Path, tmp_path: Path, shard: Path
) -> None:
    for result in (
        embed(tmp_path / "out", shard, model=Path("ca/model"), status=USAGE),
        nina("tokenize", "--model", "ca/model", status=USAGE),
        nina("info", "ca/model", status=USAGE),
    ):
        assert result.error.startswith("there is no folder ca/model")
        assert str(repository.parent) in result.error and "hf download ca/model" in result.error
    assert not (tmp_path / "out").exists()


@pytest.mark.sanitize
def test_snapshot_that_is_not_whole_is_refused(repository: Path, tmp_path: Path, shard: Path) -> None:
    snapshot = put_snapshot(repository)
    blob = (snapshot / "config_sentence_transformers.json").resolve()
    blob.rename(f"{blob}.0a1b2c3d.incomplete")
    for model in (Path("ca/model"), snapshot):
        error = embed(tmp_path / "out", shard, model=model, status=FAILED).error
        assert "config_sentence_transformers.json is missing, and a download has not ended" in error
        assert f"hf download ca/model --revision {COMMIT}" in error
    (snapshot / "config_sentence_transformers.json").unlink()  # as a download that is not finished leaves it
    assert "a download has not ended" in nina("info", "ca/model", status=FAILED).error
    assert not (tmp_path / "out").exists()


def test_snapshot_of_another_kind_is_refused_by_its_name_before_its_weights_are_missed(
    repository: Path, tmp_path: Path, shard: Path
) -> None:
    snapshot = put_snapshot(repository, source=GOLDEN / "bert-mean-v6")
    set_json("config.json", model_type="modernbert")(snapshot)
    error = embed(tmp_path / "out", shard, model=Path("ca/model"), status=FAILED).error
    assert "ModernBERT" in error and "host/model/README.md" in error
    assert not (tmp_path / "out").exists()


def test_refused_models_are_told_to_see_a_table_that_is_there() -> None:
    assert "## What runs" in (GOLDEN.parents[1] / "host" / "model" / "README.md").read_text()
