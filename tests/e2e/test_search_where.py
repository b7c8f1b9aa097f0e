"""nina search --where: only rows whose kept fields fulfil every condition are scored."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from output import Output
from program import DONE, FAILED, MODEL, USAGE, Result, Status, embed, nina
from shards import make_texts, write_shard

TEXTS = make_texts(90, 21)
QUESTIONS = [TEXTS[7], "beca menjador per a l'escola"]
KEEP = "dept,year,date,meta.àrea,tags,open"


def document(i: int) -> dict[str, Any]:
    """Every fifth document has no dept, every fourth no meta."""
    fields = {"id": i, "text": TEXTS[i], "year": 2000 + i % 25, "tags": ["a", i], "open": i % 2 == 0}
    dates = f"2026-{i % 12 + 1:02}-{i % 28 + 1:02}", f"2026-{i % 12 + 1:02}-{i % 28 + 1:02}T09:30:00+02:00"
    fields["date"] = dates[i % 2]
    fields |= {} if i % 5 == 0 else {"dept": ("cultura", "esport", 'a="b"')[i % 3]}
    return fields | ({} if i % 4 == 0 else {"meta": {"àrea": f"Àrea {i % 3}"}})


DOCUMENTS = [document(i) for i in range(90)]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine parts; the vectors are hashes of the null encoder."""
    folder = tmp_path_factory.mktemp("where")
    shards = [write_shard(folder / "a.jsonl", DOCUMENTS[:50]), write_shard(folder / "b.jsonl.zst", DOCUMENTS[50:])]
    embed(folder / "out", *shards, id_field="id", keep_fields=KEEP, widths="64,16", block_lines=10, store_text=True)
    return folder / "out"


def search(out: Path, *arguments: Any, stdin: str = "", status: Status = DONE) -> Result:
    return nina("search", "--model", MODEL, "--vectors", out, "--device", "null", *arguments, stdin=stdin.encode(), status=status)


def answers(result: Result) -> list[list[tuple[int, float]]]:
    objects = [json.loads(line) for line in result.stdout.splitlines()]
    return [[(answer["id"], answer["cosine"]) for answer in one["answers"]] for one in objects]


def expected(out: Path, holds: Callable[[dict[str, Any]], bool], k: int, *options: Any) -> list[list[tuple[int, float]]]:
    """The search of all rows, with the others left out: exact, so no row that matches is lost."""
    everything = answers(search(out, "--json", "--top-k", 90, *options, *QUESTIONS))
    return [[answer for answer in one if holds(DOCUMENTS[answer[0]])][:k] for one in everything]


def area(document: dict[str, Any]) -> str | None:
    return document.get("meta", {}).get("àrea")


CONDITIONS: list[tuple[list[str], Callable[[dict[str, Any]], bool]]] = [
    (["dept=cultura"], lambda d: d.get("dept") == "cultura"),
    (["dept = cultura"], lambda d: d.get("dept") == "cultura"),
    (["dept!=cultura"], lambda d: d.get("dept") != "cultura"),
    (['dept=a="b"'], lambda d: d.get("dept") == 'a="b"'),
    (["dept<cultura"], lambda d: d.get("dept", "z") < "cultura"),
    (["year>=2010"], lambda d: d["year"] >= 2010),
    (["year<2010.5", "year>2.005e3"], lambda d: 2005 < d["year"] < 2010.5),
    (["year=2010", "meta.àrea=Àrea 1"], lambda d: d["year"] == 2010 and area(d) == "Àrea 1"),
    (["meta.àrea!=Àrea 0"], lambda d: area(d) != "Àrea 0"),
    (["date>=2026-06-01", "date<2026-07-01"], lambda d: d["date"].startswith("2026-06")),
    (["date=2026-04-04T07:30Z"], lambda d: d["date"] == "2026-04-04T09:30:00+02:00"),
    (["open=true"], lambda d: d["open"]),
    (["open>=true"], lambda d: False),
    (["tags=a"], lambda d: False),
    (["tags!=a"], lambda d: True),
    (["year>2023", "dept=esport"], lambda d: d["year"] > 2023 and d.get("dept") == "esport"),
]


@pytest.mark.parametrize(("conditions", "holds"), CONDITIONS, ids=[" and ".join(conditions) for conditions, _ in CONDITIONS])
def test_answers_are_the_nearest_of_the_rows_that_match(
    stored: Path, conditions: list[str], holds: Callable[[dict[str, Any]], bool]
) -> None:
    where = [argument for condition in conditions for argument in ("--where", condition)]
    found = search(stored, "--json", "--top-k", 7, *where, *QUESTIONS)
    assert answers(found) == expected(stored, holds, 7)
    found.says(f"{sum(map(holds, DOCUMENTS))} of 90 passages at width 64")


@pytest.mark.sanitize
@pytest.mark.parametrize(
    ("options", "same"),
    [(["--width", 16], None), (["--width", 11], None), (["--threads", 3], None), (["--width", 16, "--rescore", 64], ["--width", 64])],
    ids=str,
)
def test_a_filter_goes_with_widths_rescoring_and_threads(stored: Path, options: list[Any], same: list[Any] | None) -> None:
    """With K = 90 every row that matches is scored again, so rescoring gives the wide search."""
    found = answers(search(stored, "--json", "--top-k", 90, "--where", "dept=cultura", *options, *QUESTIONS))
    assert found == expected(stored, lambda d: d.get("dept") == "cultura", 90, *(same or options))


def test_questions_of_an_interactive_search_read_the_fields_once(stored: Path) -> None:
    where = ["--json", "--top-k", 3, "--where", "year<2003"]
    assert search(stored, *where, stdin="\n".join(QUESTIONS)).stdout == search(stored, *where, *QUESTIONS).stdout


def test_a_question_that_no_row_can_answer_has_no_answers(stored: Path) -> None:
    found = search(stored, "--json", "--where", "year>3000", *QUESTIONS).stdout.splitlines()
    assert [json.loads(line) for line in found] == [{"question": q, "width": 64, "answers": []} for q in QUESTIONS]
    assert search(stored, "--where", "year>3000", QUESTIONS[1]).stdout.splitlines() == [QUESTIONS[1], "no passage matches --where"]


def test_conditions_that_cannot_hold_are_refused(tmp_path: Path, stored: Path) -> None:
    for condition, sentence in (
        ("secret=1", f'--where "secret=1": the run in {stored} keeps no field "secret": it keeps {KEEP}'),
        ("meta=1", f'--where "meta=1": the run in {stored} keeps no field "meta": it keeps {KEEP}'),
        ("dept", '--where "dept": expected FIELD=VALUE, with =, !=, <, <=, > or >= between them'),
    ):
        assert search(stored, "--where", condition, QUESTIONS[0], status=USAGE).error == sentence
    embed(tmp_path / "out", write_shard(tmp_path / "a.jsonl", DOCUMENTS[:5]), widths="16")
    error = search(tmp_path / "out", "--where", "dept=a", QUESTIONS[0], status=USAGE).error
    assert "keeps no fields" in error and "--keep-fields" in error


@pytest.mark.sanitize
def test_damaged_fields_are_named(tmp_path: Path, stored: Path) -> None:
    out = shutil.copytree(stored, tmp_path / "out")
    one, other = Output(out).parts("fields")[:2]
    one.write_bytes(other.read_bytes()[:40])
    error = search(out, "--where", "dept=cultura", QUESTIONS[0], status=FAILED).error
    assert one.name in error and f"nina verify {out}" in error


def test_an_incomplete_archive_is_filtered_as_far_as_it_goes(tmp_path: Path) -> None:
    shard = write_shard(tmp_path / "a.jsonl.gz", DOCUMENTS[:60])
    shard.write_bytes(shard.read_bytes()[:-30])
    embed(tmp_path / "out", shard, id_field="id", keep_fields=KEEP, block_lines=5, store_text=True, status=(DONE, FAILED))
    said = search(tmp_path / "out", "--json", "--top-k", 60, "--where", "open=true", QUESTIONS[0])
    assert {answer[0] for answer in answers(said)[0]} == {entry["id"] for entry in Output(tmp_path / "out").ids() if entry["id"] % 2 == 0}
