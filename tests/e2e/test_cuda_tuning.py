"""`--gemm-tuning FILE` on the CUDA runtime in tests/fake_cuda. Its heuristic offers two algorithms, and with FAKE_CUDA_SLOW the second is the faster
one."""

import json
from pathlib import Path
from typing import Any

import pytest

from many import Ranks, embed_many
from output import Output
from program import FAILED, GOLDEN, PROGRAM, ROOT, USAGE, Result, Status, embed, nina
from shards import make_documents, write_shard

pytestmark = pytest.mark.skipif(
    "fake-cuda" not in PROGRAM.name, reason="needs nina on the fake CUDA runtime: NINA=…/nina-fake-cuda"
)

MODEL = GOLDEN / "bert-mean-v6"
OTHER = GOLDEN / "xlmr-cls-v3"
OPTIONS: dict[str, Any] = {"device": "cuda", "model": MODEL, "batch_tokens": 200, "max_tokens": 64, "block_lines": 20}
SECOND = "616e696e000000008000000000000000" + "01" + 94 * "0"  # for 128 tokens; works for every number of tokens


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    return write_shard(tmp_path / "a.jsonl", make_documents(40, 5))


def tuned(out: Path, shard: Path, file: Path, status: Status = 0, **options: Any) -> Result:
    return embed(out, shard, status=status, **(OPTIONS | {"gemm_tuning": file} | options))


@pytest.mark.sanitize
def test_fastest_algorithm_of_each_class_is_written_and_used_again(
    tmp_path: Path, shard: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "tuning.json"
    monkeypatch.setenv("FAKE_CUDA_SLOW", "1")
    tuned(tmp_path / "one", shard, file)
    monkeypatch.delenv("FAKE_CUDA_SLOW")
    content = file.read_bytes()
    tuning = json.loads(content)
    assert (tuning["card"], tuning["compute_capability"], tuning["cublaslt"]) == ("Fake card", "9.0", "13.1.0")
    products = {(p["outputs"], p["inputs"], p["epilogue"], p["tokens"]) for p in tuning["products"]}
    shapes = {(192, 64, "bias"), (64, 64, "bias_add"), (128, 64, "bias_gelu"), (64, 128, "bias_add")}
    assert products == {(*shape, tokens) for shape in shapes for tokens in (128, 200)}
    assert {p["algorithm"] for p in tuning["products"] if p["tokens"] == 128} == {SECOND}
    assert all(p["microseconds"] < p["untuned_microseconds"] for p in tuning["products"])

    tuned(tmp_path / "two", shard, file)
    assert file.read_bytes() == content
    one, two = Output(tmp_path / "one"), Output(tmp_path / "two")
    assert one.files("*/*", "manifest.json") == two.files("*/*", "manifest.json")
    assert len(one.manifest()["compute_class"]["gemm_tuning"]) == 32


def test_run_goes_on_only_with_the_file_that_it_began_with(tmp_path: Path, shard: Path) -> None:
    file = tmp_path / "tuning.json"
    tuned(tmp_path / "out", shard, file)
    tuned(tmp_path / "out", shard, file).says("nothing to do")
    embed(tmp_path / "out", shard, status=USAGE, **OPTIONS).says("--gemm-tuning: ", "in the manifest, nothing now")
    file.write_bytes(file.read_bytes() + b"\n")
    tuned(tmp_path / "out", shard, file, status=USAGE).says("--gemm-tuning: ")
    plain = tmp_path / "plain"
    embed(plain, shard, **OPTIONS)
    assert "gemm_tuning" not in Output(plain).manifest()["compute_class"]


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        ({"card": "Other card"}, 'card "Other card" then, "Fake card" now'),
        ({"cublaslt": "12.9.1"}, 'cublaslt "12.9.1" then, "13.1.0" now'),
        ({"card": 7}, 'it is no file that --gemm-tuning has written: no "card"'),
        ({"products": []}, "it has no algorithm for a product of [192, 64]: it was timed with another model"),
        ({"algorithm": "00" * 64}, "is none that cuBLASLt takes"),
        ({"algorithm": "zz" * 64}, "is none that cuBLASLt takes"),
        ({"algorithm": "00"}, "is none that cuBLASLt takes"),
    ],
)
def test_file_that_does_not_fit_is_refused(tmp_path: Path, shard: Path, change: dict[str, Any], phrase: str) -> None:
    file = tmp_path / "tuning.json"
    tuned(tmp_path / "first", shard, file)
    tuning = json.loads(file.read_text())
    if "algorithm" in change:
        tuning["products"][0] |= change
    else:
        tuning |= change
    file.write_text(json.dumps(tuning))
    error = tuned(tmp_path / "out", shard, file, status=(FAILED, USAGE)).error
    assert error.startswith(f"--gemm-tuning {file}: ") and phrase in error


def test_file_that_is_no_json_and_folder_that_is_not_there_are_errors(tmp_path: Path, shard: Path) -> None:
    (tmp_path / "text").write_text("timed")
    assert f"--gemm-tuning {tmp_path}/text: it is no JSON: line 1" in tuned(tmp_path / "out", shard, tmp_path / "text", status=FAILED).error
    assert "/none/tuning.json" in tuned(tmp_path / "out", shard, tmp_path / "none" / "tuning.json", status=FAILED).error


def test_without_a_card_it_is_wrong_usage(tmp_path: Path, shard: Path) -> None:
    tuned(tmp_path / "out", shard, tmp_path / "t.json", device="cpu", status=USAGE).says("computes without one: leave it out, or pass --device cuda")
    assert not (tmp_path / "t.json").exists()


def test_search_and_eval_take_it(tmp_path: Path, shard: Path) -> None:
    """A file tuned for an embedding also serves questions about it."""
    file = tmp_path / "tuning.json"
    tuned(tmp_path / "out", shard, file)
    question = ["--model", MODEL, "--vectors", tmp_path / "out", "--device", "cuda", "--gemm-tuning", file, "--prompt", ""]
    assert nina("search", *question, "beca menjador").stdout
    other = ["--model", MODEL, "--data", ROOT / "tests" / "data" / "municipal", "--out", tmp_path / "eval", "--max-tokens", 32]
    nina("eval", *other, "--device", "cuda", "--batch-tokens", 200, "--gemm-tuning", file)
    classes = [json.loads((tmp_path / "eval" / side / "manifest.json").read_text())["compute_class"] for side in ("corpus", "queries")]
    assert classes[0] == classes[1] == Output(tmp_path / "out").manifest()["compute_class"]


def test_one_rank_times_for_all(tmp_path: Path, shard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_CUDA_CARDS", "2")
    file = tmp_path / "tuning.json"
    logs = [tmp_path / f"{rank}.json" for rank in range(2)]
    ranks = [Ranks(1, variables={"FAKE_CUDA_LOG": log}) for log in logs]
    embed_many(tmp_path / "two", shard, ranks=ranks, gemm_tuning=file, **OPTIONS)
    counts = [json.loads(log.read_text()) for log in logs]
    layers = 2
    timed = [count["matmul"] - 4 * layers * count["pool"] for count in counts]
    assert timed[0] > 0 and timed[1] == 0
    tuned(tmp_path / "one", shard, file)
    assert Output(tmp_path / "one").embedding() == Output(tmp_path / "two").embedding()
    assert Output(tmp_path / "one").manifest()["compute_class"] == Output(tmp_path / "two").manifest()["compute_class"]


def test_ranks_that_do_not_fit_are_named(tmp_path: Path, shard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_CUDA_CARDS", "2")
    file = tmp_path / "tuning.json"
    groups = [Ranks(1, options={"gemm_tuning": file}), Ranks(1)]
    embed_many(tmp_path / "out", shard, ranks=groups, status=USAGE, **OPTIONS).says("give all ranks the same --gemm-tuning: rank 1 has")
    older = [Ranks(1), Ranks(1, variables={"FAKE_CUDA_CAPABILITY": "8.0"})]
    result = embed_many(tmp_path / "out", shard, ranks=older, status=USAGE, gemm_tuning=file, **OPTIONS)
    result.says("rank 1 on ", 'compute_capability "9.0" then, "8.0" now')
