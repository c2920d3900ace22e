"""``make book``: run the notebooks, build the site strictly, check it, and say where it lies.

A notebook runs again only when it, the package, the results or the lock file changed; the site is built again only when
one of those, the prose or the configuration has changed. The new site replaces the old one when it has passed every
check: a failure leaves the old one whole.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from ecgtl import paths
from ecgtl.errors import EcgtlError
from ecgtl.report.site.checks import pages, problems
from ecgtl.report.site.layout import (
    Layout,
    code_key,
    content_of,
    files,
    find,
    plain,
    python_path,
    read,
    say,
    site_key,
    write,
)
from ecgtl.report.site.notebooks import MAKES, execute_all, started

DOWNLOAD = re.compile(r"\{download\}`([^`<]*?)\s*</downloads/([^`>]+)>`")
STOPPED = "book: stopped; what is finished is kept, the same command goes on from there"


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
    if read(layout.work / "site.key") == key and index.is_file():
        say(f"nothing has changed; the site is {index}")
        return index
    execute_all(layout, code, makes)
    stage(layout)
    built = build(layout)
    found = problems(built, pages(layout.toc))
    if found:
        raise EcgtlError("the built site is not right:\n  " + "\n  ".join(found))
    _replace(built, layout.site)
    write(layout.work / "site.key", key)
    say(f"done in {time.monotonic() - began:.0f} s; {len(pages(layout.toc))} pages, works without internet:")
    say(str(index))
    return index


def stage(layout: Layout) -> None:
    """Put executed notebooks and downloads where the book finds them; what is no longer made goes."""
    wanted = {f"notebooks/{layout.name(n)}.ipynb": layout.work / "executed" / f"{layout.name(n)}.ipynb" for n in find(layout)}
    tables = list(layout.downloads.glob("*.csv"))
    empty = {file.name for file in tables if len(file.read_text(encoding="utf-8").splitlines()) < 2}
    wanted |= {f"downloads/{file.name}": file for file in tables if file.name not in empty}
    for folder in ("notebooks", "downloads"):
        for old in list(files(layout.book / folder)):
            if old.relative_to(layout.book).as_posix() not in wanted:
                old.unlink()
    for place, source in wanted.items():
        target = layout.book / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".ipynb":
            write(target, _without_links(content_of(source), empty))
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
    say("building the site")
    program = "import sys; from jupyter_book.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "build", str(layout.book), "--config", str(layout.config),
               "--toc", str(layout.toc), "--path-output", str(out), "-W", "--keep-going"]
    environment = os.environ | {"PYTHONPATH": python_path(layout)}
    with started(command, cwd=layout.root, env=environment, stdout=subprocess.PIPE) as process:
        for line in map(plain, process.stdout):
            if re.match(r"(reading sources|writing output)\b.*%", line):
                say(f"  {line.strip()}")
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
