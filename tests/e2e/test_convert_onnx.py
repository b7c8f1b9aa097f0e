"""scripts/convert-onnx, with stand-ins for the packages onnx and safetensors: a graph is what they would read."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace as Named
from typing import Any

import numpy as np
import pytest

from models import read_weights
from output import Output, same_bits
from program import GOLDEN, ROOT, embed
from shards import make_archive

MODEL = GOLDEN / "bert-uncased"  # 2 heads of 32 numbers
STAND_INS = {
    "onnx/__init__.py": "import pickle\nGraphProto = object\ndef load(path):\n    return pickle.load(open(path, 'rb'))\n",
    "onnx/numpy_helper.py": "def to_array(tensor):\n    return tensor.array\n",
    "safetensors/numpy.py": """import sys
sys.path.append(%r)
from models import write_weights
def save_file(tensors, path, metadata):
    write_weights(path, {name: ({"dtype": "F16", "shape": list(tensor.shape)}, tensor.tobytes()) for name, tensor in tensors.items()})
"""
    % str(ROOT / "tests" / "e2e"),
}


def node(kind: str, inputs: list[str], output: str, *attributes: Any) -> Named:
    return Named(op_type=kind, input=inputs, output=[output], attribute=attributes)


def graph_of(weights: dict[str, np.ndarray], shape: str) -> Named:
    """As PyTorch exports it: a matrix has lost its name and is transposed. `shape`: how the queries' Reshape has its own."""
    stored, nodes = {}, []
    for number, (name, tensor) in enumerate(weights.items()):
        bias = f"{name.removesuffix('weight')}bias"
        if not name.endswith("weight") or tensor.ndim != 2 or "embeddings" in name:
            stored[name] = tensor
            continue
        stored[f"onnx::MatMul_{number}"] = np.ascontiguousarray(tensor.T)
        nodes += [node("MatMul", ["x", f"onnx::MatMul_{number}"], f"{name}/product"), node("Add", [bias, f"{name}/product"], name)]
        if name.endswith("query.weight") and shape:
            nodes.append(node("Reshape", [name, f"{name}/shape"], f"{name}/heads"))
        if name.endswith("query.weight") and shape == "computed":
            value = Named(name="value", t=Named(array=np.array([32])))
            nodes += [node("Constant", [], "size", value), node("Concat", ["batch", "length", "heads", "size"], f"{name}/shape")]
        if name.endswith("query.weight") and shape == "constant":
            stored[f"{name}/shape"] = np.array([0, 0, -1, 32])
    return Named(node=nodes, initializer=[Named(name=name, array=array) for name, array in stored.items()])


def convert(folder: Path, shape: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Converts the model's graph on the base of the same model with another number of heads."""
    for name, content in STAND_INS.items():
        (folder / "modules" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "modules" / name).write_text(content)
    weights = {
        name: np.frombuffer(content, np.float16).reshape(entry["shape"])
        for name, (entry, content) in read_weights(MODEL / "model.safetensors").items()
    }
    (folder / "model.onnx").write_bytes(pickle.dumps(Named(graph=graph_of(weights, shape))))
    base = folder / "base"
    base.mkdir()
    for path in MODEL.iterdir():
        (base / path.name).symlink_to(path)
    (base / "config.json").unlink()
    (base / "config.json").write_text(json.dumps(json.loads((MODEL / "config.json").read_text()) | {"num_attention_heads": 4}))
    command = [sys.executable, "-B", ROOT / "scripts" / "convert-onnx", *options, folder / "model.onnx", base, folder / "made"]
    return subprocess.run(command, env=os.environ | {"PYTHONPATH": str(folder / "modules")}, capture_output=True, text=True)


@pytest.mark.parametrize(("shape", "options"), [("computed", ()), ("constant", ()), ("", ("--heads", "2"))])
def test_converted_model_gives_the_rows_of_the_one_that_was_exported(tmp_path: Path, shape: str, options: tuple[str, ...]) -> None:
    done = convert(tmp_path, shape, *options)
    assert done.returncode == 0, done.stderr
    shards = make_archive(tmp_path / "in", (30,))
    for name, model in ("made", tmp_path / "made"), ("exported", MODEL):
        embed(tmp_path / f"of {name}", *shards, model=model, device="cpu", widths="64")
    assert same_bits(Output(tmp_path / "of made").vectors(64), Output(tmp_path / "of exported").vectors(64))


def test_number_of_heads_is_never_guessed(tmp_path: Path) -> None:
    done = convert(tmp_path, "")
    assert done.returncode == 1 and "the number of attention heads cannot be read from it: give --heads N" in done.stderr
    assert not (tmp_path / "made").exists()
