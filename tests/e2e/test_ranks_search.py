"""nina eval and nina search on many ranks: the same bytes as by one process, and only one rank speaks."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from many import LAUNCHER, Ranks, command, embed_many, finish, needs_mpirun, nina_many, start_command
from output import Output
from program import DONE, FAILED, GOLDEN, MODEL, PROGRAM, ROOT, USAGE, embed, nina
from shards import make_texts, write_shard

pytestmark = needs_mpirun

MUNICIPAL = ROOT / "tests" / "data" / "municipal"
VECTORS = GOLDEN / "municipal"


def write_set(folder: Path, passages: int, distinct: int) -> Path:
    """A set with few different texts, so that every list is cut at a tie; the ids are not in row order."""
    (folder / "qrels").mkdir(parents=True)
    texts = make_texts(distinct, 5, longest=8)
    ids = [f"d{i * 7919 % passages}" for i in range(passages)]
    write_shard(folder / "corpus.jsonl", [{"_id": name, "text": texts[i * i % distinct]} for i, name in enumerate(ids)])
    write_shard(folder / "queries.jsonl", [{"_id": f"q{i}", "text": texts[i]} for i in range(10)])
    judgements = [f"q{i}\t{ids[(i * 31 + n) % passages]}\t1" for i in range(10) for n in range(3)]
    (folder / "qrels" / "test.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *judgements, ""]))
    return folder


def embed_set(data: Path, out: Path, block_lines: int) -> Path:
    for side in ("corpus", "queries"):
        embed(out / side, data / f"{side}.jsonl", id_field="_id", widths="32,8", block_lines=block_lines, store_text=True)
    return out


def results(out: Path) -> dict[str, bytes]:
    return Output(out).files("*")


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_whole_evaluation_gives_the_same_bytes_on_any_number_of_ranks(tmp_path: Path, ranks: int) -> None:
    data = write_set(tmp_path / "set", 5000, 900)  # in three parts
    arguments = ["eval", "--model", MODEL, "--data", data, "--device", "null", "--widths", "32,8", "--quiet"]
    alone = nina(*arguments, "--out", tmp_path / "alone")
    many = nina_many(*arguments, "--out", tmp_path / "many", ranks=ranks)
    assert many.stdout == alone.stdout and many.stderr == ""
    assert set(results(tmp_path / "many")) == {"metrics.json", "model-index.yml", "run.w32.trec", "run.w8.trec"}
    assert results(tmp_path / "many") == results(tmp_path / "alone")
    for side in ("corpus", "queries"):
        assert Output(tmp_path / "many" / side).embedding() == Output(tmp_path / "alone" / side).embedding()


def test_second_start_resumes_and_more_ranks_than_parts_do_no_harm(tmp_path: Path) -> None:
    arguments = ["eval", "--model", MODEL, "--data", MUNICIPAL, "--precision", "fp32", "--widths", "128,16"]
    alone = nina(*arguments, "--out", tmp_path)
    wanted = results(tmp_path)
    again = nina_many(*arguments, "--out", tmp_path, ranks=8)
    assert again.stdout == alone.stdout and results(tmp_path) == wanted
    assert again.stderr.count("is already complete") == 2 and again.stderr.count("embedding ") == 2


def test_stored_vectors_are_judged_alike_where_ties_lie_on_several_ranks(tmp_path: Path) -> None:
    data = write_set(tmp_path / "set", 400, 12)  # each text has about 33 passages; lists have 100
    vectors = embed_set(data, tmp_path / "vectors", 17)
    arguments = ["eval", "--vectors", vectors, "--data", data, "--widths", "32,8,5", "--device", "null"]
    alone = nina(*arguments, "--out", tmp_path / "alone")
    wanted = results(tmp_path / "alone")
    for ranks in (2, 3, 8):
        many = nina_many(*arguments, "--out", tmp_path / f"{ranks}", ranks=ranks)
        assert many.stdout == alone.stdout and many.stderr == alone.stderr
        assert results(tmp_path / f"{ranks}") == wanted


def test_evaluation_whose_ranks_fail_is_gone_on_with_without_mpirun(tmp_path: Path) -> None:
    data = write_set(tmp_path / "set", 5000, 900)
    arguments = ["eval", "--model", MODEL, "--data", data, "--device", "null", "--widths", "8"]
    # Rank 0 has enough syncs to begin with, and too few for the blocks; rank 1, which syncs nothing at the start, has none.
    ranks = [Ranks(1, fault="sync:12+:EIO"), Ranks(1, fault="sync:1+:EIO")]
    failed = nina_many(*arguments, "--out", tmp_path / "out", ranks=ranks, status=FAILED)
    failed.says("this rank has stopped", "rank ", "Input/output error")
    assert "queries.jsonl" not in failed.stderr and not results(tmp_path / "out")
    nina(*arguments, "--out", tmp_path / "out")
    nina(*arguments, "--out", tmp_path / "alone")
    assert results(tmp_path / "out") == results(tmp_path / "alone")


def test_rank_that_cannot_read_its_share_ends_all_with_one_sentence(tmp_path: Path) -> None:
    data = write_set(tmp_path / "set", 100, 12)
    vectors = embed_set(data, tmp_path / "vectors", 10)
    arguments = ["eval", "--vectors", vectors, "--data", data, "--out", tmp_path / "out", "--device", "null"]
    failed = nina_many(*arguments, ranks=[Ranks(2), Ranks(1, fault="read:1+:EIO")], status=FAILED)
    failed.says("nina: rank 2 on ", "Input/output error")
    assert failed.stderr.count("nina: ") == 1 and not (tmp_path / "out" / "metrics.json").exists()
    (vectors / "queries" / "manifest.json").unlink()
    failed = nina_many(*arguments, ranks=3, status=FAILED)  # rank 0 fails while the others wait
    assert failed.stderr.count("nina: ") == 1 and "has no manifest.json" in failed.stderr


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with eight parts in which each text occurs several times."""
    folder = tmp_path_factory.mktemp("archive")
    texts = make_texts(20, 3)
    shard = write_shard(folder / "a.jsonl", [{"id": i, "n": i % 7, "text": texts[i % 20]} for i in range(120)])
    stored = {"id_field": "id", "keep_fields": "n", "store_text": True}
    embed(folder / "out", shard, device="cpu", precision="fp32", widths="128,32", block_lines=16, **stored)
    return folder / "out"


SEARCH = ["search", "--model", MODEL, "--precision", "fp32"]
QUESTIONS = ["licència d'obres", "festa major a la plaça", make_texts(20, 3)[7]]


@pytest.mark.parametrize(
    ("ranks", "options"),
    [
        (2, ["--json"]),
        (3, ["--width", 17, "--top-k", 3]),
        (9, ["--width", 32]),
        (3, ["--where", "n<5", "--width", 17, "--rescore", 128, "--json"]),
        (2, ["--where", "n>9"]),
    ],
)
def test_search_prints_the_same_answers_on_any_number_of_ranks(archive: Path, ranks: int, options: list[Any]) -> None:
    arguments = [*SEARCH, "--vectors", archive, *options, *QUESTIONS]
    alone, many = nina(*arguments), nina_many(*arguments, ranks=ranks)
    assert (many.stdout, many.stderr) == (alone.stdout, alone.stderr)


def test_rank_that_sees_another_run_under_the_same_path_is_refused(tmp_path: Path) -> None:
    # As on a machine with an older copy, or one that still follows a link as it was.
    texts = make_texts(120, 5)
    for rank in range(2):
        documents = [{"id": i, "text": text} for i, text in enumerate(texts[rank:])]
        folder = tmp_path / str(rank)
        folder.mkdir()
        embed(folder / "out", write_shard(tmp_path / f"{rank}.jsonl", documents[:119]), device="cpu", precision="fp32", block_lines=16, id_field="id")
    on_each = [*LAUNCHER, "-n", "2", "sh", "-c", 'cd "$0/$OMPI_COMM_WORLD_RANK"; exec "$@"', tmp_path, PROGRAM]
    search = [str(word) for word in [*on_each, *SEARCH, "--vectors", "out", QUESTIONS[0]]]
    finish(start_command(search), FAILED).says("rank 1 on ", "is another file on this machine")
    shutil.rmtree(tmp_path / "1")
    shutil.copytree(tmp_path / "0", tmp_path / "1")
    finish(start_command(search), DONE)


def test_questions_of_standard_input_are_read_by_rank_0_and_answered_by_all(archive: Path) -> None:
    lines = "\n".join(f"{QUESTIONS[i % 3]} {i}" for i in range(260)).encode()  # more than one scan takes
    arguments = [*SEARCH, "--vectors", archive, "--json"]
    assert nina_many(*arguments, ranks=2, stdin=lines).stdout == nina(*arguments, stdin=lines).stdout


def test_search_that_cannot_begin_says_so_once(archive: Path) -> None:
    arguments = ["search", "--model", GOLDEN / "bert-mean-v6", "--vectors", archive, "q"]
    refused = nina_many(*arguments, ranks=2, status=USAGE)
    assert refused.stderr.count("were made by another model") == 1


def test_wrong_arguments_and_help_are_said_once() -> None:
    assert nina_many("search", "--no-such", ranks=2, status=USAGE).stderr.count("unknown option") == 1
    assert nina_many("eval", "--help", ranks=2).stdout == nina("eval", "--help").stdout


def test_argument_that_one_rank_alone_cannot_read_is_said_with_its_name(tmp_path: Path) -> None:
    shard = write_shard(tmp_path / "a.jsonl", [{"text": "plaça"}])
    groups = [Ranks(1), Ranks(1, options={"no_such": 1})]
    embed_many(tmp_path / "out", shard, ranks=groups, status=USAGE).says("nina: rank 1 on ", "unknown option --no-such")
    assert not (tmp_path / "out").exists()


def test_ranks_that_would_do_different_things_are_refused(tmp_path: Path) -> None:
    data, out = ["--data", MUNICIPAL, "--out", tmp_path / "out"], tmp_path / "out"
    first = ["eval", "--vectors", VECTORS, *data]
    ways = {f"eval --model {MUNICIPAL} {out}": ["eval", "--model", MODEL, *data], "search --help": ["search", "--help"]}
    # Evaluations, one a rank, of which rank 0's alone would be done.
    ways[f"eval --vectors {VECTORS} {MUNICIPAL} {out}1"] = [*first[:-1], f"{out}1"]
    ways[f"eval --vectors {GOLDEN} {MUNICIPAL} {out}"] = ["eval", "--vectors", GOLDEN, *data]
    for way, other in ways.items():
        each = iter([first, other])
        words = command([Ranks(1), Ranks(1)], lambda _: list(map(str, next(each))))
        refused = finish(start_command(words), USAGE)
        assert f"rank 1 was started with nina {way} and rank 0 with nina eval --vectors {VECTORS} {MUNICIPAL} {out}: start all" in refused.stderr
    assert not out.exists()


def test_comparison_is_read_before_anything_is_done(tmp_path: Path) -> None:
    arguments = ["eval", "--vectors", VECTORS, "--data", MUNICIPAL, "--out", tmp_path / "out", "--widths", 64]
    refused = nina_many(*arguments, "--compare", tmp_path / "none.json", ranks=2, status=USAGE)
    assert refused.stderr.count("none.json") == 1 and not (tmp_path / "out").exists()
    nina(*arguments)
    shutil.copy(tmp_path / "out" / "metrics.json", tmp_path / "old.json")
    shown = nina_many(*arguments, "--compare", tmp_path / "old.json", ranks=2).stdout
    assert shown == nina(*arguments, "--compare", tmp_path / "old.json").stdout and "\nbefore" in shown
