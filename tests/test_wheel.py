"""The wheel, as somebody has it who has no checkout.

It is built from a copy of the files that git knows, and installed into an empty environment outside of the repository.
pip would fetch its dependencies; here they are links to the ones that are installed already, of exactly those packages
that the wheel's own metadata ask for, without an extra, and of what these need: a dependency that is not declared is
absent. That an index serves them is not proved.
"""

import csv
import io
import json
import subprocess
import sys
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path

import installed
import numpy as np
import pytest

import ecgtl
from ecgtl import paths, results
from ecgtl.config.classifier import shipped
from ecgtl.jobs import predict

ROOT = paths.repository()
PACKAGE = ("ecgtl", "README.md", "LICENSE", "pyproject.toml")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of the wheel and the sdist, as ``make dist`` builds them in a checkout with changes of one's own; with
    this Python in place of the one of ``.venv``."""
    folder = tmp_path_factory.mktemp("checkout")
    installed.copy(installed.known_to_git(*PACKAGE), folder)
    installed.commit(folder)
    (folder / "ecgtl" / "mine.py").write_text("")
    (folder / "ecgtl" / "paths.py").unlink()
    makefile = (ROOT / "Makefile").read_text()
    recipe = makefile[makefile.index("\ndist:"):].split("\n\n")[0].split("\n", 2)[2]
    (folder / "Makefile").write_text("dist:\n" + recipe.replace('"$(CURDIR)/$(PY)"', sys.executable))
    subprocess.run(["make", "dist"], cwd=folder, check=True, capture_output=True)
    return folder / "build" / "dist"


@pytest.fixture(scope="module")
def command(built, tmp_path_factory):
    """``ecgtl`` of the installed wheel, in a folder of its own, which is a checkout of something else."""
    away = tmp_path_factory.mktemp("away")
    site = installed.empty(away / "env")
    subprocess.run([sys.executable, "-m", "pip", "--python", installed.python(away / "env"), "install", "--quiet",
                    "--no-deps", "--no-index", *built.glob("*.whl")], check=True)
    [own] = metadata.distributions(path=[str(site)])
    installed.link(installed.needed(own.requires), site)
    desk = away / "desk"
    desk.mkdir()
    installed.commit(desk)

    def run(*words, code=0):
        done = subprocess.run([away / "env" / "bin" / "ecgtl", *words], cwd=desk, capture_output=True, text=True,
                              env=installed.surroundings(away / "env", ECGTL_CACHE=str(away / "cache")))
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    run.desk, run.site = desk, site
    return run


def write_wfdb(folder, name="one", rate=250, seconds=20):
    """A WFDB record of lead I by hand: 16-bit samples of 1000 a mV, a beat every 0.8 s."""
    t = np.arange(rate * seconds) / rate
    signal = np.exp(-((t % 0.8 - 0.4) / 0.02)**2) + 0.2 * np.exp(-((t % 0.8 - 0.6) / 0.05)**2)
    (folder / f"{name}.dat").write_bytes(np.round(1000 * signal).astype("<i2").tobytes())
    (folder / f"{name}.hea").write_text(f"{name} 1 {rate} {len(t)}\n{name}.dat 16 1000/mV 16 0 0 0 0 I\n")


def test_the_wheel_and_the_sdist_hold_the_package_and_nothing_else(built):
    package = set(installed.known_to_git("ecgtl"))
    [wheel], [sdist] = built.glob("*.whl"), built.glob("*.tar.gz")
    assert {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name} == package
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {name for name in names if Path(name).suffix and name.startswith("ecgtl/")} >= {
        name for name in package if Path(name).suffix} and {"README.md", "LICENSE", "pyproject.toml"} <= names
    inside = {f"ecgtl/weights/{name}/{file}" for name in shipped() for file in ("model.safetensors", "README.md")}
    assert inside and inside < package
    assert {".html", ".yml"} < {Path(name).suffix for name in package}


def test_it_says_its_version_and_its_models(command):
    assert command("--version") == f"ecgtl {ecgtl.__version__}\n"
    said = command("models")
    cards = [line.split(": ", 1)[1] for line in said.splitlines() if line.startswith("  card: ")]
    weights = command.site / "ecgtl" / "weights"
    assert [Path(card) for card in cards] == [weights / name / "README.md" for name in shipped()]
    assert all(Path(card).is_file() for card in cards)


def test_it_predicts_as_the_checkout_does(command):
    write_wfdb(command.desk)
    for name in shipped():
        [row] = csv.DictReader(io.StringIO(command("predict", "one", "--model", name, "--lead", "I")))
        [expected] = predict.predict(name, command.desk / "one", "I", "cpu", print).to_dict("records")
        found = {key: float(value) for key, value in row.items() if key.startswith("probability_")}
        assert found == pytest.approx({key: expected[key] for key in found}, abs=1e-4) and len(found) > 1
        assert row["predicted"] == (expected["predicted"] or "")


def test_it_runs_the_demo_job_and_does_not_take_the_folder_s_commit_for_its_own(command):
    said = command("finetune", "--tier", "demo", "--epochs", "1", "--save-weights", "my.safetensors")
    written = Path(said.strip().splitlines()[-1].removeprefix("written: "))
    assert written.parent == command.desk / "results" / "demo" / "finetune"
    result = results.load(written)
    assert result.evidence["target"] == "synthetic" and len(result.history) == 1
    assert json.loads(written.read_text())["provenance"]["commit"] == "unknown"
    write_wfdb(command.desk, "other")
    assert "other,I," in command("predict", "other", "--checkpoint", "my.safetensors", "--lead", "I")


@pytest.mark.parametrize(("words", "named"), [
    ("verify", "ECGTL_RESULTS"), ("site", "pip install 'ecgtl[data,book]'")])
def test_what_needs_more_says_so_in_one_line(command, words, named):
    said = command(*words.split(), code=2)
    assert said.startswith("ecgtl: ") and said.count("\n") == 1 and named in said
