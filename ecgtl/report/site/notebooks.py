"""Notebooks are run when something changed that they depend on, two at a time, and judged by what they leave.

Jupyter-cache would overlook changed imports.
"""

import contextlib
import functools
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path

from ecgtl import paths, processes, results
from ecgtl.errors import EcgtlError
from ecgtl.models import checkpoint
from ecgtl.report.site.layout import Layout, content_of, find, holds, notebook_key, plain, say, write, write_notebook

WORKERS = 2
CELL_SECONDS, NOTEBOOK_SECONDS = 420, 540
ATTEMPTS = 3  # kernels that start side by side race for ports
# The notebook itself failed, so a new attempt would fail as well
FINAL = re.compile(r"PapermillExecutionError|CellTimeoutError|DeadKernelError")
GOODBYE = 1.5  # seconds that a kernel has to leave nothing half-written behind
# The kernel ``python3`` is this interpreter, whatever kernels the user has installed
KERNEL = {"argv": [sys.executable, "-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
          "display_name": "Python 3", "language": "python"}
_running: set[subprocess.Popen] = set()


def makes() -> dict[str, list[str]]:
    """What a run of each notebook leaves behind beside its cells' outputs (``notebooks.yml``)."""
    return paths.facts("report/site/notebooks")


def execute_all(layout: Layout, code: str, makes: Mapping[str, Iterable[str]]) -> None:
    """Run each notebook whose last good run is out of date, two at a time, with its parameters' defaults.

    Raises EcgtlError naming the first notebook that failed, after the others have ended.
    """
    names = {notebook: layout.name(notebook) for notebook in find(layout)}
    for name in names.values():
        if name not in makes:
            raise EcgtlError(f"ecgtl/report/site/notebooks.yml does not say what notebooks/{name}.ipynb makes")
    keys = {notebook: notebook_key(notebook, code) for notebook in names}
    todo = [one for one, name in names.items() if not is_current(layout, one, keys[one], makes[name])]
    say(f"notebooks: {len(names)}, to run: {len(todo)}")
    done: list[Future] = []
    jobs: dict[Future, str] = {}
    with ThreadPoolExecutor(WORKERS) as pool, processes.undone(functools.partial(_stop, pool, jobs)):
        for one in todo:
            jobs[pool.submit(_run_one, layout, one, keys[one], makes[names[one]])] = names[one]
        for job in as_completed(jobs):
            done.append(job)
            say(f"  {jobs[job]}: {'failed' if job.exception() else f'{job.result():.0f} s'}")
    for job in done:
        job.result()


def _stop(pool: ThreadPoolExecutor, jobs: Iterable[Future]) -> None:
    """Start no further notebook, and end those that run, also what is just being started."""
    pool.shutdown(wait=False, cancel_futures=True)
    while not all(job.done() for job in list(jobs)):
        _end(*list(_running))
        time.sleep(0.01)


def is_current(layout: Layout, notebook: Path, key: str, patterns: Iterable[str]) -> bool:
    """Whether the last good run of ``notebook`` had this key and what it made is still there."""
    kept = layout.executed(notebook)
    return (holds(kept.with_suffix(".key"), key) and kept.is_file()
            and all(_outputs(layout, pattern) for pattern in patterns))


def _run_one(layout: Layout, notebook: Path, key: str, patterns: Iterable[str]) -> float:
    """Run a notebook, judge the run, keep it under its key; returns the seconds it took."""
    began, name, target = time.time(), layout.name(notebook), layout.executed(notebook)
    say(f"  {name}: running")
    raw = target.with_name(f"{target.stem}.running.ipynb")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.with_suffix(".key").unlink(missing_ok=True)
    _papermill(layout, notebook, raw)
    check_run(layout, name, raw, patterns, began)
    content = content_of(raw)
    # Readers need no folders and process numbers of this machine
    for noted in (content, *content["cells"]):
        for word in ("papermill", "execution"):
            noted["metadata"].pop(word, None)
    write_notebook(target, content)
    raw.unlink()
    write(target.with_suffix(".key"), key)
    return time.time() - began


def _papermill(layout: Layout, notebook: Path, target: Path) -> None:
    """papermill in a process of its own, tried again when the kernel (not the notebook) failed."""
    name = f"notebooks/{layout.name(notebook)}.ipynb"
    command = [sys.executable, "-m", "papermill", str(notebook), str(target), "--kernel", "python3", "--cwd",
               str(notebook.parent), "--execution-timeout", str(CELL_SECONDS), "--start-timeout", "120",
               "--no-progress-bar", "--no-log-output"]
    for attempt in range(1, ATTEMPTS + 1):
        with started(command, env=_environment(layout), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            try:
                said = process.communicate(timeout=NOTEBOOK_SECONDS)[1]
            except subprocess.TimeoutExpired:
                raise EcgtlError(f"{name} ran longer than {NOTEBOOK_SECONDS} s and was stopped") from None
        if process.returncode == 0:
            return
        if process.returncode < 0:
            raise EcgtlError(f"{name} was stopped by signal {-process.returncode}")
        if FINAL.search(said) or attempt == ATTEMPTS:
            last = "\n".join(plain(said).strip().splitlines()[-15:])
            raise EcgtlError(f"{name} failed:\n{last}\nopen {target} to see how far it got")
        say(f"  {layout.name(notebook)}: the kernel did not start, attempt {attempt + 1} of {ATTEMPTS}")


def _environment(layout: Layout) -> dict[str, str]:
    """Surroundings of a kernel: this interpreter, this package, a share of the cores, no user's settings."""
    share = layout.work / "jupyter"
    write(share / "kernels" / "python3" / "kernel.json", json.dumps(KERNEL))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    own = {"JUPYTER_PATH": str(share), "JUPYTER_PLATFORM_DIRS": "1", "IPYTHONDIR": str(layout.work / "ipython"),
           "OMP_NUM_THREADS": str(max(1, cores // WORKERS))}
    if os.environ.get("ECGTL_RESULTS"):
        own["ECGTL_RESULTS"] = str(paths.results().absolute())  # the kernel runs in the notebook's folder
    return layout.environment(**own)


def check_run(layout: Layout, name: str, executed: Path, patterns: Iterable[str], began: float) -> None:
    """Judge a run by what it left, not by papermill's word, which after a kernel's death can be "completed".

    Every code cell must have run without error, and every pattern must have files written since ``began``,
    results among them valid. Raises EcgtlError.
    """
    for number, cell in enumerate(content_of(executed)["cells"]):
        if cell["cell_type"] != "code" or not "".join(cell["source"]).strip():
            continue
        if cell["execution_count"] is None:
            raise EcgtlError(f"notebooks/{name}.ipynb: cell {number} was not run (did its kernel die?)")
        if any(output["output_type"] == "error" for output in cell["outputs"]):
            raise EcgtlError(f"notebooks/{name}.ipynb: cell {number} ended in an error")
    for pattern in patterns:
        fresh = [file for file in _outputs(layout, pattern) if file.stat().st_mtime > began - 2]
        if not fresh:
            raise EcgtlError(f"notebooks/{name}.ipynb ran to its end but wrote no {pattern}")
        for file in fresh if pattern.startswith("results/") else ():
            (checkpoint.load if file.suffix == ".safetensors" else results.load)(file)


def _outputs(layout: Layout, pattern: str) -> list[Path]:
    below = pattern.removeprefix("results/")
    return sorted((layout.root if below == pattern else paths.results()).glob(below))


@contextlib.contextmanager
def started(command: list[str], **options) -> Iterator[subprocess.Popen]:
    """A process that hears no Ctrl-C of the terminal, and that is over with the block."""
    process = subprocess.Popen(command, text=True, encoding="utf-8", start_new_session=True, **options)
    _running.add(process)
    try:
        yield process
    finally:
        _end(process)
        _running.discard(process)


def _end(*started: subprocess.Popen) -> None:
    """End processes and those below them, kernels too; these have a moment to leave nothing half-written."""
    below = [pid for process in started for pid in processes.below(process.pid)]
    for number, seconds in ((signal.SIGINT, GOODBYE), (signal.SIGKILL, 0.0)):
        alive = [process.pid for process in started if process.poll() is None] if number == signal.SIGKILL else []
        for pid in below + alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        end = time.monotonic() + seconds
        while time.monotonic() < end and any(process.poll() is None for process in started):
            time.sleep(0.02)
    for process in started:
        process.wait()
