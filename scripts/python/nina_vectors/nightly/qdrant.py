"""python -m nina_vectors.nightly.qdrant NEW [changes.jsonl] --url http://HOST:6333

Does in a collection of Qdrant what `nina diff OLD NEW > changes.jsonl` says. Without changes it makes the collection, and
puts all rows of NEW into it: the first night. (What a collection has already, and NEW has not, stays.) Qdrant has no
transactions: during the update a search may find rows of both nights. If it is stopped, start it again.
"""

from __future__ import annotations

import argparse
import json
import sys
import uuid
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import Output, Row, UsageError, open as open_output
from ..changes import changes_read
from ..command_line import run
from ..errors import NinaError, needs

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

POINTS_AT_ONCE = 256
REQUEST_BYTES = 8 << 20  # after which a request has no more points; a server takes 32 MB (service.max_request_size_mb)
NUMBER_BYTES = 22  # of JSON
# A point's id is a number or a UUID, so a document's id becomes one; it stands in the payload too.
NAMESPACE = uuid.UUID("f3b1a3c2-8c1e-5f0b-9d3a-6e696e610001")


def point_id(row_id: str | int, chunk: int | None) -> str:
    return str(uuid.uuid5(NAMESPACE, f"{chunk or 0} {row_id}"))


def payload_of(row: Row) -> dict[str, Any]:
    said: dict[str, Any] = {"id": row.id.id}
    if row.id.chunk is not None:
        said |= {"chunk": row.id.chunk, "start": row.id.start, "end": row.id.end}
    if row.text is not None:
        said["text"] = row.text
    if row.fields is not None:
        said["fields"] = row.fields
    return said


def put(client: QdrantClient, collection: str, new: Output, numbers: list[int], width: int | None) -> None:
    """Puts rows of NEW in the place of those with the same ids."""
    from qdrant_client.models import PointStruct

    points: list[PointStruct] = []
    size = 0
    for row in new.take(numbers, width):
        payload = payload_of(row)
        points.append(PointStruct(id=point_id(row.id.id, row.id.chunk), vector=row.vector.tolist(), payload=payload))
        size += len(json.dumps(payload)) + NUMBER_BYTES * len(row.vector)
        if size >= REQUEST_BYTES:
            client.upsert(collection, points, wait=True)
            points, size = [], 0
    if points:
        client.upsert(collection, points, wait=True)


def points_of(new: Output) -> int:
    """How many points the rows of NEW are: rows with the same id are one. In 17 bytes of memory a row."""
    ids = np.empty((new.rows, 16), np.uint8)
    for number, row in enumerate(new.ids()):
        ids[number] = np.frombuffer(uuid.UUID(point_id(row.id, row.chunk)).bytes, np.uint8)
    points = ids.view("V16").ravel()
    points.sort()
    return int(np.count_nonzero(points[1:] != points[:-1])) + min(1, new.rows)


def check_width(client: QdrantClient, collection: str, width: int) -> None:
    there = client.get_collection(collection).config.params.vectors
    if getattr(there, "size", None) != width:
        raise UsageError(f"the collection {collection} has other vectors than of {width} numbers: give its --width, or another "
                         "--collection")


def collection_make(client: QdrantClient, collection: str, width: int) -> bool:
    """Rows have length 1, so the dot product is the cosine; a row of zeros has none. False if the collection is there."""
    from qdrant_client.models import Datatype, Distance, VectorParams

    if client.collection_exists(collection):  # a first night that was stopped
        check_width(client, collection, width)
        return False
    client.create_collection(collection, VectorParams(size=width, distance=Distance.DOT, datatype=Datatype.FLOAT16))
    return True


def in_lots(items: Iterator[Any]) -> Iterator[list[Any]]:
    while lot := list(islice(items, POINTS_AT_ONCE)):
        yield lot


def apply(client: QdrantClient, collection: str, new: Output, changes: Path | None, width: int | None) -> None:
    from qdrant_client.models import PointIdsList

    if changes is None:
        made = collection_make(client, collection, new.vectors(width).shape[1])
        for lot in in_lots(iter(range(new.rows))):
            put(client, collection, new, lot, width)
        points = client.count(collection, exact=True).count if made else points_of(new)
        if points < new.rows:
            raise NinaError(f"the collection {collection} has {points} points for {new.rows} rows: of documents with the same id "
                            f"only one stays (nina diff {new.path} {new.path} names some)")
        return
    if not client.collection_exists(collection):
        raise UsageError(f"there is no collection {collection}: leave CHANGES out to make it of all of {new.path}")
    check_width(client, collection, new.vectors(width).shape[1])
    with changes.open("rb") as file:
        for lot in in_lots(changes_read(new, file)):
            written = [change.number for change in lot if change.number is not None]
            removed: list[int | str | uuid.UUID] = [point_id(change.id, change.chunk) for change in lot if change.number is None]
            if written:
                put(client, collection, new, written, width)
            if removed:
                client.delete(collection, PointIdsList(points=removed), wait=True)


def connect(words: argparse.Namespace) -> QdrantClient:
    from qdrant_client import QdrantClient

    if words.path:
        return QdrantClient(path=str(words.path))
    try:
        return QdrantClient(words.url)
    except ValueError as error:
        raise UsageError(f"--url {words.url} is no address of a server ({error}); expected one such as http://localhost:6333") from error


def connect_and_apply(words: argparse.Namespace) -> None:
    try:
        from qdrant_client.http.exceptions import ApiException
    except ImportError as error:
        raise needs("qdrant-client", "this script") from error
    with open_output(words.new) as new:
        if not new.complete:
            raise UsageError(f"{words.new} is not complete: start the same nina embed again first")
        try:
            client = connect(words)
            try:
                apply(client, words.collection, new, words.changes, words.width)
            finally:
                client.close()
        except (ApiException, RuntimeError) as error:  # no server, or no permission; a folder that another client has open
            raise NinaError(f"Qdrant at {words.path or words.url}: {error}; start the same command again to go on") from error


def main() -> int:
    parser = argparse.ArgumentParser("nina_vectors.nightly.qdrant", description="Brings a collection of Qdrant to NEW's rows.")
    parser.add_argument("new", metavar="NEW", type=Path, help="the second output that nina diff compared")
    parser.add_argument("changes", metavar="CHANGES", type=Path, nargs="?", help="what nina diff printed (default: all of NEW)")
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--url", help="of the server, such as http://localhost:6333")
    place.add_argument("--path", type=Path, help="a folder: the client's local mode, without a server, for small collections")
    parser.add_argument("--collection", default="nina", help="its name (default nina)")
    parser.add_argument("--width", type=int, help="of the collection's vectors (default: the widest)")
    words = parser.parse_args()
    return run(lambda: connect_and_apply(words), words.new)


if __name__ == "__main__":
    sys.exit(main())
