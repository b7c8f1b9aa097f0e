"""nina search: the nearest passages, exactly; where their texts come from; and what is refused."""

import json
import os
import pty
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import copy_model, set_json
from output import Output, derive, hash128
from program import DONE, FAILED, GOLDEN, LONGEST_RUN, MODEL, PROGRAM, USAGE, Result, Status, embed, environment, nina, run_on_terminal
from shards import compress, make_texts, write_shard

TEXTS = make_texts(60, 11)
QUESTIONS = [TEXTS[4], "beca menjador per a l'escola", "festa major a la plaça"]


def documents(first: int, count: int) -> list[dict[str, Any]]:
    return [{"id": i if i % 2 else f"d-{i}", "títol": f"T{i}", "text": TEXTS[i]} for i in range(first, first + count)]


def archive(folder: Path, ending: str = "") -> list[Path]:
    folder.mkdir(exist_ok=True)
    shards = (documents(0, 25), documents(25, 35))
    return [write_shard(folder / f"{n}.jsonl{ending}", own) for n, own in enumerate(shards)]


def embed_archive(out: Path, *shards: Path, **options: Any) -> Path:
    fields = {"id_field": "id", "title_field": "títol", "widths": "128,32", "block_lines": 10}
    embed(out, *shards, device="cpu", precision="fp32", **(fields | options))
    return out


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with texts, in seven parts."""
    folder = tmp_path_factory.mktemp("search")
    return embed_archive(folder / "out", *archive(folder / "in"), store_text=True)


def search(out: Path, *arguments: Any, stdin: str = "", status: Status = DONE, model: Path = MODEL) -> Result:
    options = ["--model", model, "--vectors", out, "--precision", "fp32", "--prompt", ""]
    return nina("search", *options, *arguments, stdin=stdin.encode(), status=status)


def answers(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_document_with_an_empty_id_is_found(tmp_path: Path) -> None:
    shard = write_shard(tmp_path / "a.jsonl", [{"id": "", "text": TEXTS[0]}, {"id": "b", "text": TEXTS[1]}])
    out = tmp_path / "out"
    embed(out, shard, device="cpu", precision="fp32", id_field="id", store_text=True)
    result = search(out, "--json", TEXTS[0])
    assert [answer["id"] for answer in answers(result)[0]["answers"]] == ["", "b"]
    search(out, TEXTS[0])


@pytest.mark.sanitize
@pytest.mark.parametrize("width", [128, 32, 17])
def test_answers_are_the_nearest_of_all_vectors(tmp_path: Path, stored: Path, width: int) -> None:
    shard = write_shard(tmp_path / "q.jsonl", [{"text": question} for question in QUESTIONS])
    embed(tmp_path / "q", shard, device="cpu", precision="fp32", prompt="", widths=128)
    rows = [Output(path).vectors(128) for path in (tmp_path / "q", stored)]
    wide = [(row if width == 128 else derive(row, width)).astype(np.float64) for row in rows]
    scores, entries, texts = wide[0] @ wide[1].T, Output(stored).ids(), Output(stored).texts()
    found = answers(search(stored, "--json", "--width", width, "--top-k", 7, *QUESTIONS))
    assert [one["question"] for one in found] == QUESTIONS and {one["width"] for one in found} == {width}
    for one, own in zip(found, scores, strict=True):
        best = np.argsort(-own)[:7]
        assert [answer["rank"] for answer in one["answers"]] == list(range(1, 8))
        assert [answer["id"] for answer in one["answers"]] == [entries[row]["id"] for row in best]
        for answer, row in zip(one["answers"], best, strict=True):
            place = {key: entries[row][key] for key in ("shard", "line")}
            assert answer == answer | place | texts[row]
            assert abs(answer["cosine"] - own[row]) < 1e-6


RESCORE = 10  # rows that the scan hands on, for each answer


def exact_scores(out: Path, rows: np.ndarray, width: int) -> np.ndarray:
    stored = Output(out).vectors(128)
    cut = [x if width == 128 else derive(x, width) for x in (rows, stored)]
    return cut[0].astype(np.float64) @ cut[1].astype(np.float64).T


@pytest.mark.sanitize
@pytest.mark.parametrize(("width", "rescore"), [(32, 128), (17, 128), (17, 50)])
def test_rescore_orders_the_best_rows_of_a_narrow_scan(tmp_path: Path, stored: Path, width: int, rescore: int) -> None:
    """K is 3, so 30 of 60 rows are handed on; what the narrow scan puts behind them is not found."""
    shard = write_shard(tmp_path / "q.jsonl", [{"text": question} for question in QUESTIONS])
    embed(tmp_path / "q", shard, device="cpu", precision="fp32", prompt="", widths=128)
    rows = Output(tmp_path / "q").vectors(128)
    narrow, wide = (exact_scores(stored, rows, w) for w in (width, rescore))
    found = answers(search(stored, "--json", "--width", width, "--rescore", rescore, "--top-k", 3, *QUESTIONS))
    entries = Output(stored).ids()
    for q, one in enumerate(found):
        near = np.argsort(-narrow[q])[: 3 * RESCORE]
        best = sorted(near, key=lambda row: -wide[q][row])[:3]
        assert (one["width"], one["rescore"]) == (width, rescore)
        assert [answer["id"] for answer in one["answers"]] == [entries[row]["id"] for row in best]
        assert all(abs(answer["cosine"] - wide[q][row]) < 1e-6 for answer, row in zip(one["answers"], best, strict=True))


@pytest.mark.parametrize("width", [32, 16])
def test_rescore_of_all_rows_is_the_wide_search(stored: Path, width: int) -> None:
    """With 10 K ≥ rows, cosines and order are those of the wide search, bit for bit; several questions in one scan too."""
    wide = answers(search(stored, "--json", "--top-k", 6, *QUESTIONS))
    again = answers(search(stored, "--json", "--top-k", 6, "--width", width, "--rescore", 128, *QUESTIONS))
    assert [one["answers"] for one in again] == [one["answers"] for one in wide]


def test_equal_rows_keep_the_inputs_order_when_they_are_rescored(tmp_path: Path) -> None:
    texts = [TEXTS[i % 3] for i in range(24)]
    shard = write_shard(tmp_path / "a.jsonl", [{"id": f"{i}", "text": text} for i, text in enumerate(texts)])
    out = embed_archive(tmp_path / "out", shard, title_field=None)
    ask = ["--json", "--top-k", 10, TEXTS[1]]
    (found,) = answers(search(out, "--width", 32, "--rescore", 128, *ask))
    assert [int(answer["id"]) for answer in found["answers"][:8]] == list(range(1, 24, 3))
    assert found["answers"] == answers(search(out, *ask))[0]["answers"]


def test_rescore_is_a_stored_or_derived_width_above_the_scans(stored: Path) -> None:
    for arguments, sentence in (
        (["--width", 32, "--rescore", 129], f"--rescore 129: the vectors in {stored} have 128 numbers"),
        (["--width", 32, "--rescore", 32], "--rescore 32: expected a width above that of the scan, which is 32"),
        (["--rescore", 128], "--rescore 128: expected a width above that of the scan, which is 128 (--width sets it)"),
    ):
        assert search(stored, *arguments, QUESTIONS[0], status=USAGE).error == sentence


def test_stats_say_what_was_read(stored: Path) -> None:
    said = search(stored, "--width", 32, "--rescore", 128, "--stats", stdin="\n".join(QUESTIONS))
    said.says("3 questions: scan at width 32, ", "rescore at width 128, ")
    assert "rescore" not in search(stored, "--stats", "--quiet", QUESTIONS[0]).stderr


@pytest.mark.sanitize
def test_damaged_wide_file_is_named_when_its_rows_are_rescored(tmp_path: Path, stored: Path) -> None:
    out = shutil.copytree(stored, tmp_path / "out")
    part = Output(out).parts("w128")[2]
    part.write_bytes(part.read_bytes()[:-20])
    search(out, "--width", 32, QUESTIONS[0])
    error = search(out, "--width", 32, "--rescore", 128, "--top-k", 6, QUESTIONS[0], status=FAILED).error
    assert part.name in error and f"nina verify {out}" in error


def test_people_get_rank_cosine_id_and_a_line_of_text(stored: Path) -> None:
    lines = search(stored, "--top-k", 2, QUESTIONS[0], QUESTIONS[1]).stdout.splitlines()
    assert lines[0] == QUESTIONS[0] and lines[3] == "" and lines[4] == QUESTIONS[1] and len(lines) == 7
    assert lines[1].startswith("  1. 0.") and "  d-4" in lines[1] and f"T4: {TEXTS[4]}"[:100] in lines[1]
    assert all(len(line) <= 160 for line in lines)


def test_questions_come_from_standard_input_and_blank_lines_are_passed_over(stored: Path) -> None:
    arguments = ["--json", "--top-k", 1]
    from_input = search(stored, *arguments, stdin="\n".join([QUESTIONS[0], "", "  ", *QUESTIONS[1:]]) + "\r\n")
    assert from_input.stdout == search(stored, *arguments, *QUESTIONS).stdout
    assert search(stored, stdin="\n").stdout == ""


@pytest.mark.parametrize("question", ["", " \t\n"])
def test_empty_question_is_wrong_usage(stored: Path, question: str) -> None:
    error = search(stored, QUESTIONS[0], question, status=USAGE).error
    assert error == "question 2 is empty: there is nothing to search for"


def test_more_questions_than_one_scan_takes_are_all_answered(stored: Path) -> None:
    questions = [f"{TEXTS[i % 60]} {i}" for i in range(300)]
    found = answers(search(stored, "--json", "--top-k", 1, stdin="\n".join(questions)))
    assert [one["question"] for one in found] == questions and all(len(one["answers"]) == 1 for one in found)
    lines = search(stored, "--top-k", 1, stdin="\n".join(questions)).stdout.splitlines()
    assert lines[::3] == questions and set(lines[2::3]) == {""} and len(lines) == 3 * 300 - 1


def test_a_question_that_is_longer_than_the_models_input_is_told(stored: Path) -> None:
    longest, longer = (" ".join(["a"] * count) for count in (766, 767))  # the model reads 768 tokens, two of them special
    result = search(stored, "--json", "--top-k", 1, longest, longer, QUESTIONS[1], longer + " z")
    assert [one.get("truncated") for one in answers(result)] == [None, True, None, True]
    warning = "questions are longer than the 768 tokens that the model reads, and only the beginning was read"
    result.says(f'warning: 2 {warning}; the first is "a a a', ' a …"')
    search(stored, longer).says("warning: 1 question is longer than the 768 tokens")
    assert search(stored, "--quiet", longer).stderr == "" and "longer" not in search(stored, longest).stderr
    stdin = "\n".join([longer, *[QUESTIONS[1]] * 299])
    assert search(stored, stdin=stdin).stderr.count("longer than the 768 tokens") == 1


@pytest.mark.sanitize
def test_a_line_that_is_no_question_is_named_and_the_others_are_answered(stored: Path) -> None:
    good = [f"plaça {i}" for i in range(300)]
    lines = [question.encode() for question in good]
    for place, line in ((260, b"a\0b"), (100, b"last \xff bad"), (100, b"x" * (17 << 20)), (2, b"\xed\xa0\x80")):
        lines.insert(place, line)
    ask = ["search", "--model", MODEL, "--vectors", stored, "--precision", "fp32", "--json", "--top-k", 1]
    result = nina(*ask, stdin=b"\n".join(lines), status=FAILED)
    assert [one["question"] for one in answers(result)] == good
    faults = "line 3 is not valid UTF-8, line 102 is too long, line 103 is not valid UTF-8, line 264 holds a NUL byte"
    assert result.error == f"4 lines of standard input got no answer: {faults}"
    result = nina(*ask, stdin=compress("\n".join(good).encode(), ".gz")[:-8], status=FAILED)
    assert [one["question"] for one in answers(result)] == good[:-1] and "the file is truncated" in result.error
    error = nina(*ask, stdin=b"\xff\n" * 9, status=FAILED).error
    assert error.startswith("9 lines of standard input got no answer: line 1 is") and error.endswith("line 5 is not valid UTF-8, …")
    assert nina(*ask, stdin=b"\xff", status=FAILED).error == "1 line of standard input got no answer: line 1 is not valid UTF-8"


def test_person_at_a_terminal_is_answered_line_by_line(stored: Path) -> None:
    master, slave = pty.openpty()
    command = [str(PROGRAM), "search", "--model", str(MODEL), "--vectors", str(stored), "--top-k", "1"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=slave, stdout=pipe, stderr=pipe, env=environment()) as process:
        os.close(slave)
        assert process.stdout
        questions = [*QUESTIONS, "a"]  # the last is shorter than the bytes that mark a compressed file
        for question in reversed(questions):
            os.write(master, f"{question}\n".encode())
            # The answer comes before the next question is asked.
            while not process.stdout.readline().startswith(b"  1. "):
                assert process.poll() is None
        os.write(master, b"\x04")
        _, stderr = process.communicate(timeout=LONGEST_RUN)
        assert process.returncode == DONE and stderr.count(b"question> ") == len(questions) + 1
    os.close(master)


@pytest.mark.sanitize
def test_an_output_that_is_begun_anew_gives_no_answers_of_two_runs(tmp_path: Path) -> None:
    """A search that goes on from question to question; the new run has as many rows in as many parts."""
    out, given = tmp_path / "out", archive(tmp_path / "in")
    embed_archive(out, *given, store_text=True)
    write_shard(tmp_path / "in/other.jsonl", [{"id": "other", "text": "una altra cosa"}])
    (tmp_path / "turned").mkdir()
    turned = [write_shard(tmp_path / f"turned/{n}.jsonl", part[::-1]) for n, part in enumerate((documents(0, 25), documents(25, 35)))]
    master, slave = pty.openpty()
    command = [PROGRAM, "search", "--model", MODEL, "--vectors", out, "--precision", "fp32", "--prompt", "", "--json", "--top-k", "1"]
    with subprocess.Popen(command, stdin=slave, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()) as process:
        os.close(slave)

        def ask() -> str:
            assert process.stdout
            os.write(master, f"{TEXTS[4]}\n".encode())
            line = process.stdout.readline()
            return json.loads(line)["answers"][0]["id"] if line else "no answer"

        try:
            assert ask() == "d-4"
            embed_archive(out, *given, tmp_path / "in/other.jsonl", store_text=True, append=True)
            assert ask() == "d-4"
            embed_archive(out, *turned, store_text=True, overwrite=True)
            assert ask() == "no answer"
        finally:
            os.close(master)  # ends the search
        _, error = process.communicate(timeout=LONGEST_RUN)
        assert process.returncode == USAGE and "was begun anew while it was read" in error
    assert answers(search(out, "--json", "--top-k", 1, TEXTS[4]))[0]["answers"][0]["id"] == "d-4"


def test_prompt_of_the_model_is_put_before_questions(stored: Path) -> None:
    def ask(*options: str) -> Result:
        return nina("search", "--model", MODEL, "--vectors", stored, "--json", *options, QUESTIONS[1])

    default = ask()
    default.says('prompt "consulta: "', "60 passages at width 128")
    assert default.stdout == ask("--prompt", "consulta: ").stdout == ask("--prompt-name", "query").stdout
    assert default.stdout != ask("--prompt", "").stdout
    # Under qemu, oneDNN for arm64 says itself that it cannot ask the kernel for the processor's model.
    said = [line for line in ask("--quiet").stderr.splitlines() if "MIDR_EL1" not in line]
    assert said == []


def test_prompts_of_the_two_sides_that_do_not_go_together_are_told(tmp_path: Path) -> None:
    model = copy_model(tmp_path / "models", MODEL)
    set_json("config_sentence_transformers.json", prompts={"query": "q: ", "passage": "p: "})(model)
    shard = write_shard(tmp_path / "a.jsonl", [{"text": text} for text in TEXTS[:3]])
    options = {"model": model, "device": "cpu", "precision": "fp32", "store_text": True}
    embed(tmp_path / "fitting", shard, **options)
    embed(tmp_path / "bare", shard, prompt="", **options)

    def ask(out: Path, *arguments: str) -> Result:
        return nina("search", "--model", model, "--vectors", out, "--precision", "fp32", *arguments, TEXTS[0])

    assert "warning" not in ask(tmp_path / "fitting").stderr
    assert "warning" not in ask(tmp_path / "bare", "--prompt", "").stderr
    ask(tmp_path / "fitting", "--prompt", "").says('warning: the model asks for the prompts "p: " (documents) and "q: "', 'the questions have ""')
    ask(tmp_path / "bare").says('the stored documents have ""')
    # If a model asks for no prompt, it fits every question.
    set_json("config_sentence_transformers.json", prompts={})(model)
    assert "warning" not in ask(tmp_path / "bare", "--prompt", "Instruct: ").stderr


def test_texts_come_from_plain_shards_by_their_offsets(tmp_path: Path, stored: Path) -> None:
    shards = archive(tmp_path / "in")
    marked = tmp_path / "in" / "marked.jsonl"
    marked.write_bytes(b"\xef\xbb\xbf" + shards[0].read_bytes())
    out = embed_archive(tmp_path / "out", marked, shards[1])
    ask = ["--json", "--top-k", 60, QUESTIONS[0]]
    assert answers(search(out, *ask)) == answers(search(stored, *ask))

    marked.write_bytes(marked.read_bytes().replace(b"T1", b"T2"))
    missing = [answer for answer in answers(search(out, *ask))[0]["answers"] if "text" not in answer]
    assert len(missing) == 25 and all("has changed since" in answer["no_text"] for answer in missing)
    marked.unlink()
    shown = search(out, "--top-k", 60, QUESTIONS[0]).stdout
    assert shown.count("marked.jsonl is not there, or has changed since") == 1
    assert shown.count("[shard 0, line ") == 25 and "relative paths" not in shown


def test_relative_paths_of_shards_are_explained_in_another_folder(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.jsonl", [{"text": "u"}])
    command = [PROGRAM, "embed", "--model", MODEL, "--out", "out", "a.jsonl"]
    subprocess.run(command, cwd=tmp_path, env=environment(), check=True, capture_output=True)
    shown = search(tmp_path / "out", "u").stdout
    assert "a.jsonl is not there, or has changed since; relative paths are those of the folder in which nina embed was started" in shown
    ask = [PROGRAM, "search", "--model", MODEL, "--vectors", "out", "u"]
    (tmp_path / "a.jsonl").write_text('{"text": "v"}\n')
    shown = subprocess.run(ask, cwd=tmp_path, env=environment(), check=True, capture_output=True, text=True).stdout
    assert "a.jsonl is not there, or has changed since\n" in shown


SWAPPED: dict[str, dict[str, Any]] = {
    "ids": {"id_field": "id"},
    "no ids": {},
    "titles and a prompt": {"title_field": "title", "prompt": "passage: "},
    "chunks": {"id_field": "id", "chunk_tokens": 16},
    "ids of an older run": {"id_field": "id"},
    "compressed": {"id_field": "id"},
}


@pytest.mark.sanitize
@pytest.mark.parametrize("kind", SWAPPED)
def test_no_document_gets_the_text_of_another(tmp_path: Path, kind: str) -> None:
    """A shard keeps its size and its ends, which alone make its fingerprint, and two lines in its middle change places."""
    ending = ".zst" if kind == "compressed" else ""
    lines = [
        json.dumps({"id": f"d{i}", "title": f"T{i:04}", "text": f"jardí {i:04} {TEXTS[i % 5 if kind == 'ids' else 0]}"}).encode()
        for i in range(1000, 3000)
    ]
    shard, out = tmp_path / f"a.jsonl{ending}", tmp_path / "out"
    shard.write_bytes(compress(b"\n".join(lines), ending))
    embed(out, shard, widths="16", block_lines=200, **SWAPPED[kind])
    manifest = json.loads((out / "manifest.json").read_text())
    if kind == "ids of an older run":
        del manifest["settings"]["hashes"]
        (out / "manifest.json").write_text(json.dumps(manifest))

    def ask() -> dict[tuple[int, int], dict[str, Any]]:
        found = search(out, "--device", "null", "--json", "--rows", "--slow-text", "--top-k", 100, "plaça")
        return {(answer["line"], answer.get("chunk", 0)): answer for answer in answers(found)[0]["answers"]}

    before = ask()
    assert len(before) == 100 and all("text" in answer for answer in before.values())
    place = next(line for line, _ in before if 900 < line < 1100)
    lines[place - 1], lines[place] = lines[place], lines[place - 1]
    content = compress(b"\n".join(lines), ending)
    shard.write_bytes(content)
    if ending:  # compressed, the shard has other ends
        ends = content if len(content) <= 128 << 10 else content[: 64 << 10] + content[-64 << 10 :]
        manifest["shards"][0] |= {"size": len(content), "fingerprint": hash128(ends)}
        (out / "manifest.json").write_text(json.dumps(manifest))
    lost = 0
    for (line, chunk), answer in ask().items():
        old = before[line, chunk]
        if line in (place, place + 1):
            assert answer == {key: value for key, value in old.items() if key not in ("text", "title")} | {"no_text": answer["no_text"]}
            assert answer["no_text"] == f"{shard} has changed since: its line {line} is not the one that was embedded"
            lost += 1
        else:
            assert answer == old
    assert lost > 0


def test_texts_are_found_after_the_model_s_longest_input_was_changed(tmp_path: Path) -> None:
    """It is no part of the model's identity: the run's own --max-tokens counts."""
    model = copy_model(tmp_path / "models", MODEL)
    shard = write_shard(tmp_path / "a.jsonl", [{"text": " ".join(TEXTS[i : i + 5])} for i in range(20)])
    embed(tmp_path / "out", shard, model=model, max_tokens=60)
    set_json("sentence_bert_config.json", max_seq_length=16)(model)
    found = search(tmp_path / "out", "--device", "null", "--json", "--top-k", 20, TEXTS[0], model=model)
    assert all("text" in answer for answer in answers(found)[0]["answers"])


@pytest.mark.sanitize
@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_texts_come_from_compressed_shards_when_asked(tmp_path: Path, stored: Path, ending: str) -> None:
    out = embed_archive(tmp_path / "out", *archive(tmp_path / "in", ending))
    ask = ["--json", "--top-k", 20, QUESTIONS[0]]
    without = answers(search(out, *ask))[0]["answers"]
    assert all("is compressed: --slow-text" in answer["no_text"] and "text" not in answer for answer in without)
    lines = search(out, "--top-k", 20, QUESTIONS[0]).stdout.splitlines()
    assert lines[-1].startswith("no text for 20 answers; the first: ") and "--slow-text" in lines[-1]
    assert sum("--slow-text" in line for line in lines) == 1
    assert answers(search(out, "--slow-text", *ask)) == answers(search(stored, *ask))


def test_fewer_passages_than_asked_for_are_all_of_them(tmp_path: Path) -> None:
    out = embed_archive(tmp_path / "out", write_shard(tmp_path / "a.jsonl", documents(0, 3)))
    assert len(answers(search(out, "--json", "--top-k", 10, "plaça"))[0]["answers"]) == 3


def test_equal_passages_stand_in_the_order_of_the_input(tmp_path: Path) -> None:
    same = [{"id": f"e{i}", "text": "la plaça del mercat"} for i in range(25)]
    out = embed_archive(tmp_path / "out", write_shard(tmp_path / "a.jsonl", same), title_field=None)
    found = answers(search(out, "--json", "--top-k", 25, "--threads", 2, "plaça"))[0]["answers"]
    assert [answer["id"] for answer in found] == [f"e{i}" for i in range(25)]


def test_unfit_vectors_and_questions_are_refused(tmp_path: Path, stored: Path) -> None:
    other = search(stored, "q", model=GOLDEN / "bert-mean-v6", status=USAGE).error
    assert 'were made by another model ("xlmr-cls-v3")' in other
    assert "--width 129: the vectors in" in search(stored, "--width", 129, "q", status=USAGE).error
    assert "has no manifest.json" in search(tmp_path, "q", status=FAILED).error
    unfinished = tmp_path / "unfinished"
    unfinished.mkdir()
    manifest = Output(stored).manifest()
    for key in ("parts", "totals"):
        del manifest[key]
    (unfinished / "manifest.json").write_text(json.dumps(manifest))
    assert "is being written, or was cut off" in search(unfinished, "q", status=FAILED).error
    command = [PROGRAM, "search", "--model", MODEL, "--vectors", stored, "a", b"a\xff"]
    done = subprocess.run(command, capture_output=True, env=environment())
    assert done.returncode == USAGE and b"question 2 is not valid UTF-8" in done.stderr
    assert nina("search", "--vectors", stored, status=USAGE).error == "--model is required (nina search --help)"


def test_vectors_of_no_model_are_searched_only_if_asked_for(tmp_path: Path) -> None:
    embed(tmp_path / "out", write_shard(tmp_path / "a.jsonl", documents(0, 3)))
    ask = ["search", "--model", MODEL, "--vectors", tmp_path / "out", "q"]
    assert "are no model's, but hashes" in nina(*ask, status=USAGE).error
    assert nina(*ask, "--device", "null").stdout


def test_a_models_vectors_are_not_searched_with_hashes(stored: Path) -> None:
    assert "a question of --device null would be hashes" in search(stored, "--device", "null", "q", status=USAGE).error


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30] + bytes(30))


@pytest.mark.parametrize("folder", ["w128", "ids", "text"])
@pytest.mark.parametrize("harm", [Path.unlink, damage])
def test_damaged_output_points_to_verify_which_says_what_repairs_it(
    tmp_path: Path, folder: str, harm: Callable[[Path], None]
) -> None:
    """And the advice, followed word for word, repairs the run."""
    shards, options = archive(tmp_path / "in"), {"store_text": True}
    out = embed_archive(tmp_path / "out", *shards, **options)
    before = search(out, "--json", "--top-k", 60, QUESTIONS[0]).stdout
    for path in Output(out).parts(folder)[:2]:
        harm(path)
    error = search(out, "--top-k", 60, QUESTIONS[0], status=FAILED).error
    assert error.count("nina verify ") == 1 and error.endswith(f"; nina verify {out} says what is damaged, and what repairs it")
    repair = nina("verify", out, status=FAILED).stdout.splitlines()[-2].removeprefix("repair     ")
    removal, separator, rest = repair.rpartition("; then ")
    assert rest == "start the same nina embed command again" and bool(separator) is (harm is damage)
    subprocess.run(removal, shell=True, check=True)
    embed_archive(out, *shards, **options)
    nina("verify", out)
    assert search(out, "--json", "--top-k", 60, QUESTIONS[0]).stdout == before


@pytest.mark.parametrize("name", ["w128", "parts", "manifest.json", "w128/part-00000-00000.npy.zst", "ids/part-00000-00000.jsonl.zst"])
def test_link_inside_stored_vectors_is_refused(tmp_path: Path, name: str) -> None:
    """search and eval refuse it, like embed and verify. A link to the whole folder is allowed."""
    out = embed_archive(tmp_path / "set" / "corpus", *archive(tmp_path / "in"), store_text=True)
    (tmp_path / "link").symlink_to(out)
    search(tmp_path / "link", QUESTIONS[0])
    shutil.copytree(out, tmp_path / "set" / "queries")
    (tmp_path / "data" / "qrels").mkdir(parents=True)
    (tmp_path / "data" / "qrels" / "test.tsv").write_text("d-0\td-0\t1\n")
    (out / name).rename(tmp_path / "elsewhere")
    (out / name).symlink_to(tmp_path / "elsewhere")
    evaluate = ["eval", "--data", tmp_path / "data", "--vectors", tmp_path / "set", "--out", tmp_path / "metrics"]
    for error in search(out, QUESTIONS[0], status=(FAILED, USAGE)).error, nina(*evaluate, status=(FAILED, USAGE)).error:
        assert f"{out}/{name} is a link" in error


def test_no_words_are_glued_at_any_width_of_a_terminal(tmp_path: Path) -> None:
    """A line shows whole words from the start of title and text, as many as fit. If even the first word does not fit, the line shows a part of
    it. No line is wider than the terminal."""
    title, text = "Ordenança de circulació", "Els patinets elèctrics\ncirculen per la calçada"
    shard = write_shard(tmp_path / "a.jsonl", [{"id": "ordenança-009", "title": title, "text": text}])
    out = embed_archive(tmp_path / "out", shard, title_field="title", store_text=True)
    whole = f"{title}: {text}".replace("\n", " ")
    longest = 0
    for columns in range(20, 120):
        arguments = ["search", "--quiet", "--model", MODEL, "--vectors", out, "--precision", "fp32", "plaça"]
        shown = run_on_terminal(arguments, columns, "stdout")
        assert shown.count("\n") == 2, f"at {columns} columns: {shown!r}"
        line = shown.splitlines()[1]
        assert len(line) <= columns
        place, _, shown = line[13:].partition("  ")
        shown = shown.strip()
        assert place.startswith("ordenança"[: len(place) - 1])
        words = shown.removesuffix("…").rstrip()
        assert whole.startswith(words) and (shown == whole or not shown or shown.endswith("…"))
        assert shown == whole or not shown.endswith(" …") or whole[len(words)] == " "
        assert len(shown) <= max(longest + 14, 14) or shown == whole
        longest = max(longest, len(shown))
    assert longest == len(whole)


def test_document_cannot_steer_the_terminal(tmp_path: Path) -> None:
    shard = write_shard(tmp_path / "a.jsonl", [{"id": "a\u009b1m", "text": "la plaça \x1b[2J\u202e del \u2067mercat"}])
    embed(tmp_path / "out", shard, model=MODEL, device="cpu", id_field="id", store_text=True)
    shown = search(tmp_path / "out", "plaça").stdout
    assert "la plaça  [2J  del  mercat" in shown and not any(character in shown for character in "\x1b\u009b\u202e\u2067")
