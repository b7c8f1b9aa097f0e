"""Narrower widths of stored rows, with the bits that nina itself would have written."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def derive(rows: npt.NDArray[Any], width: int) -> npt.NDArray[np.float16]:
    """Makes rows [rows, width] fp16 of rows [rows, widest] fp16, the rows at a run's widest width.

    A row is fp16(fp32(h[:width]) · s), s = fp32(1 / sqrt(Σ h[i]²)), with sum, square root and quotient in fp64. The square
    of an fp16 number is a multiple of 2⁻⁴⁸ below 2³², so the sum is exact in any order, and NumPy has nina's bits. A row
    of zeros stays one. Matryoshka truncation as in Kusupati et al. 2022 (arXiv:2205.13147).
    """
    cut = rows[:, :width].astype(np.float32)
    squares = np.square(cut, dtype=np.float64).sum(axis=1)
    with np.errstate(divide="ignore"):
        scale = np.where(squares == 0, 0, 1 / np.sqrt(squares)).astype(np.float32)
    return (cut * scale[:, None]).astype(np.float16)
