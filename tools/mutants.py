"""Mutation testing: which small changes to the code that decides numbers do the tests notice?

    python tools/mutants.py [--n 300] [--seed 0] [--minutes 40] [--processes 1]

A mutant is the package with one change: a comparison turned round, a constant one larger, an argument left out. It is
killed when a test of its module fails or does not end, and survives when all pass. Mutants are drawn evenly over the
functions and run in a copy of the repository. To be fast, a mutant runs only the tests that execute the changed
statement, the quickest first, in a process forked from one that has imported the libraries, but not ecgtl.
"""

import argparse
import ast
import gc
import importlib
import json
import multiprocessing
import os
import random
import resource
import shutil
import sys
import tempfile
import time
from collections import namedtuple
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import coverage
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[1]
NAMES = {"metrics/*": "metrics", "statistics": "statistics verdicts", "splits": "splits subjects",
         "filters": "filters rates", "preparation": "filters rates", "transferability": "transferability",
         "verdicts": "verdicts claims", "claims": "claims", "claim_rules": "claims", "analysis/sources": "claims"}
# The test files of each module, wherever in the package it lies; pages may have the same names
TESTS = {str(module.relative_to(ROOT)): [str(test.relative_to(ROOT)) for name in names.split()
                                         for test in ROOT.glob(f"tests/**/test_{name}.py")]
         for pattern, names in NAMES.items() for module in sorted(ROOT.glob(f"ecgtl/**/{pattern}.py"))
         if "report" not in module.parts}
LIBRARIES = ("matplotlib.pyplot", "scipy.signal", "scipy.stats", "sklearn.model_selection", "torch", "yaml")
NOT_COPIED = (".git", ".venv", "build", "_build", "__pycache__", "*.egg-info")
FORK = multiprocessing.get_context("fork")
NOT_CHANGED = ("annotation", "returns", "decorator_list", "format_spec")
COMPARISONS = {"Lt": "LtE GtE", "LtE": "Lt Gt", "Gt": "GtE LtE", "GtE": "Gt Lt", "Eq": "NotEq", "NotEq": "Eq",
               "Is": "IsNot", "IsNot": "Is", "In": "NotIn", "NotIn": "In"}
OPERATORS = {"Add": "Sub", "Sub": "Add", "Mult": "Div", "Div": "Mult", "FloorDiv": "Mult", "Pow": "Mult", "Mod": "Mult",
             "BitAnd": "BitOr", "BitOr": "BitAnd", "And": "Or", "Or": "And", "USub": "UAdd"}
# ``lines`` are those of the changed statement, ``source`` is the whole module
Mutant = namedtuple("Mutant", "file function lines change source")


def changes(node: ast.AST) -> Iterator[tuple[str, object]]:
    """Attributes of a node and what they may become. Words stay as they are."""
    match node:
        case ast.Compare():
            for k, operator in enumerate(node.ops):
                for other in COMPARISONS[type(operator).__name__].split():
                    yield "ops", [*node.ops[:k], getattr(ast, other)(), *node.ops[k + 1:]]
        case ast.BinOp() | ast.BoolOp() | ast.AugAssign() | ast.UnaryOp() if type(node.op).__name__ in OPERATORS:
            yield "op", getattr(ast, OPERATORS[type(node.op).__name__])()
        case ast.Constant(value=int() | float()):
            yield "value", not node.value if isinstance(node.value, bool) else node.value + 1
        case ast.Return(value=ast.expr()) if ast.unparse(node.value) != "None":
            yield "value", ast.Constant(None)
        case ast.If() | ast.IfExp() | ast.While() if not isinstance(node.test, ast.Compare):
            yield "test", ast.UnaryOp(ast.Not(), node.test)
        case ast.Call():
            if node.args:
                yield "args", node.args[:-1]
            for left_out in node.keywords:
                if left_out.arg != "strict":  # of zip: it changes nothing unless something else is wrong
                    yield "keywords", [keyword for keyword in node.keywords if keyword is not left_out]


def mutants(file: str) -> Iterator[Mutant]:
    """Every mutant of a module; messages of errors stay."""
    text = (ROOT / file).read_text().splitlines(keepends=True)

    def below(node: ast.AST, function: str, lines: range) -> Iterator[Mutant]:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            function = f"{function}.{node.name}".removeprefix("<module>.")
        if isinstance(node, ast.stmt):
            lines = range(node.lineno, node.body[0].lineno if hasattr(node, "body") else node.end_lineno + 1)
        was = ast.unparse(node)
        for name, value in changes(node):
            kept = getattr(node, name)
            setattr(node, name, value)
            change = "  ->  ".join(code.partition("\n")[0][:100] for code in (was, ast.unparse(node)))
            source = "".join([*text[:first], ast.unparse(top), "\n", *text[top.end_lineno:]])
            yield Mutant(file, function, lines, change, source)
            setattr(node, name, kept)
        for name, value in ast.iter_fields(node):
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST) and name not in NOT_CHANGED and not isinstance(child, ast.Raise):
                    yield from below(child, function, lines)

    for top in ast.parse("".join(text)).body:
        first = min(node.lineno for node in (top, *getattr(top, "decorator_list", []))) - 1
        yield from below(top, "<module>", range(0))


def draw(found: list[Mutant], n: int, seed: int) -> list[Mutant]:
    """``n`` of the mutants in random order: one of each function, then one more of each, and so on."""
    rng = random.Random(seed)
    shuffled = rng.sample(found, len(found))
    turns = pd.DataFrame(shuffled).groupby(["file", "function"]).cumcount()
    chosen = turns.sort_values(kind="stable").index[:n]
    return [shuffled[k] for k in rng.sample(list(chosen), len(chosen))]


class Recorder:
    """Which lines a test executes and how long it takes; what runs on import and in fixtures concerns all tests."""

    def __init__(self, folder: Path):
        self.folder, self.seconds = folder, {}
        self.coverage = coverage.Coverage(data_file=None, include=[f"{folder}/{file}" for file in TESTS])
        self.coverage.start()

    def pytest_collection_finish(self):
        self.caches = [kept for kept in gc.get_objects() if type(kept).__name__ == "_lru_cache_wrapper"
                       and f"{kept.__module__.replace('.', '/')}.py" in TESTS]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item):
        """What an earlier test has computed and kept would hide what this one executes."""
        os.environ["ECGTL_CACHE"] = f"{self.folder}/.cache/{len(self.seconds)}"
        for cache in self.caches:
            cache.cache_clear()
        started = time.process_time()
        self.coverage.switch_context(item.nodeid)
        yield
        self.coverage.switch_context("")
        self.seconds[item.nodeid] = time.process_time() - started

    def pytest_sessionfinish(self):
        self.coverage.stop()
        known = self.coverage.get_data()
        lines = {file: known.contexts_by_lineno(f"{self.folder / file}") for file in TESTS}
        (self.folder / "lines.json").write_text(json.dumps({"seconds": self.seconds, "lines": lines}))


def run(folder: Path, tests: list[str], seconds: int, recorded: bool = False) -> int:
    """Exit code of tests in a copy of the repository, negative where ``seconds`` of the processor were not enough."""
    def child() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        os.chdir(folder)
        sys.path.insert(0, str(folder))
        os.environ |= {"PYTHONPATH": str(folder), "ECGTL_TEST_CACHE": f"{folder}/.cache"}
        sys.stdout = sys.stderr = open("pytest.txt", "w")  # noqa: SIM115 - open until the process ends
        sys.exit(pytest.main([f"--basetemp={folder}/.tmp", *tests], [Recorder(folder)] if recorded else []))

    shutil.rmtree(folder / ".cache", ignore_errors=True)
    process = FORK.Process(target=child)
    process.start()
    process.join(20 * seconds)
    process.kill()
    process.join()
    return process.exitcode


def fate(number: int, mutant: Mutant, original: Path, end: float) -> str:
    """Whether the tests notice a mutant; empty where the time is over."""
    if time.monotonic() > end:
        return ""
    known = json.loads((original / "lines.json").read_text())
    running = set().union(*(known["lines"][mutant.file].get(str(line), []) for line in mutant.lines))
    tests = [test for test in sorted(known["seconds"], key=known["seconds"].get)
             if test.partition("::")[0] in TESTS[mutant.file] and {"", test} & running]
    if not tests:
        return "survived"
    folder = Path(f"{original}-{os.getpid()}")
    if not folder.exists():
        shutil.copytree(original, folder)
    (folder / mutant.file).write_text(mutant.source)
    os.utime(folder / mutant.file, (number, number))  # so that Python compiles it again
    code = run(folder, tests, 20 + 5 * round(sum(map(known["seconds"].get, tests))))
    shutil.copy2(original / mutant.file, folder / mutant.file)
    return "timeout" if code < 0 else "killed" if code else "survived"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name, default in {"n": 300, "seed": 0, "minutes": 40, "processes": 1}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    end, fates = time.monotonic() + 60 * given.minutes, []
    os.environ |= {"OMP_NUM_THREADS": "1", "MPLBACKEND": "agg", "ECGTL_DATA": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                   "PYTEST_ADDOPTS": "-x -q -p no:cacheprovider -p pytest_timeout"}
    for name in LIBRARIES:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory() as scratch, ProcessPoolExecutor(given.processes, FORK) as workers:
        folder = Path(shutil.copytree(ROOT, f"{scratch}/ecgtl", ignore=shutil.ignore_patterns(*NOT_COPIED))).resolve()
        if run(folder, sorted({test for tests in TESTS.values() for test in tests}), 3600, recorded=True):
            sys.exit((folder / "pytest.txt").read_text() + "\nthe tests fail without any change")
        chosen = draw([mutant for file in TESTS for mutant in mutants(file)], given.n, given.seed)
        answers = [workers.submit(fate, number, mutant, folder, end) for number, mutant in enumerate(chosen)]
        for mutant, answer in zip(chosen, answers, strict=True):
            if word := answer.result():
                fates.append((Path(mutant.file).stem, word))
                where = f"{mutant.file}:{mutant.lines.start}  {mutant.function}"
                print(f"{word:8} {where}  {mutant.change}", flush=True)
    found = pd.DataFrame(fates, columns=["module", "fate"])
    print(pd.crosstab(found["module"], found["fate"], margins=True, margins_name="all").to_string())
    print(pd.crosstab(found["module"], found["fate"] != "survived", margins=True, margins_name="all",
                      normalize="index"))


if __name__ == "__main__":
    main()
