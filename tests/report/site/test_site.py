"""The site: notebooks run when they must and are judged by what they leave; build and pages are strict.

The real one is built as strictly by ``make site-check``.
"""

import json
import os
import re
import shutil
import time
from pathlib import Path

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from ecgtl import paths
from ecgtl.__main__ import main
from ecgtl.errors import EcgtlError
from ecgtl.report.site import book, checks
from ecgtl.report.site import notebooks as site_notebooks
from ecgtl.report.site.layout import Layout, Stored, code_key, find, notebook_key, site_key

ROOT = paths.repository()
CONFIG = (ROOT / "_config.yml").read_text(encoding="utf-8")
PAGE = f"""# A page

The paper prints {{pub}}`weimann2021.table2.rows.random.25` and {{pub}}`jang2021.scalars.cae_mse`. Items:
{{res}}`coverage.items`. State: {{badge}}`not tested`, {{badge}}`tier:reduced`. Then $x^2$ and
{{cite:p}}`jang2021`.

```{{ecgtl-table}} words
:caption: Words & badges
```

```{{ecgtl-table}} availability
:paper: jang2021
```

```{{bibliography}}
```

{"Words that make it a page. " * 20}
"""
NOTEBOOK = [
    new_markdown_cell("# A notebook\n\n{pub}`weimann2021.table2.rows.random.25.mean`, "
                      "{download}`a table </downloads/made.csv>`. " + "Words that make it a page. " * 20),
    new_code_cell("from pathlib import Path\nimport os, sys\nfrom IPython.display import HTML\n"
                  "made = Path.cwd().parent / 'build' / 'downloads' / 'made.csv'\n"
                  "made.parent.mkdir(parents=True, exist_ok=True)\nmade.write_text('a,b\\n1,2\\n')\n"
                  "HTML(f'<p>{sys.executable} {os.environ[\"OMP_NUM_THREADS\"]}</p>')"),
]
MAKES = {"hello": ("build/downloads/made.csv",)}


def write_notebook(path: Path, cells) -> Path:
    notebook = new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "x",
                                                                  "language": "python"}})
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def tiny(root: Path, page: str = PAGE) -> Layout:
    """A project with one page and one notebook, and the real configuration."""
    (root / "book").mkdir(parents=True)
    (root / "_config.yml").write_text(CONFIG, encoding="utf-8")
    (root / "_toc.yml").write_text("format: jb-book\nroot: index\nchapters:\n  - file: notebooks/hello\n")
    (root / "book" / "index.md").write_text(page, encoding="utf-8")
    for name in ("refs.bib", "availability.yml"):
        shutil.copy(ROOT / "book" / name, root / "book")
    write_notebook(root / "notebooks" / "hello.ipynb", NOTEBOOK)
    return Layout(root)


def surround(patch: pytest.MonkeyPatch, **variables) -> None:
    """Processes that are started import this checkout."""
    patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])))
    for name, value in variables.items():
        patch.setenv(name, str(value))


@pytest.fixture(scope="module")
def made_once(tmp_path_factory):
    layout = tiny(tmp_path_factory.mktemp("site"))
    with pytest.MonkeyPatch.context() as patch:
        surround(patch, ECGTL_RESULTS=layout.root / "no-results")
        book.make(layout, MAKES)
    return layout


@pytest.fixture
def made(made_once, monkeypatch):
    """A tiny site, made as ``make book`` makes the real one."""
    surround(monkeypatch, ECGTL_RESULTS=made_once.root / "no-results")
    return made_once


# The whole way, on a tiny book


@pytest.mark.parametrize("words, kind", [(["site"], Layout), (["site", "--stored"], Stored)])
def test_the_command_makes_the_site_of_this_checkout(words, kind, monkeypatch):
    made = []
    monkeypatch.setattr(book, "make", made.append)
    assert main(words) == 0
    assert [(type(layout), layout.root) for layout in made] == [(kind, paths.repository())]


def test_pages_show_the_numbers(made):
    text = (made.site / "index.html").read_text(encoding="utf-8")
    assert ".670 ± .013" in text and "626.583" in text
    assert '<span class="ecgtl-value ecgtl-res">24</span>' in text
    assert '<span class="ecgtl-badge ecgtl-not-tested"' in text and "tier: reduced" in text
    assert ".670" in (made.site / "notebooks" / "hello.html").read_text(encoding="utf-8")


def test_tables_are_accessible(made):
    text = (made.site / "index.html").read_text(encoding="utf-8")
    assert "<caption>Words &amp; badges</caption>" in text and text.count("<caption>") == 2
    assert '<th scope="col">State</th>' in text and '<th scope="row">Environment</th>' in text
    assert 'class="ecgtl-scroll" tabindex="0" role="region" aria-label="' in text


def test_mathematics_needs_no_script(made):
    text = (made.site / "index.html").read_text(encoding="utf-8")
    assert re.search(r"<math[^>]*>\s*<msup>\s*<mi>x</mi>\s*<mn>2</mn>\s*</msup>\s*</math>", text)
    assert "tex-chtml" not in text and not (made.site / "_static" / "mathjax").exists()


def test_the_kernel_is_this_interpreter(made):
    import sys

    staged = (made.book / "notebooks" / "hello.ipynb").read_text(encoding="utf-8")
    assert sys.executable in staged


def test_the_executed_notebook_carries_no_folders_of_papermill(made):
    staged = json.loads((made.book / "notebooks" / "hello.ipynb").read_text(encoding="utf-8"))
    assert "papermill" not in json.dumps([staged["metadata"], [cell["metadata"] for cell in staged["cells"]]])
    assert list(made.site.glob("_downloads/*/made.csv"))


def test_nothing_is_done_twice(made, capfd):
    built = (made.site / "index.html").stat().st_mtime_ns
    assert book.make(made, MAKES) == made.site / "index.html"
    assert "nothing has changed" in capfd.readouterr().out
    assert (made.site / "index.html").stat().st_mtime_ns == built


def test_changed_prose_runs_no_notebook(made):
    code = code_key(made)
    before = site_key(made, code)
    page = made.book / "index.md"
    page.write_text(PAGE + "\nMore.\n", encoding="utf-8")
    assert site_key(made, code) != before
    notebook = made.notebooks / "hello.ipynb"
    assert site_notebooks.is_current(made, notebook, notebook_key(notebook, code), MAKES["hello"])
    page.write_text(PAGE, encoding="utf-8")
    assert site_key(made, code) == before


def test_a_failed_build_leaves_the_old_site_whole(made, capfd):
    page = made.book / "index.md"
    page.write_text(PAGE + "\n{pub}`weimann2021.table2.rows.random.80.mean` {badge}`splendid`\n"
                    "{res}`weimann2021-table9.a.b.1.c.d`\n\n```{ecgtl-table} everything\n```\n",
                    encoding="utf-8")
    with pytest.raises(EcgtlError, match="warnings or errors"):
        book.make(made, MAKES)
    page.write_text(PAGE, encoding="utf-8")
    said = capfd.readouterr().err
    for told in ("has no key '80'; it has 25, 50, 75", "unknown experiment 'weimann2021-table9'",
                 "no badge for 'splendid'", "unknown table 'everything'; allowed: coverage"):
        assert told in said
    assert ".670 ± .013" in (made.site / "index.html").read_text(encoding="utf-8")


# When a notebook runs again


def test_a_notebook_s_key_follows_its_cells_and_its_code_but_not_its_outputs(tmp_path):
    notebook = write_notebook(tmp_path / "a.ipynb", [new_code_cell("1")])
    key = notebook_key(notebook, "code")
    content = json.loads(notebook.read_text())
    output = {"output_type": "stream", "name": "stdout", "text": "x"}
    content["cells"][0] |= {"outputs": [output], "execution_count": 3}
    notebook.write_text(json.dumps(content))
    assert notebook_key(notebook, "code") == key
    assert notebook_key(notebook, "other") != key
    content["cells"][0]["source"] = ["2"]
    notebook.write_text(json.dumps(content))
    assert notebook_key(notebook, "code") != key


@pytest.mark.parametrize(("file", "counts"), [
    ("ecgtl/model.py", True), ("ecgtl/tables.yml", True), ("requirements.lock", True),
    ("results/t/run.json", True), ("results/demo/t/run.json", False), ("ecgtl/__pycache__/model.pyc", False),
    ("book/index.md", False), ("results/t/.part-run.json-1@host@1@1", False), ("results/.running/t-run", False),
])
def test_the_code_s_key_follows_what_notebooks_depend_on(tmp_path, monkeypatch, file, counts):
    monkeypatch.setenv("ECGTL_RESULTS", str(tmp_path / "results"))
    before = code_key(Layout(tmp_path))
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text("new")
    assert (code_key(Layout(tmp_path)) != before) is counts


def test_staged_files_do_not_change_the_site_s_key_and_stale_ones_go(tmp_path):
    layout = tiny(tmp_path)
    before = site_key(layout, "")
    write_notebook(layout.work / "executed" / "hello.ipynb", NOTEBOOK)
    (layout.book / "downloads").mkdir()
    (layout.book / "downloads" / "old.csv").write_text("x")
    book.stage(layout)
    assert site_key(layout, "") == before
    assert not (layout.book / "downloads" / "old.csv").exists()
    assert (layout.book / "notebooks" / "hello.ipynb").is_file()


def test_stored_notebooks_make_a_site_of_their_own(tmp_path):
    layout = Stored(tiny(tmp_path).root)
    code = new_code_cell("# NBVAL_CHECK_OUTPUT\nprint(1)", outputs=[new_output("stream", text="1")])
    kept = write_notebook(layout.notebooks / "hello.ipynb", [*NOTEBOOK[:1], code]).read_bytes()
    for _ in range(2):  # what a page no longer has goes
        layout.bring_prose()
        book.stage(layout)
    staged = nbformat.read(layout.book / "notebooks" / "hello.ipynb", 4).cells
    assert "a table (written by 'make book')" in staged[0].source
    assert (staged[1].source, staged[1].outputs[0].text) == ("print(1)", "1")
    assert (layout.book / "index.md").read_text(encoding="utf-8") == PAGE
    assert not (tmp_path / "book" / "notebooks").exists() and layout.site.is_relative_to(tmp_path / "build")
    assert (layout.notebooks / "hello.ipynb").read_bytes() == kept


@pytest.mark.parametrize("text", ["", "\n", "a,b\n", "a,b"])
def test_a_table_without_rows_is_no_download(tmp_path, text):
    layout = tiny(tmp_path)
    cells = [new_markdown_cell("Download {download}`the\ntable </downloads/none.csv>`, {download}`runs "
                               "</downloads/some.csv>`, "
                               "{download}`lost </downloads/lost.csv>` and {download}`this </notebooks/hello.ipynb>`."),
             new_code_cell("'{download}`kept </downloads/none.csv>`'")]
    write_notebook(layout.work / "executed" / "hello.ipynb", cells)
    layout.downloads.mkdir(parents=True)
    (layout.downloads / "none.csv").write_text(text)
    (layout.downloads / "some.csv").write_text("a,b\n1,2\n")
    book.stage(layout)
    assert [path.name for path in (layout.book / "downloads").iterdir()] == ["some.csv"]
    staged = nbformat.read(layout.book / "notebooks" / "hello.ipynb", 4).cells
    assert staged[0].source == ("Download the\ntable (PENDING: no rows yet), {download}`runs </downloads/some.csv>`, "
                                "{download}`lost </downloads/lost.csv>` and {download}`this </notebooks/hello.ipynb>`.")
    assert staged[1].source == cells[1].source, "code stays as it is"


def test_a_lost_output_runs_the_notebook_again(tmp_path):
    layout = tiny(tmp_path)
    notebook = layout.notebooks / "hello.ipynb"
    executed = write_notebook(layout.work / "executed" / "hello.ipynb", NOTEBOOK)
    executed.with_suffix(".key").write_text("key")
    assert not site_notebooks.is_current(layout, notebook, "key", MAKES["hello"])
    layout.downloads.mkdir(parents=True)
    (layout.downloads / "made.csv").write_text("a")
    assert site_notebooks.is_current(layout, notebook, "key", MAKES["hello"])
    assert not site_notebooks.is_current(layout, notebook, "another key", MAKES["hello"])


# How a run is judged


def test_failures_are_told_and_others_still_run(tmp_path, monkeypatch, capfd):
    surround(monkeypatch)
    layout = Layout(tmp_path)
    write_notebook(layout.notebooks / "dies.ipynb", [new_code_cell("import os\nos.kill(os.getpid(), 9)")])
    write_notebook(layout.notebooks / "errs.ipynb", [new_code_cell("raise ValueError('this is wrong')")])
    write_notebook(layout.notebooks / "works.ipynb", [new_code_cell("1 + 1")])
    told = r"notebooks/(dies|errs)\.ipynb failed(.|\n)*(DeadKernelError|this is wrong)"
    with pytest.raises(EcgtlError, match=told):
        site_notebooks.execute_all(layout, "code", {"dies": (), "errs": (), "works": ()})
    said = capfd.readouterr().out
    assert "dies: failed" in said and "errs: failed" in said
    assert (layout.work / "executed" / "works.key").is_file()
    assert not (layout.work / "executed" / "errs.key").exists()


def test_a_notebook_that_nobody_announced_is_refused(tmp_path):
    layout = tiny(tmp_path)
    with pytest.raises(EcgtlError, match="does not say what notebooks/hello.ipynb makes"):
        site_notebooks.execute_all(layout, "code", {})


def ran(source: str = "1", count: int | None = 1, outputs=()):
    return new_code_cell(source, execution_count=count, outputs=list(outputs))


@pytest.mark.parametrize(("cell", "told"), [
    (ran(count=None), "cell 1 was not run"),
    (ran(outputs=[new_output("error", ename="E", evalue="", traceback=[])]), "cell 1 ended in an error"),
])
def test_completed_is_not_believed(tmp_path, cell, told):
    executed = write_notebook(tmp_path / "a.ipynb", [ran(), cell])
    with pytest.raises(EcgtlError, match=told):
        site_notebooks.check_run(Layout(tmp_path), "a", executed, (), time.time())


def test_a_run_without_its_files_does_not_count(tmp_path, monkeypatch):
    monkeypatch.setenv("ECGTL_RESULTS", str(tmp_path / "r"))
    layout, executed = Layout(tmp_path), write_notebook(tmp_path / "a.ipynb", [ran(), ran("", None)])
    with pytest.raises(EcgtlError, match="wrote no build/x.csv"):
        site_notebooks.check_run(layout, "a", executed, ("build/x.csv",), time.time())
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "x.csv").write_text("a")
    site_notebooks.check_run(layout, "a", executed, ("build/x.csv",), time.time())
    os.utime(tmp_path / "build" / "x.csv", (1, 1))
    with pytest.raises(EcgtlError, match="wrote no build/x.csv"):
        site_notebooks.check_run(layout, "a", executed, ("build/x.csv",), time.time())
    result = tmp_path / "r" / "demo" / "finetune" / "key.json"
    result.parent.mkdir(parents=True)
    result.write_text("{half a result")
    with pytest.raises(EcgtlError, match="is not a result"):
        site_notebooks.check_run(layout, "a", executed, ("results/demo/finetune/*.json",), time.time())


# What is wrong with a page

GOOD = f"<article><p>{'Enough words for a page. ' * 20}</p>%s</article>"


@pytest.mark.parametrize(("html", "told"), [
    ('<script src="https://c.example.org/x.js"></script>', "loads https://c.example.org/x.js"),
    ('<script src="//c.example.org/x.js"></script>', "loads //c.example.org/x.js"),
    ('<script>const u = "https://c.example.org/x.js"</script>', "loads https://c.example.org/x.js"),
    ('<link rel="stylesheet" href="https://f.example.org/f.css">', "loads https://f.example.org/f.css"),
    ('<link rel="preconnect" href="https://f.example.org">', "loads https://f.example.org"),
    ('<style>@import "https://f.example.org/f.css";</style>', "loads https://f.example.org/f.css"),
    ('<p style="background: url(https://x.example/i.png)">', "loads https://x.example/i.png"),
    ('<img alt="words" src="https://x.example/i.png">', "loads https://x.example/i.png"),
    ('<img alt="words" srcset="a.png 1x, https://x.example/i.png 2x">', "loads https://x.example/i.png"),
    ('<iframe src="https://x.example"></iframe>', "loads https://x.example"),
    ('<script src="missing.js"></script>', "loads missing.js"),
    ('<img src="a.png">', "image without alternative text"),
    ('<img src="a.png" alt="">', "image without alternative text"),
    ('<img src="a.png" alt="../_images/figure.png">', "image without alternative text"),
    ('<a href="gone.html">there</a>', "links to gone.html"),
    ('<a href="../../outside.html">there</a>', "links to ../../outside.html"),
])
def test_faults_of_a_page_are_found(tmp_path, html, told):
    (tmp_path / "index.html").write_text(GOOD % html)
    (tmp_path / "a.png").write_text("")
    found = checks.problems(tmp_path, ["index"])
    assert any(told in problem for problem in found), found


def test_a_good_page_has_no_fault(tmp_path):
    (tmp_path / "a.png").write_text("")
    (tmp_path / "index.html").write_text(GOOD % (
        '<a href="https://example.org">out</a> <a href="#top">up</a> <a href="mailto:a@b.c">write</a> '
        '<a href="index.html#top">here</a> <img alt="A curve that rises" src="a.png?v=1">'))
    assert checks.problems(tmp_path, ["index"]) == []


def test_styles_missing_pages_and_empty_pages_are_found(tmp_path):
    (tmp_path / "thin.html").write_text("<article>Nothing.</article>")
    (tmp_path / "a.css").write_text("@font-face {src: url('https://f.example.org/f.woff2')} "
                                    "p {background: url(b.png)}")
    found = " | ".join(checks.problems(tmp_path, ["thin", "gone"]))
    assert "gone.html is missing" in found and "thin.html has next to nothing on it (8 characters)" in found
    assert "a.css loads https://f.example.org/f.woff2" in found and "b.png" not in found


# The real book


def test_every_page_of_the_contents_has_a_source_and_every_source_a_place():
    names = checks.pages(ROOT / "_toc.yml")
    notebooks = {f"notebooks/{file.relative_to(ROOT / 'notebooks').with_suffix('').as_posix()}"
                 for file in find(Layout(ROOT))}
    prose = {file.stem for file in (ROOT / "book").glob("*.md")}
    assert len(names) == len(set(names)) and set(names) == notebooks | prose
    assert {name.removeprefix("notebooks/") for name in notebooks} == set(site_notebooks.makes())
    # a job's own name
    assert not any("_" in name or " " in name for name in names if name != "notebooks/score_transfer")


def test_the_audit_is_dated_and_complete():
    audit = yaml.safe_load((ROOT / "book" / "availability.yml").read_text(encoding="utf-8"))
    assert str(audit["date"]) >= "2026-11-20"
    for entries in audit["papers"].values():
        text = " ".join(entry["what"].lower() for entry in entries)
        for part in ("code", "weights", "data", "seeds", "environment"):
            assert part in text
        assert all({"what", "where", "state", "found", "instead"} <= set(entry) for entry in entries)


def test_a_checkpoint_among_the_outputs_is_read_as_one(tmp_path, monkeypatch):
    import torch

    from ecgtl.models import checkpoint

    monkeypatch.setenv("ECGTL_RESULTS", str(tmp_path / "r"))
    executed, file = write_notebook(tmp_path / "a.ipynb", [ran()]), tmp_path / "r" / "cae-cae-demo.safetensors"
    facts = {"arch": "cae", "width": 4, "in_channels": 1, "sampling_rate": 250.0, "seconds": 8.192}
    checkpoint.save(file, {"weight": torch.zeros(2)}, facts)
    given = Layout(tmp_path), "a", executed, ("results/*.safetensors",), time.time()
    site_notebooks.check_run(*given)
    file.write_bytes(file.read_bytes()[:20])
    with pytest.raises(EcgtlError, match="is damaged"):
        site_notebooks.check_run(*given)
