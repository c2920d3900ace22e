"""A score as text, and what stands in place of one that has not been run."""

import numpy as np

PENDING = "PENDING"  # in place of what has not been run
NBSP = "\N{NO-BREAK SPACE}"  # numbers break between, not within, a mean and its interval


def f1(value: float | None, signed: bool = False) -> str:
    """A score as the field prints it: three decimals, no leading zero; an en dash where there is none."""
    if value is None or not np.isfinite(value):
        return "–"
    text = f"{abs(value):.3f}".replace("0.", ".", 1) if abs(value) < 1 else f"{abs(value):.3f}"
    return ("−" if value < 0 else "+" if signed else "") + text
