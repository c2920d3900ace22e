"""What is installed is what the lock says, everywhere; and no file of the repository leans on one machine."""

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import ecgtl
from ecgtl import paths, published

ROOT = paths.repository()
LOCK = (ROOT / "requirements.lock").read_text()
SWEEP_LOCK = (ROOT / "workflow" / "requirements.lock").read_text()
PINS, SWEEP_PINS = ({canonicalize_name(name): version for name, version in
                     re.findall(r"^([\w.-]+)==(\S+)$", lock, re.MULTILINE)} for lock in (LOCK, SWEEP_LOCK))
METADATA = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = METADATA["project"]
CORE = [Requirement(text) for text in PROJECT["dependencies"]]
EXTRAS = [Requirement(text) for name, extra in PROJECT["optional-dependencies"].items() for text in extra
          if name != "sweep"]
SWEEP = [Requirement(text) for text in PROJECT["optional-dependencies"]["sweep"]]
# Joined from pieces, so that this file does not name them itself
REGISTRIES = [".".join(parts) for parts in (
    ("pypi", "org"), ("pythonhosted", "org"), ("download", "pytorch", "org"), ("registry", "npmjs", "org"),
    ("conda", "anaconda", "org"), ("repo", "anaconda", "com"), ("deb", "debian", "org"))]
INDEX_OPTION = re.compile(r"(--(extra-)?index-url|--find-links|INDEX(_URL)?\s*[?:]?=)[\s=\"']*(https?|file):",
                          re.IGNORECASE)
HOME_FOLDER = re.compile(r"/(work|root|home/\w+|Users/\w+)/\w")
BESIDE_THE_CHECKOUT = "/".join(("..", "shared"))


own_environment = pytest.mark.skipif(Path(sys.prefix).resolve() != ROOT / ".venv",
                                     reason="not what 'make env' makes")


@pytest.fixture(scope="module")
def lock_tool():
    spec = importlib.util.spec_from_file_location("lock", ROOT / "tools" / "lock.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def files_of_the_repository() -> list[str]:
    """Every file that is committed or about to be, by its path in the repository."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                            check=True, capture_output=True, text=True).stdout.split("\0")
    return [name for name in listed if (ROOT / name).is_file()]


def text_files() -> dict[str, str]:
    """Those of them that are text."""
    found = {}
    for name in files_of_the_repository():
        content = (ROOT / name).read_bytes()
        if b"\0" not in content[:8192]:
            found[name] = content.decode(errors="replace")
    return found


def test_the_files_of_the_repository_are_small():
    assert sum((ROOT / name).stat().st_size for name in files_of_the_repository()) < 40e6


def test_the_lock_pins_every_package_once_and_exactly():
    lines = [line for line in LOCK.splitlines() if not line.startswith("#")]
    names = [canonicalize_name(line.partition("==")[0]) for line in lines]
    assert len(lines) == len(PINS) == len(set(names)) > 50
    assert not [pin for pin in lines if "+" in pin or Version(pin.partition("==")[2]).is_devrelease]


def test_conda_users_get_the_environment_of_the_lock():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())
    [below_pip] = [entry["pip"] for entry in conda["dependencies"] if isinstance(entry, dict)]
    assert below_pip[-1] == "--editable ."
    assert below_pip[:-1] == [line for line in LOCK.splitlines() if not line.startswith("#")]
    [python] = [entry for entry in conda["dependencies"] if str(entry).startswith("python=")]
    assert PROJECT["requires-python"] == f">={python.removeprefix('python=')}"


def test_environment_yml_is_what_the_tool_writes(lock_tool):
    assert (ROOT / "environment.yml").read_text() == lock_tool.conda_environment(LOCK)


def test_a_lock_holds_neither_local_builds_nor_what_a_gpu_build_brings(lock_tool):
    frozen = ["torch==2.13.0+cpu", "Sphinx==7.4.7", "nvidia-cublas==13.1", "cuda-bindings==13.5.0",
              "triton==3.7", "pip==23.2", "attrs==26.1.0", "ecgtl==0.1.0", "pytest-xdist==3.8.0",
              "pytest==9.2.0"]
    kept = lock_tool.pins(lock_tool.lock_text("\n".join(frozen)))
    assert kept == ["attrs==26.1.0", "pytest==9.2.0", "pytest-xdist==3.8.0", "Sphinx==7.4.7", "torch==2.13.0"]


@pytest.mark.parametrize("wanted", [*CORE, *EXTRAS], ids=str)
def test_the_ranges_of_the_package_admit_the_pins(wanted):
    pinned = PINS[canonicalize_name(wanted.name)]
    assert wanted.specifier.contains(pinned)
    assert wanted.specifier, "a lower bound says what has a chance to work"


@pytest.mark.parametrize("wanted", SWEEP, ids=str)
def test_snakemake_is_pinned_in_an_environment_of_its_own(wanted):
    assert wanted.specifier.contains(SWEEP_PINS[canonicalize_name(wanted.name)])
    assert canonicalize_name(wanted.name) not in PINS


@own_environment
def test_installed_versions_are_the_pinned_ones():
    installed = {canonicalize_name(d.name): d.version.partition("+")[0] for d in metadata.distributions()}
    assert {name: installed.get(name) for name in PINS} == PINS


@own_environment
def test_the_installed_package_is_this_checkout():
    program = "import ecgtl; print(ecgtl.__version__, ecgtl.__file__)"
    done = subprocess.run([sys.executable, "-P", "-c", program], cwd="/", capture_output=True, text=True,
                          check=True)
    assert done.stdout.split(maxsplit=1) == [PROJECT["version"], f"{ROOT / 'ecgtl' / '__init__.py'}\n"]


ONLY_CORE = """
import importlib, pkgutil, sys
from importlib.machinery import PathFinder
class WithoutExtras(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in {absent} else super().find_spec(name, path, target)
sys.meta_path[sys.meta_path.index(PathFinder)] = WithoutExtras
import ecgtl
seen = [module.name for module in pkgutil.walk_packages(ecgtl.__path__, "ecgtl.")
        if not module.name.startswith(("ecgtl.report", "ecgtl.commands.pages"))]
for name in seen:
    importlib.import_module(name)
import numpy as np
from ecgtl import models
from ecgtl.training import loop as training
x, y = np.random.default_rng(0).normal(size=(8, 1, 256)).astype(np.float32), np.arange(8) % 2
part = training.LabelledArray(x, y)
recipe = training.TrainConfig(epochs=1, batch_size=4, learning_rate=1e-3, patience=9, stop_on="train_accuracy",
                         select_on="validation_score", precision="float32", seed=0)
model = models.build("resnet18", 1, 2, width=8)
fit = training.fit(model, part, part, part, recipe, lambda y, p: float((p.argmax(1) == y).mean()),
                   training.pick_device("cpu"))
print(len(seen), len(fit.history))
"""


def test_a_bare_machine_imports_everything_but_the_report_and_trains():
    """The core dependencies are enough: everything of the extras is imported where it is used."""
    absent = {"wfdb", "edfio", "pydicom", "ecgdatakit", "requests", "tqdm", "openpyxl", "safetensors",
              "matplotlib", "seaborn", "pyarrow", "onnx", "onnxscript", "onnxruntime",
              "pytest", "jupyter_book", "jupytext", "papermill", "ipykernel", "IPython", "sphinx", "docutils"}
    program = ONLY_CORE.format(absent=absent)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True,
                          env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    modules, epochs = map(int, done.stdout.split())
    assert modules > 20 and epochs == 1


def test_every_file_of_the_package_that_is_read_at_run_time_is_installed():
    patterns = METADATA["tool"]["setuptools"]["package-data"]["ecgtl"]
    shipped = {file for pattern in patterns for file in (ROOT / "ecgtl").glob(pattern)}
    there = {file for file in (ROOT / "ecgtl").rglob("*")
             if file.is_file() and file.suffix not in (".py", ".pyc")}
    assert there - shipped == set()
    assert ROOT / "ecgtl" / "experiments" / "weimann2021.yml" in shipped


def test_no_registry_and_no_index_is_named():
    """Which index serves the packages is the user's choice: pip's own settings and TORCH_INDEX say it."""
    files = text_files()
    found = [f"{name}: {host}" for name, text in files.items() for host in REGISTRIES if host in text]
    found += [f"{name}: {hit[0]}" for name, text in files.items() for hit in INDEX_OPTION.finditer(text)]
    assert found == []


def test_no_folder_of_one_machine_is_named():
    files = text_files()
    assert [name for name, text in files.items() if BESIDE_THE_CHECKOUT in text] == [".ci/run"]
    assert [f"{name}: {hit[0]}" for name, text in files.items() for hit in HOME_FOLDER.finditer(text)] == []


def test_make_alone_says_what_it_can_do():
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    targets = set(re.findall(r"^  make (\w+)  +\w", done.stdout, re.MULTILINE))
    assert targets >= {"env", "book", "test", "data", "results", "status", "bench", "lock", "clean"}
    assert "TORCH_INDEX" in done.stdout


def test_a_python_that_is_too_old_is_named_in_one_line(tmp_path):
    """A stand-in for an interpreter: the check runs in it, so it only has to claim an older version."""
    old = tmp_path / "python3.9"
    old.write_text(f"#!/bin/sh\nexec {sys.executable} -c \"import sys; sys.version_info = (3, 9, 2); "
                   "sys.version = '3.9.2 (main)'; exec(sys.argv[2])\" \"$@\"\n")
    old.chmod(0o755)
    made = tmp_path / "checkout"
    made.mkdir()
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        (made / name).write_text((ROOT / name).read_text())
    done = subprocess.run(["make", "env", f"PYTHON={old}"], cwd=made, capture_output=True, text=True)
    assert done.returncode != 0
    assert done.stderr.splitlines()[0] == (f"ecgtl needs Python 3.11 or later, {old} is 3.9.2; name another: "
                                           "make PYTHON=python3.12")
    assert not (made / ".venv").exists()


def test_the_workflow_runs_what_ci_runs():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text())
    steps = {job: [step.get("run") for step in body["steps"]] for job, body in workflow["jobs"].items()}
    assert {"make lint", "make test", "make training"} <= set(steps["tests"])
    assert any(run.startswith("make site-check") for run in steps["tests"] if run)
    assert "make links" in steps["links"]
    steps_of_ci = r'for step in "\d+m lint" "\d+m test" "\d+m site-check" "\d+m training"'
    assert re.search(steps_of_ci, (ROOT / ".ci" / "run").read_text())


@pytest.mark.parametrize("failing, code", [("tests", 2), ("notebooks", 2), ("neither", 0)])
def test_make_test_goes_on_to_the_notebooks_and_fails_at_the_end(tmp_path, failing, code):
    """A stand-in for Python writes down what it is asked to run."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nfor last in \"$@\"; do :; done\ncase \"$*\" in\n"
                      "'-m venv'*) mkdir -p .venv/bin && cp \"$0\" .venv/bin/python ;;\n"
                      f"'-m pytest'*) echo \"$last\" >>ran; [ \"$last\" != {failing} ] ;;\nesac\n")
    python.chmod(0o755)
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    done = subprocess.run(["make", "test", f"PYTHON={python}"], cwd=tmp_path, capture_output=True, text=True)
    assert (tmp_path / "ran").read_text().split() == ["tests", "notebooks"]
    assert done.returncode == code


def test_the_citation_names_the_three_papers_and_this_version():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert str(cited["version"]) == PROJECT["version"] == ecgtl.__version__
    papers = [published.load(name)["paper"] for name in ("jang2021", "weimann2021", "melep2023")]
    assert [(entry["title"], entry["doi"], entry["year"]) for entry in cited["references"]] == \
        [(paper["title"], paper["doi"], paper["year"]) for paper in papers]
    authors = [[f"{author['given-names']} {author['family-names']}" for author in entry["authors"]]
               for entry in cited["references"]]
    assert authors == [paper["authors"] for paper in papers]
