"""The recipes of scripts/python/nina_vectors/README.md, as they stand there."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import zstandard

from output import Output, unzstd
from package import PACKAGE, needs_full, python
from program import embed
from shards import make_documents, write_shard

README = (PACKAGE / "nina_vectors" / "README.md").read_text()
RECIPES = {title: code for title, code in re.findall(r"\*\*([^*]+)\*\*[^`]*(?:`[^`]+`[^`]*)*\n```python\n(.*?)```", README, re.DOTALL)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with out/archive, whose files have several frames."""
    made = tmp_path_factory.mktemp("recipes")
    (made / "out").mkdir()
    rows = [document | {"id": f"tramit-{i:04d}"} for i, document in enumerate(make_documents(3000, 5))]
    shards = [write_shard(made / f"{i}.jsonl", rows[i * 2000 : i * 2000 + 2000]) for i in range(2)]
    embed(made / "out" / "archive", *shards, widths="128,64", id_field="id")
    return made


@pytest.fixture(scope="module")
def exported(folder: Path) -> Path:
    (commands,) = re.findall(r"```sh\n(python -m nina_vectors export.*?)```", README, re.DOTALL)
    for command in commands.splitlines():
        program, *words = shlex.split(command)
        assert program == "python"
        python(*words, cwd=folder)
    return folder


def nearest(folder: Path) -> list[str]:
    output = Output(folder / "out" / "archive")
    vectors, ids = output.vectors(64).astype(np.float32), output.ids()
    return [ids[row]["id"] for row in np.argsort(-(vectors @ vectors[0]))[:3]]


def test_a_recipe_without_an_export_finds_the_nearest(folder: Path) -> None:
    assert re.findall(r"tramit-\d+", python("-c", RECIPES["Without an export"], cwd=folder).stdout) == nearest(folder)


def test_readme_warns_rightly_of_the_first_frame(folder: Path) -> None:
    output = Output(folder / "out" / "archive")
    for path in (output.parts("w64")[0], output.parts("ids")[0]):
        content = path.read_bytes()
        assert len(zstandard.decompress(content)) < len(unzstd([path])) / 2


@needs_full
@pytest.mark.parametrize("title", ["NumPy", "FAISS", "DuckDB", "pandas", "Polars", "datasets"])
def test_each_recipe_finds_the_nearest(exported: Path, title: str) -> None:
    done = python("-c", RECIPES[title], cwd=exported)
    assert re.findall(r"tramit-\d+", done.stdout) == nearest(exported)


@needs_full
def test_duckdb_reads_all_frames_of_the_ids(folder: Path) -> None:
    (code,) = [code for code in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "ids/*.jsonl.zst" in code]
    ids = Output(folder / "out" / "archive").ids()
    said = re.findall(r"│ +(\d+)(?= )", python("-c", code, cwd=folder).stdout)
    assert said == [str(len(ids)), str(sum(row["tokens"] for row in ids)), str(sum(row["truncated"] for row in ids))]
