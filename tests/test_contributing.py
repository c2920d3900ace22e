"""Each recipe of CONTRIBUTING.md, followed in a copy of the repository; and every path that it names is there."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib

import pytest
import yaml

from ecgtl import paths

ROOT = paths.repository()
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
STANDS_FOR_ANOTHER = ("NAME", "PAPER", "ITEM", "<")
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "build", "_build", "__pycache__", "results", "*.egg-info",
                                  ".*_cache")

DATA_SET = '''"""Recordings of a clinic, one .npz each."""

from pathlib import Path

import numpy as np

from {collector} import Collector, Reading

FOLDER = "clinic/1.0"


def read(root: Path, on_bad: str = "error", synthetic: bool = False):
    collector = Collector("clinic", "1.0", classes=("N", "A", "O", "~"), on_bad=on_bad, synthetic=synthetic)
    for path in sorted((Path(root) / FOLDER).glob("*.npz")):
        stored = np.load(path)
        reading = Reading(path.stem, stored["signal"], 300.0, ["I"], [1000.0], [0.0], label=str(stored["label"]))
        collector.add(reading, str(path))
    return collector.recordings()
'''
TWIN = '''

def write_clinic(folder, plans, make):
    (folder / "clinic" / "1.0").mkdir(parents=True)
    for plan in plans[::4]:
        stored = quantise(make(plan, 300).signal, 1000, 16)
        np.savez(folder / "clinic" / "1.0" / f"{plan.record}.npz", signal=stored, label=plan.label)
'''
CATALOGUE = '''
clinic:
  kind: recordings
  title: Recordings of a clinic
  version: "1.0"
  folder: clinic/1.0
  page: https://example.org/clinic
  licence: CC BY 4.0
  download_gb: 0.1
  unpacked_gb: 0.1
  citation: Nobody, 2026
  doi: 10.0/0
  whole: [{files: "*.npz", count: 50}]
  by_hand: ask the clinic
'''
NETWORK = '''from torch import nn


class Tiny(nn.Module):
    """One convolution, averaged over time."""

    def __init__(self, in_channels: int, n_outputs: int, width: int = 8):
        super().__init__()
        self.stem, self.n_features = nn.Conv1d(in_channels, width, 15, stride=4), width
        self.output = nn.Linear(width, n_outputs)

    def features(self, x):
        return self.stem(x).relu().mean(dim=-1)

    def forward(self, x):
        return self.output(self.features(x))
'''
RULE = '''def fast(tracks, record, start, stop):
    """Whether the heart beats faster than 80 a minute."""
    rates = tracks.heart_rates(record, start, stop)
    return np.where(np.isnan(rates), UNLABELLED, rates > 80)


'''
EXPERIMENT = '''
  weimann2021-clinic:
    dataset: cinc2017
    inits: [random]
    sizes: {25: 0.3333333333333333}
    runs: {demo: 1, reduced: 3, paper: 10}
    common: {epochs: {demo: 1}}
    data: {version: 1.0.0, records: 8528, digest: unknown}
'''
COMMAND = '''
count:
  call: commands.job:carry_out
  with: {job: "jobs.count:run"}
  help: count recordings
  config: config.count:CountConfig
'''
CONFIG = '''from dataclasses import dataclass

from ecgtl.config import FinetuneConfig, Parameters


@dataclass(frozen=True)
class CountConfig(Parameters):
    """Parameters of a count."""

    # what to count
    dataset: str = "cinc2017"
    # demo, reduced or paper
    tier: str = "demo"

    def plan(self):
        return FinetuneConfig.of(dataset=self.dataset, tier=self.tier).plan()
'''
JOB = '''import numpy as np

from ecgtl import results
from ecgtl.jobs import inputs


def run(config, command=None):
    n = len(inputs.read(config.plan()))
    data = {"name": config.dataset, "digest": "0"}
    return results.Result("count", "count", config.portable(), {"target": "synthetic"}, {"recordings": float(n)}, [],
                          data, {"none": np.zeros(0, np.uint8)}, results.provenance("cpu", 1, 0, 1, command))
'''
PAGE = '''# %% [markdown]
# # A page

# %% tags=["parameters", "remove-cell"]
tier = "best"

# %% tags=["remove-cell"]
from ecgtl.config import SectionConfig

config = SectionConfig.from_notebook(globals())

# %% tags=["remove-input"]
from ecgtl.report.jang import extra

extra.longest(["ab", "abc"])

# %% tags=["remove-cell"]
# NBVAL_CHECK_OUTPUT
print("digest:", len(extra.longest(["ab", "abc"])))
'''


class Copy:
    """A copy of the repository to change, and to run Python in."""

    def __init__(self, folder, cache):
        self.folder, self.cache = folder, cache
        shutil.copytree(ROOT, folder, ignore=LEFT_OUT)

    def write(self, path, text):
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text)

    def add(self, path, text, before=None):
        """Text at the end of a file, or in front of the only place that ``before`` matches."""
        whole = (self.folder / path).read_text()
        if before is None:
            self.write(path, whole + text)
            return
        [place] = re.finditer(before, whole, re.MULTILINE)
        self.write(path, whole[:place.start()] + place.expand(text) + whole[place.start():])

    def home(self, definition):
        """Path of the only module that has a line like this."""
        [found] = [file for file in (self.folder / "ecgtl").rglob("*.py")
                   if re.search(f"^{definition}", file.read_text(), re.MULTILINE)]
        return found.relative_to(self.folder)

    def python(self, *words):
        environment = os.environ | {"PYTHONPATH": str(self.folder), "ECGTL_CACHE": str(self.cache),
                                    "OMP_NUM_THREADS": "1", "ECGTL_RESULTS": str(self.folder / "results")}
        done = subprocess.run([sys.executable, *words], cwd=self.folder, env=environment, capture_output=True,
                              text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout


@pytest.fixture
def copy(tmp_path, session_cache):
    return Copy(tmp_path / "copy", session_cache)


def test_every_path_that_is_named_is_there():
    named = re.findall(r"`((?:ecgtl|notebooks|tests|tools|results|_toc)[\w./<>*-]*)`", TEXT)
    assert len(named) > 15
    for name in named:
        known = [part for part in name.split("/") if not any(word in part for word in (*STANDS_FOR_ANOTHER, "*"))]
        assert (ROOT / "/".join(known)).exists(), name


def test_the_picture_has_the_layers_that_are_checked():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = [re.findall(r"\w+", layer) for layer in contracts[0]["layers"] if layer != "(cli)"]
    picture = [line.strip() for line in TEXT.partition("ecgtl/\n")[2].partition("notebooks/")[0].splitlines()]
    drawn = [set(re.split(r" {2,}", line)[0].replace("/", "").split()) for line in picture]
    assert [names for names in drawn if names != {""}][::-1] == [set(layer) for layer in layers]


def test_it_is_two_screens_and_a_recipe_at_most_ten_lines():
    assert len(TEXT.splitlines()) <= 100
    recipes = re.split(r"^## (?:Add|Make) .*$", TEXT, flags=re.MULTILINE)[1:]
    assert len(recipes) == 7
    assert all(len(recipe.strip().splitlines()) <= 10 for recipe in recipes)


def test_a_data_set(copy):
    collector = str(copy.home("class Collector").with_suffix("")).replace("/", ".")
    copy.write("ecgtl/datasets/clinic.py", DATA_SET.format(collector=collector))
    copy.add("ecgtl/datasets/__init__.py", '"clinic", ', before='"cinc2017", "mitdb"')
    copy.add("ecgtl/datasets/catalogue.yml", CATALOGUE)
    copy.add(copy.home("def write_cinc2017"), TWIN)
    copy.add("ecgtl/datasets/synthetic/__init__.py", r'"clinic": Twin(\1, writers.write_clinic), ',
             before=r'"cinc2017": Twin\((.*), writers.write_cinc2017\)')
    assert "clinic" in copy.python("-m", "ecgtl", "data", "list")
    program = """
from ecgtl.config import FinetuneConfig
from ecgtl.jobs import finetune
result = finetune.run(FinetuneConfig.of(dataset="clinic", tier="demo", epochs=1))
print(result.config["dataset"], len(result.history))
"""
    assert copy.python("-c", program).split() == ["clinic", "1"]


def test_a_network(copy):
    copy.write("ecgtl/models/tiny.py", NETWORK)
    copy.add("ecgtl/models/__init__.py", "from ecgtl.models.tiny import Tiny\n",
             before="^from ecgtl.models.resnet1d101")
    copy.add("ecgtl/models/__init__.py", '"tiny": (Tiny, {}), ', before='"bilstm": ')
    program = """
from ecgtl import models
from ecgtl.config import FinetuneConfig
from ecgtl.jobs import finetune
result = finetune.run(FinetuneConfig.of(dataset="cinc2017", tier="demo", arch="tiny", epochs=1))
print(len(result.history), models.count_parameters(models.build("tiny", 1, 4)))
"""
    assert copy.python("-c", program).split() == ["1", str(8 * 15 + 8 + 8 * 4 + 4)]


def test_an_objective(copy):
    labels = copy.home("TASKS = ")
    copy.add(labels, RULE, before=r"^@dataclass\(frozen=True\)\nclass Task\b")
    copy.add(labels, '"fast": Task(("slow", "fast"), fast), ', before='"beat": Task')
    protocols = copy.folder / "ecgtl" / "config" / "protocols.py"
    text, changed = re.subn(r"^((?:OBJECTIVES|INITS) = .*)\)$", r'\1, "fast")', protocols.read_text(),
                            flags=re.MULTILINE)
    assert changed == 2
    protocols.write_text(text)
    copy.add("ecgtl/experiments/weimann2021.yml", "    fast: {frame: 512}\n", before="^    heart_rate: {frame: 512}")
    program = """
from ecgtl.config import PretrainConfig
from ecgtl.jobs import pretrain
made = pretrain.run(PretrainConfig.of(objective="fast", tier="demo", epochs=1, arch="resnet18"))
print(made.facts["objective"], len(made.result.history))
"""
    assert copy.python("-c", program).split() == ["fast", "1"]


def test_a_job(copy):
    copy.write("ecgtl/config/count.py", CONFIG)
    copy.write("ecgtl/jobs/count.py", JOB)
    copy.add("ecgtl/commands.yml", COMMAND)
    assert re.search(r"--dataset {cinc2017,.*}\s+what to count \(default:\s+cinc2017\)",
                     copy.python("-m", "ecgtl", "count", "--help"))
    said = copy.python("-m", "ecgtl", "count", "--dataset", "mitdb")
    [made] = (copy.folder / "results" / "demo" / "count").glob("*.json")
    stored = json.loads(made.read_text())
    assert said == f"evidence: target synthetic\nrecordings: {stored['scores']['recordings']:.4f}\nwritten: {made}\n"
    assert stored["config"] == {"dataset": "mitdb", "tier": "demo"}
    assert stored["provenance"]["command"] == "python -m ecgtl count --dataset mitdb"


def test_an_experiment(copy):
    copy.add("ecgtl/experiments/weimann2021.yml", EXPERIMENT, before="(?<=^experiments:)\n")
    copy.python("-m", "ecgtl", "run", "weimann2021-clinic", "--tier", "demo")
    [made] = (copy.folder / "results" / "demo" / "weimann2021-clinic").glob("*.json")
    assert json.loads(made.read_text())["experiment"] == "weimann2021-clinic"
    assert "weimann2021-clinic" in copy.python("-m", "ecgtl", "status")


def test_a_page(copy):
    copy.write("ecgtl/report/jang/extra.py", 'def longest(words):\n    return max(words, key=len)\n')
    copy.write("notebooks/jang/extra.py", PAGE)
    copy.python("tools/notebooks.py", "notebooks/jang/extra.py")
    cells = json.loads((copy.folder / "notebooks" / "jang" / "extra.ipynb").read_text())["cells"]
    assert "".join(cells[-1]["outputs"][0]["text"]) == "digest: 3\n"
    copy.add("_toc.yml", "          - file: notebooks/jang/extra\n", before="^          - file: notebooks/jang/table1")
    contents = yaml.safe_load((copy.folder / "_toc.yml").read_text())
    listed = [section["file"] for part in contents["parts"] for chapter in part["chapters"]
              for section in chapter.get("sections", [])]
    assert "notebooks/jang/extra" in listed
