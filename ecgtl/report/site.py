"""``make book``: run the notebooks, build the site strictly, check it, and say where it lies.

    python -m ecgtl.report.site

A notebook runs again only when it, the package, the results or the lock file changed (jupyter-cache would
overlook changed imports); the site is built again only when one of those, the prose or the configuration has
changed. The new site replaces the old one when it has passed every check: a failure leaves the old one whole.
"""

import contextlib
import functools
import hashlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from ecgtl import paths, processes
from ecgtl.errors import EcgtlError
from ecgtl.report.site_checks import pages, problems

# Folder of notebooks -> the paper, and those of its notebooks that write CSV files
TABLES = {
    "jang": ("jang2021", "table1 table2 table3 figure1 figure2 figure4 figure5"),
    "weimann": ("weimann2021", "table1 table2 table3 table4 table5 figure1 figure2 figure3"),
    "melep": ("melep2023", "table1 table2 figure1 figure2 figure3 figure4 figure5 figure6 number-of-labels"),
}
# What a run of a notebook leaves behind beside its cells' outputs; results/ stands for ECGTL_RESULTS
MAKES = {
    "finetune": ("results/demo/finetune/*.json",),
    "pretrain": ("results/demo/pretrain/*.json", "results/demo/weights/*.safetensors"),
    "across/choice": ("build/downloads/across*.csv",),
    **dict.fromkeys(("recordings", "score_transfer", "jang/figure3"), ()),
    **{f"{folder}/{item}": (f"build/downloads/{paper}-{item}*.csv",)
       for folder, (paper, items) in TABLES.items() for item in items.split()},
}
WORKERS = 2
CELL_SECONDS, NOTEBOOK_SECONDS = 420, 540
ATTEMPTS = 3  # kernels that start side by side race for ports
# The notebook itself failed, so a new attempt would fail as well
FINAL = re.compile(r"PapermillExecutionError|CellTimeoutError|DeadKernelError")
DOWNLOAD = re.compile(r"\{download\}`([^`<]*?)\s*</downloads/([^`>]+)>`")
STOPPED = "book: stopped; what is finished is kept, the same command goes on from there"
GOODBYE = 1.5  # seconds that a kernel has to leave nothing half-written behind
_running: set[subprocess.Popen] = set()
SKIPPED = {"__pycache__", ".ipynb_checkpoints", "_build"}


@dataclass(frozen=True)
class Layout:
    """Where things lie below ``root``, the checkout."""

    root: Path

    notebooks = property(lambda self: self.root / "notebooks")
    book = property(lambda self: self.root / "book")
    config = property(lambda self: self.root / "_config.yml")
    toc = property(lambda self: self.root / "_toc.yml")
    lock = property(lambda self: self.root / "requirements.lock")
    downloads = property(lambda self: self.root / "build" / "downloads")
    work = property(lambda self: self.root / "build" / "site")
    site = property(lambda self: self.root / "book" / "_build" / "html")

    def name(self, notebook: Path) -> str:
        """A notebook's name: its path below ``notebooks/`` without suffix."""
        return notebook.relative_to(self.notebooks).with_suffix("").as_posix()


def main() -> int:
    """0 when the site stands, 1 when it could not be made (one line says why)."""
    try:
        make(Layout(paths.repository()))
    except EcgtlError as error:
        print(f"\nbook: {error}", file=sys.stderr)
        return 1
    return 0


def make(layout: Layout, makes: dict[str, tuple[str, ...]] = MAKES) -> Path:
    """Bring the site up to date and return its front page. Raises EcgtlError when a step fails."""
    began, index = time.monotonic(), layout.site / "index.html"
    code = code_key(layout)
    key = site_key(layout, code)
    if _read(layout.work / "site.key") == key and index.is_file():
        _say(f"nothing has changed; the site is {index}")
        return index
    execute_all(layout, code, makes)
    stage(layout)
    built = build(layout)
    found = problems(built, pages(layout.toc))
    if found:
        raise EcgtlError("the built site is not right:\n  " + "\n  ".join(found))
    _replace(built, layout.site)
    _write(layout.work / "site.key", key)
    _say(f"done in {time.monotonic() - began:.0f} s; {len(pages(layout.toc))} pages, works without internet:")
    _say(str(index))
    return index


# What has to be done again


def code_key(layout: Layout) -> str:
    """Hash of what every notebook depends on: the package, the committed results, the lock file, Python."""
    committed = [file for file in _files(paths.results())
                 if file.relative_to(paths.results()).parts[0] not in ("demo", ".running") and file.name[0] != "."]
    package = [file for file in _files(layout.root / "ecgtl") if file.suffix != ".pyc"]
    return _digest([*package, *committed, layout.lock], layout.root, platform.python_version())


def notebook_key(notebook: Path, code: str) -> str:
    """Hash of a notebook's cells and of what it depends on; outputs and other metadata do not count."""
    content = _notebook(notebook)
    cells = [(cell["cell_type"], "".join(cell["source"]), cell["metadata"]) for cell in content["cells"]]
    return hashlib.sha256(json.dumps([code, cells], sort_keys=True).encode()).hexdigest()


def site_key(layout: Layout, code: str) -> str:
    """Hash of everything the site is made from."""
    staged = (layout.book / "notebooks", layout.book / "downloads")
    prose = [file for file in _files(layout.book) if not any(file.is_relative_to(folder) for folder in staged)]
    return _digest([*prose, layout.config, layout.toc], layout.root, code, *(notebook_key(one, "") for one in find(layout)))


def _digest(files: Iterable[Path], root: Path, *more: str) -> str:
    total = hashlib.sha256("\n".join(more).encode())
    for file in sorted(file for file in files if file.is_file()):
        name = file.relative_to(root) if file.is_relative_to(root) else file
        total.update(f"\n{name}\n{hashlib.sha256(file.read_bytes()).hexdigest()}".encode())
    return total.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    for file in folder.rglob("*"):
        if file.is_file() and not SKIPPED & set(file.relative_to(folder).parts):
            yield file


# Notebooks


def find(layout: Layout) -> list[Path]:
    """All notebooks, in order."""
    return sorted(file for file in _files(layout.notebooks) if file.suffix == ".ipynb")


def execute_all(layout: Layout, code: str, makes: dict[str, tuple[str, ...]]) -> None:
    """Run each notebook whose last good run is out of date, two at a time, with its parameters' defaults.

    Raises EcgtlError naming the first notebook that failed, after the others have ended.
    """
    notebooks = find(layout)
    unknown = [layout.name(notebook) for notebook in notebooks if layout.name(notebook) not in makes]
    if unknown:
        raise EcgtlError(f"ecgtl/report/site.py, MAKES, does not say what notebooks/{unknown[0]}.ipynb makes")
    keys = {notebook: notebook_key(notebook, code) for notebook in notebooks}
    todo = [n for n in notebooks if not is_current(layout, n, keys[n], makes[layout.name(n)])]
    _say(f"notebooks: {len(notebooks)}, to run: {len(todo)}")
    failed, jobs = [], {}
    with ThreadPoolExecutor(WORKERS) as pool, processes.undone(functools.partial(_stop, pool, jobs)):
        for n in todo:
            jobs[pool.submit(_run_one, layout, n, keys[n], makes[layout.name(n)])] = n
        for job in as_completed(jobs):
            if job.exception() is None:
                _say(f"  {layout.name(jobs[job])}: {job.result():.0f} s")
            else:
                failed.append(job.exception())
                _say(f"  {layout.name(jobs[job])}: failed")
    if failed:
        raise failed[0]


def _stop(pool: ThreadPoolExecutor, jobs: Iterable[Future]) -> None:
    """Start no further notebook, and end those that run, also what is just being started."""
    pool.shutdown(wait=False, cancel_futures=True)
    while not all(job.done() for job in list(jobs)):
        _end(*list(_running))
        time.sleep(0.01)


def is_current(layout: Layout, notebook: Path, key: str, patterns: Iterable[str]) -> bool:
    """Whether the last good run of ``notebook`` had this key and what it made is still there."""
    folder = layout.work / "executed"
    name = layout.name(notebook)
    return (_read(folder / f"{name}.key") == key and (folder / f"{name}.ipynb").is_file()
            and all(_outputs(layout, pattern) for pattern in patterns))


def _run_one(layout: Layout, notebook: Path, key: str, patterns: Iterable[str]) -> float:
    """Run a notebook, judge the run, keep it under its key; returns the seconds it took."""
    began, name = time.time(), layout.name(notebook)
    _say(f"  {name}: running")
    target = layout.work / "executed" / f"{name}.ipynb"
    raw = target.with_name(f"{target.stem}.running.ipynb")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.with_suffix(".key").unlink(missing_ok=True)
    _papermill(layout, notebook, raw)
    check_run(layout, name, raw, patterns, began)
    _write(target, json.dumps(_tidy(_notebook(raw)), indent=1, ensure_ascii=False) + "\n")
    raw.unlink()
    _write(target.with_suffix(".key"), key)
    return time.time() - began


def _papermill(layout: Layout, notebook: Path, target: Path) -> None:
    """papermill in a process of its own, tried again when the kernel (not the notebook) failed."""
    name = layout.name(notebook)
    command = [sys.executable, "-m", "papermill", str(notebook), str(target), "--kernel", "python3", "--cwd",
               str(notebook.parent), "--execution-timeout", str(CELL_SECONDS), "--start-timeout", "120",
               "--no-progress-bar", "--no-log-output"]
    for attempt in range(1, ATTEMPTS + 1):
        with _started(command, env=_environment(layout), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            try:
                said = process.communicate(timeout=NOTEBOOK_SECONDS)[1]
            except subprocess.TimeoutExpired:
                raise EcgtlError(f"notebooks/{name}.ipynb ran longer than {NOTEBOOK_SECONDS} s and was stopped") from None
        if process.returncode == 0:
            return
        if process.returncode < 0:
            raise EcgtlError(f"notebooks/{name}.ipynb was stopped by signal {-process.returncode}")
        if FINAL.search(said) or attempt == ATTEMPTS:
            last = "\n".join(_plain(said).strip().splitlines()[-15:])
            raise EcgtlError(f"notebooks/{name}.ipynb failed:\n{last}\nopen {target} to see how far it got")
        _say(f"  {name}: the kernel did not start, attempt {attempt + 1} of {ATTEMPTS}")


def _environment(layout: Layout) -> dict[str, str]:
    """Surroundings of a kernel: this interpreter, this package, a share of the cores, no user's settings."""
    share = layout.work / "jupyter"
    # The kernel ``python3`` is this interpreter, whatever kernels the user has installed
    command = [sys.executable, "-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel = {"argv": command, "display_name": "Python 3", "language": "python"}
    _write(share / "kernels" / "python3" / "kernel.json", json.dumps(kernel))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    own = {"JUPYTER_PATH": str(share), "JUPYTER_PLATFORM_DIRS": "1", "PYTHONPATH": _python_path(layout),
           "IPYTHONDIR": str(layout.work / "ipython"), "OMP_NUM_THREADS": str(max(1, cores // WORKERS))}
    if os.environ.get("ECGTL_RESULTS"):
        own["ECGTL_RESULTS"] = str(paths.results().absolute())  # the kernel runs in the notebook's folder
    return os.environ | own


def check_run(layout: Layout, name: str, executed: Path, patterns: Iterable[str], began: float) -> None:
    """Judge a run by what it left, not by papermill's word, which after a kernel's death can be "completed".

    Every code cell must have run without error, and every pattern must have files written since ``began``,
    results among them valid. Raises EcgtlError.
    """
    for number, cell in enumerate(_notebook(executed)["cells"]):
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
            _check_output(file)


def _check_output(file: Path) -> None:
    """A result or a checkpoint must be readable as a whole."""
    from ecgtl import results
    from ecgtl.models import checkpoint

    checkpoint.load(file) if file.suffix == ".safetensors" else results.load(file)


def _outputs(layout: Layout, pattern: str) -> list[Path]:
    below = pattern.removeprefix("results/")
    return sorted((layout.root if below == pattern else paths.results()).glob(below))


def _tidy(content: dict) -> dict:
    """The executed notebook for readers: without the folders and process numbers of this machine."""
    content["metadata"].pop("papermill", None)
    for cell in content["cells"]:
        for name in ("papermill", "execution"):
            cell["metadata"].pop(name, None)
    return content


def _notebook(file: Path) -> dict:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EcgtlError(f"{file} is not a notebook ({type(error).__name__}); restore it from git") from None


@contextlib.contextmanager
def _started(command: list[str], **options) -> Iterator[subprocess.Popen]:
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
        for pid in below + [process.pid for process in started if process.poll() is None and number == signal.SIGKILL]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        end = time.monotonic() + seconds
        while time.monotonic() < end and any(process.poll() is None for process in started):
            time.sleep(0.02)
    for process in started:
        process.wait()


# The book


def stage(layout: Layout) -> None:
    """Put executed notebooks and downloads where the book finds them; what is no longer made goes."""
    wanted = {f"notebooks/{layout.name(n)}.ipynb": layout.work / "executed" / f"{layout.name(n)}.ipynb" for n in find(layout)}
    tables = list(layout.downloads.glob("*.csv"))
    empty = {file.name for file in tables if len(file.read_text(encoding="utf-8").splitlines()) < 2}
    wanted |= {f"downloads/{file.name}": file for file in tables if file.name not in empty}
    for folder in ("notebooks", "downloads"):
        for old in list(_files(layout.book / folder)):
            if old.relative_to(layout.book).as_posix() not in wanted:
                old.unlink()
    for place, source in wanted.items():
        target = layout.book / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".ipynb":
            _write(target, _without_links(_notebook(source), empty))
        else:
            shutil.copyfile(source, target)


def _without_links(content: dict, empty: set[str]) -> str:
    """A notebook as text; its links to tables that are ``empty``, of a header alone, are words, and there is nothing to download."""
    for cell in content["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = DOWNLOAD.sub(lambda link: f"{link[1]} (PENDING: no rows yet)" if link[2] in empty else link[0],
                                          "".join(cell["source"]))
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def build(layout: Layout) -> Path:
    """Build the site from nothing into a work folder, every warning an error; returns its HTML's folder."""
    out = layout.work / "book"
    shutil.rmtree(out, ignore_errors=True)
    _say("building the site")
    program = "import sys; from jupyter_book.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "build", str(layout.book), "--config", str(layout.config),
               "--toc", str(layout.toc), "--path-output", str(out), "-W", "--keep-going"]
    environment = os.environ | {"PYTHONPATH": _python_path(layout)}
    with _started(command, cwd=layout.root, env=environment, stdout=subprocess.PIPE) as process:
        for line in map(_plain, process.stdout):
            if re.match(r"(reading sources|writing output)\b.*%", line):
                _say(f"  {line.strip()}")
        status = process.wait()
    if status != 0:
        raise EcgtlError("the book has warnings or errors, see above; the old site, if any, is untouched")
    return out / "_build" / "html"


def _replace(new: Path, old: Path) -> None:
    """Put the folder ``new`` in the place of ``old``."""
    away, beside = old.with_name("html.old"), old.with_name("html.new")
    for left in (away, beside):
        shutil.rmtree(left, ignore_errors=True)
    old.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(new, beside)
    if old.exists():
        old.rename(away)
    beside.rename(old)
    shutil.rmtree(away, ignore_errors=True)


# Small things


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")  # in one piece: two notebooks may speak at once
    sys.stdout.flush()


def _plain(text: str) -> str:
    """``text`` without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def _python_path(layout: Layout) -> str:
    """So that a process imports the package of this checkout."""
    return os.pathsep.join([str(layout.root), *filter(None, [os.environ.get("PYTHONPATH")])])


def _read(file: Path) -> str | None:
    return file.read_text(encoding="utf-8") if file.is_file() else None


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(processes.stoppable(main, STOPPED))
