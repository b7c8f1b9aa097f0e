"""Random evaluations against the definitions: every stored row is compared, and each metric is computed from its formula.

    test_eval_random.py [--rounds N] [--seed M]      by hand

Rows are coarse, so that many tie, and some are zero or equal; judgements are graded, negative, repeated, of missing passages
and of missing queries, in every form; there are queries without any, and queries that are passages.
"""

import argparse
import json
import math
import random
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from output import Output, derive, seekable, unzstd
from program import FULL, embed, nina
from shards import write_shard

METRICS = [f"{kind}@{k}" for kind in ("accuracy", "precision", "recall", "ndcg", "mrr", "map") for k in (1, 7, 150)]
Judgement = tuple[str, str, int]
FORMS = [  # heading and line; none: JSON
    ("query-id\tcorpus-id\tscore\n", "{}\t{}\t{}\n"),
    ("", '"{}"\t{}\t{}\r\n'),
    ("", "{} 0 {} {}\n"),
    ("", "{}\t0\t{}\t{}.0\n"),
    ("", ""),
]


def metric(name: str, relevant: list[bool], total: int) -> float:
    """`relevant` tells of each hit, best first; `total` passages are relevant."""
    kind, k = name.split("@")[0], int(name.split("@")[1])
    ranks = [rank for rank, is_relevant in enumerate(relevant[:k], 1) if is_relevant]
    if kind == "accuracy":
        return float(bool(ranks))
    if kind == "precision":
        return len(ranks) / k
    if kind == "recall":
        return len(ranks) / total
    if kind == "mrr":
        return 1 / ranks[0] if ranks else 0.0
    if kind == "map":
        return sum(found / rank for found, rank in enumerate(ranks, 1)) / min(k, total)
    return sum(1 / math.log2(rank + 1) for rank in ranks) / sum(1 / math.log2(rank + 1) for rank in range(1, min(k, total) + 1))


def scores(queries: np.ndarray, passages: np.ndarray) -> np.ndarray:
    """[queries, passages] sums in fp32 of exact products, dimension by dimension."""
    sums = np.zeros((len(queries), len(passages)), np.float32)
    for query, passage in zip(queries.T.astype(np.longdouble), passages.T.astype(np.longdouble)):
        sums = (query[:, None] * passage + sums).astype(np.float32)
    return sums


def narrow(rows: np.ndarray, width: int) -> np.ndarray:
    if width == rows.shape[1]:
        return rows
    with np.errstate(divide="ignore", invalid="ignore"):
        derived = derive(rows, width)
    derived[~rows[:, :width].any(axis=1)] = 0
    return derived


def store(run: Output, width: int, rows: np.ndarray, frame: int) -> None:
    """Puts rows in the place of a run's, `frame` rows to a frame."""
    first = 0
    for path, old in zip(run.parts(f"w{width}"), run.part_vectors(width), strict=True):
        part, head = rows[first : first + len(old)], unzstd([path])[: -old.nbytes]
        frames = [part[at : at + frame].tobytes() for at in range(0, len(part), frame)]
        run.replace(path, seekable([head, *frames]))
        first += len(old)


def make_rows(dice: random.Random, count: int, width: int) -> np.ndarray:
    numbers = np.random.default_rng(dice.randrange(1 << 30))
    rows = numbers.integers(-1, 2, (count, width)) / 8 if dice.random() < 0.6 else numbers.standard_normal((count, width)) / 8
    rows[numbers.random(count) < 0.1] = 0
    alike = numbers.random(count) < 0.2
    rows[alike] = rows[0]
    return rows.astype("<f2")


def make_judgements(dice: random.Random, queries: list[str], passages: list[str]) -> list[Judgement]:
    lines: list[Judgement] = []
    for query in [*queries, "no-query"]:
        for passage in dice.sample(passages, min(len(passages), dice.choice([0, 1, 3, 100]))) + ["no-passage"] * dice.randint(0, 1):
            lines.append((query, passage, dice.choice([1, 1, 2, 0, -1])))
    lines += [(query, passage, dice.choice([1, 0])) for query, passage, _ in dice.sample(lines, len(lines) // 8)]
    dice.shuffle(lines)
    return [*lines, (queries[0], passages[0], 1)]  # one at least is relevant


def write_judgements(dice: random.Random, folder: Path, lines: list[Judgement]) -> None:
    folder.mkdir()
    head, form = dice.choice(FORMS)
    if form:
        (folder / "test.tsv").write_text(head + "".join(form.format(*line) for line in lines), newline="")
    else:
        write_shard(folder / "test.jsonl", [dict(zip(("query-id", "corpus-id", "score"), line)) for line in lines])


def evaluation_round(seed: int, folder: Path) -> None:
    dice = random.Random(seed)
    folder.mkdir()
    width = dice.choice([64, 40, 33])
    widths = sorted({width, dice.randint(1, width)}, reverse=True)
    passages = [f"{dice.choice(['d', 'D', 'ç', ''])}{i}" for i in range(dice.choice([1, 30, 700, 3000]))]
    dice.shuffle(passages)
    queries = list(dict.fromkeys(dice.choice([f"q{i}", passages[i % len(passages)]]) for i in range(dice.choice([1, 13, 30]))))
    lines = make_judgements(dice, queries, passages)
    write_judgements(dice, folder / "qrels", lines)
    grades: dict[str, dict[str, int]] = {}
    for query, passage, grade in lines:
        grades.setdefault(query, {})[passage] = grade
    relevant = {query: {passage for passage, grade in own.items() if grade > 0} for query, own in grades.items()}
    rows = {}
    for side, ids in ("corpus", passages), ("queries", queries):
        shard = write_shard(folder / f"{side}.jsonl", [{"_id": id, "text": f"un text {i}"} for i, id in enumerate(ids)])
        embed(folder / side, shard, id_field="_id", widths=width, block_lines=dice.choice([1 if len(ids) < 99 else 64, 500, 9000]))
        rows[side] = make_rows(dice, len(ids), width)
        store(Output(folder / side), width, rows[side], dice.choice([7, 512]))
    options: list[Any] = ["--widths", ",".join(map(str, widths)), "--metrics", ",".join(METRICS), "--threads", dice.randint(1, 3)]
    nina("eval", "--vectors", folder, "--data", folder, "--device", "null", "--out", folder / "out", *options)
    told = json.loads((folder / "out/metrics.json").read_text())
    judged = [query for query in queries if relevant.get(query)]
    assert told["queries"]["ids"] == judged
    by_id = np.argsort(np.argsort([id.encode() for id in passages]))
    for own in widths:
        run = [line.split() for line in (folder / f"out/run.w{own}.trec").read_text().splitlines()]
        all_scores = scores(narrow(rows["queries"], own), narrow(rows["corpus"], own))
        for number, query in enumerate(judged):
            best = np.lexsort((by_id, -all_scores[queries.index(query)]))[:150]
            hits = [line for line in run if line[0] == query]
            assert [line[2] for line in hits] == [passages[row] for row in best]
            assert np.all(np.diff([np.float32(line[4]) for line in hits]) < 0)
            flags = [passages[row] in relevant[query] for row in best]
            for name in METRICS:
                value = told["queries"][f"dim_{own}"][f"cosine_{name}"][number]
                assert abs(value - metric(name, flags, len(relevant[query]))) < 1e-12, (query, name)
        for name in METRICS:
            values = told["queries"][f"dim_{own}"][f"cosine_{name}"]
            assert abs(told["metrics"][f"dim_{own}"][f"cosine_{name}"] - np.mean(values)) < 1e-12


@pytest.mark.parametrize("seed", range(100 if FULL else 6))
def test_evaluation_is_what_its_definitions_say(seed: int, tmp_path: Path) -> None:
    evaluation_round(seed, tmp_path / "set")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="of the first round")
    arguments = parser.parse_args()
    for seed in range(arguments.seed, arguments.seed + arguments.rounds):
        with tempfile.TemporaryDirectory() as folder:
            evaluation_round(seed, Path(folder) / "set")
        print(f"seed {seed}", flush=True)


if __name__ == "__main__":
    main()
