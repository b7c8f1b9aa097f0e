"""Many ranks on one machine's cards, on the CUDA runtime and the NCCL in tests/fake_cuda: the same bytes as one rank, no matter what happens to a
card."""

import json
import shutil
from pathlib import Path

import pytest

from many import Ranks, embed_many, finish_after, needs_mpirun, start
from output import Output
from program import DONE, FAILED, GOLDEN, PROGRAM, USAGE, Argument, embed, nina
from shards import make_documents, write_shard

pytestmark = [
    needs_mpirun,
    pytest.mark.skipif("fake-cuda" not in PROGRAM.name, reason="needs nina on the fake CUDA runtime: NINA=…/nina-fake-cuda"),
]

MODEL = GOLDEN / "bert-mean-v6"
OPTIONS: dict[str, Argument] = {
    "model": MODEL,
    "device": "cuda",
    "widths": "64,8",
    "max_tokens": 48,
    "batch_tokens": 512,
    "block_lines": 6,
    "threads": 1,
}
CARDS = [f"Fake card, PCI 0000:0{number + 1}:00.0" for number in range(3)]


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 blocks: no rank can hold so many that another rank gets none."""
    return write_shard(tmp_path_factory.mktemp("archive") / "a.jsonl.zst", make_documents(120, 1))


@pytest.fixture(scope="module")
def wanted(shard: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What one rank writes for this shard."""
    out = tmp_path_factory.mktemp("wanted")
    embed(out, shard, **OPTIONS)
    return Output(out).embedding()


def broken_model(folder: Path) -> Path:
    """Each weight is 999,424 (in bf16), too large for fp16: the card's encoder refuses it as soon as it reads it."""
    broken = shutil.copytree(MODEL, folder / "broken" / MODEL.name)
    for file in broken.glob("*.safetensors"):
        content = file.read_bytes()
        start = 8 + int.from_bytes(content[:8], "little")
        file.write_bytes(content[:start] + b"\x74\x49" * ((len(content) - start) // 2))
    return broken


@pytest.fixture(autouse=True)
def three_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_CUDA_CARDS", "3")


@pytest.mark.parametrize("ranks", [2, 3])
def test_any_number_of_cards_gives_the_same_bytes(tmp_path: Path, shard: Path, wanted: dict[str, bytes], ranks: int) -> None:
    embed_many(tmp_path, shard, ranks=ranks, **OPTIONS)
    assert Output(tmp_path).embedding() == wanted
    nina("verify", tmp_path)


def test_the_weights_that_cards_pass_on_include_those_of_dense_modules(tmp_path: Path, shard: Path) -> None:
    options = OPTIONS | {"model": GOLDEN / "modules" / "dense", "widths": "48,8"}
    embed(tmp_path / "one", shard, **options)
    embed_many(tmp_path / "many", shard, ranks=2, **options)
    assert Output(tmp_path / "many").embedding() == Output(tmp_path / "one").embedding()


def test_one_rank_reads_the_weights_and_its_card_passes_them_on(tmp_path: Path, shard: Path, wanted: dict[str, bytes]) -> None:
    groups = [Ranks(1, variables={"FAKE_CUDA_LOG": tmp_path / f"{rank}.json"}) for rank in range(3)]
    embed_many(tmp_path / "out", shard, ranks=groups, **OPTIONS)
    assert Output(tmp_path / "out").embedding() == wanted
    counts = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(3)]
    assert [count["broadcast"] for count in counts] == [1, 1, 1]
    # Each card gets the batches from its host; only the first card gets the weights too, in fp16.
    assert counts[0]["copies_up"] > counts[0]["pool"]
    assert all(count["copies_up"] == count["pool"] for count in counts[1:])


def test_rank_whose_card_cannot_compute_the_model_is_named_once(tmp_path: Path, shard: Path) -> None:
    groups = [Ranks(1, options={"device": "cpu"}), Ranks(1, options={"model": broken_model(tmp_path)})]
    result = embed_many(tmp_path / "out", shard, ranks=groups, status=FAILED, **OPTIONS)
    result.says("is 999424: the cuda encoder computes in fp16")
    assert result.stderr.count("rank 1 on ") == 1


def test_rank_whose_driver_does_not_work_says_why_it_does_not_fit_the_others(tmp_path: Path, shard: Path) -> None:
    groups = [Ranks(1), Ranks(1, variables={"FAKE_CUDA_COUNT": "802"})]
    result = embed_many(tmp_path / "out", shard, ranks=groups, status=USAGE, **(OPTIONS | {"device": "auto"}))
    result.says(": computing on the CPU: counting the CUDA cards: cudaErrorSystemNotReady", 'compute_class.encoder: "cuda" on rank 0, "cpu" on rank 1')


@pytest.mark.parametrize("fault", ["group_joins:1:run", "broadcast:1:launch"])
def test_ranks_whose_cards_nccl_cannot_join_read_the_weights_themselves(
    tmp_path: Path, shard: Path, wanted: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setenv("FAKE_CUDA_FAIL", fault)
    ranks = [Ranks(1, variables={"FAKE_CUDA_LOG": tmp_path / f"{rank}.json"}) for rank in range(3)]
    result = embed_many(tmp_path / "out", shard, ranks=ranks, **OPTIONS)
    assert result.stderr.count("every rank reads the weights itself: ") == 1
    assert ("no room in /dev/shm" in result.stderr) is fault.startswith("group_joins")
    assert Output(tmp_path / "out").embedding() == wanted
    counts = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(3)]
    assert all(count["copies_up"] > count["pool"] for count in counts)


@pytest.mark.parametrize("variable", ["NINA_NCCL=0", "FAKE_CUDA_MISSING=NCCL"])
def test_one_rank_without_nccl_has_all_read_the_weights(
    tmp_path: Path, shard: Path, wanted: dict[str, bytes], variable: str
) -> None:
    """A library that was not found is reported; one that was switched off is not."""
    name, value = variable.split("=")
    logs = [{"FAKE_CUDA_LOG": tmp_path / f"{rank}.json"} for rank in range(2)]
    result = embed_many(tmp_path / "out", shard, ranks=[Ranks(1, variables=logs[0]), Ranks(1, variables=logs[1] | {name: value})], **OPTIONS)
    assert result.stderr.count("every rank reads the weights itself: rank 1 on ") == (value == "NCCL")
    assert Output(tmp_path / "out").embedding() == wanted
    counts = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2)]
    assert all(count["copies_up"] > count["pool"] and count["group_joins"] == 0 for count in counts)


def test_card_that_fails_while_it_passes_weights_on_ends_the_job(
    tmp_path: Path, shard: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_CUDA_FAIL", "broadcast:1:run")
    result = embed_many(tmp_path, shard, ranks=2, status=FAILED, **OPTIONS)
    result.says("passing the weights from card to card: cudaErrorLaunchFailure")
    assert "every rank reads" not in result.stderr


def test_card_that_fails_in_the_middle_leaves_its_blocks_to_the_others(
    tmp_path: Path, shard: Path, wanted: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_CUDA_FAIL", "attention:4:run:1")
    release, out = tmp_path / "release", tmp_path / "out"
    # The other rank commits nothing until this card has failed.
    ranks = [Ranks(1, fault="write:20+:wait", variables={"NINA_FAULT_UNTIL": release}), Ranks(1)]
    result = finish_after(start(out, shard, ranks=ranks, **OPTIONS), "this rank has stopped", release, DONE)
    result.says("this rank has stopped, and its blocks go to the others: block ", f"CUDA card 1 ({CARDS[1]}): a batch of")
    result.says("warning: 1 of 2 ranks failed, as said above; the others did their work")
    assert Output(out).embedding() == wanted
    nina("verify", out)


def test_job_of_which_all_cards_fail_names_one_and_is_resumed(
    tmp_path: Path, shard: Path, wanted: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_CUDA_FAIL", "attention:4:run")
    result = embed_many(tmp_path, shard, ranks=2, status=FAILED, **OPTIONS)
    last = [line for line in result.stderr.splitlines() if line.startswith("nina: ")][-1]
    assert "on " in last and any(f"CUDA card {card} ({CARDS[card]}): a batch of" in last for card in (0, 1))
    monkeypatch.delenv("FAKE_CUDA_FAIL")
    embed_many(tmp_path, shard, ranks=3, **OPTIONS)
    assert Output(tmp_path).embedding() == wanted


def test_more_ranks_than_cards_is_wrong_usage(tmp_path: Path, shard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_CUDA_CARDS", "2")
    result = embed_many(tmp_path / "out", shard, ranks=3, status=USAGE, **OPTIONS)
    assert result.stderr.count("3 ranks on ") == 1
    result.says("have 2 CUDA cards to share", "--map-by ppr:2:node", "--device cpu")
    assert not (tmp_path / "out").exists()


def test_card_may_be_named(tmp_path: Path, shard: Path, wanted: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    named = [Ranks(1, options={"device": "cuda"}), Ranks(1, options={"device": "cuda:0"})]
    embed_many(tmp_path / "named", shard, ranks=named, **OPTIONS)
    assert Output(tmp_path / "named").embedding() == wanted
    options = OPTIONS | {"device": "cuda:1"}
    embed_many(tmp_path / "out", shard, ranks=2, status=USAGE, **options).says("2 ranks on ", "have 1 CUDA card to share", "--device cuda:K")
    absent = embed(tmp_path / "out", shard, status=FAILED, **(OPTIONS | {"device": "cuda:3"})).error
    assert "there is no CUDA card 3: this machine has 3, counted from 0" in absent
    monkeypatch.setenv("FAKE_CUDA_FAIL", "attention:1:run:1")
    assert f"CUDA card 1 ({CARDS[1]}): a batch of" in embed(tmp_path / "out", shard, status=FAILED, **options).error


def test_launcher_may_give_each_rank_its_card(tmp_path: Path, shard: Path, wanted: dict[str, bytes]) -> None:
    def given(*cards: int) -> list[Ranks]:
        return [Ranks(1, variables={"CUDA_VISIBLE_DEVICES": card}) for card in cards]

    embed_many(tmp_path / "own", shard, ranks=given(1, 0), **OPTIONS)
    assert Output(tmp_path / "own").embedding() == wanted
    embed_many(tmp_path / "same", shard, ranks=given(2, 2), status=USAGE, **OPTIONS).says("2 ranks on ", "have 1 CUDA card to share")


def test_rank_without_a_card_is_refused_unless_mixed(tmp_path: Path, shard: Path) -> None:
    groups = [Ranks(1, variables={"CUDA_VISIBLE_DEVICES": cards}) for cards in ("0", "")]
    options = OPTIONS | {"device": "auto", "block_lines": None}
    embed_many(tmp_path, shard, ranks=groups, status=USAGE, **options).says("rank 1 on ", "--mixed", 'encoder: "cuda" on rank 0, "cpu" on rank 1')
    embed_many(tmp_path, shard, ranks=groups, mixed=True, **options)
    classes = Output(tmp_path).manifest()["compute_class"]["mixed"]
    assert sorted(computed["encoder"] for computed in classes) == ["cpu", "cuda"]
