#!/usr/bin/env python3
"""What PyTorch and sentence-transformers do on the same card: `ceiling` and `encode`, for the script `run` beside this file.

Prints JSON lines. Exit status 77: this Python has not got what it takes.
"""
import argparse
import io
import json
import subprocess
import sys
import time
from pathlib import Path

STARTED = time.perf_counter()  # the imports below may take many seconds, which --seconds counts

try:
    import numpy as np
    import torch
except ImportError as missing:
    print(f"{missing}: nothing to compare with", file=sys.stderr)
    sys.exit(77)

BATCH_SIZES = (64, 128, 256, 512, 1024)
READER = Path("bin/bench_data")  # `run` works in the unpacked folder


def say(**values: object) -> None:
    print(json.dumps(values, ensure_ascii=False), flush=True)


def wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def linear_rate(outputs: int, inputs: int, tokens: int, seconds: float, device: str, dtype: torch.dtype) -> float:
    """Operations a second in torch's linear layer: warms up for half of `seconds`, then measures for `seconds`."""
    x, weight, bias = (torch.randn(shape, device=device, dtype=dtype) for shape in ((tokens, inputs), (outputs, inputs), (outputs,)))
    for duration in (seconds / 2, seconds):
        runs, start = 0, time.perf_counter()
        while time.perf_counter() - start < duration:
            for _ in range(10):
                torch.nn.functional.linear(x, weight, bias)
            wait(device)
            runs += 10
        elapsed = time.perf_counter() - start
    return 2.0 * outputs * inputs * tokens * runs / elapsed


def ceiling(arguments: argparse.Namespace, device: str, dtype: torch.dtype) -> None:
    hidden, ffn, tokens, square = (64, 128, 256, 64) if arguments.small else (1024, 4096, 32768, 8192)
    shapes = ((square, square, square), (3 * hidden, hidden, tokens), (hidden, hidden, tokens), (ffn, hidden, tokens), (hidden, ffn, tokens))
    for outputs, inputs, rows in shapes:
        rate = linear_rate(outputs, inputs, rows, 0.05 if arguments.small else 1.0, device, dtype)
        say(what=f"torch linear [{outputs}, {inputs}], {rows} tokens", tflops=round(rate / 1e12, 1))


def plain(path: Path) -> bytes:
    return subprocess.run([READER, "cat", path], check=True, stdout=subprocess.PIPE).stdout


def nina_rows(folder: Path, count: int) -> "np.ndarray":
    rows: list[np.ndarray] = []
    for path in sorted(folder.glob("part-*.npy.zst")):
        if sum(map(len, rows)) >= count:
            break
        rows.append(np.load(io.BytesIO(plain(path))))
    return np.concatenate(rows)[:count].astype(np.float64)


def encode_rate(model: object, texts: list[str], size: int, device: str) -> tuple["np.ndarray", float]:
    start = time.perf_counter()
    rows = model.encode(texts, batch_size=size, convert_to_numpy=True, normalize_embeddings=True, show_progress_bar=False)
    wait(device)
    return rows, len(texts) / (time.perf_counter() - start)


def dtype_name(version: str) -> str:
    """The argument of transformers' from_pretrained that this version takes."""
    major, minor = (int(number) for number in version.split(".")[:2])
    return "dtype" if (major, minor) >= (4, 56) else "torch_dtype"


def encode(arguments: argparse.Namespace, device: str, dtype: torch.dtype) -> None:
    try:
        import sentence_transformers
        import transformers
    except ImportError as missing:
        print(f"{missing}: nothing to compare with", file=sys.stderr)
        sys.exit(77)
    texts = [json.loads(line)["text"] for line in plain(arguments.passages).splitlines()]
    model_kwargs = {dtype_name(transformers.__version__): dtype, "attn_implementation": "sdpa"}
    try:
        model = sentence_transformers.SentenceTransformer(str(arguments.model), device=device, model_kwargs=model_kwargs)
    except TypeError as other:
        print(f"sentence-transformers {sentence_transformers.__version__} takes other arguments: {other}", file=sys.stderr)
        sys.exit(77)
    sample = texts[: max(1, min(8192, len(texts) // 4))]
    encode_rate(model, sample[:256], 64, device)  # warm-up
    rates = {size: encode_rate(model, sample, size, device)[1] for size in BATCH_SIZES}
    best = max(rates, key=rates.__getitem__)
    left = arguments.seconds - (time.perf_counter() - STARTED)
    count = int(max(len(sample), min(len(texts), 0.8 * left * rates[best])))
    rows, rate = encode_rate(model, texts[:count], best, device)
    expected = nina_rows(arguments.rows, count)
    rows = rows.astype(np.float64)
    cosines = (rows * expected).sum(1) / np.linalg.norm(rows, axis=1) / np.linalg.norm(expected, axis=1)
    say(what="sentence-transformers, sorted by length, SDPA", versions=[sentence_transformers.__version__, transformers.__version__, torch.__version__],
        dtype=str(dtype), texts=count, batch_size=best, texts_per_second=round(rate, 1),
        texts_per_second_by_batch={str(size): round(value, 1) for size, value in rates.items()},
        cosine_to_nina_least=round(float(cosines.min()), 7), cosine_to_nina_mean=round(float(cosines.mean()), 7))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("ceiling", "encode"))
    parser.add_argument("--model", type=Path, metavar="DIR")
    parser.add_argument("--passages", type=Path, metavar="FILE", help="the .jsonl.zst that nina has embedded")
    parser.add_argument("--rows", type=Path, metavar="DIR", help="nina's rows of it: OUT/w1024")
    parser.add_argument("--seconds", type=float, default=70, help="that encode may take, with all imports (default: %(default)g)")
    parser.add_argument("--small", action="store_true", help="small products, and the CPU where there is no card")
    arguments = parser.parse_args()
    if not torch.cuda.is_available() and not arguments.small:
        print("torch sees no card", file=sys.stderr)
        sys.exit(77)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.float16 if device == "cuda" else torch.float32
    (ceiling if arguments.what == "ceiling" else encode)(arguments, device, dtype)


if __name__ == "__main__":
    main()
