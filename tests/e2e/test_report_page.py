"""scripts/report: one page about an output, that needs no other file."""

import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from program import MODEL, REJECTS, ROOT, embed, nina, script_module
from shards import make_archive, write_shard

VOID = {"meta", "hr", "br", "img", "link", "input", "wbr"}


class Page(HTMLParser):
    """Checks that every element is closed in order; collects the text, and what would be fetched."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.drawn: list[str] = []  # the words in plots
        self.links: list[str] = []
        self.feed(content)
        assert self.open == []
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "action", "data")]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)
        if self.open[-1:] == ["text"]:
            self.drawn.append(data.strip())


def write_page(folder: Path, *arguments: object, plots: bool = False) -> str:
    """The page, written without matplotlib unless `plots`."""
    block = folder / "without"
    block.mkdir(exist_ok=True)
    (block / "matplotlib.py").write_text("raise ImportError\n")
    variables = os.environ | ({} if plots else {"PYTHONPATH": str(block)})
    page = folder / "page.html"
    command = [sys.executable, "-B", ROOT / "scripts" / "report", "--out", page, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=variables, check=True)
    assert done.stdout == f"{page}\n" and done.stderr == ""
    content = page.read_text()
    assert all(link.startswith("#") for link in Page(content).links)
    assert not re.search(r"@import|<script|url\((?!#)", content)
    return content


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, a reject whose reason must be escaped, and rows of an earlier output."""
    folder = tmp_path_factory.mktemp("report")
    shards = make_archive(folder / "in", (60, 40))
    embed(folder / "old", shards[0], widths="16,8")
    embed(folder / "out", *shards, reuse=folder / "old", widths="16,8", store_text=True)
    shards.append(write_shard(folder / "in" / "<b>.jsonl", ["no document"]))
    embed(folder / "out", *shards, append=True, widths="16,8", store_text=True, status=REJECTS)
    return folder / "out"


def test_page_tells_what_the_run_came_to(out: Path, tmp_path: Path) -> None:
    text = Page(write_page(tmp_path, out)).text
    report = json.loads((out / "report.json").read_text())
    for phrase in (
        "100 documents",
        "1 rejected",
        f"{report['totals']['tokens']:,} tokens",
        "Where the time of the latest run went",
        "committers",
        "Rejected: 1 lines",
        "The first 1 line reason",
        "Lengths and packing No text was cut; the longest input is",
        "<b>.jsonl:1",
        "Runs, the latest first",
        "Without plots: matplotlib was not installed",
    ):
        assert phrase in text, phrase
    assert text.count(" complete ") == 2
    for entry in report["widths"]:
        assert re.search(rf"{entry['width']} [\d.]+ (B|KiB) [\d.]+ (B|KiB) [\d.]+ %", text)


def test_page_is_beside_the_folder_and_verify_finds_nothing_foreign(out: Path) -> None:
    subprocess.run([sys.executable, "-B", ROOT / "scripts" / "report", out], check=True, stdout=subprocess.DEVNULL)
    assert out.with_name("out.html").exists()
    nina("verify", out)


@pytest.mark.parametrize("plots", [False, True])
def test_a_folder_whose_name_is_not_utf8_has_a_page(out: Path, tmp_path: Path, plots: bool) -> None:
    folder = tmp_path / os.fsdecode(b"run \xff")
    folder.mkdir()
    shutil.copy(out / "report.json", folder)
    assert "run \\xff" in write_page(tmp_path, folder, plots=plots)
    done = subprocess.run([sys.executable, "-B", ROOT / "scripts" / "report", folder], capture_output=True, check=True)
    assert done.stdout == os.fsencode(folder) + b".html\n" and folder.with_name(f"{folder.name}.html").is_file()


def test_page_of_an_evaluation_has_the_curve_and_the_questions_that_changed(tmp_path: Path) -> None:
    data, queries = ROOT / "tests/data/town", ROOT / "tests/data/town/queries.jsonl"
    for name, engine in ("one", "fp32"), ("two", "fp32"):
        prompt = ["--query-prompt", "altra: "] if name == "two" else []
        nina("eval", "--model", MODEL, "--data", data, "--out", tmp_path / name, "--widths", "64,8", "--precision", engine, *prompt)
    text = Page(write_page(tmp_path, "--questions", queries, tmp_path / "one")).text
    metrics = json.loads((tmp_path / "one/metrics.json").read_text())
    for width in 64, 8:
        mean = metrics["metrics"][f"dim_{width}"]["cosine_ndcg@10"]
        found = re.search(rf"{width} {2 * width} ([\d.]+) \(([\d.]+) … ([\d.]+)\)", text)
        assert found and abs(float(found[1]) - mean) < 6e-4 and float(found[2]) <= float(found[1]) <= float(found[3])
    assert "Questions that changed most from width 64 to 8" in text
    per_question = metrics["queries"]
    changes = [b - a for a, b in zip(*(per_question[f"dim_{width}"]["cosine_ndcg@10"] for width in (64, 8)))]
    losing, gaining = sum(change < 0 for change in changes), sum(change > 0 for change in changes)
    assert f"{losing} of {len(changes)} lose, {gaining} gain, {len(changes) - losing - gaining} stay" in text
    assert any(json.loads(line)["text"] in text for line in queries.read_text().splitlines())
    assert "one/corpus" in text and "one/queries" in text
    drawn = write_page(tmp_path, "--compare", tmp_path / "one/metrics.json", tmp_path / "two", plots=True)
    assert "Questions that changed most since the earlier result, width 64" in Page(drawn).text
    assert "another set" not in drawn and "nothing is compared" not in drawn
    changed = tmp_path / "changed.json"
    changed.write_text(json.dumps(metrics | {"hashes": {"judgements": "0" * 32}, "dataset": metrics["dataset"] | {"passages": 1}}))
    assert "is of another set (passages, judgements)" in write_page(tmp_path, "--compare", changed, tmp_path / "two")
    changed.write_text(json.dumps(metrics | {"queries": metrics["queries"] | {"ids": [f"x{i}" for i in metrics["queries"]["ids"]]}}))
    assert "has none of these questions: nothing is compared" in write_page(tmp_path, "--compare", changed, tmp_path / "two")
    assert {"NDCG@10", "MRR@10", "64", "8"} <= set(Page(drawn).drawn) and "with 95 % intervals" in Page(drawn).text


def test_page_of_an_evaluation_draws_the_metrics_that_it_has(tmp_path: Path) -> None:
    data, out, old = ROOT / "tests/data/town", tmp_path / "out", tmp_path / "old-result.json"
    nina("eval", "--model", MODEL, "--data", data, "--out", out, "--widths", "64,8", "--metrics", "recall@3")
    old.write_bytes((out / "metrics.json").read_bytes())  # of any name
    text = Page(write_page(tmp_path, "--compare", old, out)).text
    mean = json.loads(old.read_text())["metrics"]["dim_64"]["cosine_recall@3"]
    assert f"width bytes RECALL@3 64 128 {mean:.3f} (" in text and "NDCG" not in text
    lost = subprocess.run([sys.executable, "-B", ROOT / "scripts/report", "--questions", data, out], capture_output=True, text=True)
    assert lost.returncode == 1 and "a line was expected" in lost.stderr and "Traceback" not in lost.stderr


def test_an_earlier_result_is_compared_by_a_metric_that_both_have(tmp_path: Path) -> None:
    out, old = tmp_path / "out", tmp_path / "old.json"
    nina("eval", "--model", MODEL, "--data", ROOT / "tests/data/town", "--out", out, "--widths", "64,8")
    metrics = json.loads((out / "metrics.json").read_text())
    for name, metric in ("MRR@10", "cosine_mrr@10"), ("RECALL@3", "cosine_recall@3"):
        now = metrics["queries"]["dim_64"][metric]
        old.write_text(json.dumps(metrics | {"queries": metrics["queries"] | {"dim_64": {metric: [1 - value for value in now]}}}))
        losing, gaining = sum(value < 0.5 for value in now), sum(value > 0.5 for value in now)
        text = Page(write_page(tmp_path, "--compare", old, out)).text
        assert f"since the earlier result, width 64 {name}: {losing} of {len(now)} lose, {gaining} gain, " in text
    for width in {"dim_64": {}}, {"dim_32": metrics["queries"]["dim_64"]}:
        old.write_text(json.dumps(metrics | {"queries": {"ids": metrics["queries"]["ids"]} | width}))
        assert "has none of these metrics at width 64: nothing is compared" in write_page(tmp_path, "--compare", old, out)


def test_options_for_an_evaluation_are_refused_for_another_output(out: Path, tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text('{"format": 1}')
    (tmp_path / "queries.jsonl").write_text('{"_id": "a", "text": "b"}\n')
    for option, file in ("--compare", "old.json"), ("--questions", "queries.jsonl"):
        command = [sys.executable, "-B", ROOT / "scripts/report", "--out", tmp_path / "page.html", option, tmp_path / file, out]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 1 and done.stderr.endswith(f"{out} has no metrics.json: {option} is for the output of nina eval\n")
    assert not (tmp_path / "page.html").exists()


def test_page_of_a_failed_job_of_many_ranks_says_what_is_known(out: Path, tmp_path: Path) -> None:
    report = json.loads((out / "report.json").read_text())
    run = report["runs"][0] | {"end": "failed", "error": "rank 2: <no> space", "encoded": 30, "encoded_tokens": 600}
    run |= {"batches": 2, "batch_tokens": 400, "padded_tokens": 800, "seconds": 9000, "ranks_in_all": 3}
    run["ranks"] = [run["ranks"][0] | {"rank": rank, "host": f"host{rank}", "tokens": 900, "seconds": 2} for rank in range(3)]
    totals = report["totals"] | {"truncated": 4, "characters": 1000, "embedded": 905, "titles_cut": 3, "rejected": 7}
    rejects = [report["rejects"][0] | {"path": None}]
    changed = report | {"state": "incomplete", "runs": [run], "totals": totals, "rejects": rejects}
    (tmp_path / "job").mkdir()
    (tmp_path / "job/report.json").write_text(json.dumps(changed))
    page = Page(write_page(tmp_path, tmp_path / "job", plots=True))
    for phrase in (
        "Not complete: start the same nina embed again",
        "rank 2: <no> space",
        f"4 of {totals['rows']} rows were cut at {report['lengths']['max_tokens']} tokens, the longest input; 90.5 % of the text was embedded",
        "3 titles were cut",
        "2 batches of at most 400 tokens, 75.0 % filled",
        "25.0 % of the tokens would have been padding",
        "1 host1 ",
        "a shard whose name is not UTF-8:1",
        "The reasons of 6 more stand in rejects/.",
        "2:30:00",
    ):
        assert phrase in page.text, phrase
    assert {"hours", "rank", "tokens, up to", "width", "worked", "waited", "as stored"} <= set(page.drawn)


def test_bars_of_a_plot_over_time_are_few_and_add_up_to_the_run() -> None:
    report = script_module("report")
    for count in 1, 2, 79, 80, 81, 160, 161, 240:
        for rest in 0.01, 0.3, 0.5:
            seconds = (count - 1) * 0.5 + rest
            run = {"seconds": seconds, "throughput": {"interval": 0.5, "tokens": [100 * (i + 1) for i in range(count)]}}
            values, ends = report.rates(run)
            lengths = [end - begin for begin, end in zip([0, *ends], ends)]
            assert sum(value * length for value, length in zip(values, lengths)) == pytest.approx(100 * count)
            assert len(values) <= report.BARS_MOST + 1 and ends[-1] == seconds
            assert min(lengths) >= max(lengths[:1]) / 2.01 and (count == 1 or max(values) <= 401)
    assert report.rates({"seconds": 0, "throughput": {"interval": 0, "tokens": []}}) == ([], [])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "has no report.json and no metrics.json"),
        ('{"results": []}', 'report.json: "nina_report": 1 was expected'),
        ('{"nina_report": 2}', 'report.json: "nina_report": 1 was expected'),
        ("{", "report.json: "),
    ],
)
def test_folder_without_a_report_is_told(tmp_path: Path, content: str | None, sentence: str) -> None:
    if content:
        (tmp_path / "report.json").write_text(content)
    command = [sys.executable, "-B", ROOT / "scripts" / "report", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and sentence in done.stderr and "Traceback" not in done.stderr


def test_plots_stand_in_the_page_in_its_own_colours(out: Path, tmp_path: Path) -> None:
    content = write_page(tmp_path, out, plots=True)
    assert content.count("<svg") == 4 and "Without plots" not in content
    assert content.count("currentColor") > 40 and "#010203" not in content
    names = re.findall(r' id="([^"]+)"', content)
    clips = [name for name in names if not re.match(r"(figure|axes|patch|line2d|text|matplotlib|xtick|ytick|legend|LineCollection)", name)]
    assert len(clips) == len(set(clips))
    assert set(re.findall(r"(?:url\(#|href=\"#)([^\")]+)", content)) <= set(names)
