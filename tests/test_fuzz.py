"""Hostile headers, label files, checkpoints, results and zips: one line or an answer, in bounded time and memory.

The same cases each time, about a minute in all; ``ECGTL_FUZZ_HOURS=1`` goes on from there, an hour over all targets.
"""

import os
import subprocess
import sys
from pathlib import Path

import fuzz
import pytest

CASES = {"headers": 150, "labels": 250, "checkpoints": 120, "results": 250, "zips": 150}
HOURS = float(os.environ.get("ECGTL_FUZZ_HOURS", 0))


@pytest.mark.timeout(900 + 3600 * HOURS)
@pytest.mark.parametrize("target", fuzz.TARGETS)
def test_hostile_inputs(target):
    amount = f"{HOURS / len(CASES)}h" if HOURS else str(CASES[target])
    words = [sys.executable, fuzz.__file__, target, "0", amount]
    done = subprocess.run(words, cwd=Path(__file__).parents[1], capture_output=True, text=True)
    print(done.stdout.splitlines()[-1] if done.stdout else done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
