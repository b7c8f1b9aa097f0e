"""The face of the program: help, options, configuration files, errors, exit statuses, progress, descriptions.
NINA_UPDATE_GOLDEN=1 writes the texts in golden/ again; look at the difference before you keep it."""

import gzip
import itertools
import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from output import Output
from program import (
    DONE,
    FAILED,
    FULL,
    GOLDEN,
    LONGEST_RUN,
    MODEL,
    PROGRAM,
    REJECTS,
    ROOT,
    USAGE,
    embed,
    embed_arguments,
    environment,
    nina,
    run_on_terminal,
    start_embed,
    tokenize,
    wait_for_parts,
)
from shards import make_archive, make_documents, write_shard

TEXTS = Path(__file__).parent / "golden"


def check_golden(name: str, text: str) -> None:
    path = TEXTS / name
    if os.environ.get("NINA_UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize("command", ["", "embed", "eval", "search", "info", "verify", "diff", "cat", "tokenize", "check-fs"])
def test_help_is_as_agreed(command: str) -> None:
    text = nina(*command.split(), "--help").stdout
    check_golden(f"help-{command or 'nina'}.txt", text)
    assert nina(*command.split(), "-h").stdout == nina("help", *command.split()).stdout == text
    assert max(map(len, text.splitlines())) <= 110


def test_version_and_plain_call() -> None:
    patterns = [
        r"nina \d+\.\d+\.\d+",
        r"encoders    cpu \(fp32(, bf16)?(, int8)?\), (cuda \(fp16; CUDA [\d.]+\), null|null; built without CUDA)",
        r"processor   \S+; oneDNN takes \S+",
        r"libraries   oneDNN [\d.]+, zlib [\d.]+, zstd [\d.]+, Jansson [\d.]+, xxHash [\d.]+, \S.*",
    ]
    for line, pattern in zip(nina("--version").stdout.splitlines(), patterns, strict=True):
        assert re.fullmatch(pattern, line), line
    assert nina("-V").stdout == nina("--version").stdout
    assert nina(status=USAGE).stderr == nina("help").stdout
    assert nina("help", "embedd", status=USAGE).error == nina("embedd", status=USAGE).error == "unknown command embedd (nina --help lists all)"


DEVICES = "is none of auto, cpu, cuda, cuda:K (K counts cards from 0), null"
NUMBER, THREADS = "is not a whole number from 1 to", 768
WIDTH = "is not a width: expected numbers above 0, as 1024,256,64"
USAGE_ERRORS = {
    "--model is required (nina embed --help)": ["embed", "--out", "o", "x.jsonl"],
    "--out is required (nina embed --help)": ["embed", "--model", "m", "x.jsonl"],
    "unknown option --widhts; did you mean --widths? (nina embed --help lists all)": ["embed", "--widhts=4"],
    "unknown option --colour (nina embed --help lists all)": ["embed", "--colour"],
    "unknown option --quite; did you mean --quiet? (nina embed --help lists all)": ["embed", "--quite"],
    "unknown option --uot; did you mean --out? (nina embed --help lists all)": ["embed", "--uot", "o"],
    "unknown option --gpu (nina embed --help lists all)": ["embed", "--gpu"],
    "unknown option --k (nina search --help lists all)": ["search", "--k", "3"],
    "unknown option -x (nina embed --help lists all)": ["embed", "-xyz"],
    "--model needs a value (nina embed --help)": ["embed", "--model"],
    "--quiet takes no value (nina embed --help)": ["embed", "--quiet=true"],
    "--help takes no value": ["embed", "--help=widths"],
    "out: the value is empty; expected DIR": ["embed", "--model", "m", "--out", ""],
    "reuse: the value is empty; expected DIR": ["embed", "--reuse="],
    "out: the value is empty; expected FILE": ["cat", "--out", "", "o"],
    "config: the value is empty; expected FILE.ini": ["search", "--config="],
    f'threads: "two" {NUMBER} {THREADS}': ["embed", "--threads", "two"],
    f'threads: "-1" {NUMBER} {THREADS}': ["embed", "--threads", "-1"],
    f'threads: "" {NUMBER} {THREADS}': ["embed", "--threads", ""],
    f'threads: "0" {NUMBER} {THREADS}': ["embed", "--threads", "0"],
    f'threads: "1000" {NUMBER} {THREADS}': ["eval", "--threads", "1000"],
    f'threads: "769" {NUMBER} {THREADS}': ["verify", "--threads", "769", "o"],
    f'top-k: "0" {NUMBER} {2**31 - 1}': ["search", "--top-k", "0"],
    f'width: "0" {NUMBER} {2**31 - 1}': ["search", "--width", "0"],
    f'max-tokens: "0" {NUMBER} {2**31 - 1}': ["tokenize", "--max-tokens", "0"],
    f'batch-tokens: "0" {NUMBER} {2**31 - 1}': ["eval", "--batch-tokens", "0"],
    f'zstd-level: "23" {NUMBER} 22': ["embed", "--zstd-level", "23"],
    f'grace: "0" {NUMBER} {2**31 - 1}': ["embed", "--grace", "0"],
    f'block-bytes: "4 " {NUMBER} {64 << 30} (K, M and G may follow it)': ["embed", "--block-bytes", "4 "],
    f'block-bytes: "65G" {NUMBER} {64 << 30} (K, M and G may follow it)': ["embed", "--block-bytes", "65G"],
    f'block-lines: "{2**63 - 1}" {NUMBER} {64 << 30} (K, M and G may follow it)': ["embed", "--block-lines", str(2**63 - 1)],
    f'max-line: "0K" {NUMBER} {1000 << 20} (K, M and G may follow it)': ["embed", "--max-line", "0K"],
    f'max-line: "4T" {NUMBER} {1000 << 20} (K, M and G may follow it)': ["embed", "--max-line", "4T"],
    f'max-line: "1G" {NUMBER} {1000 << 20} (K, M and G may follow it)': ["embed", "--max-line", "1G"],
    f'widths: "" in "64,,8" {WIDTH}': ["embed", "--widths", "64,,8"],
    f'widths: "0" in "384,0,9999" {WIDTH}': ["embed", "--widths", "384,0,9999"],
    f'widths: "8x" in "64,8x" {WIDTH}': ["embed", "--widths", "64,8x"],
    f'widths: "{"8," * 16}8" has more than 16 widths': ["embed", "--widths", "8," * 16 + "8"],
    f'device: "gpu" {DEVICES}': ["embed", "--device", "gpu"],
    f'device: "cuda:a" {DEVICES}': ["search", "--device", "cuda:a"],
    'precision: "int4" is none of auto, fp32, bf16, fp16, int8': ["embed", "--precision", "int4"],
    'progress: "lots" is none of auto, bar, json, none': ["embed", "--progress", "lots"],
    "name one folder: nina info DIR": ["info"],
    "--devices is about this machine: it takes no folder": ["info", "--devices", "o"],
    "name one output folder: nina verify OUT": ["verify", "a", "b"],
    "name two output folders: nina diff OLD NEW": ["diff", "a"],
    "tokenize reads standard input and takes no INPUT: x": ["tokenize", "--model", "m", "x"],
    "--model is required (nina tokenize --help)": ["tokenize"],
}


@pytest.mark.parametrize("sentence", USAGE_ERRORS)
def test_wrong_usage_is_told_with_the_way_out(sentence: str) -> None:
    result = nina(*USAGE_ERRORS[sentence], status=USAGE)
    assert result.stderr == f"nina: {sentence}\n" and result.stdout == ""


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    return write_shard(tmp_path / "a.jsonl", make_documents(40, 1))


def test_option_may_be_cut_short_where_it_is_clear(tmp_path: Path, shard: Path) -> None:
    nina("embed", "--mod", MODEL, f"--out={tmp_path}/out", "--dev=null", "--wid", "8", shard)
    assert Output(tmp_path / "out").vectors(8).shape == (40, 8)
    assert "unknown option --block" in nina("embed", "--block", "3", status=USAGE).error


@pytest.mark.sanitize
def test_widths_may_come_in_any_order_and_twice(tmp_path: Path, shard: Path) -> None:
    embed(tmp_path / "out", shard, widths="8,128,8,32")
    assert Output(tmp_path / "out").manifest()["settings"]["widths"] == [128, 32, 8]
    embed(tmp_path / "full", shard)
    assert Output(tmp_path / "full").manifest()["settings"]["widths"] == [128]
    error = embed(tmp_path / "wide", shard, widths="129,8", status=USAGE).error
    assert error == "width 129 is not one that xlmr-cls-v3 has: it gives vectors of 1 to 128 numbers"
    error = embed(tmp_path / "long", shard, max_tokens=769, status=USAGE).error
    assert error == "--max-tokens 769: xlmr-cls-v3 takes from 2 to 768 tokens"
    assert not (tmp_path / "wide").exists() and not (tmp_path / "long").exists()


@pytest.mark.parametrize("end", ["rejects", "damage", "stop"])
def test_the_last_line_of_json_is_the_end_however_a_run_ends(tmp_path: Path, end: str) -> None:
    lines = make_documents(40, 1)
    shard = write_shard(tmp_path / "a.jsonl.gz", [*lines, "no JSON"] if end == "rejects" else lines)
    if end == "damage":
        shard.write_bytes(shard.read_bytes()[:-9])
    slow, release = {"null_rate": 600, "threads": 1, "block_lines": 1, "fault": "write:30+:wait"}, tmp_path / "release"
    with start_embed(
        tmp_path / "out", shard, widths=8, progress="json", release=release, **slow if end == "stop" else {}
    ) as process:
        if end == "stop":
            wait_for_parts(tmp_path / "out", 1, process)
            process.send_signal(signal.SIGINT)
            release.touch()
        _, said = process.communicate(timeout=LONGEST_RUN)
    events = [json.loads(line) for line in said.decode().splitlines()]
    assert [event["event"] for event in events[-2:]] == ["notice", "end"] and events[-1]["complete"] is (end == "rejects")
    sentence = {"rejects": "1 line could not be embedded", "damage": "is not complete: repair", "stop": "stopped; start the same"}[end]
    assert sentence in events[-2]["sentence"]


def test_rate_of_the_null_device_slows_no_model(tmp_path: Path, shard: Path) -> None:
    error = embed(tmp_path / "out", shard, device="cpu", null_rate=9, status=USAGE).error
    assert error == "--null-rate is for --device null, and this run computes a model" and not (tmp_path / "out").exists()


def test_size_may_have_a_unit(tmp_path: Path, shard: Path) -> None:
    embed(tmp_path / "out", shard, widths=8, max_line="3k", block_bytes="2M", block_lines="1G")
    settings = Output(tmp_path / "out").manifest()["settings"]
    assert settings["max_line"] == 3 << 10
    assert settings["block_bytes"] == 2 << 20 and settings["block_lines"] == 1 << 30


@pytest.mark.sanitize
def test_configuration_file_gives_options_and_the_command_line_wins(tmp_path: Path, shard: Path) -> None:
    config = tmp_path / "run.ini"
    config.write_text(
        f"; a comment\nmodel = {MODEL}\ndevice = null\nwidths = 32,8\nstore-text = true\n\n"
        "[embed]\nthreads = 2\nprompt = consulta:\n[search]\nunheard-of = 1\n"
    )
    nina("embed", "--config", config, "--out", tmp_path / "out", "--widths", "16", shard)
    settings = Output(tmp_path / "out").manifest()["settings"]
    assert (settings["widths"], settings["store_text"], settings["prompt"]) == ([16], True, "consulta:")


LONG = "Tasca: troba passatges; " + 2400 * " " + "fi"  # few tokens: the prompt must leave room for a text
STRINGS = {
    '"passage: "': "passage: ",
    "passage: ": "passage:",
    "Tasca: cerca ; consulta: X #1": "Tasca: cerca ; consulta: X #1",
    r'"  \"Tasca\": a\\b;\tc\n"': '  "Tasca": a\\b;\tc\n',
    'la "cerca" d\'avui = "sí"': 'la "cerca" d\'avui = "sí"',
    LONG: LONG,
    '""': "",
}


@pytest.mark.parametrize("written", STRINGS)
def test_configuration_file_can_say_every_string(tmp_path: Path, shard: Path, written: str) -> None:
    config = tmp_path / "run.ini"
    config.write_text(f"[embed]\nprompt = {written}\r\ndevice = null\n")
    nina("embed", "--config", config, "--model", MODEL, "--out", tmp_path / "out", shard)
    assert Output(tmp_path / "out").manifest()["settings"]["prompt"] == STRINGS[written]


@pytest.mark.parametrize("config", sorted((ROOT / "configs").glob("*.ini")), ids=lambda path: path.stem)
def test_configurations_that_come_along_are_read_by_each_command(config: Path) -> None:
    for command in ("embed", "eval", "search"):
        assert "is required" in nina(command, "--config", config, status=USAGE).error


def test_search_takes_a_configuration_file(tmp_path: Path, shard: Path) -> None:
    embed(tmp_path / "out", shard, widths=8, store_text=True)
    config = tmp_path / "run.ini"
    shared = f"model = {MODEL}\nvectors = {tmp_path}/out\ndevice = null\n"
    config.write_text(f'{shared}[search]\ntop-k = 3\nprompt = "q: "\n')
    result = nina("search", "--config", config, "--json", "plaça")
    assert len(json.loads(result.stdout)["answers"]) == 3
    result.says('prompt "q: "')
    assert len(json.loads(nina("search", "--config", config, "--top-k", 2, "--json", "plaça").stdout)["answers"]) == 2


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("device = null\nwidth = 8\n", "line 2: unknown key width; did you mean widths?"),
        ("\n\nthreads = many\n", f'line 3: threads: "many" {NUMBER} {THREADS}'),
        ("threads = 0\n", f'line 1: threads: "0" {NUMBER} {THREADS}'),
        ("threads = 4 ; half of them\n", f'line 1: threads: "4 ; half of them" {NUMBER} {THREADS}'),
        ('block-bytes = "4 "\n', f'line 1: block-bytes: "4 " {NUMBER} {64 << 30} (K, M and G may follow it)'),
        ('prompt = "passage: \n', "line 1: the value begins with a double quote and does not end with one"),
        ("[embedd]\n", "line 1: unknown section [embedd]: expected [embed], [eval] or [search]"),
        ("quiet = perhaps\n", 'line 1: quiet: "perhaps" is neither true nor false'),
        ("config = other.ini\n", "line 1: config: a configuration file names no other one; give --config on the command line"),
        ("confug = other.ini\n", "line 1: unknown key confug (nina embed --help lists all)"),
        ("[embed\n", "line 1: neither `key = value`, a [section] nor a comment"),
        ("device = null\nwidths\n", "line 2: neither `key = value`, a [section] nor a comment"),
    ],
)
def test_slip_in_a_configuration_file_is_told_with_its_line(tmp_path: Path, text: str, sentence: str) -> None:
    config = tmp_path / "run.ini"
    config.write_text(text)
    assert f"{config}, {sentence}" in nina("embed", "--config", config, status=USAGE).error


def test_missing_configuration_file_is_named(tmp_path: Path) -> None:
    error = nina("embed", "--config", tmp_path / "no.ini", status=USAGE).error
    assert error == f"there is no file {tmp_path}/no.ini"
    assert nina("embed", "--config", tmp_path, status=USAGE).error == f"{tmp_path} is a folder; expected a file"


@pytest.mark.sanitize
def test_summary_tells_documents_tokens_bottleneck_and_sizes(tmp_path: Path) -> None:
    documents = [*make_documents(1234, 1), {"text": "plaça " * 2000}, "no document"]
    shard = write_shard(tmp_path / "a.jsonl", documents)
    result = embed(tmp_path / "out", shard, widths="128,8", status=REJECTS)
    totals = Output(tmp_path / "out").manifest()["totals"]
    embedded = 100 * totals["embedded"] // totals["characters"]
    assert result.stdout == ""
    tokens, ratio = f"{totals['tokens']:,}", totals["vector_bytes"] / totals["vector_file_bytes"]
    patterns = [
        "nina: documents get no prompt",
        r"nina: complete after [\d.]+ s",
        rf"  this run    1,235 documents, {tokens} tokens, [\d,]+ tokens/s",
        rf"  in all      1,235 documents, {tokens} tokens, 1 part",
        r"  rejected    1 line",
        rf"  cut         1 of 1,235 documents cut; {embedded} % of the text was embedded",
        rf"  vectors     [\d.]+ KiB stored in [\d.]+ KiB \({ratio:.2f} : 1\)",
        rf"  all files   [\d.]+ KiB in {tmp_path}/out",
        r"  bottleneck  (reader|tokenizers|encoder|committers) busy \d+ %; (\w+ \d+ %(, )?){3}",
        rf"nina: 1 line could not be embedded; {tmp_path}/out/rejects says which and why",
    ]
    for line, pattern in zip(result.stderr.splitlines(), patterns, strict=True):
        assert re.fullmatch(pattern, line), line


def test_summary_of_a_run_with_nothing_to_do_tells_what_is_there(tmp_path: Path, shard: Path) -> None:
    embed(tmp_path / "out", shard, widths=8)
    _, found, totals, vectors, files = embed(tmp_path / "out", shard, widths=8).stderr.splitlines()
    assert found == f"nina: {tmp_path}/out is already complete: 40 documents in 1 part; nothing to do"
    assert totals.startswith("  in all      40 documents, ") and vectors.startswith("  vectors     640 B stored in ")
    assert re.fullmatch(rf"  all files   [\d.]+ KiB in {tmp_path}/out", files)


def test_summary_of_a_run_without_documents_has_no_ratio(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_bytes(b"")
    lines = embed(tmp_path / "out", tmp_path / "empty.jsonl", widths=8).stderr.splitlines()
    assert lines[4:6] == ["  in all      0 documents, 0 tokens, 1 part", "  vectors     none"]
    assert re.fullmatch(rf"  all files   \d+ B in {tmp_path}/out", lines[6])


def test_quiet_prints_errors_only(tmp_path: Path, shard: Path) -> None:
    for _ in range(2):
        result = embed(tmp_path / "out", shard, widths=8, quiet=True)
        assert result.stdout == result.stderr == ""
    with shard.open("ab") as file:
        file.write(b"no document\n")
    assert embed(tmp_path / "bad", shard, widths=8, quiet=True, status=REJECTS).stderr == ""
    assert embed(tmp_path / "out", shard, widths=8, quiet=True, status=USAGE).stderr.startswith("nina: ")
    damaged = tmp_path / "damaged.jsonl.gz"
    damaged.write_bytes(gzip.compress(shard.read_bytes())[:-9])
    first, last = embed(tmp_path / "damaged", damaged, widths=8, quiet=True, status=FAILED).stderr.splitlines()
    assert first.startswith(f"nina: shard {damaged} is damaged after line ") and last.startswith(f"nina: {tmp_path}/damaged is not complete")


def test_progress_json_is_json_whatever_a_file_is_called(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write_shard(folder / "a.jsonl", [{"text": "u"}])
    for name in b"latin \xe9.txt", ("à" * 110 + ".txt").encode():
        with open(os.path.join(os.fsencode(folder), name), "wb"):
            pass
    done = subprocess.run([PROGRAM, *embed_arguments(tmp_path / "out", folder, progress="json")], capture_output=True, env=environment())
    events = [json.loads(line) for line in done.stderr.decode("utf-8").splitlines()]
    assert done.returncode == DONE and events[-1]["event"] == "end"
    assert any(r"latin \xe9.txt" in event.get("sentence", "") for event in events)


def test_progress_json_is_one_object_a_line(tmp_path: Path) -> None:
    shards = make_archive(tmp_path / "in", (400, 400))
    slow = {"widths": 8, "block_lines": 20, "threads": 2, "null_rate": 8000}
    result = embed(tmp_path / "out", *shards, progress="json", **slow)
    events = [json.loads(line) for line in result.stderr.splitlines()]
    assert events.pop(0) == {"event": "notice", "sentence": "documents get no prompt"}
    kinds = [event["event"] for event in events]
    assert kinds == ["progress"] * (len(kinds) - 1) + ["end"] and len(kinds) >= 2
    for before, after in itertools.pairwise(events):
        assert all(before[key] <= after[key] for key in ("seconds", "documents", "tokens", "blocks", "share"))
    totals = Output(tmp_path / "out").manifest()["totals"]
    end = events[-1]
    assert (end["documents"], end["tokens"], end["blocks"]) == (800, totals["tokens"], 40)
    assert end["share"] == 1 and end["complete"] is True
    assert end["totals"].pop("documents") == 800
    assert end["totals"] == {key: totals[key] for key in end["totals"]} and len(end["totals"]) == 10
    assert list(end["busy"]) == ["reader", "tokenizers", "encoder", "committers"]
    assert end["bottleneck"] == max(end["busy"], key=end["busy"].get)


TIME = r"([\d.]+ s|[\d:]+)"
STATE = rf" *[\d.]+ %  {TIME}, ETA (\?|{TIME})  [\d,]+ tokens/s  [\d,]+ documents?"
BAR = rf"\[#*\.*\] {STATE}"


@pytest.mark.skipif(not FULL, reason="takes more than 10 s; NINA_FULL_TESTS=1")
def test_without_a_terminal_a_line_tells_every_ten_seconds(tmp_path: Path) -> None:
    shard = write_shard(tmp_path / "a.jsonl", make_documents(900, 1))
    result = embed(tmp_path / "out", shard, widths=8, block_lines=50, threads=1, null_rate=4000)
    assert re.match(f"nina: documents get no prompt\n(nina: {STATE}\n)+nina: complete", result.stderr)


def test_bar_on_a_terminal_shows_documents_rate_share_and_eta(tmp_path: Path) -> None:
    shards = make_archive(tmp_path / "in", (300, 300))
    slow = {"widths": 8, "block_lines": 10, "threads": 2, "null_rate": 8000}
    shown = run_on_terminal(embed_arguments(tmp_path / "out", *shards, **slow))
    bars = [line for line in shown.split("\r\x1b[K") if line.startswith("[")]
    assert len(bars) >= 2
    for bar in bars:
        assert re.match(BAR, bar) and len(bar.splitlines()[0]) == 79, bar
    summary = shown.rsplit("\r\x1b[K", 1)[1]
    assert summary.startswith("nina: complete after") and "\x1b" not in summary
    quiet = run_on_terminal(embed_arguments(tmp_path / "quiet", *shards, widths=8, quiet=True))
    none = run_on_terminal(embed_arguments(tmp_path / "none", *shards, widths=8, progress="none"))
    assert quiet == "" and none.splitlines()[1].startswith("nina: complete") and "\r\x1b" not in none


@pytest.mark.parametrize("columns", [10, 27, 50, 200])
def test_bar_uses_the_width_of_the_terminal(tmp_path: Path, columns: int) -> None:
    """A narrow terminal shows the most important pieces, each whole; a wide one has a longer bar."""
    shard = write_shard(tmp_path / "a.jsonl", make_documents(100, 1))
    slow = {"widths": 8, "block_lines": 10, "threads": 1, "null_rate": 4000}
    shown = run_on_terminal(embed_arguments(tmp_path / "out", shard, **slow), columns)
    lines = [line for line in shown.split("\r\x1b[K") if " %" in line and "nina:" not in line]
    assert len(lines) >= 2
    for line in lines:
        if columns < 28:
            assert re.fullmatch(r" *[\d.]+ %" + (rf"  {TIME}, ETA (\?|{TIME})" if columns > 20 else ""), line)
        else:
            assert line.startswith("[") and len(line) == columns - 1
            assert ("documents" in line) == (columns == 200)


def test_summary_fits_eighty_columns_and_writes_every_count_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    documents = [*make_documents(3000, 1), *({"text": "plaça " * 2000},) * 1200, *["no document"] * 1100]
    shard = write_shard(tmp_path / "a.jsonl", documents)
    summary = embed(Path("o"), shard, widths="128,8", status=REJECTS).stderr
    assert "  rejected    1,100 lines\n" in summary and "  cut         1,200 of 4,200 documents cut; " in summary
    assert "nina: 1,100 lines could not be embedded; " in summary
    assert max(map(len, summary.splitlines())) <= 80


def test_info_describes_a_model() -> None:
    for model in (MODEL, *(GOLDEN / name for name in ("bert-mean-v6", "bert-uncased", "modules/dense"))):
        text = nina("info", model).stdout
        check_golden(f"info-{model.name}.txt", re.sub("(?<=identity    )[0-9a-f]{32}$", "HASH", text, flags=re.M))


def test_info_describes_a_model_to_programs() -> None:
    described = json.loads(nina("info", "--json", MODEL).stdout)
    assert described["folder"] == str(MODEL) and described["parameters"] == 412_928
    assert described["stored_as"] == "F32" and described["files"] == 1
    assert (described["max_tokens"], described["width"], described["similarity"]) == (768, 128, "cosine")
    assert described["prompts"] == {"query": "consulta: "} and described["default_prompt"] is None
    assert described["normalize_module"] is True
    dense = json.loads(nina("info", "--json", GOLDEN / "modules" / "dense").stdout)
    assert dense["normalize_module"] is False and dense["width"] == 48
    assert dense["model"]["pooling"] == "mean+cls"
    assert (dense["model"]["dense_0"], dense["model"]["dense_1"]) == ("256-96 Tanh", "96-48 GELU without bias")
    assert described["tokenizer"] == {"kind": "Unigram", "file": "sentencepiece.bpe.model", "pieces": 640}
    model = described["model"]
    assert (model["name"], model["type"], model["heads"], model["pooling"]) == ("xlmr-cls-v3", "xlm-roberta", 2, "cls")
    assert re.fullmatch("[0-9a-f]{32}", model["identity"])
    assert f"identity    {model['identity']}\n" in nina("info", MODEL).stdout


def test_name_that_json_cannot_hold_is_no_lack_of_memory(tmp_path: Path) -> None:
    shard = write_shard(tmp_path / "a.jsonl", [{"text": "a"}])
    model, out = (os.fsencode(tmp_path) + name for name in (b"/model\xff", b"/out\xff"))
    os.symlink(MODEL, model)
    os.symlink(tmp_path / "out", out)
    embed(tmp_path / "out", shard, widths=8)
    for folder in model, out:
        command = [str(PROGRAM), "info", "--json", folder]
        done = subprocess.run(command, capture_output=True, env=environment())
        assert done.returncode == USAGE and b"\\xff is not valid UTF-8, and JSON can hold nothing else" in done.stderr
        assert b"8" in subprocess.run([str(PROGRAM), "info", folder], capture_output=True, check=True).stdout


def test_info_describes_an_output(tmp_path: Path, shard: Path) -> None:
    embed(tmp_path / "out", shard, widths="32,8")
    text = nina("info", tmp_path / "out").stdout
    assert text.startswith(f"output      {tmp_path}/out, complete\n")
    for line in (
        'model       name: "xlmr-cls-v3"',
        "settings    widths: [32,8]",
        'computed    encoder: "null"',
        "shards      1",
        "            rows: 40",
    ):
        assert f"{line}\n" in text or f"{line}," in text, text
    described = json.loads(nina("info", "--json", tmp_path / "out").stdout)
    assert (described["folder"], described["state"], described["shards"]) == (f"{tmp_path}/out", "complete", 1)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    for key, part in {"model": "model", "settings": "settings", "compute_class": "computed", "totals": "totals"}.items():
        assert described[part] == manifest[key]
    assert nina("info", tmp_path, status=FAILED).error.startswith(f"{tmp_path}: no modules.json")
    error = nina("verify", tmp_path, status=FAILED).error
    assert error.startswith(f"{tmp_path} has no manifest.json: it is not the output of a run (")


ABSENT = {
    "info": "info none",
    "verify": "verify none",
    "diff": "diff none none",
    "model of embed": "embed --model none --out out a.jsonl",
    "model of tokenize": "tokenize --model none",
    "model of search": "search --model none --vectors out q",
    "model of eval": "eval --model none --data set --out new",
    "vectors of search": f"search --model {MODEL} --vectors none q",
    "vectors of eval": "eval --vectors none --data set",
    "set of eval": f"eval --model {MODEL} --data none --out new",
}


@pytest.mark.parametrize("case", ABSENT)
def test_folder_that_is_not_there_is_wrong_usage_and_named(
    tmp_path: Path, shard: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.chdir(tmp_path)
    embed(Path("out"), "a.jsonl", widths=8)
    (tmp_path / "set" / "qrels").mkdir(parents=True)
    for name in ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv"):
        row = {"_id": "a", "text": "b"} if name.endswith("l") else "query-id\tcorpus-id\tscore\na\ta\t1"
        write_shard(tmp_path / "set" / name, [row])
    assert nina(*ABSENT[case].split(), status=USAGE).error == "there is no folder none"
    assert not (tmp_path / "none").exists()
    shard.rename("none")
    shard.write_bytes(b"")
    assert nina(*ABSENT[case].split(), status=USAGE).error == "none is a file; expected a folder"


def test_file_that_is_not_there_is_wrong_usage_and_named(tmp_path: Path) -> None:
    none = tmp_path / "none.jsonl"
    assert embed(tmp_path / "out", none, status=USAGE).error == f"there is no input {none}"
    assert nina("eval", "--compare", none, none, status=USAGE).error == f"there is no file {none}"
    none.write_bytes(b"")
    assert "none.jsonl is not a folder" in embed(none, none, status=USAGE).error


def test_slash_at_the_end_of_a_folder_is_not_doubled(tmp_path: Path, shard: Path) -> None:
    embed(f"{tmp_path}/out//", f"{tmp_path}/", widths=8)
    assert [one["path"] for one in Output(tmp_path / "out").manifest()["shards"]] == [str(shard)]


def test_tokenize_takes_plain_lines_and_json_strings() -> None:
    lines = b'carrer\r\n"carrer"\n"car\\u0072er"\n\n"a\\nb"\n\'carrer\'\n carrer'
    ids = [json.loads(line) for line in nina("tokenize", "--model", MODEL, stdin=lines).stdout.splitlines()]
    assert ids[0] == ids[1] == ids[2] == ids[6] == [0, 68, 2] and ids[3] == [0, 2]
    assert ids[4] == tokenize(["a b"])[0] and len(ids) == 7
    error = nina("tokenize", "--model", MODEL, stdin=b'a\n"open\n', status=FAILED).error
    assert error.startswith("standard input, line 2: not a JSON string")
    assert "--max-tokens 1" in nina("tokenize", "--model", MODEL, "--max-tokens", "1", status=USAGE).error
    assert "--max-tokens 769" in nina("tokenize", "--model", MODEL, "--max-tokens", "769", status=USAGE).error


def test_names_cannot_steer_the_terminal(tmp_path: Path, shard: Path) -> None:
    out = tmp_path / "a\x1b[31m\u202eb\x9b"
    error = nina("verify", out, status=USAGE).error
    assert "a\\x1b[31m\\u202eb\\u009b" in error and "\x1b" not in error
    embed(out, shard, widths=8)
    (out / "w8" / "x\x1b[2J").touch()
    report = nina("verify", out, status=FAILED).stdout
    assert "w8/x\\x1b[2J" in report and "\x1b" not in report
    told = embed(out, shard, widths=8).stderr
    assert not any(character in told for character in "\x1b\u202e\x9b")
