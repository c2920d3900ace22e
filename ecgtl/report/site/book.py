"""``make book``: run the notebooks, build the site strictly, check it, and say where it lies.

A notebook runs again only when it, the package, the results or the lock file changed; the site is built again only when
one of those, the prose or the configuration has changed. The new site replaces the old one when it has passed every
check: a failure leaves the old one whole.
"""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from ecgtl.errors import EcgtlError
from ecgtl.report.site import checks, notebooks
from ecgtl.report.site import layout as lying
from ecgtl.report.site.layout import Layout, Stored, plain, say

DOWNLOAD = re.compile(r"\{download\}`([^`<]*?)\s*</downloads/([^`>]+)>`")
MARK = re.compile(r"^# NBVAL\w*\n?", re.MULTILINE)  # tells 'make test' what to compare
NO_ROWS, NOT_RUN = "PENDING: no rows yet", "written by 'make book'"


def make(layout: Layout, makes: Mapping[str, Iterable[str]] | None = None) -> Path:
    """Bring the site up to date and return its front page. Raises EcgtlError when a step fails.

    ``makes`` says what each notebook makes (``notebooks.makes``).
    """
    began, index = time.monotonic(), layout.site / "index.html"
    if isinstance(layout, Stored):
        layout.bring_prose()
    code = lying.code_key(layout)
    key, kept = lying.site_key(layout, code), layout.work / "site.key"
    if lying.holds(kept, key) and index.is_file():
        say(f"nothing has changed; the site is {index}")
        return index
    if not isinstance(layout, Stored):
        notebooks.execute_all(layout, code, notebooks.makes() if makes is None else makes)
    stage(layout)
    built, names = build(layout), checks.pages(layout.toc)
    if found := checks.problems(built, names):
        raise EcgtlError("the built site is not right:\n  " + "\n  ".join(found))
    _replace(built, layout.site)
    lying.write(kept, key)
    say(f"done in {time.monotonic() - began:.0f} s; {len(names)} pages, works without internet:")
    say(str(index))
    return index


def stage(layout: Layout) -> None:
    """Put executed notebooks and downloads where the book finds them; what is no longer made goes."""
    tables = {} if isinstance(layout, Stored) else {file.name: file for file in layout.downloads.glob("*.csv")}
    empty = {name for name, file in tables.items() if len(file.read_text(encoding="utf-8").splitlines()) < 2}
    why_absent = (lambda _: NOT_RUN) if isinstance(layout, Stored) else dict.fromkeys(empty, NO_ROWS).get
    for folder in (layout.book / "notebooks", layout.book / "downloads"):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    for notebook in lying.find(layout):
        content = _for_readers(lying.content_of(layout.executed(notebook)), why_absent)
        lying.write_notebook(layout.book / "notebooks" / f"{layout.name(notebook)}.ipynb", content)
    for name in tables.keys() - empty:
        shutil.copyfile(tables[name], layout.book / "downloads" / name)


def _for_readers(content: dict, why_absent: Callable[[str], str | None]) -> dict:
    """A notebook without nbval's marks, where words that say why stand for links to tables that are absent."""
    def linked(link: re.Match) -> str:
        why = why_absent(link[2])
        return f"{link[1]} ({why})" if why else link[0]

    for cell in content["cells"]:
        text = "".join(cell["source"])
        cell["source"] = DOWNLOAD.sub(linked, text) if cell["cell_type"] == "markdown" else MARK.sub("", text)
    return content


def build(layout: Layout) -> Path:
    """Build the site from nothing into a work folder, every warning an error; returns its HTML's folder."""
    out = layout.work / "book"
    shutil.rmtree(out, ignore_errors=True)
    say("building the site")
    program = "import sys; from jupyter_book.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "build", str(layout.book), "--config", str(layout.config),
               "--toc", str(layout.toc), "--path-output", str(out), "-W", "--keep-going"]
    with notebooks.started(command, cwd=layout.root, env=layout.environment(), stdout=subprocess.PIPE) as process:
        for line in map(plain, process.stdout or ()):
            if re.match(r"(reading sources|writing output)\b.*%", line):
                say(f"  {line.strip()}")
        status = process.wait()
    if status != 0:
        raise EcgtlError("the book has warnings or errors, see above; the old site, if any, is untouched")
    html = out / "_build" / "html"
    for file in (layout.root / "results").glob("*/*.json"):  # what numbers link to
        lying.write(html / "results" / file.parent.name / file.name, file.read_text(encoding="utf-8"))
    return html


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
