"""The files in configs/: every key is one that nina takes, and README says when to take which file."""

import json
import re
from pathlib import Path

import pytest

from output import Output
from program import MODEL, ROOT, USAGE, nina
from shards import make_texts, write_shard

CONFIGS = sorted((ROOT / "configs").glob("*.ini"))


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.name)
def test_each_key_is_taken_by_its_command(config: Path, tmp_path: Path) -> None:
    """On the tiny model, which has other widths, and without a card."""
    shard = write_shard(tmp_path / "a.jsonl", [{"id": i, "text": text} for i, text in enumerate(make_texts(20, 1))])
    options = ["--config", config, "--widths", 8, "--device", "null"]
    told = nina("embed", *options, "--model", MODEL, "--out", tmp_path / "out", "--dry-run", shard)
    assert "documents" in told.stdout
    missing = tmp_path / "missing"
    evaluation = ["--model", MODEL, "--data", missing, "--out", tmp_path / "eval"]
    assert str(missing) in nina("eval", *options, *evaluation, status=USAGE).error
    search = ["--config", config, "--device", "null", "--model", MODEL, "--vectors", missing, "a question"]
    assert str(missing) in nina("search", *search, status=USAGE).error


def test_the_readme_says_when_to_take_which_file() -> None:
    listed = re.findall(r"^\| `([\w-]+\.ini)` \| \w", (ROOT / "configs/README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == [path.name for path in CONFIGS]


def test_of_several_files_the_later_one_wins_and_the_command_line_over_both(tmp_path: Path) -> None:
    """A key of a later file wins wherever it stands, in a section or before any."""
    (tmp_path / "machine.ini").write_text("device = null\nthreads = 2\n[embed]\nwidths = 16\nmax-tokens = 20\nzstd-level = 2\n")
    (tmp_path / "model.ini").write_text("widths = 32,8\n[embed]\nmax-tokens = 30\nid-field = id\n")
    shard = write_shard(tmp_path / "a.jsonl", [{"id": i, "text": text} for i, text in enumerate(make_texts(20, 1))])
    files = ["--config", tmp_path / "machine.ini", "--config", tmp_path / "model.ini"]
    nina("embed", *files, "--zstd-level", 3, "--model", MODEL, "--out", tmp_path / "out", shard)
    settings = Output(tmp_path / "out").manifest()["settings"]
    assert settings["widths"] == [32, 8] and settings["max_tokens"] == 30
    assert settings["id_field"] == "id" and settings["zstd_level"] == 3


def test_of_several_files_the_later_list_wins_too(tmp_path: Path) -> None:
    rows = [{"id": i, "text": text, "of": "ab"[i % 2]} for i, text in enumerate(make_texts(8, 1))]
    nina("embed", "--model", MODEL, "--out", tmp_path / "out", "--device", "null", "--id-field", "id", "--keep-fields", "of", write_shard(tmp_path / "a.jsonl", rows))
    for name, lines in ("a", "of=a"), ("b", "of=b\nwhere = of!=c"), ("c", None):
        (tmp_path / f"{name}.ini").write_text(f"[search]\nwhere = {lines}\n" if lines else "top-k = 3\n")
    files = [word for name in "abc" for word in ("--config", tmp_path / f"{name}.ini")]
    found = nina("search", *files, "--model", MODEL, "--vectors", tmp_path / "out", "--device", "null", "--json", "q").stdout
    assert [answer["id"] % 2 for answer in json.loads(found)["answers"]] == [1, 1, 1]  # of b


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.name)
def test_each_file_begins_with_what_it_is_for(config: Path) -> None:
    text = config.read_text()
    assert text.startswith("; ")
    assert ("device = cuda" in text) == ("NO CARD HAS RUN THIS YET" in text)
