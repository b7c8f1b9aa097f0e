"""Model folders for a test to change: links to a golden one, of which single files are replaced."""

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from program import GOLDEN

Change = Callable[[Path], None]  # of a model folder


def copy_model(folder: Path, source: Path) -> Path:
    """`folder`/NAME with a link to every file of the model `source`."""
    for path in source.rglob("*"):
        target = folder / source.name / path.relative_to(source)
        if path.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            os.symlink(path, target)
    return folder / source.name


def replace(path: Path, content: bytes) -> None:
    """Writes a file of its own in the place of a link."""
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
    """`change` works on the value in its place."""

    def whole(content: bytes) -> bytes:
        value = json.loads(content)
        change(value)
        return json.dumps(value).encode()

    return edit(name, whole)


def set_json(name: str, **members: Any) -> Change:
    """Sets members of an object; None takes one out."""

    def change(value: dict[str, Any]) -> None:
        value |= members
        for key in [key for key, member in members.items() if member is None]:
            del value[key]

    return edit_json(name, change)


def join_weights(header: dict[str, Any] | bytes, data: bytes, size: int | None = None) -> bytes:
    """A safetensors file; `size` is a header's length that is not true."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + data


def edit_weights(change: Callable[[dict[str, Any], bytes], bytes]) -> Change:
    """Puts what `change` makes of header and data in the place of the weights."""

    def whole(content: bytes) -> bytes:
        (size,) = struct.unpack("<Q", content[:8])
        return change(json.loads(content[8 : 8 + size]), content[8 + size :])

    return edit("model.safetensors", whole)


def set_tensor(name: str, **members: Any) -> Change:
    """Sets members of a tensor's entry in the header."""
    return edit_weights(lambda header, data: join_weights(header | {name: header[name] | members}, data))


def set_number(name: str, place: int, number: float) -> Change:
    """Sets one number of a tensor of type F32."""

    def change(header: dict[str, Any], data: bytes) -> bytes:
        start = header[name]["data_offsets"][0] + 4 * place
        return join_weights(header, data[:start] + struct.pack("<f", number) + data[start + 4 :])

    return edit_weights(change)


def read_weights(path: Path) -> dict[str, tuple[dict[str, Any], bytes]]:
    """Entry and bytes of every tensor of a safetensors file."""
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
    """Makes of a copy of the XLM-RoBERTa golden model what sentence-transformers 6 would have saved: the files of
    bert-mean-v6 with this model's sizes. The two have one piece list, here in tokenizer.json alone."""
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
