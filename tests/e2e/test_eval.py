"""nina eval: the metrics of sentence-transformers from stored vectors, files that other programs read, and clear words."""

import json
import math
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import copy_model, save_as_version_6
from output import Output, derive, seekable, unzstd
from program import ANY, DONE, FAILED, GOLDEN, MODEL, PROGRAM, REJECTS, ROOT, USAGE, Result, Status, embed, environment, nina, wait_for_parts
from shards import make_texts, write_shard

MUNICIPAL = ROOT / "tests" / "data" / "municipal"
VECTORS = GOLDEN / "municipal"  # multilingual-e5-small, fp32, width 64
EXPECTED = json.loads((VECTORS / "expected.json").read_text())  # by scripts/check-eval --golden
CLOSE = 1e-12


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    out = tmp_path_factory.mktemp("eval") / "out"
    return out, nina("eval", "--vectors", VECTORS, "--data", MUNICIPAL, "--out", out, "--widths", "32,64")


def compared(shown: str) -> dict[str, list[str]]:
    """The rows that a comparison prints for one width, by metric."""
    return {line.split()[0]: line.split() for line in shown.splitlines() if re.match(r"\w+@\d+ .* … ", line)}


def metrics_of(out: Path) -> dict[str, Any]:
    return json.loads((out / "metrics.json").read_text())


@pytest.mark.sanitize
def test_golden_vectors_give_the_metrics_of_sentence_transformers(judged: tuple[Path, Result]) -> None:
    metrics = metrics_of(judged[0])["metrics"]
    assert list(metrics) == ["dim_64", "dim_32"] and set(metrics) == set(EXPECTED)
    for dim, values in metrics.items():
        assert list(values) == list(EXPECTED[dim])
        assert all(abs(value - EXPECTED[dim][name]) < CLOSE for name, value in values.items()), dim


def test_table_stands_on_standard_output_with_bytes_and_losses(judged: tuple[Path, Result]) -> None:
    lines = judged[1].stdout.splitlines()
    assert lines[0].startswith("municipal (test): 150 passages, 60 queries; e5-small, prompts")
    assert lines[2].split() == ["width", "64", "32"] and lines[3].split() == ["bytes/vector", "128", "64"]
    wide, narrow = (EXPECTED[dim]["cosine_ndcg@10"] for dim in ("dim_64", "dim_32"))
    loss = f"{100 * (narrow / wide - 1):+.1f}"
    assert f"ndcg@10 {wide:.4f} {narrow:.4f} {loss} %".split() in [line.split() for line in lines]


def test_value_of_every_query_is_kept(judged: tuple[Path, Result]) -> None:
    metrics = metrics_of(judged[0])
    queries = [json.loads(line)["_id"] for line in (MUNICIPAL / "queries.jsonl").read_text().splitlines()]
    assert metrics["queries"]["ids"] == queries
    for dim, means in metrics["metrics"].items():
        for name, mean in means.items():
            assert abs(math.fsum(metrics["queries"][dim][name]) / len(queries) - mean) < CLOSE


@pytest.mark.parametrize("width", [64, 32])
def test_run_holds_the_nearest_passages_in_falling_order(judged: tuple[Path, Result], width: int) -> None:
    corpus, queries = Output(VECTORS / "corpus"), Output(VECTORS / "queries")
    rows = [run.vectors(64) if width == 64 else derive(run.vectors(64), width) for run in (queries, corpus)]
    scores = rows[0].astype(np.float64) @ rows[1].astype(np.float64).T
    place = {entry["id"]: row for row, entry in enumerate(corpus.ids())}
    lines = [line.split(" ") for line in (judged[0] / f"run.w{width}.trec").read_text().splitlines()]
    assert len(lines) == 60 * 100
    for q, entry in enumerate(queries.ids()):
        own = lines[100 * q : 100 * (q + 1)]
        assert {line[0] for line in own} == {entry["id"]} and [int(line[3]) for line in own] == list(range(1, 101))
        written = np.array([float(line[4]) for line in own])
        assert np.all(np.diff(written) < 0)
        np.testing.assert_allclose(written, scores[q][[place[line[2]] for line in own]], atol=1e-6)
        np.testing.assert_allclose(written, np.sort(scores[q])[::-1][:100], atol=1e-6)


def test_card_names_metrics_as_sentence_transformers_does(judged: tuple[Path, Result]) -> None:
    lines = (judged[0] / "model-index.yml").read_text().splitlines()
    assert lines[:3] == ["model-index:", '- name: "e5-small"', "  results:"]
    results = "\n".join(lines[3:]).split("  - task:\n")[1:]
    for result, (dim, expected) in zip(results, EXPECTED.items(), strict=True):
        head, metrics = result.split("    metrics:\n")
        width = dim.removeprefix("dim_")
        assert head.split("\n") == [
            "      type: information-retrieval",
            "      name: Information Retrieval",
            "    dataset:",
            f"      name: dim {width}",
            f"      type: dim_{width}",
            "",
        ]
        entries = [entry.rstrip("\n").split("\n") for entry in metrics.split("    - type: ")[1:]]
        for (kind, value, name), (metric, number) in zip(entries, expected.items(), strict=True):
            assert kind == metric and name == "      name: " + metric.replace("_", " ").title()
            assert "." in value and abs(float(value.removeprefix("      value: ")) - number) < CLOSE


def test_other_metrics_do_not_replace_the_usual_ones_unasked() -> None:
    before = sorted(VECTORS.iterdir())
    error = nina("eval", "--vectors", VECTORS, "--data", MUNICIPAL, "--metrics", "mrr@10", status=USAGE).error
    assert "--metrics needs --out" in error and sorted(VECTORS.iterdir()) == before


def test_other_metrics_can_be_asked_for(tmp_path: Path, judged: tuple[Path, Result]) -> None:
    arguments = ["--vectors", VECTORS, "--data", MUNICIPAL, "--out", tmp_path, "--metrics", "mrr@10,recall@150"]
    nina("eval", *arguments)
    values = metrics_of(tmp_path)["metrics"]["dim_64"]
    assert list(values) == ["cosine_mrr@10", "cosine_recall@150"] and values["cosine_recall@150"] == 1
    assert values["cosine_mrr@10"] == metrics_of(judged[0])["metrics"]["dim_64"]["cosine_mrr@10"]


def test_evaluation_compared_with_itself_did_not_move(judged: tuple[Path, Result]) -> None:
    path = judged[0] / "metrics.json"
    shown = nina("eval", "--compare", path, path).stdout
    assert shown.startswith(
        f"before   {path}\nafter    {path}\ndiffer   in nothing that the two files tell\n"
        "unknown  whether these differ: texts of queries, texts of passages\n60 queries; the interval"  # an older nina's vectors
    )
    assert shown.count("none of 15 metrics moved further than chance explains (--all prints them)\n") == 2
    assert compared(shown) == {}
    rows = compared(nina("eval", "--compare", path, path, "--all").stdout)
    assert len(rows) == 15 and all(row[3:] == ["0.0000", "0.0000", "…", "0.0000"] for row in rows.values())


def test_narrower_width_is_told_with_its_loss_and_its_size(judged: tuple[Path, Result]) -> None:
    """The paired bootstrap's interval for the difference from the widest width, in per cent of the widest."""
    metrics = metrics_of(judged[0])
    wide, narrow = (np.array(metrics["queries"][dim]["cosine_ndcg@10"]) for dim in ("dim_64", "dim_32"))
    draws = np.random.default_rng(1).integers(0, 60, (10_000, 60))
    low, high = np.percentile((narrow - wide)[draws].mean(axis=1), [2.5, 97.5]) / wide.mean() * 100
    path = judged[0] / "metrics.json"
    for shown in (judged[1].stdout, nina("eval", "--compare", path, path).stdout):
        heading, line = shown.splitlines()[-2:]
        assert heading == "against 64 numbers, of which 10 million documents take 1.3 GB, with 95 % confidence:"
        found = re.fullmatch(r"    32 numbers: (\S+) % ndcg@10 \((\S+) … (\S+) %\), and 50 % smaller: 0\.6 GB", line)
        assert found
        expected = (100 * (narrow.mean() / wide.mean() - 1), low, high)
        assert np.allclose([float(number) for number in found.groups()], expected, atol=2.5)
        assert abs(float(found[1]) - expected[0]) < 0.051


@pytest.mark.parametrize("queries", [1, 5, 6])
def test_few_queries_tell_no_difference_from_chance(tmp_path: Path, judged: tuple[Path, Result], queries: int) -> None:
    """Five differences have one sign by chance in 1 of 16 cases, six in 1 of 32."""
    values, after = metrics_of(judged[0]), tmp_path / "after.json"
    for of in values["queries"].values():
        for name in of if isinstance(of, dict) else ():
            of[name] = [0.5] * queries
    values["queries"]["ids"] = values["queries"]["ids"][:queries]
    (tmp_path / "before.json").write_text(json.dumps(values))
    values["queries"]["dim_64"]["cosine_mrr@10"] = [0.6] * queries
    after.write_text(json.dumps(values))
    shown = nina("eval", "--compare", tmp_path / "before.json", after).stdout
    assert ("too few queries to tell a difference from chance" in shown) == ("confidence" not in shown) == (queries < 6)
    assert [row[0] for row in compared(shown).values()] == (["mrr@10"] if queries == 6 else [])


def test_losses_of_nothing_have_no_heading(tmp_path: Path, judged: tuple[Path, Result]) -> None:
    values, path = metrics_of(judged[0]), tmp_path / "nothing.json"
    values["metrics"]["dim_64"]["cosine_ndcg@10"] = 0
    path.write_text(json.dumps(values))
    shown = nina("eval", "--compare", path, path).stdout
    assert "against" not in shown and shown.endswith("(--all prints them)\n")


def test_comparison_reads_widths_in_any_order(tmp_path: Path, judged: tuple[Path, Result]) -> None:
    path, other = judged[0] / "metrics.json", tmp_path / "sorted.json"
    other.write_text(json.dumps(metrics_of(judged[0]), sort_keys=True))  # dim_32 before dim_64
    plain, shown = (nina("eval", "--compare", path, file).stdout.splitlines() for file in (path, other))
    assert shown[2:] == plain[2:]


def test_comparison_with_a_device_is_refused(judged: tuple[Path, Result]) -> None:
    path = judged[0] / "metrics.json"
    assert "is a pipe or a device" in nina("eval", "--compare", "/dev/zero", path, status=FAILED).error


def test_comparison_names_what_the_two_were_made_with(tmp_path: Path, judged: tuple[Path, Result]) -> None:
    path, metrics = judged[0] / "metrics.json", metrics_of(judged[0])
    del metrics["metrics"]["dim_32"]
    metrics["prompts"]["query"] = "q: "
    (tmp_path / "new.json").write_text(json.dumps(metrics))
    assert nina("eval", "--compare", path, tmp_path / "new.json").stdout.splitlines()[:3] == [
        f"before   {path}",
        f"after    {tmp_path}/new.json",
        'differ   query prompt: "query: " before, "q: " after; widths: [64, 32] before, [64] after',
    ]
    metrics = metrics_of(judged[0])
    metrics["model"]["weights"] = "0" * 32  # a fine-tune with the same name
    metrics["compute_class"]["precision"] = "bf16"
    for query in range(60):  # too little to show
        metrics["queries"]["dim_64"]["cosine_map@100"][query] += 1e-5
    (tmp_path / "new.json").write_text(json.dumps(metrics))
    shown = nina("eval", "--compare", path, tmp_path / "new.json").stdout
    assert f'differ   model.weights: "{metrics_of(judged[0])["model"]["weights"]}" before, "{"0" * 32}" after' in shown
    assert 'computed.precision: "fp32" before, "bf16" after' in shown and "-0.0000" not in shown
    back = nina("eval", "--compare", tmp_path / "new.json", path).stdout
    assert "\n14 more moved no further than chance explains (--all prints them)\n" in back
    row = compared(back)["map@100"]
    assert row[3:] == ["0.0000", "0.0000", "…", "0.0000", "worse"]


def test_comparison_tells_better_from_lucky(tmp_path: Path, judged: tuple[Path, Result]) -> None:
    metrics = metrics_of(judged[0])
    values = metrics["queries"]["dim_64"]["cosine_ndcg@10"]
    values[:] = [0.0] * len(values)  # before, every query was worse
    lucky = metrics["queries"]["dim_64"]["cosine_mrr@10"]
    lucky[0] = 1.0 - lucky[0]  # one query moved
    (tmp_path / "old.json").write_text(json.dumps(metrics))
    arguments = ["--vectors", VECTORS, "--data", MUNICIPAL, "--out", tmp_path, "--widths", 64]
    shown = nina("eval", *arguments, "--compare", tmp_path / "old.json").stdout
    assert set(compared(shown)) == {"ndcg@10"} and "\n14 more moved no further than chance explains" in shown
    rows = compared(nina("eval", *arguments, "--compare", tmp_path / "old.json", "--all").stdout)
    assert rows["ndcg@10"][-1] == "better" and rows["ndcg@10"][1] == "0.0000"
    assert rows["mrr@10"][-1] not in ("better", "worse") and float(rows["mrr@10"][3]) != 0
    assert rows["map@100"][3] == "0.0000"


def write_set(folder: Path, corpus: list[Any], queries: list[Any], qrels: list[str], ending: str = "") -> Path:
    folder.mkdir()
    (folder / "qrels").mkdir()
    write_shard(folder / f"corpus.jsonl{ending}", corpus)
    write_shard(folder / f"queries.jsonl{ending}", queries)
    (folder / "qrels" / "test.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *qrels, ""]))
    return folder


def small_set(folder: Path, ending: str = "", **changes: Any) -> Path:
    texts = make_texts(30, 7)
    corpus = [{"_id": f"d{i}", "title": f"Títol {i}", "text": text} for i, text in enumerate(texts)]
    queries: list[Any] = [{"_id": i, "text": texts[3 * i]} for i in range(8)]
    parts = {"corpus": corpus, "queries": queries, "qrels": [f"{i}\td{3 * i}\t1" for i in range(8)]}
    return write_set(folder, ending=ending, **(parts | changes))


def evaluate(data: Path, out: Path, *options: Any, status: Status = 0) -> Result:
    return nina("eval", "--model", MODEL, "--data", data, "--out", out, *options, status=status)


@pytest.mark.sanitize
def test_set_is_embedded_as_its_model_says_and_a_second_start_resumes(tmp_path: Path) -> None:
    data, out = small_set(tmp_path / "set", ".zst"), tmp_path / "out"
    evaluate(data, out, "--widths", "128,16", "--precision", "fp32")
    corpus, queries = Output(out / "corpus"), Output(out / "queries")
    assert corpus.manifest()["settings"] | {"title_field": "title", "prompt": ""} == corpus.manifest()["settings"]
    assert queries.manifest()["settings"] | {"title_field": None, "prompt": "consulta: "} == queries.manifest()["settings"]
    assert [entry["id"] for entry in queries.ids()] == list(range(8)) and corpus.texts()[0]["title"] == "Títol 0"
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    assert set(before) == {"metrics.json", "model-index.yml", "run.w128.trec", "run.w16.trec"}
    again = evaluate(data, out, "--widths", "128,16", "--precision", "fp32")
    assert again.stderr.count("is already complete") == 2
    assert before == {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    metrics = json.loads(before["metrics.json"])
    assert metrics["prompts"] == {"query": "consulta: ", "passage": ""} and metrics["dataset"]["name"] == "set"


def test_titles_that_a_set_has_not_got_are_not_missed(tmp_path: Path) -> None:
    """A set's passages may have no titles, so nobody asked for them."""
    data = small_set(tmp_path / "set", corpus=[{"_id": f"d{i}", "text": text} for i, text in enumerate(make_texts(30, 7))])
    assert "warning" not in evaluate(data, tmp_path / "out", "--widths", 16).stderr
    assert json.loads((tmp_path / "out/corpus/report.json").read_text())["runs"][0]["missing_fields"] == []


@pytest.mark.parametrize("options", [[], ["--overwrite"]], ids=["", "anew"])
def test_warned_evaluation_stops_in_order_and_goes_on(tmp_path: Path, options: list[str]) -> None:
    passages = [{"_id": f"d{i}", "text": text} for i, text in enumerate(make_texts(12_000, 7))]  # several blocks
    data, out = small_set(tmp_path / "set", corpus=passages), tmp_path / "out"
    arguments = ["eval", "--model", MODEL, "--data", data, "--out", out, "--widths", 16, "--precision", "fp32", "--threads", 1]
    # Once it has committed a part, it cannot finish the next one until it is warned.
    held = environment("rename:8+:wait") | {"NINA_FAULT_UNTIL": str(tmp_path / "release")}
    process = subprocess.Popen([PROGRAM, *map(str, arguments), *options], stderr=subprocess.PIPE, text=True, env=held)
    wait_for_parts(out / "corpus", 1, process)
    process.send_signal(signal.SIGUSR1)
    (tmp_path / "release").touch()
    error = process.communicate()[1]
    again = "start the same command again" + "".join(f" without {option}" for option in options)
    assert process.returncode == FAILED and f"stopped; {again} to go on\n" in error
    nina(*arguments).says("resuming ")
    assert Output(out / "corpus").manifest()["totals"]["rows"] == len(passages)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_search_of_an_evaluation_can_be_stopped(tmp_path: Path, number: signal.Signals) -> None:
    out, release = tmp_path / "out", tmp_path / "release"
    held = environment("sync:1:wait") | {"NINA_FAULT_UNTIL": str(release)}  # OUT is there, and nothing is read yet
    command = [PROGRAM, "eval", "--vectors", VECTORS, "--data", MUNICIPAL, "--out", out]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=held)
    while not out.exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(number)
    release.touch()
    assert process.communicate()[1] == "nina: the search was stopped; start the same command again\n"
    assert process.returncode == 128 + number and list(out.iterdir()) == []


def test_stopped_search_of_new_vectors_does_not_advise_to_embed_them_again(tmp_path: Path) -> None:
    data, out = small_set(tmp_path / "set"), tmp_path / "out"
    held = environment("rename:16:wait") | {"NINA_FAULT_UNTIL": str(tmp_path / "release")}  # the last one before the search
    arguments = ["eval", "--model", MODEL, "--data", data, "--out", out, "--device", "null", "--threads", 1]
    process = subprocess.Popen([PROGRAM, *map(str, arguments), "--overwrite"], stderr=subprocess.PIPE, text=True, env=held)
    wait_for_parts(out / "queries", 1, process)
    while Output(out / "queries").manifest()["state"] != "complete" and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    (tmp_path / "release").touch()
    error = process.communicate()[1].splitlines()[-1]
    assert error == "nina: the search was stopped; start the same command again without --overwrite"
    assert nina(*arguments).stderr.count("is already complete") == 2


def test_no_result_of_an_earlier_evaluation_stands_beside_a_new_one(tmp_path: Path) -> None:
    out, own = tmp_path / "out", tmp_path / "out" / "run.wide.trec"
    arguments = ["eval", "--model", MODEL, "--data", MUNICIPAL, "--out", out, "--device", "null"]

    def results() -> set[str]:
        return {path.name for path in out.iterdir() if path.is_file()}

    files = {"metrics.json", "model-index.yml", own.name}
    nina(*arguments, "--widths", "64,32")
    own.write_text("the user's\n")
    nina(*arguments, "--widths", "64,32", "--overwrite", "--device", "tpu", status=USAGE)
    assert results() == files | {"run.w64.trec", "run.w32.trec"}
    nina("eval", "--vectors", out, "--data", MUNICIPAL, "--device", "null", "--widths", "16")
    assert results() == files | {"run.w16.trec"}
    for moment in "discard:2", "sync:20":  # one vector is gone; the vectors are others now
        nina(*arguments, "--widths", "32", "--overwrite", fault=f"{moment}:kill", status=-signal.SIGKILL)
        assert results() == {own.name, "job.lock"}
        nina(*arguments, "--widths", "32", "--overwrite")
        assert results() == files | {"run.w32.trec"}


@pytest.mark.parametrize("moment", ["discard:2", "discard:3", "discard:6", "discard:9", "rename:2", "sync:12", "stopped"])
def test_queries_of_an_earlier_evaluation_are_not_taken_for_those_of_a_new_one(tmp_path: Path, moment: str) -> None:
    """Queries come after the corpus, so a job that begins anew and dies before that leaves none: old ones had another prompt."""
    data, out = small_set(tmp_path / "set"), tmp_path / "out"
    arguments = ["eval", "--model", MODEL, "--data", data, "--device", "null", "--widths", "16"]
    nina(*arguments, "--out", tmp_path / "fresh")
    nina(*arguments, "--out", out, "--query-prompt", "X: ")
    if moment == "stopped":
        held = environment("rename:2:wait") | {"NINA_FAULT_UNTIL": str(tmp_path / "release")}  # the corpus's first part
        process = subprocess.Popen([PROGRAM, *map(str, arguments), "--out", out, "--overwrite"], stderr=subprocess.PIPE, text=True, env=held)
        while (out / "metrics.json").exists() and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        (tmp_path / "release").touch()
        assert "start the same command again without --overwrite" in process.communicate()[1]
    else:
        nina(*arguments, "--out", out, "--overwrite", fault=f"{moment}:kill", status=-signal.SIGKILL)
    again = nina(*arguments, "--out", out, status=ANY)
    if again.status == USAGE:  # the queries are half removed
        assert moment.startswith("discard") and "out/queries holds " in again.error and "--overwrite starts anew" in again.error
        nina(*arguments, "--out", out, "--overwrite")
    else:
        assert again.status == DONE
    for side in "corpus", "queries":
        files = [Output(folder / side).files("*/*", "manifest.json") for folder in (out, tmp_path / "fresh")]
        assert files[0] == files[1]
    assert metrics_of(out)["metrics"] == metrics_of(tmp_path / "fresh")["metrics"]


@pytest.mark.parametrize("obstacle", ["corpus", "queries", "foreign corpus", "foreign queries", "link", "held"])
def test_refused_overwrite_leaves_results_and_vectors(tmp_path: Path, obstacle: str) -> None:
    data, out = small_set(tmp_path / "set"), tmp_path / "out"
    arguments = ["eval", "--model", MODEL, "--data", data, "--out", out, "--device", "null"]
    nina(*arguments, "--widths", "16")
    folder = out / obstacle.removeprefix("foreign ")
    if obstacle.startswith("foreign"):
        (folder / "manifest.json").unlink()
        (folder / "notes.txt").touch()
        said = "is not the output of a run"
    elif obstacle == "link":
        (out / "queries" / "w16").rename(tmp_path / "w16")
        (out / "queries" / "w16").symlink_to(tmp_path / "w16")
        said = "out/queries/w16 is a link"
    elif obstacle == "held":
        (out / "queries" / "job.lock").write_text("of a job that nobody knows")
        said = "host unknown, has"
    else:
        (folder / "w16" / "part-00000-00099.npy.zst").mkdir()
        said = "is a folder, where a run has a file"
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert {"metrics.json", "model-index.yml", "run.w16.trec"} <= {path.name for path in before}
    error = nina(*arguments, "--widths", "16", "--overwrite", status=USAGE).error
    assert said in error
    after = {path: path.read_bytes() for path in out.rglob("*") if path.is_file() and path.name != "job.lock.seen"}
    assert after == before


def held_evaluation(out: Path, release: Path, *arguments: Any) -> subprocess.Popen[str]:
    """Has written a run, which it gives its name only when `release` is there."""
    held = environment("rename:1:wait") | {"NINA_FAULT_UNTIL": str(release)}
    process = subprocess.Popen([PROGRAM, "eval", *map(str, arguments)], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=held)
    while not list(out.glob(".run.w*.tmp")) and process.poll() is None:
        time.sleep(0.01)
    return process


def test_second_evaluation_of_one_output_is_refused_until_the_first_one_is_done(tmp_path: Path) -> None:
    data, out, release = small_set(tmp_path / "set"), tmp_path / "out", tmp_path / "release"
    (data / "qrels" / "dev.tsv").write_text("\n".join(f"{i}\td1\t1" for i in range(8)))
    evaluate(data, out, "--device", "null", "--widths", "32")
    judge = ["--vectors", out, "--data", data, "--device", "null"]
    first = held_evaluation(out, release, *judge, "--split", "dev")
    refused = f"another job, process {first.pid} on this host, is writing to {out}: wait until it ends, or give another --out"
    assert nina("eval", *judge, status=USAGE).error == refused
    assert evaluate(data, out, "--device", "null", "--widths", "16", "--overwrite", status=USAGE).error == refused
    nina("eval", *judge, "--out", tmp_path / "elsewhere")
    release.touch()
    assert first.communicate()[1] == "" and first.returncode == 0
    assert {path.name for path in out.iterdir()} == {"corpus", "queries", "metrics.json", "model-index.yml", "run.w32.trec"}
    assert metrics_of(out)["dataset"]["split"] == "dev" and len((out / "run.w32.trec").read_text().splitlines()) == 8 * 30
    nina("eval", *judge)
    assert metrics_of(out)["dataset"]["split"] == "test"


def test_lock_of_an_evaluation_that_was_killed_is_taken_over(tmp_path: Path) -> None:
    out = tmp_path / "out"
    judge = ["--vectors", VECTORS, "--data", MUNICIPAL, "--out", out]
    first = held_evaluation(out, tmp_path / "never", *judge)
    first.kill()
    first.communicate()
    assert json.loads((out / "job.lock").read_text())["pid"] == first.pid
    nina("eval", *judge)
    assert not (out / "job.lock").exists() and metrics_of(out)["dataset"]["judged"] == 60


def test_minutes_of_the_locks_that_a_dead_evaluation_left_run_together(tmp_path: Path) -> None:
    data, out, lock = small_set(tmp_path / "set"), tmp_path / "out", "of a job on another machine"
    evaluate(data, out, "--device", "null", "--widths", "16")
    for folder in out, out / "corpus":
        (folder / "job.lock").write_text(lock)
    queries = (out / "queries").stat().st_mtime_ns
    refused = evaluate(data, out, "--device", "null", "--widths", "16", status=USAGE)
    assert "its lock will be taken over" in refused.error
    for folder in out, out / "corpus":
        assert (folder / "job.lock").read_text() == lock and (folder / "job.lock.seen").exists()
    assert (out / "queries").stat().st_mtime_ns == queries  # the job that has OUT may be about to lock this side


def test_equal_passages_stand_in_the_order_of_their_ids(tmp_path: Path) -> None:
    names = ["é", "b", "a10", "a9", "Z", "ç"]
    corpus = [{"_id": name, "text": "la plaça del mercat"} for name in names]
    data = write_set(tmp_path / "set", corpus, [{"_id": "q", "text": "plaça"}], ["q\té\t1"])
    evaluate(data, tmp_path / "out")
    found = [line.split()[2] for line in (tmp_path / "out" / "run.w128.trec").read_text().splitlines()]
    assert found == sorted(names)
    assert metrics_of(tmp_path / "out")["metrics"]["dim_128"]["cosine_mrr@10"] == 1 / 6


def test_run_is_read_by_tools_that_split_where_python_does(tmp_path: Path) -> None:
    spaces = [character for character in map(chr, range(sys.maxunicode + 1)) if not character.split()]
    names = [f"{ord(c):x}{c}x" for c in (*spaces, "\u180e", "\u200b", "\u2060", "\ufeff")]  # the last ones are no white space
    corpus = [{"_id": name, "text": "plaça"} for name in names]
    data = write_set(tmp_path / "set", corpus, [{"_id": "una\u00a0q", "text": "plaça"}], ["una\u00a0q\ta0\u00a0x\t1"])
    judged = evaluate(data, tmp_path / "out", "--device", "null", "--widths", "16,8")
    judged.says("run.w*.trec: 30 ids have white space, which that form cannot hold; each became '_'")
    lines = (tmp_path / "out" / "run.w16.trec").read_text().split("\n")[:-1]
    assert {len(line.strip().split()) for line in lines} == {6} and {line.split()[0] for line in lines} == {"una_q"}
    assert sorted(line.split()[2] for line in lines) == sorted("_".join(re.split(r"\s", name)) for name in names)


@pytest.mark.parametrize("side", ["corpus", "queries"])
def test_ids_that_would_be_one_in_the_run_are_refused_before_the_embedding(tmp_path: Path, side: str) -> None:
    twins = [{"_id": name, "text": f"la plaça {name}"} for name in ("a b", "a_b")]
    sides = {"corpus": [{"_id": "c", "text": "el mercat"}], "queries": [{"_id": "q", "text": "plaça"}]} | {side: twins}
    judged = ["a b\tc\t1", "a_b\tc\t1"] if side == "queries" else ["q\ta b\t1"]
    data = write_set(tmp_path / "set", sides["corpus"], sides["queries"], judged)
    what = "passages" if side == "corpus" else "queries"
    sentence = f'the {what} "a_b" and "a b" would have one id in run.wW.trec, which cannot hold white space: rename one'
    fresh = ["--model", MODEL, "--device", "null", "--data", data, "--out", tmp_path / "out"]
    assert nina("eval", *fresh, status=FAILED).error == sentence
    assert not (tmp_path / "out" / "corpus").exists()
    for name in ("corpus", "queries"):
        embed(tmp_path / "vectors" / name, data / f"{name}.jsonl", id_field="_id")
    stored = ["--vectors", tmp_path / "vectors", "--data", data, "--device", "null", "--out", tmp_path / "judged"]
    assert sentence in nina("eval", *stored, status=FAILED).error
    assert not (tmp_path / "judged" / "run.w128.trec").exists()


def test_model_saved_by_sentence_transformers_3_and_by_6_has_the_same_metrics(tmp_path: Path) -> None:
    """Equal to the last digit: the golden model of version 3, and a copy in version 6's files."""
    saved = [MODEL, save_as_version_6(copy_model(tmp_path / "models", MODEL))]
    for version, model in enumerate(saved):
        options = ["--widths", "128,64,16", "--precision", "fp32", "--threads", 1]
        nina("eval", "--model", model, "--data", MUNICIPAL, "--out", tmp_path / f"{version}", *options)
    first, second = (metrics_of(tmp_path / f"{version}") for version in range(2))
    for part in ("prompts", "metrics", "queries"):
        assert first[part] == second[part]
    one, two = (Output(tmp_path / f"{version}" / "corpus").files("w*/*", "ids/*", "text/*") for version in range(2))
    assert one == two


def test_vectors_of_no_model_are_judged_only_if_asked_for(tmp_path: Path) -> None:
    data, out = small_set(tmp_path / "set"), tmp_path / "out"
    evaluate(data, out, "--device", "null")
    arguments = ["eval", "--vectors", out, "--data", data]
    assert "are no model's, but hashes" in nina("eval", *arguments[1:], status=USAGE).error
    nina(*arguments, "--device", "null")


def test_prompts_of_the_command_line_win(tmp_path: Path) -> None:
    data, out = small_set(tmp_path / "set"), tmp_path / "out"
    options = ["--device", "null", "--query-prompt", "q: ", "--passage-prompt-name", "query"]
    evaluate(data, out, *options)
    assert metrics_of(out)["prompts"] == {"query": "q: ", "passage": "consulta: "}
    result = evaluate(data, tmp_path / "odd", "--device", "null", "--query-prompt", "q: ")
    result.says("warning: the model asks for the prompts", 'the questions have "q: "')


def test_rejected_passage_is_told_and_counts_as_not_found(tmp_path: Path) -> None:
    corpus = [{"_id": "a", "text": "plaça"}, {"_id": "b", "text": 7}, {"_id": "c", "text": "carrer"}]
    queries = [{"_id": "q", "text": "plaça"}]
    data = write_set(tmp_path / "set", corpus, queries, ["q\ta\t1", "q\tb\t1"])
    result = evaluate(data, tmp_path / "out", status=REJECTS)
    result.says("1 line of", "could not be embedded", "passage")
    assert metrics_of(tmp_path / "out")["metrics"]["dim_128"]["cosine_recall@10"] == 0.5


@pytest.mark.parametrize("side", ["corpus", "queries"])
def test_rejected_line_that_no_judgement_names_is_told_by_every_evaluation(tmp_path: Path, side: str) -> None:
    sides = {"corpus": [{"_id": "a", "text": "plaça"}], "queries": [{"_id": "q", "text": "plaça"}]}
    sides[side].append({"_id": "b", "text": 7})
    data, out = write_set(tmp_path / "set", sides["corpus"], sides["queries"], ["q\ta\t1"]), tmp_path / "out"
    sentence = f"1 line of {out / side} could not be embedded; {out / side}/rejects says which and why"
    fresh = evaluate(data, out, "--device", "null", status=REJECTS)
    resumed = evaluate(data, out, "--device", "null", status=REJECTS)
    stored = nina("eval", "--vectors", out, "--data", data, "--device", "null", status=REJECTS)
    assert [result.stderr.count(sentence) for result in (fresh, resumed, stored)] == [1, 1, 1]


def test_odd_sets_are_evaluated_with_a_warning(tmp_path: Path) -> None:
    queries = [{"_id": i, "text": " \n" if i == 3 else f"pregunta {i}"} for i in range(8)]
    qrels = [*(f"{i}\td{3 * i}\t1" for i in range(4)), "7\tnot-there\t1", "unknown\td1\t1"]
    data = small_set(tmp_path / "set", queries=queries, qrels=qrels)
    result = evaluate(data, tmp_path / "out", "--device", "null")
    result.says('1 query has an empty text; the first is "3"', "not-there", "unknown")
    assert metrics_of(tmp_path / "out")["dataset"]["judged"] == 5


JUDGED = [(str(i), f"d{3 * i}") for i in range(8)]
HEADER = "query-id\tcorpus-id\tscore"
QRELS = {
    "quoted, as a CSV writer has it": ("test.tsv", ['"query-id"\t"corpus-id"\t"score"', *(f'"{q}"\t"{d}"\t1' for q, d in JUDGED)]),
    "numbers of another program": ("test.tsv", [HEADER, *(f"{q}\t{d}\t1e0" for q, d in JUDGED)]),
    "tabs at the ends": ("test.tsv", [HEADER + "\t", *(f"{q}\t{d}\t1\t\t" for q, d in JUDGED)]),
    "without a header": ("test.tsv", [f"{q}\t{d}\t1" for q, d in JUDGED]),
    "objects": ("test.jsonl", [json.dumps({"query-id": q, "corpus-id": d, "score": 1}) for q, d in JUDGED]),
    "objects, compressed": ("test.jsonl.gz", [json.dumps({"query-id": q, "corpus-id": d, "score": 1.0}) for q, d in JUDGED]),
}


@pytest.mark.parametrize("form", QRELS)
def test_judgements_count_the_same_in_every_form(tmp_path: Path, form: str) -> None:
    name, lines = QRELS[form]
    plain, other = small_set(tmp_path / "plain"), small_set(tmp_path / "other")
    (other / "qrels" / "test.tsv").unlink()
    write_shard(other / "qrels" / name, lines)
    for data in (plain, other):
        evaluate(data, tmp_path / f"{data.name}-out", "--device", "null")
    expected, found = (metrics_of(tmp_path / f"{data.name}-out") for data in (plain, other))
    assert found["queries"] == expected["queries"] and found["dataset"]["judged"] == 8


SLIPS = {
    "first line": (["0\td0\t1x", "1\td3\t1"], "test.tsv:1 is no judgement"),
    "NUL": (["0\td0\t1", "\0001\td3\t1"], "test.tsv, line 2: a NUL byte"),
    "half a quote": ([HEADER, '"0\td0\t1'], "test.tsv:2 is no judgement"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_slip_in_the_judgements_changes_no_metric_in_silence(tmp_path: Path, slip: str) -> None:
    data = small_set(tmp_path / "set")
    write_shard(data / "qrels" / "test.tsv", SLIPS[slip][0])
    assert SLIPS[slip][1] in evaluate(data, tmp_path / "out", "--device", "null", status=FAILED).error
    assert not (tmp_path / "out" / "corpus").exists()


DUPLICATE = [{"_id": "x", "text": "a"}, {"_id": "y", "text": "b"}, {"_id": "x", "text": "c"}]
REFUSED: dict[str, tuple[Callable[[Path], Path], Status]] = {
    'corpus.jsonl, line 3: its _id "x" is that of line 1 already': (lambda p: small_set(p, corpus=DUPLICATE), FAILED),
    'queries.jsonl, line 3: its _id "x" is that of line 1 already': (lambda p: small_set(p, queries=DUPLICATE), FAILED),
    "test.tsv": (lambda p: small_set(p, qrels=["q\tnowhere\t1"]), FAILED),
    'corpus.jsonl has no line that can be read as {"_id": …, "text": …}; line 2: no field "text"': (
        lambda p: small_set(p, corpus=[b"", b'{"_id":"d0","body":"a"}']),
        FAILED,
    ),
    'queries.jsonl has no line that can be read as {"_id": …, "text": …}; line 1: malformed JSON': (
        lambda p: small_set(p, queries=[b"q1\tOn?"]),
        FAILED,
    ),
    "has no corpus.jsonl: expected an evaluation set in BEIR form": (lambda p: p, USAGE),
}


@pytest.mark.parametrize("sentence", REFUSED)
def test_broken_set_is_refused_before_anything_is_embedded(tmp_path: Path, sentence: str) -> None:
    make, status = REFUSED[sentence]
    data = make(tmp_path / "set")
    if not data.exists():
        small_set(data)
        (data / "corpus.jsonl").unlink()
    assert sentence in evaluate(data, tmp_path / "out", "--device", "null", status=status).error
    assert not (tmp_path / "out" / "corpus").exists()


def test_vectors_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    mixed = tmp_path / "mixed"
    shutil.copytree(VECTORS, mixed)
    manifest = json.loads((mixed / "queries" / "manifest.json").read_text())
    weights = manifest["model"]["weights"]
    manifest["model"]["weights"] = "0" * 32
    (mixed / "queries" / "manifest.json").write_text(json.dumps(manifest))
    arguments = ["--vectors", mixed, "--data", MUNICIPAL]
    assert f'were made with different models: embed both with one; weights: "{weights}" in the first, "{"0" * 32}" in the second' in nina("eval", *arguments, status=USAGE).error
    manifest["state"] = "incomplete"
    (mixed / "queries" / "manifest.json").write_text(json.dumps(manifest))
    assert "queries is not complete" in nina("eval", *arguments, status=FAILED).error
    wide = ["--vectors", VECTORS, "--data", MUNICIPAL, "--out", tmp_path / "out", "--widths", 65]
    assert "--widths: 65 is wider than the vectors in" in nina("eval", *wide, status=USAGE).error


def test_vectors_of_two_passages_with_one_id_are_refused(tmp_path: Path) -> None:
    mixed = tmp_path / "mixed"
    shutil.copytree(VECTORS, mixed)
    corpus = Output(mixed / "corpus")
    path = corpus.parts("ids")[0]
    first, second, *others = (json.loads(line) for line in unzstd([path]).splitlines())
    lines = (json.dumps(row).encode() + b"\n" for row in (first, second | {"id": first["id"]}, *others))
    corpus.replace(path, seekable([b"".join(lines)]))
    error = nina("eval", "--vectors", mixed, "--data", MUNICIPAL, status=FAILED).error
    assert f'the id "{first["id"]}" of shard 0, line 2 is that of document 1 already: ids must differ' in error


UNFIT = {
    "repeated": ("a", 'the id "a" of shard 0, line 2 is that of document 1 already: ids must differ'),
    "empty": ("", "the id of shard 0, line 2 is empty"),
    "NUL": ("b\0", "the id of shard 0, line 2 holds a NUL"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_ids_that_cannot_name_a_passage_are_no_damage(tmp_path: Path, case: str) -> None:
    own, sentence = UNFIT[case]
    data = write_set(tmp_path / "set", [{"_id": name, "text": "plaça"} for name in ("a", own)], [{"_id": "q", "text": "plaça"}], ["q\ta\t1"])
    for side in "corpus", "queries":
        embed(tmp_path / "out" / side, data / f"{side}.jsonl", id_field="_id")
    error = nina("eval", "--vectors", tmp_path / "out", "--data", data, "--device", "null", status=FAILED).error
    assert error == f"{tmp_path / 'out' / 'corpus'}: {sentence}; give the document another id, and embed anew"
    nina("verify", tmp_path / "out" / "corpus")


USAGE_ERRORS = {
    "--data is required (nina eval --help)": ["--model", "m", "--out", "o"],
    "--out is required (nina eval --help)": ["--model", "m", "--data", "d"],
    "pass either --model, to embed, or --vectors, to judge what is embedded": ["--data", "d", "--out", "o"],
    "nina eval takes no INPUT: --data names the set (nina eval --help)": ["--data", "d", "x"],
    "--all is for --compare: it prints what chance explains, too": ["--vectors", "v", "--data", "d", "--all"],
    "--compare a: with what? Name a second metrics.json, or an evaluation (nina eval --help)": ["--compare", "a"],
}


@pytest.mark.parametrize("sentence", USAGE_ERRORS)
def test_wrong_usage_is_told_with_the_way_out(sentence: str) -> None:
    assert nina("eval", *USAGE_ERRORS[sentence], status=USAGE).error == sentence


EMBEDDING = (
    "--query-prompt=x --query-prompt-name=x --passage-prompt= --passage-prompt-name=x --max-tokens=9 --chunk-tokens=16 "
    "--chunk-overlap=8 --tokenizer=sentencepiece --overwrite --precision=fp32 --batch-tokens=99 --gemm-tuning=f"
).split()


@pytest.mark.parametrize("option", EMBEDDING)
def test_no_option_of_embedding_is_passed_over_if_nothing_is_embedded(option: str) -> None:
    name = option.partition("=")[0]
    judge = nina("eval", "--vectors", "v", "--data", "d", option, status=USAGE)
    assert judge.error == f"{name} is for --model: --vectors judges what v holds, and embeds nothing"
    compare = nina("eval", "--compare", "a", "b", option, status=USAGE)
    sentence = "--compare a b compares these two files and evaluates nothing: leave out {}, or, to evaluate and compare, leave out b"
    assert compare.error == sentence.format(name)
    for other, value in ("--model", "c"), ("--data", "c"), ("--out", "c"), ("--metrics", "c"), ("--split", "c"), ("--device", "cpu"), ("--threads", "1"):
        assert sentence.format(other) == nina("eval", "--compare", "a", "b", other, value, status=USAGE).error


def test_vectors_of_other_texts_than_the_set_has_are_not_judged(tmp_path: Path) -> None:
    """The ids are the same, so nothing else would tell the two sets apart."""
    data, other = small_set(tmp_path / "set"), small_set(tmp_path / "other")
    evaluate(data, tmp_path / "out", "--device", "null")
    judge = ["eval", "--vectors", tmp_path / "out", "--device", "null", "--out", tmp_path / "again", "--data"]
    nina(*judge, other)  # the same bytes at another place
    for name in "queries.jsonl", "corpus.jsonl":
        lines = (other / name).read_text()
        (other / name).write_text(lines.replace('"text": "', '"text": "x ', 1).replace('"text":"', '"text":"x ', 1))
        assert f"are of other texts than {other / name} holds" in nina(*judge, other, status=USAGE).error
        (other / name).unlink()
    nina(*judge, other)  # judgements alone


def test_results_do_not_stand_beside_another_evaluation(tmp_path: Path) -> None:
    data = small_set(tmp_path / "set")
    for name in "one", "two":
        evaluate(data, tmp_path / name, "--device", "null")
    before = (tmp_path / "two" / "metrics.json").read_bytes()
    error = nina("eval", "--vectors", tmp_path / "one", "--data", data, "--device", "null", "--out", tmp_path / "two", status=USAGE).error
    assert f"{tmp_path / 'two'} holds the vectors of another evaluation, and these results are of {tmp_path / 'one'}" in error
    assert (tmp_path / "two" / "metrics.json").read_bytes() == before


def test_split_that_json_cannot_name_is_refused(tmp_path: Path) -> None:
    data = small_set(tmp_path / "set")
    (data / "qrels" / "test.tsv").rename(data / "qrels" / "prov\udce0.tsv")
    assert "not UTF-8" in evaluate(data, tmp_path / "out", "--device", "null", "--split", "prov\udce0", status=USAGE).error
    assert not (tmp_path / "out").exists()


def test_file_of_options_may_have_some_for_other_uses_of_the_command(tmp_path: Path) -> None:
    """As configs/ has the widths of a model: the file serves eval with --model, with --vectors, and --compare OLD NEW."""
    lines = [option.lstrip("-").replace("=", " = ") for option in EMBEDDING if option != "--overwrite"]
    config = tmp_path / "mine.ini"
    config.write_text("[eval]\n" + "\n".join(lines) + "\noverwrite = true\nall = true\nmetrics = ndcg@3\nwidths = 32\n")
    table = nina("eval", "--config", config, "--vectors", VECTORS, "--data", MUNICIPAL, "--out", tmp_path / "again").stdout
    assert "ndcg@3" in table.lower()
    metrics = tmp_path / "again" / "metrics.json"
    assert "differ   in nothing" in nina("eval", "--config", config, "--compare", metrics, metrics).stdout


@pytest.mark.parametrize("text", ["", "[]", '{"format":2}', '{"format":1,"queries":{"ids":["a"]},"metrics":{}}'])
def test_comparison_with_another_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "old.json").write_text(text)
    error = nina("eval", "--compare", tmp_path / "old.json", tmp_path / "old.json", status=FAILED).error
    assert "old.json is not a metrics.json of nina eval" in error


def make_set(out: Path, *arguments: Any) -> Path:
    command = [sys.executable, "-B", ROOT / "scripts" / "make-eval-set", "--out", out, *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True)
    return out


@pytest.mark.parametrize("command", ["info", "verify", "cat", "diff . .", "search --model m --vectors"])
def test_the_two_runs_of_an_evaluation_are_named_to_commands_that_read_one(command: str, tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "manifest.json").touch()
    words = [tmp_path if word == "." else MODEL if word == "m" else word for word in command.split()]
    error = nina(*words, *([] if "diff" in words else [tmp_path]), status=USAGE).error
    assert error == f"{tmp_path} is the output of nina eval, whose vectors are two runs: name {tmp_path}/corpus or {tmp_path}/queries"


def script_error(name: str, *arguments: Any) -> str:
    done = subprocess.run([sys.executable, "-B", ROOT / "scripts" / name, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode in (1, 2) and "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1]


def test_scripts_for_evaluation_say_what_is_wrong_with_their_files(judged: tuple[Path, Result], tmp_path: Path) -> None:
    pairs = write_shard(tmp_path / "pairs.jsonl", [{"ask": "?", "answer": "!"}] * 20)
    make = ("make-eval-set", "--out", tmp_path / "set")
    assert script_error(*make, "none").endswith("error: there is no file none")
    assert script_error(*make, pairs) == f"{pairs}, line 1: no strings called question/passage, query/passage, anchor/positive; it has ask, answer; --fields names the two"
    assert script_error(*make, "--fields", "ask", "text", pairs).endswith("no strings called ask/text; it has ask, answer; --fields names the two")
    own = pairs.rename(tmp_path / "train.jsonl")
    assert script_error("make-eval-set", "--out", tmp_path, own).endswith("replaced by the set's own train.jsonl: give another --out")
    pairs = own.rename(pairs)
    archive = write_shard(tmp_path / "archive.jsonl", [{"text": "a"}, b"", {"title": "b", "body": "c"}])
    said = script_error(*make, "--fields", "ask", "answer", "--archive", archive, "--fraction", 1, pairs)
    assert said == f"{archive}, line 3: no string called text; it has title, body" and not (tmp_path / "set").exists()
    metrics = judged[0] / "metrics.json"
    assert script_error("plot-eval", "none") == "scripts/plot-eval: none: [Errno 2] No such file or directory: 'none'"
    assert script_error("plot-eval", pairs).startswith(f"scripts/plot-eval: {pairs}: Extra data")
    assert f"{metrics} has no metric ndcg@7; it has accuracy@1, " in script_error("plot-eval", "--metrics", "ndcg@7", metrics)
    of_set, other = json.loads(metrics.read_text()), tmp_path / "other.json"
    for change, name in (
        ({"dataset": of_set["dataset"] | {"passages": 1, "judged": 1}}, "passages, judged"),
        ({"hashes": {"judgements": "0" * 32}}, "judgements"),
    ):
        other.write_text(json.dumps(of_set | change))
        said = script_error("plot-eval", "--out", tmp_path, metrics, other)
        assert said == f"scripts/plot-eval: {other} is of another evaluation set than the first file ({name}): draw each set alone"


def test_made_set_leaks_no_passage_and_depends_on_the_pairs_alone(tmp_path: Path) -> None:
    texts = make_texts(60, 3)
    pairs = [{"query": f"Què és {i}?", "passage": texts[i % 40]} for i in range(100)]
    pairs += [{"query": "QUÈ  és 5?", "passage": texts[45]}]  # passage 5's question in other letters
    write_shard(tmp_path / "a.jsonl", pairs)
    write_shard(tmp_path / "b.jsonl", reversed(pairs))
    write_shard(tmp_path / "archive.jsonl", [{"title": "Arxiu", "text": text} for text in texts])
    one = make_set(tmp_path / "one", "--fraction", 0.3, "--archive", tmp_path / "archive.jsonl", tmp_path / "a.jsonl")
    two = make_set(tmp_path / "two", "--fraction", 0.3, "--archive", tmp_path / "archive.jsonl", tmp_path / "b.jsonl")
    for name in ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv"):
        assert (one / name).read_bytes() == (two / name).read_bytes()
    corpus = {line["_id"]: line["text"] for line in map(json.loads, (one / "corpus.jsonl").read_text().splitlines())}
    trained = [json.loads(line) for line in (one / "train.jsonl").read_text().splitlines()]
    qrels = [line.split("\t") for line in (one / "qrels" / "test.tsv").read_text().splitlines()[1:]]
    assert len(qrels) + len(trained) == len(pairs) and 20 <= len(qrels) <= 30
    assert not {pair["passage"] for pair in trained} & set(corpus.values())
    assert trained == [pair for pair in pairs if pair in trained]  # in the original order
    assert len(corpus) > len({passage for _, passage, _ in qrels})  # plus the archive's


def test_pairs_may_lie_in_the_sets_folder_or_come_through_a_pipe(tmp_path: Path) -> None:
    pairs = write_shard(tmp_path / "pairs.jsonl", [{"query": f"Què és {i}?", "passage": text} for i, text in enumerate(make_texts(20, 3))])
    make = [sys.executable, "-B", ROOT / "scripts" / "make-eval-set", "--out"]
    subprocess.run([*make, tmp_path, pairs], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([*make, tmp_path / "piped", "/dev/stdin"], input=pairs.read_bytes(), check=True, stdout=subprocess.DEVNULL)
    assert (tmp_path / "corpus.jsonl").read_bytes() == (tmp_path / "piped" / "corpus.jsonl").read_bytes()


def test_squad_becomes_a_set_that_eval_takes(tmp_path: Path) -> None:
    paragraphs = [
        {"context": text, "qas": [{"id": f"{i}-{n}", "question": f"pregunta {i} {n}"} for n in range(2)]}
        for i, text in enumerate(make_texts(10, 5))
    ]
    (tmp_path / "squad.json").write_text(json.dumps({"data": [{"title": "t", "paragraphs": paragraphs}]}))
    data = make_set(tmp_path / "set", "--fraction", 1, tmp_path / "squad.json")
    evaluate(data, tmp_path / "out", "--device", "null")
    assert metrics_of(tmp_path / "out")["dataset"]["judged"] == 20
