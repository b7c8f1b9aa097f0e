"""Model folders that a test may change: links to a golden model, with single files replaced."""

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from program import GOLDEN

Change = Callable[[Path], None]  # changes a model folder


def copy_model(folder: Path, source: Path) -> Path:
    """Fills `folder`/NAME with links to all files of the model `source`, and to folders that are links there."""
    for path in source.rglob("*"):
        target = folder / source.name / path.relative_to(source)
        if path.is_file() or path.is_symlink():
            target.parent.mkdir(parents=True, exist_ok=True)
            os.symlink(path, target)
    return folder / source.name


def replace(path: Path, content: bytes) -> None:
    """Replaces a link by a real file."""
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def remove(name: str) -> Change:
    return lambda model: (model / name).unlink()


def rename(name: str, other: str) -> Change:
    return lambda model: (model / name).rename(model / other)


def write(name: str, content: bytes) -> Change:
    return lambda model: replace(model / name, content)


def edit(name: str, change: Callable[[bytes], bytes]) -> Change:
    return lambda model: replace(model / name, change((model / name).read_bytes()))


def edit_json(name: str, change: Callable[[Any], None]) -> Change:
    """`change` edits the value in place."""

    def whole(content: bytes) -> bytes:
        value = json.loads(content)
        change(value)
        return json.dumps(value).encode()

    return edit(name, whole)


def set_json(name: str, **members: Any) -> Change:
    """Sets members of an object; None removes a member."""

    def change(value: dict[str, Any]) -> None:
        value |= members
        for key in [key for key, member in members.items() if member is None]:
            del value[key]

    return edit_json(name, change)


def join_weights(header: dict[str, Any] | bytes, data: bytes, size: int | None = None) -> bytes:
    """A safetensors file; `size` replaces the true header length."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + data


def edit_weights(change: Callable[[dict[str, Any], bytes], bytes]) -> Change:
    """Replaces the weights by what `change` makes from header and data."""

    def whole(content: bytes) -> bytes:
        (size,) = struct.unpack("<Q", content[:8])
        return change(json.loads(content[8 : 8 + size]), content[8 + size :])

    return edit("model.safetensors", whole)


def set_tensor(name: str, **members: Any) -> Change:
    """Sets members of a tensor's entry in the header."""
    return edit_weights(lambda header, data: join_weights(header | {name: header[name] | members}, data))


def set_number(name: str, place: int, number: float) -> Change:
    """Sets one number in an F32 tensor."""

    def change(header: dict[str, Any], data: bytes) -> bytes:
        start = header[name]["data_offsets"][0] + 4 * place
        return join_weights(header, data[:start] + struct.pack("<f", number) + data[start + 4 :])

    return edit_weights(change)


def read_weights(path: Path) -> dict[str, tuple[dict[str, Any], bytes]]:
    """Entry and bytes of every tensor in a safetensors file."""
    content = path.read_bytes()
    (size,) = struct.unpack("<Q", content[:8])
    header, data = json.loads(content[8 : 8 + size]), content[8 + size :]
    header.pop("__metadata__", None)
    return {name: (entry, data[slice(*entry["data_offsets"])]) for name, entry in header.items()}


def write_weights(path: Path, tensors: dict[str, tuple[dict[str, Any], bytes]]) -> None:
    header, data = {}, b""
    for name, (entry, content) in tensors.items():
        header[name] = entry | {"data_offsets": [len(data), len(data) + len(content)]}
        data += content
    path.write_bytes(join_weights(header, data))


def save_as_version_6(folder: Path) -> Path:
    """Turns a copy of the XLM-RoBERTa golden model into what sentence-transformers 6 would have saved: bert-mean-v6's files
    with this model's sizes. Both models have the same piece list, here only in tokenizer.json."""
    other = GOLDEN / "bert-mean-v6"
    for name in ("modules.json", "sentence_bert_config.json", "config_sentence_transformers.json", "tokenizer.json"):
        replace(folder / name, (other / name).read_bytes())
    tokenizer = json.loads((other / "tokenizer_config.json").read_text()) | {"model_max_length": 768}
    replace(folder / "tokenizer_config.json", json.dumps(tokenizer).encode())
    pooling = {"embedding_dimension": 128, "pooling_mode": "cls", "include_prompt": True}
    replace(folder / "1_Pooling" / "config.json", json.dumps(pooling).encode())
    tensors = {name.removeprefix("roberta."): tensor for name, tensor in read_weights(folder / "model.safetensors").items()}
    names, index = sorted(tensors), {}
    for number, part in enumerate((names[::2], names[1::2]), 1):
        file = f"model-{number:05d}-of-00002.safetensors"
        write_weights(folder / file, {name: tensors[name] for name in part})
        index |= dict.fromkeys(part, file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    for name in ("model.safetensors", "sentencepiece.bpe.model", "special_tokens_map.json"):
        (folder / name).unlink()
    return folder
