"""scripts/python/nina_vectors reads every output of the program."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from output import Output, derive, same_bits
from package import KINDS, write
from program import FAILED, embed
from shards import make_archive

import nina_vectors  # package.py makes it be found


@pytest.fixture(scope="module", params=KINDS)
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Output:
    return write(tmp_path_factory.mktemp("package"), request.param)


def test_rows_ids_texts_fields_and_hashes_are_those_of_the_program(written: Output) -> None:
    with nina_vectors.open(written.path, check_hashes=True) as out:
        assert out.complete and len(out) == len(written.ids())
        for width in out.widths:
            assert same_bits(np.asarray(out.vectors(width)), written.vectors(width))
        said = [{name: value for name, value in row._asdict().items() if value is not None} for row in out.ids()]
        assert said == written.ids()
        if out.stores_text:
            assert list(out.texts()) == [row["text"] for row in written.texts()]
        if out.kept_fields:
            assert out.kept_fields == ["n", "tags", "meta.a\\.b"] and list(out.fields()) == written.fields()
        assert out.check_hashes() == sum(len(record["files"]) for record in written.records())
        assert out.hashes()[:].shape == (len(out), 16)


def test_every_width_has_the_bits_of_nina(tmp_path: Path) -> None:
    (shard,) = make_archive(tmp_path / "in", (40,))
    for first in range(1, 128, 15):
        widths = [128, *range(min(first + 14, 127), first - 1, -1)]
        embed(tmp_path / "out", shard, widths=",".join(map(str, widths)), overwrite=first > 1)
        wide = np.asarray(nina_vectors.open(tmp_path / "out").vectors())
        for width in widths[1:]:
            stored = Output(tmp_path / "out").vectors(width)
            assert same_bits(nina_vectors.derive(wide, width), stored) and same_bits(derive(wide, width), stored)
    embed(tmp_path / "wide", shard, widths="128")
    out = nina_vectors.open(tmp_path / "wide")
    assert same_bits(out.vectors(100)[:], derive(Output(tmp_path / "wide").vectors(128), 100))
    for width in (0, 129):
        with pytest.raises(nina_vectors.UsageError, match="1 to 128"):
            out.vectors(width)


def test_any_rows_are_reached_in_any_order(written: Output) -> None:
    out, wide = nina_vectors.open(written.path), written.vectors(64)
    vectors, ids = out.vectors(64), written.ids()
    for key in (5, -1, slice(35, 90), slice(None, None, -7), [100, 3, 3, -2], np.arange(len(wide)) % 5 == 0):
        assert same_bits(vectors[key], wide[key])
    for number in (len(wide) - 1, 0, 41, 39, 40):
        row = out.row(number)
        assert row.id.line == ids[number]["line"] and row.id.id == ids[number]["id"] and row.number == number
    with pytest.raises(IndexError):
        vectors[len(wide)]
    batches = list(out.batches(33, 64))
    assert [len(batch) for batch in batches[:-1]] == [33] * (len(batches) - 1)
    assert same_bits(np.concatenate([batch.vectors for batch in batches]), wide)
    part = out.parts[1]
    assert out.number_of(part.name, 3) == part.first + 3


def test_a_run_that_is_not_complete_gives_what_it_has_with_a_warning(tmp_path: Path) -> None:
    shards = make_archive(tmp_path / "in", (100,))
    embed(tmp_path / "out", *shards, widths="8", block_lines=10, fault="rename:20+:EIO", status=FAILED)
    with pytest.warns(nina_vectors.IncompleteWarning, match="start the same nina embed again"):
        out = nina_vectors.open(tmp_path / "out")
    assert 0 < len(out) == len(list(out.ids())) < 100


def test_damage_is_named(written: Output, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", written.path, copy], check=True)
    path = next(iter(sorted((copy / "w64").iterdir())))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(nina_vectors.DamagedError, match=path.name):
        nina_vectors.open(copy, check_hashes=True).vectors(64)[0]
    with pytest.raises(nina_vectors.DamagedError, match=path.name):
        nina_vectors.open(copy).vectors(64)[:]
    path.write_bytes(content[:-3])
    with pytest.raises(nina_vectors.DamagedError, match="its record says"):
        nina_vectors.open(copy).vectors(64)[0]
    with pytest.raises(nina_vectors.UsageError, match="not the output"):
        nina_vectors.open(tmp_path)
