"""Notebooks and their text twins say the same, take exactly the config's parameters, and guard the numbers."""

import ast
import dataclasses
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest
from bs4 import BeautifulSoup

from ecgtl import config

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))
CONFIGS = {"finetune": config.FinetuneConfig, "pretrain": config.PretrainConfig, "recordings": config.RecordingsConfig,
           "probe": config.ProbeConfig, "score_transfer": config.ScoreConfig}


def name_of(path):
    return str(path.relative_to(ROOT / "notebooks").with_suffix(""))


def parameters_of(notebook):
    cells = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    assert len(cells) == 1, "a notebook has one cell tagged 'parameters'"
    return {node.targets[0].id: ast.literal_eval(node.value)
            for node in ast.parse(cells[0].source).body}, cells[0].source


def test_there_are_notebooks():
    assert {"finetune", "pretrain", "recordings", "weimann/table2"} <= {name_of(path) for path in NOTEBOOKS}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_paired_text_and_notebook_hold_the_same_cells(path):
    notebook, text = nbformat.read(path, 4), jupytext.read(path.with_suffix(".py"))
    assert [(c.cell_type, c.source) for c in notebook.cells] == [(c.cell_type, c.source) for c in text.cells]
    assert notebook.metadata["kernelspec"]["name"] == "python3"
    assert notebook.metadata["language_info"]["name"] == "python"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_parameters_are_the_fields_of_the_config_with_their_defaults(path):
    found, source = parameters_of(nbformat.read(path, 4))
    fields = {f.name: f.default for f in dataclasses.fields(CONFIGS.get(name_of(path), config.SectionConfig))}
    assert found == fields
    assert ";" not in source, "papermill reads one assignment a line"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_every_figure_has_a_caption_and_says_in_words_what_it_shows(path):
    for cell in nbformat.read(path, 4).cells:
        data = [output.get("data", {}) for output in cell.get("outputs", [])]
        assert not [kind for one in data for kind in one if kind.startswith("image/")], cell.source[:60]
        assert "mystnb" not in cell.metadata, "words that are typed do not follow the results"
        page = BeautifulSoup("".join(one.get("text/html", "") for one in data), "html.parser")
        for image in page.find_all("img"):
            assert image.parent.name == "figure" and len(image.parent.figcaption.text) > 30
            assert len(image["alt"]) > 50 and re.search(r"\d", image["alt"])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_a_page_of_figures_leaves_room_for_the_rest(path):
    assert path.stat().st_size < 1_000_000, "a page of the site may have 1.5 MB"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_stored_outputs_are_complete_and_free_of_this_machine(path):
    notebook = nbformat.read(path, 4)
    text = path.read_text()
    assert not [o for c in notebook.cells for o in c.get("outputs", []) if o.output_type == "error"]
    assert all(c.execution_count for c in notebook.cells if c.cell_type == "code")
    assert str(ROOT) not in text and str(Path.home()) + "/" not in text


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_every_notebook_has_a_checked_line(path):
    sources = [c.source for c in nbformat.read(path, 4).cells if c.cell_type == "code"]
    assert any("NBVAL_CHECK_OUTPUT" in source for source in sources)


def run_nbval(folder, notebook, env):
    return subprocess.run([sys.executable, "-m", "pytest", "--nbval-lax", "-q", "-x", "-p", "no:cacheprovider",
                           "--nbval-cell-timeout=300",
                           str(notebook)], cwd=folder, env=env, capture_output=True, text=True, timeout=600)


def test_nbval_fails_when_a_metric_is_changed(tmp_path, session_cache):
    """A copy of the package whose macro F1 is a maximum: the same notebook, unchanged, must fail, and for that
    reason."""
    shutil.copytree(ROOT / "ecgtl", tmp_path / "ecgtl", ignore=shutil.ignore_patterns("__pycache__"))
    metrics = tmp_path / "ecgtl" / "metrics" / "classes.py"
    changed = metrics.read_text().replace("return float(np.mean(f1_per_class(", "return float(np.max(f1_per_class(")
    assert changed != metrics.read_text()
    metrics.write_text(changed)
    shutil.copy(ROOT / "notebooks" / "finetune.ipynb", tmp_path)
    env = os.environ | {"PYTHONPATH": str(tmp_path), "ECGTL_CACHE": str(session_cache),
                        "ECGTL_RESULTS": str(tmp_path / "results")}
    done = run_nbval(tmp_path, tmp_path / "finetune.ipynb", env)
    assert done.returncode == 1, done.stdout[-2000:]
    assert "DIFFERENT" in done.stdout


def test_papermill_refuses_a_misspelt_parameter_in_one_line(tmp_path):
    done = subprocess.run([sys.executable, "-m", "papermill", str(ROOT / "notebooks" / "finetune.ipynb"),
                           str(tmp_path / "out.ipynb"),
                           "-p", "fractoin", "0.25"], capture_output=True, text=True, timeout=300,
                          env=os.environ | {"ECGTL_RESULTS": str(tmp_path), "PYTHONPATH": str(ROOT)})
    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if "EcgtlError" in line]
    assert any("unknown parameter 'fractoin'; did you mean 'fraction'?" in line for line in said)
    assert not list(tmp_path.glob("**/*.json"))
