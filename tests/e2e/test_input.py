"""All kinds of input: which lines are embedded, which lines are rejected and why, and which part of a document is
embedded."""

import json
from pathlib import Path

import numpy as np
import pytest

from models import copy_model, set_json
from output import Output, same_bits
from program import DONE, MODEL, REJECTS, USAGE, embed, nina, tokenize
from shards import compress, lines_of, make_archive, make_documents, write_shard

# Lines that are embedded, each with its text.
GOOD: dict[str, tuple[bytes, str]] = {
    "plain": (b'{"text":"a"}', "a"),
    "empty_text": (b'{"text":""}', ""),
    "white_space_around": (b' \t{ "text" : "a" , "x" : [ ] } \t', "a"),
    "carriage_return": (b'{"text":"a"}\r', "a"),
    "escapes": (rb'{"text":"\"\\\/\b\f\n\r\t\u00e9\u20ac\ud83d\ude00"}', '"\\/\b\f\n\r\té€😀'),
    "nul_in_the_text": (rb'{"text":"a\u0000b"}', "a\0b"),
    "escaped_name": (rb'{"te\u0078t":"a"}', "a"),
    "utf8": ('{"text":"l·l é 😀"}'.encode(), "l·l é 😀"),
    "duplicate_key_last_wins": (b'{"text":"a","text":"b"}', "b"),
    "duplicate_key_of_another_kind": (b'{"text":1,"text":"b"}', "b"),
    "unknown_big_integer": (b'{"x":' + b"9" * 5000 + b',"text":"a"}', "a"),
    "unknown_number_out_of_range": (b'{"x":1e999,"y":-1E-999,"text":"a"}', "a"),
    "unknown_deep_nesting": (b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b',"text":"a"}', "a"),
    "unknown_deep_objects": (b'{"x":' + b'{"y":' * 10_000 + b"null" + b"}" * 10_000 + b',"text":"a"}', "a"),
    "unknown_lone_surrogate": (rb'{"x":"\ud800","\udc00":1,"text":"a"}', "a"),
    "unknown_nul": (rb'{"x":"\u0000","\u0000":0,"text":"a"}', "a"),
    "unknown_of_every_kind": (b'{"a":null,"b":true,"c":-0.5e+3,"d":{},"e":[{},[]],"text":"a"}', "a"),
    "unknown_not_finite": (b'{"x":NaN,"y":[Infinity,{"z":-Infinity}],"text":"a"}', "a"),
    "byte_order_mark": (b'\xef\xbb\xbf{"text":"a"}', "a"),
    "nested_text_is_another": (b'{"x":{"text":1},"text":"a"}', "a"),
}

# Lines that are rejected, each with words from its reason.
BAD: dict[str, tuple[bytes, str]] = {
    "cut": (b'{"text":"a"', "malformed JSON"),
    "no_quotes": (b'{"text":a}', "malformed JSON at byte 9"),
    "trailing_comma": (b'{"text":"a",}', "malformed JSON at byte 13"),
    "two_values": (b'{"text":"a"} {"text":"b"}', "malformed JSON at byte 14"),
    "raw_control_character": (b'{"text":"a\tb"}', "malformed JSON"),
    "bad_escape": (rb'{"text":"\x"}', "malformed JSON"),
    "bad_number": (b'{"x":01,"text":"a"}', "malformed JSON"),
    "nan_in_small_letters": (b'{"x":nan,"text":"a"}', "malformed JSON at byte 6"),
    "infinity_cut_short": (b'{"x":Inf,"text":"a"}', "malformed JSON at byte 6"),
    "text_nan": (b'{"text":NaN}', 'field "text" is not a string: it is NaN'),
    "utf16_with_a_mark": ('\ufeff{"text":"a"}'.encode("utf-16-le"), "the line is UTF-16"),
    "utf16": ('{"text":"a"}'.encode("utf-16-be"), "iconv -f UTF-16 -t UTF-8"),
    "utf16_after_a_line_end": (b"\0" + '{"text":"a"}'.encode("utf-16-le"), "the line is UTF-16"),
    "single_quotes": (b"{'text':'a'}", "malformed JSON at byte 2"),
    "unclosed_nesting": (b'{"text":"a","x":' + b"[" * 100_000, "malformed JSON"),
    "nul_byte": (b"\0", "malformed JSON"),
    "not_json": (b"hello", "malformed JSON"),
    "array": (b'["text"]', "not a JSON object"),
    "string": (b'"text"', "not a JSON object"),
    "number": (b"17", "not a JSON object"),
    "no_text": (b'{"Text":"a"}', 'no field "text"'),
    "no_fields": (b"{}", 'no field "text"'),
    "text_number": (b'{"text":1}', 'field "text" is not a string'),
    "text_null": (b'{"text":null}', 'field "text" is not a string'),
    "text_array": (b'{"text":["a"]}', 'field "text" is not a string'),
    "text_lone_surrogate": (rb'{"text":"\ud83d"}', "lone surrogate"),
    "text_swapped_surrogates": (rb'{"text":"\ude00\ud83d"}', "lone surrogate"),
    "invalid_utf8": (b'{"text":"\xff"}', "UTF-8"),
    "overlong_utf8": (b'{"text":"\xc0\xaf"}', "UTF-8"),
    "surrogate_utf8": (b'{"text":"\xed\xa0\x80"}', "UTF-8"),
    "utf8_cut_short": (b'{"text":"\xe2\x82"}', "UTF-8"),
    "invalid_utf8_elsewhere": (b'{"text":"a","x":"\x80"}', "UTF-8"),
    "latin1": ('{"text":"é"}'.encode("latin-1"), "UTF-8"),
}
BLANK = (b"", b"\r", b" \t \r")


def line_starts(lines: list[bytes]) -> list[int]:
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    return starts


@pytest.mark.sanitize
@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz", ".jsonl.zst"])
def test_every_line_is_embedded_or_rejected_with_its_place(tmp_path: Path, ending: str) -> None:
    good, bad = list(GOOD.values()), list(BAD.values())
    lines, texts, reasons = [], {}, {}
    for i in range(max(len(good), len(bad))):  # the three kinds in turn
        if i < len(good):
            texts[len(lines) + 1] = good[i][1]
            lines.append(good[i][0])
        if i < len(bad):
            reasons[len(lines) + 1] = bad[i][1]
            lines.append(bad[i][0])
        lines.append(BLANK[i % len(BLANK)])
    shard = write_shard(tmp_path / f"hard{ending}", lines)
    starts = line_starts(lines)
    result = embed(tmp_path / "out", shard, widths=16, store_text=True, block_lines=10, status=REJECTS)
    result.says(f"{len(bad)} lines could not be embedded", f"{tmp_path}/out/rejects")

    output = Output(tmp_path / "out")
    ids, rejects = output.ids(), output.rejects()
    assert [row["text"] for row in output.texts()] == list(texts.values())
    assert [(row["line"], row["offset"]) for row in ids] == [(line, starts[line - 1]) for line in texts]
    assert [row["tokens"] for row in ids] == [len(tokens) for tokens in tokenize(list(texts.values()))]
    assert [(row["line"], row["offset"]) for row in rejects] == [(line, starts[line - 1]) for line in reasons]
    for row in rejects:
        assert list(row) == ["shard", "path", "line", "offset", "reason"]
        assert (row["shard"], row["path"]) == (0, str(shard))
        assert reasons[row["line"]] in row["reason"], row
    totals = output.manifest()["totals"]
    assert totals["rows"] + totals["rejected"] + totals["blank"] == totals["lines"] == len(lines)


def test_byte_order_mark_and_crlf_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'\xef\xbb\xbf{"text":"a"}\r\n\r\n{"text":"b"}\r\n')
    (tmp_path / "b.jsonl").write_bytes(b"\xef\xbb\xbf")
    embed(tmp_path / "out", tmp_path / "a.jsonl", tmp_path / "b.jsonl", widths=8)
    assert [(row["id"], row["offset"]) for row in Output(tmp_path / "out").ids()] == [("0:1", 0), ("0:3", 19)]


def test_byte_order_mark_at_any_line_is_no_text(tmp_path: Path) -> None:
    """If files are joined end to end, each brings its own mark."""
    shard = write_shard(tmp_path / "a.jsonl", [b'{"text":"a"}', b'\xef\xbb\xbf{"text":"b"}'])
    embed(tmp_path / "out", shard, widths=8, store_text=True)
    assert Output(tmp_path / "out").texts() == [{"text": "a"}, {"text": "b"}]


# Contents of small shards, with their line count and row count.
SMALL: list[tuple[bytes, int, int]] = [
    (b"", 0, 0),
    (b"\n", 1, 0),
    (b"\n\n\n", 3, 0),
    (b"\r\n", 1, 0),
    (b" ", 1, 0),
    (b'{"text":"a"}', 1, 1),
    (b'{"text":"a"}\r', 1, 1),
    (b'{"text":"a"}\n{"text":"b"}', 2, 2),
    (b'\n\n{"text":"a"}', 3, 1),
]


@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz", ".jsonl.zst"])
def test_shard_may_be_empty_or_lack_its_last_newline(tmp_path: Path, ending: str) -> None:
    shards = [tmp_path / f"{i}{ending}" for i in range(len(SMALL))]
    for shard, (content, _, _) in zip(shards, SMALL, strict=True):
        shard.write_bytes(compress(content, shard.suffix))
    embed(tmp_path / "out", *shards, widths=8)
    output = Output(tmp_path / "out")
    parts = zip(output.records(), output.part_vectors(8), SMALL, strict=True)
    for record, vectors, (content, lines, rows) in parts:
        assert (record["lines"], record["rows"], record["next_offset"]) == (lines, rows, len(content))
        assert record["end_of_shard"] and vectors.shape == (rows, 8)


def test_compressed_shard_may_have_several_members(tmp_path: Path) -> None:
    halves = b'{"text":"one"}\n{"text":"tw', b'o"}\n{"text":"three"}\n'
    for ending in (".gz", ".zst"):
        shard = tmp_path / f"a.jsonl{ending}"
        shard.write_bytes(compress(halves[0], ending) + compress(b"", ending) + compress(halves[1], ending))
        embed(tmp_path / f"out{ending}", shard, widths=8, store_text=True)
        assert [row["text"] for row in Output(tmp_path / f"out{ending}").texts()] == ["one", "two", "three"]


def test_format_follows_from_the_bytes_not_from_the_name(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(compress(b'{"text":"a"}\n', ".zst"))
    (tmp_path / "b.jsonl.gz").write_bytes(b'{"text":"a"}\n')
    embed(tmp_path / "out", tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz", widths=8)
    assert [row["id"] for row in Output(tmp_path / "out").ids()] == ["0:1", "1:1"]


@pytest.mark.sanitize
@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.zst"])
def test_line_over_max_line_is_rejected_and_the_next_is_not(tmp_path: Path, ending: str) -> None:
    longest = 100
    fitting = json.dumps({"text": "a" * (longest - 12)}, separators=(",", ":"))
    assert len(fitting) == longest - 1
    lines = [fitting + " ", fitting + "  ", "x" * 3_000_000, fitting, " " * 101, '{"text":"end"}']
    shard = write_shard(tmp_path / f"a{ending}", lines)
    result = embed(tmp_path / "out", shard, widths=8, max_line=longest, block_bytes=1000, status=REJECTS)
    output = Output(tmp_path / "out")
    assert [row["line"] for row in output.ids()] == [1, 4, 6]
    starts = line_starts([line.encode() for line in lines])
    rejects = output.rejects()
    assert [(row["line"], row["offset"]) for row in rejects] == [(i, starts[i - 1]) for i in (2, 3, 5)]
    assert "line of 3000000 bytes is longer than --max-line 100" in rejects[1]["reason"]
    result.says("3 lines could not be embedded")


def test_fields_may_have_other_names(tmp_path: Path) -> None:
    shard = write_shard(tmp_path / "a.jsonl", [{"text": 1, "cos": "a", "clau": 7}, {"text": "b", "clau": 8}])
    fields = {"text_field": "cos", "id_field": "clau"}
    embed(tmp_path / "out", shard, widths=8, store_text=True, status=REJECTS, **fields)
    output = Output(tmp_path / "out")
    assert [row["id"] for row in output.ids()] == [7] and output.texts() == [{"text": "a"}]
    assert 'no field "cos"' in output.rejects()[0]["reason"]


def test_document_without_a_usable_id_is_rejected(tmp_path: Path) -> None:
    reasons = {
        b'{"text":"a"}': 'no field "id"',
        b'{"text":"a","id":1.5}': "neither a string nor an integer",
        b'{"text":"a","id":1e3}': "neither a string nor an integer",
        b'{"text":"a","id":null}': "neither a string nor an integer",
        b'{"text":"a","id":true}': "neither a string nor an integer",
        rb'{"text":"a","id":"\udfff"}': "lone surrogate",
    }
    shard = write_shard(tmp_path / "a.jsonl", reasons)
    embed(tmp_path / "out", shard, widths=8, id_field="id", status=REJECTS)
    for row, reason in zip(Output(tmp_path / "out").rejects(), reasons.values(), strict=True):
        assert reason in row["reason"]


def embedded_rows(folder: Path, lines: list[bytes | dict], **options: object) -> np.ndarray:
    """The lines' vectors. With the null encoder, equal rows mean equal token ids."""
    number = len(list(folder.iterdir()))
    shard = write_shard(folder / f"{number}.jsonl", lines)
    embed(folder / f"{number}.out", shard, widths=32, **options)
    return Output(folder / f"{number}.out").vectors(32)


def test_title_and_a_space_go_before_the_text(tmp_path: Path) -> None:
    lines = [
        {"title": "Plaça", "text": "major"},
        {"title": "", "text": "major"},
        {"title": None, "text": "major"},
        {"text": "major"},
        {"title": "Plaça", "text": ""},
    ]
    texts = ["Plaça major", "major", "major", "major", "Plaça "]
    by_hand = embedded_rows(tmp_path, [{"text": text} for text in texts])
    assert same_bits(embedded_rows(tmp_path, lines, title_field="title"), by_hand)


def test_title_that_is_not_a_string_is_rejected(tmp_path: Path) -> None:
    shard = write_shard(tmp_path / "a.jsonl", [{"title": 3, "text": "a"}])
    embed(tmp_path / "out", shard, widths=8, title_field="title", status=REJECTS)
    assert 'field "title" is neither a string nor null' in Output(tmp_path / "out").rejects()[0]["reason"]


def test_stored_text_is_the_document_without_the_prompt(tmp_path: Path) -> None:
    documents = [{"text": "a\0b\n", "title": "t"}, {"text": "c"}]
    shard = write_shard(tmp_path / "a.jsonl", documents)
    embed(tmp_path / "out", shard, widths=8, title_field="title", prompt="query: ", store_text=True)
    assert Output(tmp_path / "out").texts() == documents


def test_prompt_goes_before_every_document(tmp_path: Path) -> None:
    lines = [{"title": "t", "text": "plaça"}, {"text": "carrer"}]
    by_hand = embedded_rows(tmp_path, [{"text": "consulta: t plaça"}, {"text": "consulta: carrer"}])
    assert same_bits(embedded_rows(tmp_path, lines, title_field="title", prompt="consulta: "), by_hand)
    assert same_bits(embedded_rows(tmp_path, lines, title_field="title", prompt_name="query"), by_hand)
    assert not same_bits(embedded_rows(tmp_path, lines, title_field="title"), by_hand)


# A model's prompts, the prompt that documents get by default, and what nina says about it.
PROMPTS: dict[str, tuple[dict[str, str], str, str]] = {
    "passage": ({"query": "q: ", "passage": "p: "}, "p: ", 'documents get the model\'s prompt "passage": "p: "'),
    "empty_document_of_version_6": ({"document": "", "query": "q: ", "passage": "p: "}, "p: ", '"passage": "p: "'),
    "document_before_passage": ({"passage": "p: ", "document": "d: "}, "d: ", '"document": "d: "'),
    "corpus": ({"corpus": "c: "}, "c: ", '"corpus": "c: "'),
    "questions_only": ({"query": "q: "}, "", "documents get no prompt"),
}


@pytest.mark.parametrize("case", PROMPTS)
def test_documents_get_the_first_prompt_of_theirs_that_is_not_empty(tmp_path: Path, case: str) -> None:
    prompts, used, sentence = PROMPTS[case]
    model = copy_model(tmp_path / "models", MODEL)
    set_json("config_sentence_transformers.json", prompts=prompts)(model)
    shard = write_shard(tmp_path / "a.jsonl", [{"text": "plaça"}])
    embed(tmp_path / "out", shard, model=model, widths=8).says(sentence)
    assert Output(tmp_path / "out").manifest()["settings"]["prompt"] == used
    embed(tmp_path / "none", shard, model=model, widths=8, prompt="").says("documents get no prompt")
    assert Output(tmp_path / "none").manifest()["settings"]["prompt"] == ""
    # A resumed run keeps its prompt.
    embed(tmp_path / "none", shard, model=model, widths=8).says("documents get no prompt", "already complete")


def test_default_prompt_of_the_model_is_named_and_not_applied(tmp_path: Path) -> None:
    """sentence-transformers would put the prompt before questions and documents alike."""
    model = copy_model(tmp_path / "models", MODEL)
    set_json("config_sentence_transformers.json", default_prompt_name="query")(model)
    lines = [{"text": "plaça"}]
    assert same_bits(embedded_rows(tmp_path, lines, model=model), embedded_rows(tmp_path, lines, prompt=""))
    shard = write_shard(tmp_path / "a.jsonl", lines)
    result = embed(tmp_path / "said", shard, model=model, widths=8)
    result.says("default_prompt_name is not applied: --prompt-name query does so")


@pytest.mark.sanitize
def test_long_text_is_cut_at_the_longest_input(tmp_path: Path) -> None:
    """With and without white space in the text; the stored text stays whole."""
    texts = ["plaça major " * 300_000, "abc" * 1_000_000]
    shard = write_shard(tmp_path / "a.jsonl", [{"text": text} for text in texts])
    embed(tmp_path / "out", shard, widths=32, max_tokens=100, store_text=True)
    output = Output(tmp_path / "out")
    assert [(row["tokens"], row["truncated"]) for row in output.ids()] == [(100, True)] * 2
    assert [row["text"] for row in output.texts()] == texts
    first_pages = embedded_rows(tmp_path, [{"text": text[:3000]} for text in texts], max_tokens=100)
    assert same_bits(output.vectors(32), first_pages)


@pytest.mark.parametrize("prompt", ["a b c d", "a", "a b c d e f g h"])
def test_prompt_that_leaves_no_room_for_a_text_is_refused(tmp_path: Path, prompt: str) -> None:
    shard, out = write_shard(tmp_path / "a.jsonl", make_documents(40, 1)), tmp_path / "out"
    needed = len(tokenize([prompt])[0])
    error = embed(out, shard, device="cpu", prompt=prompt, max_tokens=needed, status=USAGE).error
    assert f"the prompt takes all of the {needed} tokens" in error and "give a shorter prompt" in error
    assert not out.exists()
    embed(out, shard, device="cpu", prompt=prompt, max_tokens=needed + 2)
    assert len(np.unique(Output(out).vectors(128), axis=0)) > 1
    search = ["search", "--model", MODEL, "--vectors", out, "--prompt", "a " * 800]  # the model takes 768 tokens
    assert "the prompt takes all" in nina(*search, "a question", status=USAGE).error


def test_unknown_prompt_name_lists_the_models_own(tmp_path: Path) -> None:
    shard = write_shard(tmp_path / "a.jsonl", [{"text": "a"}])
    error = embed(tmp_path / "out", shard, prompt_name="passage", status=USAGE).error
    assert '"passage"' in error and "its prompts: query" in error
    error = embed(tmp_path / "out", shard, prompt="x", prompt_name="query", status=USAGE).error
    assert "exclude each other" in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("max_tokens", [2, 3, 8, 9, 10])
def test_truncated_is_set_only_where_a_further_token_exists(tmp_path: Path, max_tokens: int) -> None:
    texts = ["", " ", *("plaça " * count for count in range(1, 8)), "plaça" * 7 + "\n \t"]
    shard = write_shard(tmp_path / "a.jsonl", [{"text": text} for text in texts])
    embed(tmp_path / "out", shard, widths=8, max_tokens=max_tokens)
    output = Output(tmp_path / "out")
    whole = tokenize(texts)
    assert [row["truncated"] for row in output.ids()] == [len(ids) > max_tokens for ids in whole]
    assert [row["tokens"] for row in output.ids()] == [min(len(ids), max_tokens) for ids in whole]
    assert output.records()[0]["truncated"] == sum(len(ids) > max_tokens for ids in whole)
    cut = [ids if len(ids) <= max_tokens else ids[: max_tokens - 1] + ids[-1:] for ids in whole]
    assert tokenize(texts, max_tokens=max_tokens) == cut


def test_folder_gives_its_shards_in_the_order_of_their_names(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "deeper").mkdir(parents=True)
    for name in ("b.jsonl", "a.jsonl.zst", "c.jsonl.gz", "B.jsonl", "deeper/d.jsonl", ".hidden.jsonl"):
        write_shard(folder / name, [{"text": name}])
    (folder / "notes.txt").write_text("not a shard")
    result = embed(tmp_path / "out", folder, widths=8, store_text=True)
    result.says(f"2 other files or subfolders of the INPUTs are not read: {folder}/deeper/, {folder}/notes.txt")
    order = ["B.jsonl", "a.jsonl.zst", "b.jsonl", "c.jsonl.gz"]
    assert [row["text"] for row in Output(tmp_path / "out").texts()] == order


def test_input_that_is_no_shard_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.json").write_text("{}")
    out = tmp_path / "out"
    assert "no INPUT given" in embed(out, status=USAGE).error
    assert f"{tmp_path}/empty holds no .jsonl" in embed(out, tmp_path / "empty", status=USAGE).error
    assert "does not end in .jsonl" in embed(out, tmp_path / "a.json", status=USAGE).error
    assert 'jq -c ".[]"' in embed(out, tmp_path / "a.json", status=USAGE).error
    shard = write_shard(tmp_path / "a.jsonl", [{"text": "a"}])
    assert "named twice" in embed(out, shard, tmp_path / "empty" / ".." / "a.jsonl", status=USAGE).error
    assert "cannot stand beside" in embed(out, "-", tmp_path / "a.json", status=USAGE).error
    assert not out.exists()


@pytest.mark.parametrize("ending", [".jsonl", ".gz", ".zst"])
def test_standard_input_is_a_shard(tmp_path: Path, ending: str) -> None:
    content = b'{"text":"a"}\nbroken\n{"text":"b"}'
    embed(tmp_path / "out", "-", stdin=compress(content, ending), widths=8, status=REJECTS)
    output = Output(tmp_path / "out")
    assert [row["id"] for row in output.ids()] == ["0:1", "0:3"]
    assert output.rejects()[0]["path"] == "-"
    assert output.manifest()["shards"] == [{"path": "-", "size": -1, "fingerprint": ""}]
    embed(tmp_path / "none", "-", widths=8, status=DONE)
    assert Output(tmp_path / "none").vectors(8).shape == (0, 8)


def no_documents(count: int) -> list[bytes]:
    return [b'{"id":%d,"cos":"x","capitol":1}' % i for i in range(count)]


@pytest.mark.sanitize
@pytest.mark.parametrize("ending", ["", ".jsonl", ".jsonl.gz", ".jsonl.zst"])
def test_run_whose_first_lines_are_all_rejected_begins_nothing(tmp_path: Path, ending: str) -> None:
    """Over several shards; `ending` "" is standard input."""
    lines, out = [b"", *no_documents(1000), b'{"text":"a"}'], tmp_path / "out"
    shards = [write_shard(tmp_path / f"{i}{ending}", part) for i, part in enumerate((lines[:400], lines[400:]))]
    inputs, stdin = (shards, b"") if ending else (["-"], lines_of(lines))
    result = embed(out, *inputs, widths=8, stdin=stdin, status=USAGE)
    result.says("the first 1000 lines are all rejected, so nothing was begun", ', line 2: no field "text"')
    result.says('its fields: "id", "cos", "capitol"', "--text-field NAME", "--allow-rejects to go on")
    assert not out.exists()
    embed(out, *inputs, widths=8, stdin=stdin, allow_rejects=True, status=REJECTS)
    assert Output(out).manifest()["totals"]["rejected"] == 1000 and len(Output(out).ids()) == 1
    embed(tmp_path / "named", *inputs, widths=8, stdin=stdin, text_field="cos", status=REJECTS)


def test_one_document_among_the_first_lines_is_enough(tmp_path: Path) -> None:
    lines = [*no_documents(999), b'{"text":"a"}', *no_documents(100)]
    shard = write_shard(tmp_path / "a.jsonl", lines)
    embed(tmp_path / "out", shard, widths=8, status=REJECTS)
    embed(tmp_path / "few", write_shard(tmp_path / "b.jsonl", lines[:900]), widths=8, status=REJECTS)


@pytest.mark.parametrize("ending", [".jsonl", ".gz", ".zst"])
def test_what_was_looked_at_of_standard_input_is_embedded(tmp_path: Path, ending: str) -> None:
    """Here the look takes more than one read from the pipe."""
    lines = [*no_documents(900), *(b'{"text":"a%d"}' % i for i in range(20_000))]
    content = compress(lines_of([line + b" " * 500 for line in lines[:900]] + lines[900:]), ending)
    shard = tmp_path / f"a.jsonl{ending}" if ending != ".jsonl" else tmp_path / "a.jsonl"
    shard.write_bytes(content)
    embed(tmp_path / "file", shard, widths=8, status=REJECTS)
    embed(tmp_path / "pipe", "-", stdin=content, widths=8, status=REJECTS)
    pipe, file = Output(tmp_path / "pipe"), Output(tmp_path / "file")
    assert pipe.files("w8/*", "ids/*") == file.files("w8/*", "ids/*") and len(pipe.ids()) == 20_000


def test_run_without_a_row_warns(tmp_path: Path) -> None:
    shard = write_shard(tmp_path / "a.jsonl", [b"", b"{}"])
    embed(tmp_path / "out", shard, widths=8, status=REJECTS).says("warning: no document was embedded")


LONG_TEXTS = [
    "plaça major de la vila " * 20,
    "l’ajuntament, «obert»;\tels dilluns 🏛️ i\n\nels dimarts " * 9,
    "自然语言处理是人工智能的一个重要方向" * 20,  # no white space: cut at a character
    "curt",
    "",
]


@pytest.mark.parametrize(
    ("prompt", "title", "max_tokens"),
    [("", "", most) for most in (4, 20, 64)] + [("passage: ", "Títol del document", most) for most in (12, 20, 64)],
)
def test_end_of_a_truncated_text_counts_what_was_embedded_of_it(
    tmp_path: Path, prompt: str, title: str, max_tokens: int
) -> None:
    """text[:end] alone is not truncated; with one more word (in a run without spaces, one more character) it would
    be."""
    shard = write_shard(tmp_path / "a.jsonl", [{"title": title, "text": text} for text in LONG_TEXTS])
    embed(tmp_path / "out", shard, widths=8, max_tokens=max_tokens, prompt=prompt, title_field="title")
    output = Output(tmp_path / "out")
    before = f"{prompt}{title} " if title else prompt
    ends = [row["end"] if row["truncated"] else len(text) for row, text in zip(output.ids(), LONG_TEXTS, strict=True)]
    assert all(("end" in row) == row["truncated"] for row in output.ids())
    for text, end, row in zip(LONG_TEXTS, ends, output.ids(), strict=True):
        if not row["truncated"] or not text:
            continue
        if "自" in text:
            more = text[: end + 3]
        else:
            assert end == 0 or (not text[end - 1].isspace() and text[end].isspace())
            more = text[:end] + text[end:].split()[0] if end == 0 else f"{text[:end]} {text[end:].split()[0]}"
        kept, longer = tokenize([before + text[:end], before + more])
        assert end == 0 or len(kept) <= max_tokens
        assert len(longer) > max_tokens
    for counts in (output.manifest()["totals"], *output.records()):
        assert (counts["characters"], counts["embedded"]) == (sum(map(len, LONG_TEXTS)), sum(ends))


def test_output_of_a_version_that_counted_no_characters_is_read_and_resumed(tmp_path: Path) -> None:
    shards = make_archive(tmp_path / "in", (30, 20))
    embed(tmp_path / "out", shards[0], widths=8)
    for path in (tmp_path / "out" / "manifest.json", *(tmp_path / "out" / "parts").iterdir()):
        content = json.loads(path.read_text())
        counts = content.get("totals", content)
        del counts["characters"], counts["embedded"]
        path.write_text(json.dumps(content))
    nina("verify", tmp_path / "out")
    embed(tmp_path / "out", *shards, widths=8, append=True)
    nina("verify", tmp_path / "out")
    totals = Output(tmp_path / "out").manifest()["totals"]
    assert totals["characters"] == totals["embedded"] == Output(tmp_path / "out").records()[1]["characters"] > 0
