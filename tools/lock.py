"""Write the locks and ``environment.yml``: ``make lock`` for all, ``--conda`` for the last.

``requirements.lock`` is what pip installs today for the package with all its extras but ``sweep`` in an empty
environment of the oldest Python that is supported, so that every later one can install it too;
``workflow/requirements.lock`` the same for that extra alone. PyTorch stays at the version of the present lock unless
``--torch`` names another: it is large and changes numbers. ``environment.yml`` is made from the lock.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK, CONDA, SWEEP = ROOT / "requirements.lock", ROOT / "environment.yml", ROOT / "workflow" / "requirements.lock"
OLDEST = (3, 11)
# What every environment has, the package itself, and what a CUDA build of PyTorch brings for its own system
LEFT_OUT = re.compile(r"(pip|ecgtl|triton)==|(nvidia|cuda)[-_]")

LOCK_HEADER = """\
# The whole environment, exact versions, for Python 3.11 and later. Written by tools/lock.py ('make lock').
# Builds of torch for a GPU and other systems than Linux bring what they need beside this list.
"""
SWEEP_HEADER = """\
# Snakemake, in an environment of its own ('make sweep' makes it). Written by tools/lock.py ('make lock').
"""
CONDA_HEADER = """\
# The environment of requirements.lock for conda users: conda env create -f environment.yml
# Written by tools/lock.py from requirements.lock; change that and run 'python tools/lock.py --conda'.
"""


def pins(lock: str) -> list[str]:
    """The ``name==version`` lines of a lock."""
    return [line for line in lock.splitlines() if line and not line.startswith("#")]


def conda_environment(lock: str) -> str:
    """The text of ``environment.yml`` for the text of a lock."""
    lines = ["name: ecgtl", "channels: [conda-forge]", "dependencies:", f"  - python={OLDEST[0]}.{OLDEST[1]}",
             "  - pip", "  - pip:", *(f"      - {pin}" for pin in pins(lock)), "      - --editable ."]
    return CONDA_HEADER + "\n".join(lines) + "\n"


def lock_text(frozen: str, header: str = LOCK_HEADER) -> str:
    """The text of a lock from pip's list of what is installed, without local parts such as ``+cpu``."""
    installed = [line.partition("+")[0] for line in frozen.splitlines() if not LEFT_OUT.match(line)]
    return header + "\n".join(sorted(installed, key=lambda pin: pin.lower().split("=="))) + "\n"


def resolve(wanted: list[str]) -> str:
    """What pip installs for ``wanted`` in an empty environment, as it lists it; ``torch==`` from TORCH_INDEX."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [str(Path(folder) / "bin" / "python"), "-m", "pip"]
        pinned = [name for name in wanted if name.startswith("torch==")]
        if pinned and (index := os.environ.get("TORCH_INDEX")):
            subprocess.run([*pip, "install", "--no-deps", "--index-url", index, *pinned], check=True)
        subprocess.run([*pip, "install", *wanted], check=True)
        subprocess.run([*pip, "check"], check=True)
        return subprocess.run([*pip, "freeze", "--all"], check=True, capture_output=True, text=True).stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--conda", action="store_true", help="environment.yml alone, from the lock as it is")
    parser.add_argument("--torch", help="version of PyTorch (default: that of the present lock)")
    given = parser.parse_args()
    if not given.conda:
        if sys.version_info[:2] != OLDEST:
            oldest = f"{OLDEST[0]}.{OLDEST[1]}"
            sys.exit(f"the lock is made with Python {oldest}, this is {sys.version.split()[0]}; "
                     f"run: make lock PYTHON=python{oldest}")
        torch = given.torch or re.search(r"^torch==(.+)$", LOCK.read_text(), re.MULTILINE)[1]
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())
        extras = project["project"]["optional-dependencies"]
        SWEEP.write_text(lock_text(resolve(extras.pop("sweep")), SWEEP_HEADER))
        LOCK.write_text(lock_text(resolve([f"torch=={torch}", *project["build-system"]["requires"],
                                           *project["project"]["dependencies"],
                                           *(name for extra in extras.values() for name in extra)])))
    CONDA.write_text(conda_environment(LOCK.read_text()))


if __name__ == "__main__":
    main()
