"""`--keep-fields`: a document's fields beside its text come out as they came in."""

import json
from pathlib import Path
from typing import Any

import pytest

from output import Output, frame_texts, unzstd
from many import embed_many, needs_mpirun
from program import FAILED, MODEL, REJECTS, USAGE, embed, nina
from shards import make_texts, write_shard

KEEP = "url,data,meta.àrea,meta.a\\.b"
OPTIONS: dict[str, Any] = {"widths": "16", "block_lines": 600, "keep_fields": KEEP}


def document(i: int, text: str) -> dict[str, Any]:
    """Every third document has no url, every fifth no area; `secret` is never kept."""
    meta = {"a.b": [i, {"x": None}], "secret": i} | ({} if i % 5 == 0 else {"àrea": f"Àrea {i % 7}"})
    return {"data": f"2026-11-{i % 28 + 1:02}", "text": text, "meta": meta} | ({} if i % 3 == 0 else {"url": f"https://a.cat/{i}"})


def kept(document: dict[str, Any]) -> dict[str, Any]:
    places = {"url": document, "data": document, "àrea": document["meta"], "a.b": document["meta"]}
    names = {"url": "url", "data": "data", "àrea": "meta.àrea", "a.b": "meta.a\\.b"}
    return {names[key]: place[key] for key, place in places.items() if key in place}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], list[Path]]:
    folder = tmp_path_factory.mktemp("in")
    documents = [document(i, text) for i, text in enumerate(make_texts(1500, 1))]
    return documents, [write_shard(folder / "a.jsonl", documents[:1300]), write_shard(folder / "b.jsonl.zst", documents[1300:])]


@pytest.mark.sanitize
def test_every_row_has_its_fields(tmp_path: Path, archive: tuple[list[dict[str, Any]], list[Path]]) -> None:
    documents, shards = archive
    embed(tmp_path, *shards, **OPTIONS)
    output = Output(tmp_path)
    assert output.fields() == [kept(document) for document in documents]
    assert [list(row) for row in output.fields()] == [list(kept(document)) for document in documents]
    assert output.manifest()["settings"]["keep_fields"] == KEEP
    for path, record in zip(output.parts("fields"), output.records(), strict=True):
        rows = [text.count(b"\n") for text in frame_texts(path.read_bytes())]
        assert sum(rows) == record["rows"] and all(count == 512 for count in rows[:-1])
        assert f"fields/{path.name}" in [file["path"] for file in record["files"]]
    nina("verify", tmp_path)


def test_values_come_out_byte_for_byte(tmp_path: Path) -> None:
    lines = [
        '{"text":"a","v":1.50e+3}',
        '{"v" : { "b" :[1 , 2]} ,"text":"b"}',
        '{"text":"c"}',
        '{"text":"d","v":"\\u00e0\\/"}',
        "",
        '{"text":"no","v":[NaN]}',
        '{"v":0,"text":"e","v":12345678901234567890123}',
    ]
    shard = write_shard(tmp_path / "a.jsonl", lines)
    embed(tmp_path / "out", shard, keep_fields="v", status=REJECTS)
    output = Output(tmp_path / "out")
    wanted = ['{"v":1.50e+3}', '{"v":{ "b" :[1 , 2]}}', "{}", '{"v":"\\u00e0\\/"}', '{"v":12345678901234567890123}']
    assert unzstd(output.parts("fields")).decode().splitlines() == wanted
    (reject,) = output.rejects()
    assert reject["line"] == 6 and reject["reason"].startswith('field "v" cannot be kept')
    nina("verify", output.path)


def test_fields_are_stored_only_if_asked_for(tmp_path: Path, archive: tuple[list[dict[str, Any]], list[Path]]) -> None:
    embed(tmp_path / "without", *archive[1], **(OPTIONS | {"keep_fields": None}))
    embed(tmp_path / "with", *archive[1], **OPTIONS)
    without, having = Output(tmp_path / "without"), Output(tmp_path / "with")
    assert not (without.path / "fields").exists()
    everything = "w*/*", "ids/*", "rejects/*"
    assert without.files(*everything) == having.files(*everything)


def test_kept_fields_are_a_setting_of_the_run(tmp_path: Path, archive: tuple[list[dict[str, Any]], list[Path]]) -> None:
    _, shards = archive
    out = tmp_path / "out"
    embed(out, shards[0], **OPTIONS)
    one = Output(out).files("fields/*")
    error = embed(out, shards[0], status=USAGE, **(OPTIONS | {"keep_fields": "url"})).error
    assert '--keep-fields: "url,data,meta.àrea,meta.a\\\\.b" in the manifest, "url" now' in error
    embed(out, *shards, append=True, **OPTIONS)
    assert len(Output(out).fields()) == 1500 and one.items() <= Output(out).files("fields/*").items()
    embed(out, shards[1], overwrite=True, **(OPTIONS | {"keep_fields": None}))
    assert Output(out).files("fields/*") == {}
    nina("verify", out)


def test_run_of_an_older_nina_keeps_its_blanks(tmp_path: Path) -> None:
    """It took "date, url" for the fields "date" and " url"."""
    documents = [{"text": text, "date": i, " url": f"a{i % 3}", "url": "b"} for i, text in enumerate(make_texts(30, 2))]
    shards = [write_shard(tmp_path / f"{number}.jsonl", documents[at : at + 15]) for number, at in enumerate((0, 15))]
    options: dict[str, Any] = {"widths": 16, "block_lines": 5, "device": "cpu", "precision": "fp32"}
    output = Output(tmp_path / "out")
    embed(output.path, shards[0], keep_fields="date,\\ url", **options)
    manifest = output.manifest()
    manifest["settings"]["keep_fields"] = "date, url"
    (output.path / "manifest.json").write_text(json.dumps(manifest))
    for part in output.parts("parts"):
        part.unlink()
    error = embed(output.path, shards[0], keep_fields="date,url", status=USAGE, **options).error
    assert '--keep-fields: "date, url" in the manifest, "date,url" now' in error
    embed(output.path, *shards, append=True, keep_fields="date, url", **options)
    assert output.manifest()["settings"]["keep_fields"] == "date, url"
    assert output.fields() == [{key: document[key] for key in ("date", " url")} for document in documents]
    nina("verify", "--deep", 9, "--model", MODEL, output.path)
    found = nina("search", "--model", MODEL, "--vectors", output.path, "--json", "--top-k", 30, "--where", " url=a1", "text").stdout
    assert len(json.loads(found)["answers"]) == 10
    embed(output.path, *shards, overwrite=True, keep_fields="date, url", **options)
    assert output.manifest()["settings"]["keep_fields"] == "date,url" and output.fields()[1] == {"date": 1, "url": "b"}


def test_lost_file_of_fields_is_made_again(tmp_path: Path, archive: tuple[list[dict[str, Any]], list[Path]]) -> None:
    embed(tmp_path, *archive[1], **OPTIONS)
    output = Output(tmp_path)
    before = output.files("fields/*", "parts/*")
    output.parts("fields")[1].unlink()
    assert "missing    fields/part-00000-00001.jsonl.zst" in nina("verify", tmp_path, status=FAILED).stdout
    embed(tmp_path, *archive[1], **OPTIONS)
    assert output.files("fields/*", "parts/*") == before


def test_dry_run_counts_the_fields(tmp_path: Path, archive: tuple[list[dict[str, Any]], list[Path]]) -> None:
    sizes = []
    for keep in None, KEEP:
        said = embed(tmp_path / "none", *archive[1], dry_run=True, progress="json", **(OPTIONS | {"keep_fields": keep}))
        sizes.append(json.loads(said.stdout.splitlines()[-1])["out_bytes"])
    embed(tmp_path / "out", *archive[1], **OPTIONS)
    stored = sum(map(len, Output(tmp_path / "out").files("fields/*").values()))
    assert 0.9 * stored < sizes[1] - sizes[0] < 1.1 * stored + 2000


@pytest.mark.parametrize("keep", ["", "a,", "a,a", "m,m.a"])
def test_wrong_list_is_refused_before_anything_is_written(tmp_path: Path, keep: str) -> None:
    shard = write_shard(tmp_path / "a.jsonl", [{"text": "a"}])
    assert embed(tmp_path / "out", shard, keep_fields=keep, status=USAGE).error.startswith("--keep-fields")
    assert not (tmp_path / "out").exists()


SPELLED = {"widths": 8, "block_lines": 10}
MISSING = 'warning: none of the 60 documents read has the field "titel" (--title-field), "meta.ulr" (--keep-fields): are they spelled so?'


def mixed_shards(folder: Path) -> list[Path]:
    """Only the first shard has titles (all null), only the second one addresses."""
    first = [{"text": "a", "title": None, "n": 1}] * 30
    second = [{"text": "b", "meta": {"url": "c"}}] * 30
    return [write_shard(folder / f"{number}.jsonl", documents) for number, documents in enumerate((first, second))]


@pytest.mark.parametrize("ranks", [1, pytest.param(2, marks=needs_mpirun)])
def test_field_that_no_document_has_is_told(tmp_path: Path, ranks: int) -> None:
    """A mistyped name costs a night; a field that some documents have not got is nothing."""
    shards = mixed_shards(tmp_path)

    def run(out: str, **options: Any) -> str:
        run = embed_many if ranks > 1 else embed
        return run(tmp_path / out, *shards, **SPELLED, **options, **({"ranks": ranks} if ranks > 1 else {})).stderr

    right = run("right", title_field="title", keep_fields="n, meta.url")
    assert "warning" not in right and json.loads((tmp_path / "right" / "report.json").read_text())["runs"][0]["missing_fields"] == []
    assert MISSING in run("wrong", title_field="titel", keep_fields="n,meta.ulr")
    missing = [{"option": "--title-field", "field": "titel"}, {"option": "--keep-fields", "field": "meta.ulr"}]
    assert json.loads((tmp_path / "wrong" / "report.json").read_text())["runs"][0]["missing_fields"] == missing
    assert "warning" not in run("wrong", title_field="titel", keep_fields="n,meta.ulr")  # a run that reads no document cannot tell


def test_field_that_no_document_has_is_told_beforehand(tmp_path: Path) -> None:
    shards = mixed_shards(tmp_path)
    embed(tmp_path / "out", *shards, dry_run=True, title_field="titel", keep_fields="n,meta.ulr", **SPELLED).says(MISSING)
    events = embed(tmp_path / "out", shards[0], dry_run=True, title_field="titel", progress="json", **SPELLED).stderr.splitlines()
    sentence = 'warning: none of the 30 documents read has the field "titel" (--title-field): is it spelled so?'
    assert {"event": "notice", "sentence": sentence} in [json.loads(event) for event in events]
    assert "warning" not in embed(tmp_path / "out", *shards, dry_run=True, title_field="title", keep_fields="n,meta.url", **SPELLED).stderr
