"""What surrounds the pages: one address, the commit, how to cite, words of the search index, the theme's repairs."""

import re
import tomllib
from types import SimpleNamespace

import pytest
import yaml
from docutils import nodes
from pybtex.database import parse_string

from ecgtl import __version__, paths, results
from ecgtl.report.site import frame

ROOT = paths.repository()


def test_one_address_of_the_code():
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]
    assert list(urls) == ["Repository"] and frame.repository() == urls["Repository"]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["repository-code"] == urls["Repository"]
    prose = "".join(file.read_text() for file in [*(ROOT / "book").glob("*.md"), *ROOT.glob("*.md")])
    assert urls["Repository"] not in prose


@pytest.mark.parametrize(("state", "said"), [
    (("0123456789abcdef", False), "commit 0123456789"), (("0123456789abcdef", True), "commit 0123456789 (changed)"),
    (("unknown", True), "commit unknown")])
def test_the_version_names_the_commit(monkeypatch, state, said):
    monkeypatch.setattr(results, "code_state", lambda: state)
    assert frame.version() == f"version {__version__}, {said}"


def test_what_is_to_be_cited_is_bibtex():
    """Read back by pybtex, the entries say what the file says."""
    entries = frame.entries()
    read = parse_string("\n\n".join(map(frame.bibtex, entries)), "bibtex").entries
    assert len(read) == len(entries) == 4
    assert list(read) == ["ecgtl", "jang2021", "weimann2021", "nguyen2023"]
    software, *papers = entries
    assert dict(read["ecgtl"].fields) == {"title": f"{{{software['title']}}}", "version": software["version"],
                                          "url": software["repository-code"]}
    for entry, cited in zip(papers, list(read.values())[1:], strict=True):
        assert [" ".join(person.last_names) for person in cited.persons["author"]] == [
            one["family-names"] for one in entry["authors"]]
        assert (cited.fields["doi"], cited.fields["year"]) == (entry["doi"], str(entry["year"]))
    assert read["jang2021"].fields["pages"] == "19--28"


def test_cells_of_a_table_are_words_of_their_own():
    html = "<table><tr><th>Beat</th><td><b>.73</b>9 ± .014</td><td>10</td></tr></table><p>n</p><p>7</p>"
    page = nodes.container("", nodes.raw("", html, format="html"))
    frame.break_words(None, page, "page")
    indexed = re.sub(r"<[^<]+?>", "", page.astext())  # as Sphinx does
    assert indexed.split() == ["Beat", ".739", "±", ".014", "10", "n", "7"]


def test_what_a_number_opens_does_not_end_its_sentence():
    opened = '<div popover id="a"><p>Run</p><table></table></div>'
    number = nodes.raw("", f"<button>.733</button>{opened}", format="html")
    page = nodes.container("", nodes.paragraph("", "", nodes.Text("It is "), number, nodes.Text(" here.")))
    frame.lift(None, page, "page")
    assert [one.astext() for one in page] == ["It is <button>.733</button> here.", opened]


def test_the_theme_s_faults_are_put_right(tmp_path):
    names = ("searchtools", "language_data", "searchindex")
    index = "".join(f'<script src="{name}.js?v=1"></script>' for name in names)
    icons = '<script defer src="_static/scripts/fontawesome.js?digest=1"></script>'
    page = (f'<head>{icons}{index}<script src="other.js"></script></head><details><summary>'
            '<span class="toctree-toggle"></span></summary></details><div id="pst-primary-sidebar" class="x"></div>')
    for name in ("index.html", "search.html"):
        (tmp_path / name).write_text(page)
    frame.repair(SimpleNamespace(outdir=tmp_path), RuntimeError("a build that failed"))
    assert (tmp_path / "index.html").read_text() == page
    frame.repair(SimpleNamespace(outdir=tmp_path), None)
    index_page, search = ((tmp_path / name).read_text() for name in ("index.html", "search.html"))
    assert "searchindex" not in index_page and index in search and '<script src="other.js">' in index_page
    for text in (index_page, search):
        assert "fontawesome" not in text and '<summary aria-label="Pages below">' in text
        assert '<div id="pst-primary-sidebar" role="complementary" aria-label="Site"' in text
