"""Hostile headers, label files, checkpoints, results and zips: one line or an answer, in bounded time and memory.

The same cases each time; ``ECGTL_FUZZ_HOURS=1`` goes on from there, an hour over all targets.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import fuzz
import pytest

CASES = {"headers": 120, "labels": 200, "checkpoints": 120, "results": 200, "zips": 120}
HOURS = float(os.environ.get("ECGTL_FUZZ_HOURS", 0))


@pytest.mark.timeout(900 + 3600 * HOURS)
def test_hostile_inputs():
    """All targets in one process: most of a start is the import of PyTorch."""
    assert set(CASES) == set(fuzz.TARGETS)
    words = [word for name, n in CASES.items() for word in (name, "0", f"{HOURS / len(CASES)}h" if HOURS else str(n))]
    done = subprocess.run([sys.executable, fuzz.__file__, *words], cwd=Path(__file__).parents[1], capture_output=True,
                          text=True)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    answers = dict(re.findall(r"^(\w+): \d+ cases, (\d+) answers", done.stdout, re.MULTILINE))
    assert set(answers) == set(CASES) and all(int(n) for n in answers.values())
