"""scripts/python/nina_vectors reads every output of the program."""

import json
import pickle
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from output import Output, derive, same_bits
from package import KINDS, write
from program import FAILED, GOLDEN, MODEL, REJECTS, embed
from shards import make_archive, make_documents, write_shard

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


def test_rows_of_every_encoder_and_model_are_read(tmp_path: Path) -> None:
    (shard,) = make_archive(tmp_path / "in", (30,))
    for model in ("xlmr-cls-v3", "bert-mean-v6"):
        embed(tmp_path / model, shard, model=GOLDEN / model, device="cpu", block_lines=7)
        out, written = nina_vectors.open(tmp_path / model, check_hashes=True), Output(tmp_path / model)
        for width in out.widths:
            assert same_bits(np.asarray(out.vectors(width)), written.vectors(width))
        assert np.allclose(np.linalg.norm(out.vectors()[:].astype(np.float32), axis=1), 1, atol=1e-3)


def test_outputs_that_grew_or_reuse_another_are_read(tmp_path: Path) -> None:
    """Rejected lines and blank ones leave no row; parts keep the order of shards and blocks."""
    rows = make_documents(90, 3)
    shards = [write_shard(tmp_path / f"{i}.jsonl", [*rows[i * 30 : i * 30 + 30], b"no json", b""]) for i in range(3)]
    options = {"widths": "64,8", "block_lines": 9}
    embed(tmp_path / "out", *shards[:1], status=REJECTS, **options)
    one = nina_vectors.open(tmp_path / "out")
    embed(tmp_path / "out", *shards, append=True, status=REJECTS, **options)
    embed(tmp_path / "reused", *reversed(shards), reuse=tmp_path / "out", status=REJECTS, **options)
    grown, reused = nina_vectors.open(tmp_path / "out"), nina_vectors.open(tmp_path / "reused", check_hashes=True)
    assert [len(out) for out in (one, grown, reused)] == [30, 90, 90] and one.identity != grown.identity
    for out in (grown, reused):
        assert same_bits(np.asarray(out.vectors(8)), Output(out.path).vectors(8))
        assert [row.line for row in out.ids()] == [row["line"] for row in Output(out.path).ids()]
    assert same_bits(grown.vectors()[:30], reused.vectors()[60:]) and same_bits(grown.vectors()[:30], one.vectors()[:])


def test_rows_are_taken_by_number_with_all_that_is_stored(written: Output) -> None:
    out, vectors = nina_vectors.open(written.path), written.vectors(128)
    numbers = [100, 3, -1, 3]
    rows = list(out.take(numbers))
    assert [row.number for row in rows] == [100, 3, len(out) - 1, 3]
    assert all(same_bits(row.vector, vectors[number]) for row, number in zip(rows, numbers, strict=True))
    assert [row.id.line for row in rows] == [written.ids()[number]["line"] for number in numbers]
    if out.stores_text:
        assert [row.text for row in rows] == [written.texts()[number]["text"] for number in numbers]
    assert [row.fields for row in rows] == ([written.fields()[number] for number in numbers] if out.kept_fields else [None] * 4)


def test_any_rows_are_reached_in_any_order(written: Output) -> None:
    out, wide = nina_vectors.open(written.path), written.vectors(64)
    vectors, ids = out.vectors(64), written.ids()
    for key in (5, -1, slice(35, 90), slice(None, None, -7), [100, 3, 3, -2], np.arange(len(wide)) % 5 == 0):
        assert same_bits(vectors[key], wide[key])
    for number in (len(wide) - 1, 0, 41, 39, 40):
        row = out.row(number)
        assert row.id.line == ids[number]["line"] and row.id.id == ids[number]["id"] and row.number == number
    for key in (len(wide), (3, 5)):  # the latter is a number in NumPy, and would be two rows here
        with pytest.raises(IndexError):
            vectors[key]
    batches = list(out.batches(33, 64))
    assert [len(batch) for batch in batches[:-1]] == [33] * (len(batches) - 1)
    assert same_bits(np.concatenate([batch.vectors for batch in batches]), wide)
    part = out.parts[1]
    assert out.number_of(part.name, 3) == part.first + 3


def test_a_run_that_is_not_complete_gives_what_it_has_with_a_warning(tmp_path: Path) -> None:
    shards = make_archive(tmp_path / "in", (100,))
    embed(tmp_path / "out", *shards, widths="8", block_lines=10, threads=1, fault="rename:20+:EIO", status=FAILED)
    with pytest.warns(nina_vectors.IncompleteWarning, match="start the same nina embed again"):
        out = nina_vectors.open(tmp_path / "out")
    assert 0 < len(out) == len(list(out.ids())) < 100


@pytest.mark.parametrize("change", ["begun anew", "begun anew, the manifest equal", "begun anew and killed", "removed"])
@pytest.mark.parametrize("read", ["rows", "hashes"])
def test_an_output_that_is_begun_anew_while_it_is_read_gives_no_rows_of_two_runs(tmp_path: Path, change: str, read: str) -> None:
    texts = make_documents(100, 3)
    for text in texts[0], texts[-1]:
        text["edge"] = "x" * (64 << 10)  # no shard's fingerprint reaches further
    shard = write_shard(tmp_path / "in.jsonl", texts)
    embed(tmp_path / "out", shard, widths="8", block_lines=2)
    out = nina_vectors.open(tmp_path / "out")
    batches = out.batches(2)
    next(batches)
    write_shard(shard, texts[:1] + texts[-2:0:-1] + texts[-1:] if "equal" in change else make_documents(100, 4))
    if change == "removed":
        shutil.rmtree(tmp_path / "out")
    else:
        fault, status = ("rename:9:kill", -9) if "killed" in change else (None, 0)
        embed(tmp_path / "out", shard, widths="8", block_lines=2, overwrite=True, fault=fault, status=status)
    with pytest.raises(nina_vectors.ChangedError, match="was begun anew while it was read"):
        _ = list(batches) if read == "rows" else out.check_hashes()
    for _ in range(2):  # nor later, if the caller tries once more
        with pytest.raises(nina_vectors.ChangedError):
            list(out.ids(2, 4))


def test_an_output_is_read_on_if_the_link_to_it_or_the_working_folder_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seed in ("old", 3), ("new", 4):
        embed(tmp_path / name, write_shard(tmp_path / f"{name}.jsonl", make_documents(40, seed)), widths="8", block_lines=2)
    (tmp_path / "yesterday").symlink_to("old")
    (tmp_path / "next").symlink_to("new")
    monkeypatch.chdir(tmp_path)
    batches = nina_vectors.open("yesterday").batches(2)
    first = next(batches)
    (tmp_path / "next").replace(tmp_path / "yesterday")
    monkeypatch.chdir("/")
    assert same_bits(np.concatenate([batch.vectors for batch in (first, *batches)]), Output(tmp_path / "old").vectors(8))


@pytest.mark.parametrize("moved", [False, True])
def test_an_output_that_grows_while_it_is_read_gives_the_rows_that_it_had(tmp_path: Path, moved: bool) -> None:
    shards = [write_shard(tmp_path / f"{n}.jsonl", make_documents(40, n)) for n in range(2)]
    embed(tmp_path / "out", shards[0], widths="8", block_lines=2)
    before, out = Output(tmp_path / "out").vectors(8), nina_vectors.open(tmp_path / "out")
    batches = out.batches(2)
    first = next(batches)
    if moved:
        shards[0] = shards[0].rename(tmp_path / "moved.jsonl")
    embed(tmp_path / "out", *shards, widths="8", block_lines=2, append=True)
    assert same_bits(np.concatenate([batch.vectors for batch in (first, *batches)]), before)
    assert out.rows == 40 and nina_vectors.open(tmp_path / "out").rows == 80


def newer_nina_went_on(out: Path) -> None:
    """As if a resume by a nina that knows more settings had written the manifest."""
    path = out / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["settings"] |= {"new_flag": False, "new_text": None, "new_number": 0}
    path.write_text(json.dumps(manifest))


def test_a_run_that_goes_on_under_another_name_class_or_nina_is_the_same_run(tmp_path: Path) -> None:
    shards = [write_shard(tmp_path / f"{n}.jsonl", make_documents(40, n)) for n in range(3)]
    options = {"device": "cpu", "widths": "8", "block_lines": 2}
    embed(tmp_path / "out", shards[0], precision="fp32", **options)
    before, out = Output(tmp_path / "out").vectors(8), nina_vectors.open(tmp_path / "out")
    batches = out.batches(2)
    read = [next(batches).vectors]
    shutil.copytree(MODEL, tmp_path / "other name")
    embed(tmp_path / "out", *shards[:2], append=True, precision="fp32", model=tmp_path / "other name", **options)
    assert Output(tmp_path / "out").manifest()["model"]["name"] == "other name"
    read.append(next(batches).vectors)
    embed(tmp_path / "out", *shards, append=True, precision="bf16", mixed=True, **options)
    assert len(Output(tmp_path / "out").manifest()["compute_class"]["mixed"]) == 2
    read.append(next(batches).vectors)
    newer_nina_went_on(tmp_path / "out")
    assert same_bits(np.concatenate([*read, *(batch.vectors for batch in batches)]), before)


@pytest.mark.parametrize("value, phrase", [
    ("[" * 100_000 + "]" * 100_000, "nested deeper than Python's json module reads; no damage"),  # Python 3.13 reads 10,000
    ("1" * 5_000, "an integer of more digits than Python reads; no damage"),
], ids=["deep", "long"])
def test_fields_that_python_cannot_parse_are_not_called_damaged(tmp_path: Path, value: str, phrase: str) -> None:
    shard = write_shard(tmp_path / "a.jsonl", [f'{{"text":"a","n":{value}}}'])
    embed(tmp_path / "out", shard, widths=8, keep_fields="n")
    with pytest.raises(nina_vectors.NinaError, match=phrase) as told:
        list(nina_vectors.open(tmp_path / "out").fields())
    assert not isinstance(told.value, nina_vectors.DamagedError)


def test_readers_of_one_output_do_not_disturb_each_other(tmp_path: Path) -> None:
    """More parts than files stay open: while ids are read on, threads read rows all over."""
    shard = write_shard(tmp_path / "a.jsonl", [{"id": f"{i} " + "x" * 300, "text": f"casa {i}"} for i in range(40_000)])
    embed(tmp_path / "out", shard, widths="8", id_field="id", block_lines=1000)
    out, rows = nina_vectors.open(tmp_path / "out"), Output(tmp_path / "out").vectors(8)
    copy = pickle.loads(pickle.dumps(out.vectors(8)))

    def read(seed: int) -> bool:
        places = np.random.default_rng(seed).integers(0, len(rows), 30)
        return all(same_bits(vectors[places], rows[places]) for vectors in (out.vectors(8), copy))

    with ThreadPoolExecutor(4) as pool:
        for number, row in enumerate(out.ids()):
            assert row.id.startswith(f"{number} ")
            if number % 5000 == 0:
                assert all(pool.map(read, range(number, number + 8)))


def test_a_list_of_parts_that_has_one_twice_is_damage(tmp_path: Path) -> None:
    (shard,) = make_archive(tmp_path / "in", (40,))
    embed(tmp_path / "out", shard, widths="8", block_lines=10)
    path = tmp_path / "out" / "manifest.json"
    for number, flipped in ((1, 3), (0, 2), (3, 2)):
        content = path.read_bytes()
        path.write_bytes(content.replace(b'"00000-0000%d", 10' % number, b'"00000-0000%d", 10' % flipped))
        with pytest.raises(nina_vectors.DamagedError, match="are not in order"):
            nina_vectors.open(tmp_path / "out")
        path.write_bytes(content)


def test_a_part_that_vanishes_before_it_is_opened_is_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nina_vectors import output

    embed(tmp_path / "out", write_shard(tmp_path / "a.jsonl", make_documents(3, 1)), widths="8")
    opened = output.NumberFile

    def removed(path: Path) -> output.NumberFile:
        path.unlink()
        return opened(path)

    monkeypatch.setattr(output, "NumberFile", removed)
    with pytest.raises(nina_vectors.DamagedError, match="w8/part-00000-00000.npy.zst is missing: start the same nina embed again"):
        nina_vectors.open(tmp_path / "out").vectors().read(0, 1)


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
