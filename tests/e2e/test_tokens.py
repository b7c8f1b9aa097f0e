"""Token ids equal the reference's for every character, for badly written texts in eight scripts, and with added tokens.
scripts/make-golden-tokens wrote the checksums; with --compare it lists the texts whose ids differ.
"""

import json
from pathlib import Path

import pytest

import hard_texts
from models import copy_model, replace
from output import Output
from program import FAILED, FULL, GOLDEN, MODEL, USAGE, embed, nina, tokenize
from shards import write_shard

FULL_ONLY = pytest.mark.skipif(not FULL, reason="scripts/test --full")
SHOW = "scripts/make-golden-tokens --compare shows the ids"


def lines(name: str) -> list[str]:
    return (GOLDEN / "tokenizer" / name).read_text().splitlines()


def character_model(folder: Path, ending: str) -> Path:
    """A model with every character as a piece, so that the ids spell what the normaliser left of a text; `ending` is
    that of its golden files."""
    model = copy_model(folder, GOLDEN / "bert-mean-v6")
    (files,) = (one["files"] for one in hard_texts.character_models(GOLDEN) if one["ending"] == ending)
    for name, content in files.items():
        replace(model / name, json.dumps(content).encode())
    return model


@pytest.mark.parametrize("ending", ["", "-bert", *(pytest.param(ending, marks=FULL_ONLY) for ending in ("-bert-cased", "-bytes"))])
def test_every_character_has_its_ids_in_every_neighbourhood(tmp_path: Path, ending: str) -> None:
    """Alone, in words, and at places where it could join a cluster: of all characters that Unicode has assigned, 0
    differ."""
    blocks = list(hard_texts.code_point_blocks())
    found = iter(tokenize([text for _, texts in blocks for text in texts], character_model(tmp_path, ending)))
    sums = [f"{start:06x} {hard_texts.checksum([next(found) for _ in texts])}" for start, texts in blocks]
    golden = lines(f"code-points{ending}.txt")
    assert not [mine for mine, expected in zip(sums, golden, strict=True) if mine != expected], SHOW


@pytest.mark.parametrize("ending", [pytest.param("", marks=pytest.mark.sanitize), "-bert", "-bert-cased", "-bytes"])
def test_mutated_texts_have_their_ids(tmp_path: Path, ending: str) -> None:
    """10,000 texts, composed and decomposed, with marks, spaces, joiners and tokens inserted: 0 differ."""
    texts = hard_texts.mutated_texts()
    assert len(set(texts)) > 0.9 * hard_texts.MUTATED
    found = tokenize(texts, character_model(tmp_path, ending))
    groups = range(0, len(texts), hard_texts.GROUP)
    for start, golden in zip(groups, lines(f"mutated{ending}.txt"), strict=True):
        group = slice(start, start + hard_texts.GROUP)
        assert hard_texts.checksum(found[group]) == golden, f"{texts[group]!a}: {SHOW}"


FOLDERS = {folder["name"]: (folder, texts) for folder, texts in hard_texts.folders_with_texts(GOLDEN)}


@pytest.mark.sanitize
@pytest.mark.parametrize("name", FOLDERS)
def test_added_tokens_and_settings_count_in_whatever_file_they_stand(tmp_path: Path, name: str) -> None:
    folder, texts = FOLDERS[name]
    model = copy_model(tmp_path, GOLDEN / folder["model"])
    for file, content in folder["files"].items():
        if content is None:
            (model / file).unlink()
        else:
            replace(model / file, hard_texts.file_bytes(content))
    golden = {row["name"]: row["ids"] for row in map(json.loads, lines("folders.jsonl"))}
    assert tokenize(texts, model) == golden[name]


def with_tokens(folder: Path, *contents: str) -> Path:
    """bert-mean-v6 as sentence-transformers 6 saves it after add_tokens and resize_token_embeddings."""
    model = copy_model(folder, GOLDEN / "bert-mean-v6")
    whole = json.loads((model / "tokenizer.json").read_text())
    first = len(whole["model"]["vocab"])
    whole["added_tokens"] += [
        {"id": first + i, **hard_texts.added(content, special=True)} for i, content in enumerate(contents)
    ]
    replace(model / "tokenizer.json", json.dumps(whole).encode())
    return model


def test_prompts_of_added_tokens_are_one_token_each(tmp_path: Path) -> None:
    model = with_tokens(tmp_path, "[PREGUNTA]", "[PASSATGE]")
    assert tokenize(["[PASSATGE] el carrer", "[PREGUNTA] on?"], model)[0][1] == 641
    shard = write_shard(tmp_path / "a.jsonl", [{"text": "el carrer"}])
    counts = []
    for prompt in ("", "[PASSATGE] "):
        embed(tmp_path / "out", shard, model=model, prompt=prompt, device="null", widths=16, overwrite=True)
        counts.append(Output(tmp_path / "out").ids()[0]["tokens"])
    assert counts[1] == counts[0] + 1


def test_a_model_with_other_added_tokens_is_another_one(tmp_path: Path) -> None:
    shard = write_shard(tmp_path / "a.jsonl", [{"text": "el carrer"}])
    options = {"device": "null", "widths": 16}
    embed(tmp_path / "out", shard, model=with_tokens(tmp_path / "one", "[PREGUNTA]"), **options)
    for contents in ((), ("[PASSATGE]",), ("[PREGUNTA]", "[PASSATGE]")):
        model = with_tokens(tmp_path / str(contents), *contents)
        embed(tmp_path / "out", shard, model=model, status=USAGE, **options).says("tokenizer")


@pytest.mark.parametrize("name", ["bert-mean-v6", "roberta", "bert-cased"])
def test_a_tokenizer_without_a_type_is_known_by_its_members(tmp_path: Path, name: str) -> None:
    """Older tokenizer.json files do not name their model's type."""
    model = copy_model(tmp_path, GOLDEN / name)
    whole = json.loads((model / "tokenizer.json").read_text())
    del whole["model"]["type"]
    replace(model / "tokenizer.json", json.dumps(whole).encode())
    texts = [json.loads(line)["text"] for line in (GOLDEN / name / "texts.jsonl").read_text().splitlines()[:50]]
    assert tokenize(texts, model=model) == tokenize(texts, model=GOLDEN / name)


def test_added_token_of_another_id_is_refused(tmp_path: Path) -> None:
    model = with_tokens(tmp_path, "[PREGUNTA]")
    whole = json.loads((model / "tokenizer.json").read_text())
    whole["added_tokens"][-1]["id"] = 700
    replace(model / "tokenizer.json", json.dumps(whole).encode())
    result = nina("tokenize", "--model", model, status=FAILED)
    result.says(
        f'{model}: the added token "[PREGUNTA]" is to have the id 700; expected 640, which transformers gives it'
    )


@pytest.mark.sanitize
def test_texts_without_end_and_bytes_without_meaning_are_bounded(tmp_path: Path) -> None:
    """A megabyte of marks, of spaces that wait for a mark, of NULs; a token at either end is found."""
    runs = ("\u0301", " \u0301", "\x00", "\u0600 ", "\U0001f1e6", "\r\n", "</s")
    texts = [f"</s>{run * (1 << 20 // len(run))}</s>" for run in runs]
    for ids in tokenize(texts, GOLDEN / "bert-mean-v6"):
        assert len(ids) <= 8192 and ids[:2] == [0, 2]


@pytest.mark.parametrize("line", [b"a \xff", b"\xed\xa0\x80", b'"\xc0\xaf"', b"\xe2\x82"])
def test_a_line_that_is_not_utf_8_is_named(line: bytes) -> None:
    """As embed rejects it: its ids would be those of no row."""
    result = nina("tokenize", "--model", MODEL, stdin=b"one\ntwo\n" + line + b"\nfour\n", status=FAILED)
    assert result.error == "standard input, line 3: not valid UTF-8" and len(result.stdout.splitlines()) == 2
