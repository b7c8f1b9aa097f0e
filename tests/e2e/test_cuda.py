"""`nina embed --device cuda`, end to end, on the CUDA runtime in tests/fake_cuda, which runs on the CPU. The kernels run in an
emulator (with a sanitizer, their twins run), so long texts are cut unless NINA_FULL_TESTS is set.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from output import Output, derive, same_bits
from program import DONE, FAILED, FULL, GOLDEN, PROGRAM, ROOT, USAGE, embed, nina, tokenize
from shards import make_documents, make_texts, write_shard

pytestmark = pytest.mark.skipif(
    "fake-cuda" not in PROGRAM.name, reason="needs nina on the fake CUDA runtime: NINA=…/nina-fake-cuda"
)

LEAST_COSINE = 0.9999
WIDTHS = {"xlmr-cls-v3": (128, 64, 16), "bert-mean-v6": (64, 32, 8)}
LONGEST = {"xlmr-cls-v3": 768, "bert-mean-v6": 8192 if FULL else 1100}
ARCHIVE = ROOT / "tests" / "data" / "municipal" / "archive"
Counts = dict[str, int]


def cosines(rows: np.ndarray, reference: np.ndarray) -> np.ndarray:
    x, y = rows.astype(np.float64), reference.astype(np.float64)
    return (x * y).sum(axis=1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)


def embed_cuda(out: Path, *inputs: Path, model: str = "bert-mean-v6", **options: Any) -> Output:
    options = {"device": "cuda", "widths": ",".join(map(str, WIDTHS[model])), "batch_tokens": 2048} | options
    embed(out, *inputs, model=GOLDEN / model, **options)
    return Output(out)


@pytest.mark.parametrize("model", [pytest.param("xlmr-cls-v3", marks=pytest.mark.sanitize), "bert-mean-v6"])
def test_rows_are_those_of_sentence_transformers(tmp_path: Path, model: str) -> None:
    """Leaves out the rows of texts that are too long for this test; ids.jsonl says whether a text was cut."""
    longest = LONGEST[model]
    output = embed_cuda(
        tmp_path / "out",
        GOLDEN / model / "texts.jsonl",
        model=model,
        id_field="id",
        max_tokens=longest,
        batch_tokens=8192,
    )
    golden = [json.loads(line) for line in (GOLDEN / model / "ids.jsonl").read_text().splitlines()]
    whole = np.array([len(row["tokens"]) <= longest for row in golden])
    assert whole.sum() > 50
    reference = np.load(GOLDEN / model / "rows.npy")
    widest = output.vectors(WIDTHS[model][0])
    for width in WIDTHS[model]:
        rows = output.vectors(width)
        assert width == WIDTHS[model][0] or same_bits(rows, derive(widest, width))
        assert cosines(rows, reference[:, :width])[whole].min() >= LEAST_COSINE
    computed = output.manifest()["compute_class"]
    assert (computed["encoder"], computed["precision"]) == ("cuda", "fp16")


def test_a_family_without_token_types_has_zeros_in_their_place(tmp_path: Path) -> None:
    folder = GOLDEN / "distilbert"
    embed(tmp_path / "out", folder / "texts.jsonl", model=folder, device="cuda", id_field="id")
    rows, reference = Output(tmp_path / "out").vectors(64), np.load(folder / "rows.npy")
    assert cosines(rows, reference).min() >= LEAST_COSINE


@pytest.mark.parametrize("name", ["all-by-flags", "without-prompt", "dense"])
def test_every_pooling_and_dense_module_gives_the_rows_of_sentence_transformers(tmp_path: Path, name: str) -> None:
    folder = GOLDEN / "modules" / name
    reference = np.load(folder / "rows.npy")
    options: dict[str, Any] = {"prompt": "consulta: "} if name == "without-prompt" else {}
    embed(tmp_path / "out", folder / "texts.jsonl", model=folder, device="cuda", batch_tokens=1024, **options)
    assert cosines(Output(tmp_path / "out").vectors(reference.shape[1]), reference).min() >= LEAST_COSINE


@pytest.mark.threads
def test_the_archive_gives_the_same_bytes_every_time(tmp_path: Path) -> None:
    """For any number of threads, and if auto chose the card."""
    options: dict[str, Any] = {"id_field": "id", "max_tokens": 128, "block_lines": 16}
    one = embed_cuda(tmp_path / "one", ARCHIVE, threads=1, **options)
    two = embed_cuda(tmp_path / "two", ARCHIVE, threads=3, device="auto", **options)
    assert one.files("*/*", "manifest.json") == two.files("*/*", "manifest.json")
    assert len(one.vectors(8)) == 150
    plain = tmp_path / "plain"
    embed(plain, ARCHIVE, model=GOLDEN / "bert-mean-v6", device="cpu", precision="fp32", **options)
    assert cosines(one.vectors(64), Output(plain).vectors(64)).min() >= LEAST_COSINE


def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, documents: int) -> tuple[Output, Counts]:
    log = tmp_path / f"{name}.json"
    shard = write_shard(tmp_path / f"{name}.jsonl", make_documents(documents, 1))
    monkeypatch.setenv("FAKE_CUDA_LOG", str(log))
    output = embed_cuda(tmp_path / name, shard, batch_tokens=256, max_tokens=64)
    return output, json.loads(log.read_text())


@pytest.mark.sanitize
def test_more_documents_cost_no_allocation_and_one_wait_a_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (few, a), (many, b) = (counted(tmp_path, monkeypatch, name, n) for name, n in [("few", 20), ("many", 400)])
    more = {name: b[name] - a[name] for name in a}
    batches = more["pool"]
    assert batches > 20
    made = ["device_allocations", "host_allocations", "streams", "events", "descriptors"]
    assert {name: more[name] for name in [*made, "stream_waits"]} == dict.fromkeys([*made, "stream_waits"], 0)
    assert more["event_waits"] == more["event_records"] == more["copies_up"] == batches
    rows, tokens = (many.manifest()["totals"][key] - few.manifest()["totals"][key] for key in ("rows", "tokens"))
    assert more["bytes_up"] == 4 * (tokens + rows + batches)
    assert more["bytes_down"] == 2 * rows * sum(WIDTHS["bert-mean-v6"]) + 4 * rows  # rows and verdicts


def test_a_failure_on_the_card_names_the_batch_and_keeps_what_is_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = write_shard(tmp_path / "a.jsonl", make_documents(200, 2))
    options: dict[str, Any] = {"device": "cuda", "model": GOLDEN / "bert-mean-v6", "block_lines": 20}
    named = "of shard 0: CUDA card 0 (Fake card, PCI 0000:01:00.0): a batch of 20 sequences and"
    monkeypatch.setenv("FAKE_CUDA_FAIL", "attention:15:run")
    result = embed(tmp_path / "out", shard, status=FAILED, **options)
    assert named in result.error and "cudaErrorLaunchFailure" in result.error
    assert len(Output(tmp_path / "out").records()) < 10
    # If several batches are in flight, any of them may meet the failure first, or reach a count first. If one batch is in flight,
    # we know which.
    one = write_shard(tmp_path / "one.jsonl", make_documents(20, 2))
    for fault, sentence in (
        ("attention:2:run", "(set CUDA_LAUNCH_BLOCKING=1 to learn at which kernel): cudaErrorLaunchFailure"),
        ("attention:2:launch", "layer 1: the attention kernel: cudaErrorInvalidValue"),
    ):
        monkeypatch.setenv("FAKE_CUDA_FAIL", fault)
        result = embed(tmp_path / "one", one, status=FAILED, **options)
        assert f"block 0 {named}" in result.error and sentence in result.error
    monkeypatch.delenv("FAKE_CUDA_FAIL")
    embed(tmp_path / "out", shard, **options)
    embed(tmp_path / "again", shard, **options)
    assert Output(tmp_path / "out").embedding() == Output(tmp_path / "again").embedding()


@pytest.mark.sanitize
@pytest.mark.parametrize("model", ["xlmr-cls-v3", "bert-mean-v6"])
def test_row_that_is_not_finite_stops_the_run_and_names_document_and_layer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    texts = make_texts(40, 7)
    texts[28] = "Ωmega"
    tokens = tokenize(texts, GOLDEN / model)
    others = {token for k, own in enumerate(tokens) if k != 28 for token in own}
    monkeypatch.setenv("FAKE_CUDA_SPOIL", f"token:{next(token for token in tokens[28] if token not in others)}")
    shard = write_shard(tmp_path / "a.jsonl", [{"text": text} for text in texts])
    result = embed(tmp_path / "out", shard, device="cuda", model=GOLDEN / model, block_lines=20, status=FAILED)
    where = "the text's row is not finite: the embedding, before layer 0, already gives such numbers"
    assert f"{shard}:29: CUDA card 0 (Fake card, PCI 0000:01:00.0): {where}" in result.error
    assert "pass --device cpu" in result.error


def test_auto_without_a_usable_card_is_the_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard = write_shard(tmp_path / "a.jsonl", make_documents(3, 3))
    monkeypatch.setenv("FAKE_CUDA_CAPABILITY", "7.5")
    embed(tmp_path / "old", shard, device="auto")
    monkeypatch.setenv("FAKE_CUDA_CARDS", "-1")
    embed(tmp_path / "none", shard, device="auto")
    assert "computing on the CPU" not in embed(tmp_path / "none-again", shard, device="auto").stderr
    for name in ("old", "none"):
        assert Output(tmp_path / name).manifest()["compute_class"]["encoder"] == "cpu"
    assert "no CUDA driver" in embed(tmp_path / "no", shard, device="cuda", status=FAILED).error


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("FAKE_CUDA_COUNT", "35", "the CUDA driver is for CUDA 12.0 and this nina is built with CUDA 13.0: update NVIDIA's driver"),
        ("FAKE_CUDA_COUNT", "802", "NVIDIA's fabric manager: is it running?"),
        ("FAKE_CUDA_FAULTY", "0", "CUDA card 0: the driver tells nothing about it: cudaErrorInvalidDevice"),
        ("FAKE_CUDA_CAPABILITY", "7.5", "CUDA card 0 (Fake card) has compute capability 7.5"),
    ],
)
def test_auto_says_why_it_passes_over_the_cards_of_a_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, sentence: str
) -> None:
    """Without this sentence a night would be computed on the CPU, and nobody would know."""
    shard = write_shard(tmp_path / "a.jsonl", make_documents(3, 3))
    monkeypatch.setenv(variable, value)
    embed(tmp_path / "out", shard, device="auto").says("computing on the CPU: ", sentence)
    assert Output(tmp_path / "out").manifest()["compute_class"]["encoder"] == "cpu"
    listed = nina("info", "--devices").stdout
    assert ("too old for nina" if variable == "FAKE_CUDA_CAPABILITY" else sentence.removeprefix("CUDA card 0: ")) in listed
    for chosen in ({"device": "cpu"}, {"device": "auto", "precision": "fp32"}):
        assert "computing on the CPU" not in embed(tmp_path / chosen["device"], shard, **chosen).stderr


def test_one_card_with_a_fault_leaves_the_others_to_auto(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard = write_shard(tmp_path / "a.jsonl", make_documents(3, 3))
    monkeypatch.setenv("FAKE_CUDA_CARDS", "2")
    monkeypatch.setenv("FAKE_CUDA_FAULTY", "0")
    assert "computing on the CPU" not in embed(tmp_path / "out", shard, device="auto").stderr
    assert Output(tmp_path / "out").manifest()["compute_class"]["encoder"] == "cuda"
    cards = json.loads(nina("info", "--devices", "--json").stdout)["cards"]
    assert [card["usable"] for card in cards] == [False, True] and "cudaErrorInvalidDevice" in cards[0]["fault"]


@pytest.mark.parametrize("missing, phrase", [
    ("cuBLASLt", "cuBLASLt was not found"),
    ("kernels", "this nina has no code for CUDA card 0 (compute capability 9.0)"),
    ("permission", "CUDA card 0 is held by another process"),
])
def test_a_card_that_lacks_something_leaves_auto_to_the_cpu_and_stops_who_asked_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str, phrase: str
) -> None:
    shard = write_shard(tmp_path / "a.jsonl", make_documents(3, 6))
    monkeypatch.setenv("FAKE_CUDA_MISSING", missing)
    embed(tmp_path / "auto", shard, device="auto").says(f"computing on the CPU: {phrase}")
    assert Output(tmp_path / "auto").manifest()["compute_class"]["encoder"] == "cpu"
    asked = embed(tmp_path / "cuda", shard, device="cuda", status=FAILED)
    assert phrase in asked.error and "; --device cpu does without a card" in asked.error


def test_auto_goes_on_with_what_the_run_began_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard = write_shard(tmp_path / "a.jsonl", make_documents(3, 4))
    embed(tmp_path / "out", shard, device="auto", precision="fp32")
    embed(tmp_path / "out", shard, device="auto").says("nothing to do")
    embed(tmp_path / "card", shard, device="auto")
    assert Output(tmp_path / "card").manifest()["compute_class"]["encoder"] == "cuda"
    result = embed(tmp_path / "out", shard, device="cuda", precision="fp16", status=USAGE)
    result.says('--device: "cpu" in the manifest, "cuda" now')


def test_devices_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = nina("info", "--devices", status=DONE).stdout
    card = "cuda 0      Fake card, compute capability 9.0, 132 multiprocessors, 4.0 GiB\n"
    assert listed == f"{card}cublaslt    13.1.0\nnccl        2.28.0\n"
    described = json.loads(nina("info", "--devices", "--json").stdout)
    assert described["cards"][0] | {"name": "Fake card", "memory": 4 << 30, "usable": True} == described["cards"][0]
    assert (described["cublaslt"], described["nccl"]) == ("13.1.0", "2.28.0")
    monkeypatch.setenv("NINA_NCCL", "0")
    assert "NINA_NCCL=0" in json.loads(nina("info", "--devices", "--json").stdout)["no_nccl"]
    assert "nccl        none, so each rank of a job reads the weights for itself: NINA_NCCL=0" in nina("info", "--devices").stdout
    monkeypatch.setenv("FAKE_CUDA_MISSING", "cuBLASLt")
    assert "cublaslt    cuBLASLt was not found" in nina("info", "--devices").stdout
    monkeypatch.delenv("FAKE_CUDA_MISSING")
    monkeypatch.setenv("FAKE_CUDA_CARDS", "-1")
    assert nina("info", "--devices").stdout.startswith("cuda        none: no CUDA driver on this machine")
    assert json.loads(nina("info", "--devices", "--json").stdout)["cards"] == []


def test_short_memory_names_the_batch_tokens_that_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard = write_shard(tmp_path / "a.jsonl", make_documents(3, 5))
    monkeypatch.setenv("FAKE_CUDA_MEMORY", "384")
    error = embed(tmp_path / "out", shard, device="cuda", status=FAILED).error
    assert "of the memory of CUDA card 0" in error
    fitting = error.rsplit("pass --batch-tokens ", 1)[1]
    embed(tmp_path / "out", shard, device="cuda", batch_tokens=fitting)


def test_reused_rows_are_part_of_a_cards_class(tmp_path: Path) -> None:
    """There a row depends on its batch, and so on which rows are copied."""
    documents = make_documents(60, 1, longest=8)
    shard = write_shard(tmp_path / "a.jsonl", documents[:50])
    more = write_shard(tmp_path / "b.jsonl", documents[40:])
    old = embed_cuda(tmp_path / "old", shard, block_lines=20)
    new = embed_cuda(tmp_path / "new", more, block_lines=20, reuse=old.path)
    assert same_bits(new.vectors(64)[:10], old.vectors(64)[40:])
    assert "reused" not in old.manifest()["compute_class"] and len(new.manifest()["compute_class"]["reused"]) == 32
    error = embed(new.path, more, device="cuda", widths="64,32,8", batch_tokens=2048, block_lines=20, model=GOLDEN / "bert-mean-v6", status=USAGE).error
    assert "reused" in error
    again = embed_cuda(tmp_path / "again", more, block_lines=20, reuse=new.path)
    assert again.files("w*/*") == new.files("w*/*")
    other = embed(tmp_path / "other", more, device="cuda", widths="64,32,8", batch_tokens=16384, reuse=old.path, model=GOLDEN / "bert-mean-v6", status=USAGE)
    assert "compute_class.batch_tokens: 8192 there, 16384 now" in other.error


def test_chunks_of_long_documents_are_those_of_the_cpu(tmp_path: Path) -> None:
    documents = [{"id": i, "text": ". ".join(make_texts(count, i, 8))} for i, count in enumerate((12, 0, 1, 30, 2, 7))]
    shard, options = write_shard(tmp_path / "a.jsonl", documents), {"id_field": "id", "chunk_tokens": 40, "chunk_overlap": 12}
    card = embed_cuda(tmp_path / "card", shard, block_lines=2, **options)
    processor = embed_cuda(tmp_path / "processor", shard, device="cpu", precision="fp32", batch_tokens=None, **options)
    assert card.ids() == processor.ids() and len(card.ids()) > 12
    assert cosines(card.vectors(64), processor.vectors(64)).min() >= LEAST_COSINE
    nina("verify", card.path)


def test_profile_is_refused_on_a_card(tmp_path: Path) -> None:
    shard = write_shard(tmp_path / "one.jsonl", make_documents(2, 1))
    error = embed(tmp_path / "out", shard, device="cuda", profile=True, status=USAGE).error
    assert error.startswith("--profile measures the steps of the cpu encoder, and this run's device is cuda, ")
