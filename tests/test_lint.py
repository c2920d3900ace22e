"""The habits that 'make lint' holds are the same everywhere, and what no linter counts: lengths. The mutator
mutates."""

import ast
import importlib.util
import re
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from ecgtl import paths

ROOT = paths.repository()
MODULES = sorted((ROOT / "ecgtl").rglob("*.py"))


def name_of(path):
    return str(path.relative_to(ROOT))


def test_the_hooks_before_a_commit_run_what_make_lint_runs():
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    commands = [line.strip().replace("$(PY)", ".venv/bin/python") for line in recipe.splitlines()]
    [local] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [hook["entry"] for hook in local["hooks"]] == commands
    assert all(hook["language"] == "system" and not hook["pass_filenames"] for hook in local["hooks"])


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_and_functions_are_short(path):
    """At most 400 lines a module, and 40 a function without its docstring and what it holds inside."""
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    long = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            first = node.body[1 if ast.get_docstring(node) and len(node.body) > 1 else 0]
            head = node.body[0].lineno - node.lineno
            long[node.name] = head + node.end_lineno - first.lineno + 1
    assert {name: lines for name, lines in long.items() if lines > 40} == {}


@pytest.fixture(scope="module")
def mutator():
    spec = importlib.util.spec_from_file_location("mutants", ROOT / "tools" / "mutants.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutants"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["mutants"]


SOURCE = '''"""A module."""
LIMIT: int | None = 3


@staticmethod
def share(part, whole):
    """A docstring with 1 number."""
    if not whole < 1 and part:
        raise ValueError(f"{part + 1} is too much")
    return round(part / whole, ndigits=2)


def other():
    return None
'''


def test_a_mutant_has_one_change_and_keeps_messages(mutator, tmp_path, monkeypatch):
    (tmp_path / "module.py").write_text(SOURCE)
    monkeypatch.setattr(mutator, "ROOT", tmp_path)
    found = list(mutator.mutants("module.py"))
    changes = [mutant.change for mutant in found]
    assert {"3  ->  4", "whole < 1  ->  whole <= 1", "whole < 1  ->  whole >= 1", "part / whole  ->  part * whole",
            "not whole < 1 and part  ->  not whole < 1 or part",
            "round(part / whole, ndigits=2)  ->  round(part / whole)",
            "return round(part / whole, ndigits=2)  ->  return None"} <= set(changes)
    assert not [change for change in changes if change.startswith("part + 1")]
    plain = ast.unparse(ast.parse(SOURCE))
    for mutant in found:
        lines = zip(plain.splitlines(), ast.unparse(ast.parse(mutant.source)).splitlines(), strict=True)
        assert sum(before != after for before, after in lines) == 1
    assert {mutant.function for mutant in found} == {"<module>", "share"}


def test_mutants_are_drawn_evenly_over_the_functions_and_by_the_seed(mutator):
    found = [mutator.Mutant("file", name, range(1), str(k), "") for name, n in (("a", 50), ("b", 2), ("c", 50))
             for k in range(n)]
    drawn = mutator.draw(found, 12, seed=3)
    assert Counter(mutant.function for mutant in drawn) == {"a": 5, "b": 2, "c": 5}
    assert drawn == mutator.draw(found, 12, seed=3) != mutator.draw(found, 12, seed=4)


def test_the_mutator_knows_the_modules_that_decide_numbers(mutator):
    stems = {Path(module).stem for module in mutator.TESTS}
    assert {"classes", "labels", "preparation", "statistics", "splits", "transferability", "filters", "claim_rules",
            "claims", "verdicts"} <= stems
    assert all(mutator.TESTS.values())


@pytest.mark.parametrize("name", [line for line in (ROOT / "tests" / "slow.txt").read_text().split("\n")
                                  if "::" in line])
def test_a_slow_test_is_one_that_exists(name):
    file, *_, function = name.split("::")
    assert re.search(rf"def {function}\(", (ROOT / "tests" / file).read_text())
