"""Mutation testing: which small changes to the code that decides numbers do the tests notice?

    python tools/mutants.py [--n 300] [--seed 0] [--minutes 40] [--processes 1]

A mutant is the package with one change: a comparison turned round, a constant one larger, an argument left out. It is
killed when a test of its module fails or does not end, and survives when all pass. Mutants are drawn evenly over the
functions and run in a copy of the repository. To be fast, a mutant runs only the tests that execute the changed
statement, the quickest first, in a process forked from one that has imported the libraries, but not ecgtl.
"""

import argparse
import ast
import functools
import gc
import importlib
import itertools
import json
import multiprocessing
import os
import random
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter, namedtuple
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import coverage
import pytest

ROOT = Path(__file__).resolve().parents[1]
NAMES = {"metrics": "metrics", "statistics": "statistics verdicts", "splits": "splits subjects", "filters": "filters",
         "transferability": "transferability", "verdicts": "verdicts claims", "claims": "claims",
         "claim_rules*": "claims"}
# The test files of each module, wherever in the package it lies; pages may have the same names
TESTS = {str(file.relative_to(ROOT)): [str(test.relative_to(ROOT)) for name in names.split()
                                       for test in ROOT.glob(f"tests/**/test_{name}.py")]
         for pattern, names in NAMES.items() for file in sorted(ROOT.glob(f"ecgtl/**/{pattern}.py"))
         if "report" not in file.parts}
LIBRARIES = ("matplotlib.pyplot", "pandas", "scipy.signal", "scipy.stats", "sklearn.model_selection", "torch", "yaml")
NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "build", "_build", "__pycache__", "*.egg-info")
FORK = multiprocessing.get_context("fork")
NOT_CHANGED = ("annotation", "returns", "decorator_list", "format_spec")
COMPARISONS = {ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE),
               ast.GtE: (ast.Gt, ast.Lt),
               ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
               ast.In: (ast.NotIn,), ast.NotIn: (ast.In,)}
OPERATORS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
             ast.Pow: ast.Mult,
             ast.Mod: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.And: ast.Or, ast.Or: ast.And}


# ``lines`` are those of the changed statement, ``source`` is the whole module
Mutant = namedtuple("Mutant", "file function lines change source")


def changes(node: ast.AST) -> Iterator[tuple[str, object]]:
    """Attributes of a node and what they may become. Words stay as they are."""
    match node:
        case ast.Compare():
            for k, operator in enumerate(node.ops):
                for other in COMPARISONS[type(operator)]:
                    yield "ops", [*node.ops[:k], other(), *node.ops[k + 1:]]
        case ast.BinOp() | ast.BoolOp() | ast.AugAssign() if type(node.op) in OPERATORS:
            yield "op", OPERATORS[type(node.op)]()
        case ast.UnaryOp(op=ast.USub()):
            yield "op", ast.UAdd()
        case ast.Constant(value=int() | float()):
            yield "value", not node.value if isinstance(node.value, bool) else node.value + 1
        case ast.Return(value=ast.expr()):
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
            yield Mutant(file, function, lines, change, "".join([*text[:first], ast.unparse(top), "\n",
                                                                 *text[top.end_lineno:]]))
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
    rng, seen = random.Random(seed), Counter()

    def turn(mutant: Mutant) -> int:
        seen[mutant.file, mutant.function] += 1
        return seen[mutant.file, mutant.function]

    chosen = sorted(rng.sample(found, len(found)), key=turn)[:n]
    return rng.sample(chosen, len(chosen))


class Recorder:
    """Notes which lines a test executes and how long it takes; what runs on import and in fixtures concerns all
    tests."""

    def __init__(self, folder: Path):
        self.folder, self.seconds = folder, {}
        self.coverage = coverage.Coverage(data_file=None, include=[f"{folder}/{file}" for file in TESTS])

    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self):
        self.coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item):
        """What an earlier test has computed and kept would hide what this one executes."""
        os.environ["ECGTL_CACHE"] = f"{self.folder}/.cache/{len(self.seconds)}"
        for kept in gc.get_objects():
            if type(kept) is functools._lru_cache_wrapper and f"{kept.__module__.replace('.', '/')}.py" in TESTS:
                kept.cache_clear()
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


def run(folder: Path, tests: list[str], seconds: int, plugin: Recorder | None = None) -> int:
    """Exit code of the tests in a copy of the repository, negative where ``seconds`` of the processor were not
    enough."""
    def child() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        os.chdir(folder)
        sys.path.insert(0, str(folder))
        os.environ |= {"PYTHONPATH": str(folder), "ECGTL_TEST_CACHE": f"{folder}/.cache",
                       "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        sys.stdout = sys.stderr = open("pytest.txt", "w")
        sys.exit(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "pytest_timeout", f"--basetemp={folder}/.tmp",
                              *tests],
                             [plugin] if plugin else []))

    shutil.rmtree(folder / ".cache", ignore_errors=True)
    process = FORK.Process(target=child)
    process.start()
    process.join(20 * seconds)
    process.kill()
    process.join()
    return process.exitcode


def fate(number: int, mutant: Mutant, original: Path, known: dict, end: float) -> str | None:
    """Whether the tests notice a mutant; None where the time is over."""
    if time.monotonic() > end:
        return None
    running = set().union(*(known["lines"][mutant.file].get(str(line), []) for line in mutant.lines))
    tests = [test for test in sorted(known["seconds"], key=known["seconds"].get)
             if test.partition("::")[0] in TESTS[mutant.file] and {"", test} & running]
    if not tests:
        return "survived (no test)"
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
    end, counts = time.monotonic() + 60 * given.minutes, {}
    os.environ |= {"OMP_NUM_THREADS": "1", "MPLBACKEND": "agg", "ECGTL_DATA": ""}
    for name in LIBRARIES:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory() as scratch, ProcessPoolExecutor(given.processes, FORK) as workers:
        folder = Path(shutil.copytree(ROOT, Path(scratch).resolve() / "ecgtl", ignore=NOT_COPIED))
        if run(folder, sorted(set(itertools.chain(*TESTS.values()))), 3600, Recorder(folder)):
            sys.exit((folder / "pytest.txt").read_text() + "\nthe tests fail without any change")
        known = json.loads((folder / "lines.json").read_text())
        chosen = draw([mutant for file in TESTS for mutant in mutants(file)], given.n, given.seed)
        asked = [workers.submit(fate, number, mutant, folder, known, end) for number, mutant in enumerate(chosen)]
        for mutant, answer in zip(chosen, asked, strict=True):
            if word := answer.result():
                counts.setdefault(Path(mutant.file).stem, Counter())[word.partition(" ")[0]] += 1
                print(f"{word:9} {mutant.file}:{mutant.lines.start}  {mutant.function}  {mutant.change}", flush=True)
    counts["all"] = sum(counts.values(), Counter())
    for name, count in counts.items():
        noticed = count["killed"] + count["timeout"]
        print(f"{name}: {noticed} of {count.total()} noticed ({count['timeout']} by the time limit), "
              f"{noticed / count.total():.1%}")


if __name__ == "__main__":
    main()
