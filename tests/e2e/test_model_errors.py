"""Model folders that cannot be used: never a crash, always a sentence that names the file and says what was expected."""

import math
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from models import (
    Change,
    copy_model,
    edit,
    edit_json,
    edit_weights,
    join_weights,
    remove,
    rename,
    replace,
    set_json,
    set_number,
    set_tensor,
    write,
)
from program import DONE, FAILED, FULL, GOLDEN, ROOT, USAGE, embed, nina
from shards import write_shard

OLD, NEW = GOLDEN / "xlmr-cls-v3", GOLDEN / "bert-mean-v6"
DENSE = GOLDEN / "modules" / "dense"
CONFIG, POOLING, MODULES = "config.json", "1_Pooling/config.json", "modules.json"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
SENTENCE = "sentence_bert_config.json"
PIECES, TOKENIZER = "sentencepiece.bpe.model", "tokenizer.json"
QUERY = "roberta.encoder.layer.0.attention.self.query.weight"
WORDS = "roberta.embeddings.word_embeddings.weight"


def set_module(index: int, **members: Any) -> Change:
    return edit_json(MODULES, lambda modules: modules[index].update(members))


def set_folder(name: str) -> Change:
    return lambda model: (model / name).mkdir()


def set_mark(tokenizer: dict[str, Any]) -> None:
    one = tokenizer["pre_tokenizer"]
    for metaspace in one.get("pretokenizers", [one]):
        if metaspace["type"] == "Metaspace":
            metaspace["replacement"] = "_"


def set_pieces(change: Callable[[list[Any]], Any]) -> Change:
    return edit_json(TOKENIZER, lambda value: value["model"].update(vocab=change(value["model"]["vocab"])))


def rename_tensor(header: dict[str, Any], data: bytes) -> bytes:
    return join_weights({"other" if name == QUERY else name: header[name] for name in header}, data)


TEXT = {"method": "forward", "method_output_name": "last_hidden_state"}

# A model, a change to it, and words from the sentence.
CASES: dict[str, tuple[Path, Change, *tuple[str, ...]]] = {
    # Configuration
    "no_config": (OLD, remove(CONFIG), CONFIG),
    "config_is_no_json": (OLD, write(CONFIG, b'{"model_type": '), CONFIG, "not valid JSON"),
    "config_is_a_list": (OLD, write(CONFIG, b"[]"), CONFIG),
    "unknown_type": (OLD, set_json(CONFIG, model_type="llama"), CONFIG, '"model_type" is "llama"', '"bert"'),
    "no_type": (OLD, set_json(CONFIG, model_type=None), CONFIG, '"model_type" is missing'),
    "other_activation": (OLD, set_json(CONFIG, hidden_act="relu"), CONFIG, '"hidden_act" is "relu"', "gelu"),
    "relative": (NEW, set_json(CONFIG, position_embedding_type="relative_key"), CONFIG, "relative_key"),
    "decoder": (NEW, set_json(CONFIG, is_decoder=True), CONFIG, "is_decoder"),
    "heads_do_not_divide": (OLD, set_json(CONFIG, num_attention_heads=3), CONFIG, "num_attention_heads"),
    "layers_of_no_tensor": (OLD, set_json(CONFIG, num_hidden_layers=3), "no tensor", "encoder.layer.2."),
    "hidden_of_another": (OLD, set_json(CONFIG, hidden_size=64), POOLING, "hidden_size"),
    "huge_hidden": (OLD, set_json(CONFIG, hidden_size=2**31), CONFIG, "hidden_size"),
    "negative_layers": (OLD, set_json(CONFIG, num_hidden_layers=-1), CONFIG, "num_hidden_layers"),
    "half_a_layer": (OLD, set_json(CONFIG, num_hidden_layers=2.5), CONFIG, "num_hidden_layers"),
    "rows_of_another": (OLD, set_json(CONFIG, vocab_size=641), "word_embeddings.weight"),
    # Modules and pooling
    "no_modules": (OLD, remove(MODULES), "no modules.json", "sentence-transformers"),
    "modules_is_an_object": (OLD, write(MODULES, b"{}"), MODULES),
    "unknown_module": (OLD, set_module(2, type="mine.Rescale"), MODULES, "mine.Rescale", "Dense"),
    "dense_of_no_folder": (OLD, set_module(2, type="sentence_transformers.models.Dense"), "2_Normalize/config.json"),
    "dense_of_other_inputs": (DENSE, set_json("2_Dense/config.json", in_features=128), "2_Dense/config.json", "in_features"),
    "dense_with_sigmoid": (
        DENSE,
        set_json("3_Dense/config.json", activation_function="torch.nn.modules.activation.Sigmoid"),
        "Sigmoid",
        "GELU",
    ),
    "dense_of_a_bias_that_is_left_out": (DENSE, set_json("2_Dense/config.json", bias=False), "2_Dense", "linear.bias"),
    "dense_of_a_null": (
        DENSE,
        edit("3_Dense/config.json", lambda text: re.sub(rb'"torch[^"]*"', b"null", text)),
        "3_Dense/config.json",
        '"activation_function" is null',
        "Identity",
    ),
    "dense_in_a_pickle": (
        DENSE,
        rename("3_Dense/model.safetensors", "3_Dense/pytorch_model.bin"),
        "3_Dense",
        "scripts/convert-model",
    ),
    "transformer_of_its_own": (OLD, set_module(0, type="custom_st.Transformer"), MODULES, "custom_st.Transformer", "classes of sentence_transformers"),
    "pooling_of_its_own": (OLD, set_module(1, type="custom_st.Pooling"), MODULES, "custom_st.Pooling"),
    "dense_of_its_own": (DENSE, set_module(2, type="custom_st.Dense"), MODULES, "custom_st.Dense"),
    "normalize_of_its_own": (OLD, set_module(2, type="sentence_transformersx.Normalize"), MODULES, "sentence_transformersx.Normalize"),
    "two_of_one_name": (DENSE, set_module(3, name="2"), MODULES, '"name" is "2"'),
    "module_outside": (OLD, set_module(1, path="../elsewhere"), MODULES, '"path"'),
    "pooling_is_a_string": (OLD, write(POOLING, b'"cls"'), POOLING, "does not hold a JSON object"),
    "limits_are_a_list": (OLD, write(SENTENCE, b"[]"), SENTENCE, "does not hold a JSON object"),
    "flag_of_1": (OLD, set_json(POOLING, pooling_mode_mean_tokens=1), POOLING, "pooling_mode_mean_tokens", "true or false"),
    "normalize_of_tokens": (
        NEW,
        set_json("2_Normalize/config.json", module_input_name="token_embeddings"),
        "2_Normalize/config.json",
        "module_input_name",
        "the pooled row",
    ),
    "another_head": (NEW, set_json(SENTENCE, transformer_task="fill-mask"), SENTENCE, "transformer_task", "feature-extraction"),
    "another_output": (
        NEW,
        set_json(SENTENCE, modality_config={"text": {"method": "forward", "method_output_name": "logits"}}),
        SENTENCE,
        "method_output_name",
        "last_hidden_state",
    ),
    "a_chat_template": (
        NEW,
        set_json(SENTENCE, modality_config={"text": TEXT, "message": TEXT | {"format": "flat"}}),
        SENTENCE,
        '"message" is {',
        "chat templates",
    ),
    "a_chat_template_of_the_tokenizer": (OLD, set_json("tokenizer_config.json", chat_template="{{ m }}"), "tokenizer_config.json", "chat_template", "chat templates"),
    "a_chat_template_in_a_file": (OLD, write("chat_template.jinja", b"{{ m }}"), "chat_template.jinja", "chat templates"),
    "chat_templates_in_a_folder": (OLD, set_folder("additional_chat_templates"), "additional_chat_templates", "chat templates"),
    "no_pooling": (OLD, remove(POOLING), POOLING),
    "unknown_flag": (OLD, set_json(POOLING, pooling_mode_median=True), POOLING, "pooling_mode_median", "lasttoken"),
    "unknown_pooling": (NEW, set_json(POOLING, pooling_mode="median"), POOLING, '"median"', '"weightedmean"'),
    "twice_the_same": (NEW, set_json(POOLING, pooling_mode=["max", "max"]), POOLING, "a list of different ones"),
    "cls_without_prompt": (OLD, set_json(POOLING, include_prompt=False), POOLING, "include_prompt", "without cls"),
    # Weights
    "no_weights": (OLD, remove(WEIGHTS), WEIGHTS),
    "weights_of_another_name": (OLD, set_json(CONFIG, transformers_weights="tuned.safetensors"), CONFIG, '"transformers_weights" is "tuned.safetensors"'),
    "pytorch_weights": (OLD, rename(WEIGHTS, "pytorch_model.bin"), "pytorch_model.bin", WEIGHTS),
    "weights_are_a_pointer": (
        OLD,
        write(WEIGHTS, b"version https://git-lfs.github.com/"),
        WEIGHTS,
        "Git LFS",
    ),
    "weights_empty": (OLD, write(WEIGHTS, b""), WEIGHTS, "empty"),
    "weights_of_three_bytes": (OLD, write(WEIGHTS, b"\x08\0\0"), WEIGHTS, "it has 3 bytes"),
    "weights_cut": (OLD, edit(WEIGHTS, lambda content: content[:-1]), WEIGHTS, "cut short"),
    "weights_too_long": (OLD, edit(WEIGHTS, lambda content: content + b"x"), WEIGHTS, "last 1 bytes"),
    "header_past_the_end": (OLD, edit_weights(lambda h, d: join_weights(h, d, 2**40)), WEIGHTS, "header"),
    "header_of_ones": (OLD, edit_weights(lambda h, d: join_weights(h, d, 2**64 - 1)), WEIGHTS, "header"),
    "header_is_no_json": (OLD, edit_weights(lambda _, d: join_weights(b"{" * 100_000, d)), "not JSON"),
    "header_is_a_list": (
        OLD,
        edit_weights(lambda _, d: join_weights(b"[]", d)),
        WEIGHTS,
        "not a JSON object",
    ),
    "tensor_past_the_end": (OLD, set_tensor(QUERY, data_offsets=[0, 2**40]), WEIGHTS, QUERY, "said to lie"),
    "tensor_backwards": (OLD, set_tensor(QUERY, data_offsets=[8, 4]), WEIGHTS, QUERY, "said to lie"),
    "tensor_below_0": (OLD, set_tensor(QUERY, data_offsets=[-4, 4]), WEIGHTS, QUERY, "data_offsets"),
    "tensor_over_another": (OLD, set_tensor(QUERY, data_offsets=[0, 4 * 128 * 128]), WEIGHTS, "overlaps"),
    "tensor_of_another_shape": (OLD, set_tensor(QUERY, shape=[128, 127]), WEIGHTS, QUERY, "do not take"),
    "tensor_of_a_huge_shape": (OLD, set_tensor(QUERY, shape=[2**62, 2**62]), WEIGHTS, QUERY, "64 bits"),
    "tensor_turned": (OLD, set_tensor(WORDS, shape=[128, 640]), WORDS, "[640, 128]"),
    "tensor_of_integers": (OLD, set_tensor(QUERY, dtype="I32"), QUERY, "I32"),
    "tensor_of_no_type": (OLD, set_tensor(QUERY, dtype=None), WEIGHTS, QUERY, "dtype"),
    "tensor_missing": (OLD, edit_weights(rename_tensor), "layer.0.attention.self.query.weight"),
    "weight_not_a_number": (OLD, set_number(QUERY, 7, math.nan), "number 7 of tensor " + QUERY + " is nan"),
    "word_infinite": (OLD, set_number(WORDS, 81_919, -math.inf), "number 81919 of tensor " + WORDS + " is -inf"),
    "index_is_no_json": (NEW, write(INDEX, b"nothing"), INDEX, "not valid JSON"),
    "index_leads_outside": (NEW, set_json(INDEX, weight_map={"a": "../../x"}), INDEX, "../../x"),
    "half_of_the_weights": (NEW, remove("model-00002-of-00002.safetensors"), "model-00002-of-00002"),
    # Tokenizer
    "no_tokenizer": (OLD, remove(PIECES), PIECES),
    "other_tokenizer": (OLD, rename(PIECES, "sentencepiece.model"), PIECES),
    "pieces_are_no_model": (OLD, write(PIECES, b"not a model"), PIECES),
    "pieces_empty": (OLD, write(PIECES, b""), PIECES),
    "pieces_cut": (OLD, edit(PIECES, lambda content: content[:100_000]), PIECES),
    "bpe": (NEW, edit_json(TOKENIZER, lambda value: value["model"].update(type="BPE")), TOKENIZER, "BPE"),
    "tokenizer_of_versions": (
        NEW,
        set_json("tokenizer_config.json", fast_tokenizer_files=["tokenizer.json", "tokenizer.4.0.0.json"]),
        "tokenizer_config.json",
        "tokenizer.4.0.0.json",
    ),
    "another_mark": (NEW, edit_json(TOKENIZER, set_mark), TOKENIZER, '"pre_tokenizer"', "replacement"),
    "tokenizer_cut": (NEW, write(TOKENIZER, b'{"model":{"type":"Unigram"'), TOKENIZER, "not valid JSON"),
    "tokenizer_without_model": (NEW, write(TOKENIZER, b"{}"), TOKENIZER),
    "pieces_without_scores": (NEW, set_pieces(lambda pieces: [piece for piece, _ in pieces]), TOKENIZER),
    "pieces_are_no_list": (NEW, set_pieces(lambda pieces: {}), TOKENIZER),
    "more_pieces_than_rows": (
        NEW,
        set_pieces(lambda pieces: [*pieces, *([f"▁x{i}", -9.0] for i in range(50))]),
        TOKENIZER,
        "word table",
    ),
}


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    return write_shard(tmp_path / "a.jsonl", [{"text": "a"}])


@pytest.mark.sanitize
@pytest.mark.parametrize("case", CASES)
def test_folder_that_cannot_be_used_is_told_by_file(tmp_path: Path, shard: Path, case: str) -> None:
    source, change, *words = CASES[case]
    model = copy_model(tmp_path, source)
    change(model)
    error = embed(tmp_path / "out", shard, model=model, status=(FAILED, USAGE)).error
    assert all(word in error for word in (str(model), *words)), error
    assert not (tmp_path / "out").exists()
    if case != "more_pieces_than_rows":  # info can describe this folder
        assert nina("info", model, status=FAILED).error == error


def test_chat_template_of_a_model_that_says_that_it_takes_texts_is_passed_over(tmp_path: Path) -> None:
    model = copy_model(tmp_path, OLD)
    set_json("tokenizer_config.json", chat_template="{{ m }}")(model)
    set_json(SENTENCE, modality_config={"text": TEXT})(model)
    nina("info", model)


def test_missing_model_folder_is_named(tmp_path: Path, shard: Path) -> None:
    for path in (tmp_path / "none", shard):
        assert str(path) in embed(tmp_path / "out", shard, model=path, status=USAGE).error
        assert str(path) in nina("tokenize", "--model", path, status=USAGE).error


@pytest.mark.sanitize
@pytest.mark.parametrize(
    ("source", "name"),
    [
        *((OLD, name) for name in (WEIGHTS, CONFIG, MODULES, POOLING, PIECES)),
        *((NEW, name) for name in (TOKENIZER, INDEX, "tokenizer_config.json")),
    ],
)
def test_file_with_flipped_bytes_is_used_or_refused(tmp_path: Path, source: Path, name: str) -> None:
    model, rng = copy_model(tmp_path, source), random.Random(name)
    whole = (model / name).read_bytes()
    header = 20_000 if name == WEIGHTS else len(whole)  # any number is a valid weight
    for _ in range(200 if FULL else 8):
        content = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            content[rng.randrange(header)] = rng.randrange(256)
        replace(model / name, bytes(content))
        result = nina("tokenize", "--model", model, stdin="l'ajuntament 😀\n".encode(), status=(DONE, FAILED))
        assert result.status == DONE or (str(model) in result.error and result.stdout == "")
        nina("info", model, status=(DONE, FAILED))


@pytest.mark.parametrize("name", [CONFIG, TOKENIZER, WEIGHTS])
def test_pipe_in_a_models_place_is_refused_and_not_waited_for(tmp_path: Path, name: str) -> None:
    model = copy_model(tmp_path, NEW if name == TOKENIZER else OLD)
    (model / name).unlink(missing_ok=True)
    os.mkfifo(model / name)
    shard = write_shard(tmp_path / "a.jsonl", [{"text": "plaça"}])
    error = embed(tmp_path / "out", shard, model=model, device="cpu", status=(FAILED, USAGE)).error
    assert f"{model / name} is a pipe or a device: expected a regular file" in error


def test_a_vocabulary_that_is_cut_is_warned_of(tmp_path: Path) -> None:
    """The reference takes such a folder, and embeds unknown words."""
    shard = tmp_path / "in.jsonl"
    write_shard(shard, [{"text": "una frase"}])
    whole, cut = GOLDEN / "bert-uncased", copy_model(tmp_path, GOLDEN / "bert-uncased")
    lines = (cut / "vocab.txt").read_text().splitlines(keepends=True)
    replace(cut / "vocab.txt", "".join(lines[: len(lines) // 2]).encode())
    for folder, warned in ((whole, False), (cut, True)):
        assert ("most words are unknown" in nina("info", folder).stdout) == warned
        result = embed(tmp_path / f"out-{warned}", shard, model=folder, device="cpu")
        assert ("vocab.txt has 310 pieces, and the word table 621 rows" in result.stderr) == warned


STUBS = {  # of the packages that convert-model needs, in place of which a file of weights is a JSON object
    "torch.py": "import json\nclass Tensor(str):\n    detach = contiguous = clone = lambda self: self\n"
    "def load(path, **how):\n    return {name: Tensor(of) if isinstance(of, str) else of for name, of in json.load(open(path)).items()}\n",
    "safetensors/__init__.py": "",  # without it Python would take an installed package
    "safetensors/torch.py": "import json\ndef save_file(weights, path, metadata):\n    json.dump(weights, open(path, 'w'))\n",
}


def test_convert_model_leaves_a_whole_folder_or_none(tmp_path: Path) -> None:
    for name, content in STUBS.items():
        (tmp_path / "stubs" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "stubs" / name).write_text(content)
    (tmp_path / "model" / "2_Dense").mkdir(parents=True)
    (tmp_path / "model" / "pytorch_model.bin").write_text('{"a": "1"}')
    dense, out = tmp_path / "model" / "2_Dense" / "pytorch_model.bin", tmp_path / "out"
    command = [sys.executable, "-B", ROOT / "scripts" / "convert-model", tmp_path / "model", out]
    for content, phrase in (('{"torn', "JSON"), ('{"state": {"b": "2"}}', "holds no tensors by their names"), ('{"b": "2"}', "")):
        dense.write_text(content)
        done = subprocess.run(command, env={"PYTHONPATH": str(tmp_path / "stubs")}, capture_output=True, text=True, check=False)
        assert (done.returncode != 0) == bool(phrase) and phrase in done.stderr and out.exists() == (not phrase)
        assert not out.with_name("out.unfinished").exists()
    assert (out / "model.safetensors").read_text() == '{"a": "1"}' and (out / "2_Dense" / "model.safetensors").read_text() == '{"b": "2"}'
