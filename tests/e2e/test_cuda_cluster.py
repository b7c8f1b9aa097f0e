"""Ranks with cards on two hosts, on the CUDA runtime and the NCCL in tests/fake_cuda: the same bytes as one rank."""

import json
from pathlib import Path

import pytest

from cluster import Cluster
from hosts import embed_on, needs_hosts
from many import needs_mpirun
from output import Output
from program import PROGRAM, USAGE, embed, nina
from shards import make_documents, write_shard
from test_cuda_ranks import OPTIONS

pytestmark = [
    needs_mpirun,
    needs_hosts,
    pytest.mark.skipif("fake-cuda" not in PROGRAM.name, reason="needs nina on the fake CUDA runtime: NINA=…/nina-fake-cuda"),
]


def test_cards_on_two_hosts_give_the_bytes_of_one_and_one_rank_a_host_reads_the_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each host has two cards, which have the numbers and places of the other host's."""
    monkeypatch.setenv("FAKE_CUDA_CARDS", "2")
    shard = write_shard(tmp_path / "a.jsonl.zst", make_documents(120, 1))
    embed(tmp_path / "alone", shard, **OPTIONS)
    monkeypatch.setenv("FAKE_CUDA_LOG", str(tmp_path / "rank"))
    with Cluster(2, [tmp_path, PROGRAM.parent]) as cluster:
        embed_on(cluster, {"node1": 2, "node2": 2}, tmp_path / "out", shard, **OPTIONS)
        counts = [json.loads((tmp_path / f"rank{rank}").read_text()) for rank in range(4)]
        refused = embed_on(cluster, {"node1": 2, "node2": 3}, tmp_path / "more", shard, status=USAGE, **OPTIONS)
    refused.says("3 ranks on node2 have 2 CUDA cards to share")
    # Each card gets the batches from its host; only the host's first card gets the weights too.
    assert [count["broadcast"] for count in counts] == [1, 1, 1, 1]
    assert [count["copies_up"] > count["pool"] for count in counts] == [True, False, True, False]
    assert Output(tmp_path / "out").embedding() == Output(tmp_path / "alone").embedding()
    monkeypatch.delenv("FAKE_CUDA_LOG")
    nina("verify", tmp_path / "out")
