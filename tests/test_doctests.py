"""The examples of what the project promises to keep: each runs, and each says parameters, returned value and errors."""

import doctest
import importlib
import inspect

import pytest

from ecgtl import metrics

PUBLIC = {"ecgtl.datasets": ("load",), "ecgtl.config": ("FinetuneConfig.of",), "ecgtl.features": ("load",),
          "ecgtl.models": ("build",), "ecgtl.published": ("load", "lookup"),
          "ecgtl.transferability": ("melep",),
          "ecgtl.metrics": [name for name, _ in inspect.getmembers(metrics, inspect.isfunction)]}


@pytest.mark.parametrize(("module", "name"), [(module, name) for module, names in PUBLIC.items() for name in names])
def test_an_example_runs_and_the_sections_are_there(module, name):
    found = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    text = inspect.getdoc(found)
    for section in ("Parameters", "Returns", "Examples"):
        assert f"\n{section}\n{'-' * len(section)}\n" in text, section
    known = vars(importlib.import_module(found.__module__)).copy()
    tests = doctest.DocTestFinder(recurse=False).find(found, name, globs=known)
    assert sum(len(test.examples) for test in tests) > 0
    for test in tests:
        assert doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test).failed == 0
