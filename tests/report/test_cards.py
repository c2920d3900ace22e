"""Cards of the shipped classifiers: what the stored result gives, in the form that others read."""

import json
import re

import numpy as np
import pytest
import yaml

from ecgtl import results
from ecgtl.config.classifier import FILE, folder_of, shipped
from ecgtl.models import checkpoint
from ecgtl.report import cards

NAMES = sorted(shipped())


def stored(name):
    return results.load(results.path_of("classifiers", f"{name}-reduced", "reduced"))


@pytest.mark.parametrize("name", NAMES)
def test_the_card_is_that_of_the_stored_result(name, tmp_path):
    folder = folder_of(name)
    facts = checkpoint.load(folder / FILE)[1]
    text = (folder / "README.md").read_text()
    assert text == cards.card(stored(name), facts)
    assert json.loads((folder / "config.json").read_text()) == facts.stored
    assert (folder / "reliability.svg").read_text().startswith("<svg")


@pytest.mark.parametrize("name", NAMES)
def test_the_head_is_the_form_of_hugging_face(name):
    _, head, _ = (folder_of(name) / "README.md").read_text().split("---\n", 2)
    said, scores = yaml.safe_load(head), stored(name).scores
    assert said["license"] in cards.LICENCES.values() and said["library_name"] == "ecgtl"
    (found,) = said["model-index"][0]["results"]
    assert found["metrics"][0]["value"] == pytest.approx(scores["macro_f1"], abs=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_the_data_come_first_and_every_part_is_there(name):
    text = (folder_of(name) / "README.md").read_text()
    parts = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert parts[0].startswith("The data") and len(parts) == 9
    assert all(f"| {one} |" in text for one in stored(name).data["classes"])


def test_the_diagram_shows_what_was_counted():
    result = stored(NAMES[0])
    axes = cards.diagram(result).axes[0]
    _, before, after = axes.get_lines()
    p = result.arrays[f"prob_{result.data['kind']}_test"].astype(float)
    right = p.argmax(axis=1) == result.arrays["y_test"]
    surest = p.max(axis=1) >= 14 / 15
    np.testing.assert_allclose(before.get_xydata()[-1], [p.max(axis=1)[surest].mean(), right[surest].mean()])
    assert len(after.get_xydata()) <= 15
