"""What surrounds a page: footer, how to cite, changelog, mathematics as MathML, and the theme's faults put right.

Part of the Sphinx extension (``ecgtl.report.site.sphinx``).
"""

import re
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml
from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from markupsafe import Markup
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from ecgtl import __version__, paths, results
from ecgtl.report import tables
from ecgtl.report.words import link

SOURCES = ("pyproject.toml", "CITATION.cff", "CHANGELOG.md")  # what the frame is made from, in the checkout
# The search index takes words as they stand: where a cell, a line or a part begins, one has ended
BREAK = re.compile(r"(?=<(?:td|th|tr|caption|div|p|li|dt|dd|h\d)\b)")
THEME = "report/site/theme"
INDEX = re.compile(r'<script src="[^"]*(?:searchtools|language_data|searchindex)\.js[^"]*"></script>')


def repository() -> str:
    """The address of the code: ``pyproject.toml`` alone says it."""
    project = tomllib.loads((paths.repository() / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project["urls"]["Repository"]


def version() -> str:
    """Version and commit of the code that the site is built with; ``unknown`` in an archive."""
    commit, changed = results.code_state()
    return f"version {__version__}, commit {commit[:10]}{' (changed)' if changed and commit != 'unknown' else ''}"


def binder() -> str:
    """Where Binder runs the fine-tuning notebook, at tier ``demo``: what ``.binder`` installs, in a browser."""
    return f"https://mybinder.org/v2/git/{quote(repository(), safe='')}/HEAD?urlpath=lab/tree/notebooks/finetune.ipynb"


def entries() -> list[dict[str, Any]]:
    """What ``CITATION.cff`` asks to be cited: the software, then the papers."""
    software = yaml.safe_load((paths.repository() / "CITATION.cff").read_text(encoding="utf-8"))
    return [software, *software["references"]]


def bibtex(entry: dict[str, Any]) -> str:
    """An entry of ``CITATION.cff`` in BibTeX."""
    authors = [f"{one['family-names']}, {one['given-names']}" if "family-names" in one else f"{{{one['name']}}}"
               for one in entry["authors"]]
    pages = "--".join(entry[name] for name in ("start", "end") if name in entry)
    fields = {"author": " and ".join(authors), "title": f"{{{entry['title']}}}", "journal": entry.get("journal"),
              "year": entry.get("year"), "volume": entry.get("volume"), "number": entry.get("issue"),
              "pages": pages, "version": entry.get("version"), "doi": entry.get("doi"),
              "url": entry.get("repository-code")}
    key = re.sub(r"\W", "", authors[0].partition(",")[0].partition(" ")[0]).lower() + str(entry.get("year", ""))
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@{entry['type']}{{{key},", *lines, "}"])


class CitationDirective(SphinxDirective):
    """``{ecgtl-citation}``: what to cite, in BibTeX."""

    def run(self) -> list[nodes.Node]:
        return [nodes.literal_block(text, text, language="bibtex") for text in map(bibtex, entries())]


def changelog(app: Sphinx, page: str, source: list[str]) -> None:
    """The page ``changelog`` is the project's file."""
    if page == "changelog":
        source[0] = (paths.repository() / "CHANGELOG.md").read_text(encoding="utf-8")


def footer(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """What stands below every page."""
    text = Markup("ecgtl {} · {}").format(version(), link(repository(), "repository"))
    if "cite" in app.env.found_docs:
        text += Markup(' · <a href="{}">how to cite</a>').format(context["pathto"]("cite"))
    context["theme_extra_footer"] = Markup("<p>{}</p>").format(text)


def inline_math(writer: Any, node: nodes.Node) -> None:
    """A formula in a line."""
    writer.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def block_math(writer: Any, node: nodes.Node) -> None:
    """A formula on lines of its own, which scrolls where it is wider than the screen."""
    writer.body.append(f'<div class="math" tabindex="0">{tex2mathml(node.astext(), as_block=True)}</div>')
    raise nodes.SkipNode


def lift(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Put what a number in a sentence opens behind the paragraph, which a block within would end."""
    for node in [one for one in doctree.findall(nodes.raw) if isinstance(one.parent, nodes.paragraph)]:
        if found := tables.POPOVER.search(node.astext()):
            behind, place = nodes.raw("", found[0], format="html"), node.parent.parent
            place.insert(place.index(node.parent) + 1, behind)
            node[:] = [nodes.Text(tables.POPOVER.sub("", node.astext()))]


def break_words(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Keep the numbers of two cells of an HTML table apart in the search index."""
    for node in list(doctree.findall(nodes.raw)):
        if "html" in node.get("format", ""):
            node[:] = [nodes.Text(BREAK.sub(" ", node.astext()))]


def repair(app: Sphinx, error: Exception | None) -> None:
    """Put right what the theme does to every page."""
    repairs = paths.facts(THEME)["repairs"]
    for file in () if error else Path(app.outdir).rglob("*.html"):
        text = file.read_text(encoding="utf-8")
        for pattern, instead in repairs:
            text = re.sub(pattern, instead, text)
        file.write_text(text if file.name == "search.html" else INDEX.sub("", text), encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Called by the extension."""
    app.add_html_math_renderer("mathml", (inline_math, None), (block_math, None))
    app.add_directive("ecgtl-citation", CitationDirective)
    app.config.html_math_renderer = "mathml"
    for event, handler in (("source-read", changelog), ("doctree-resolved", lift), ("doctree-resolved", break_words),
                           ("html-page-context", footer), ("build-finished", repair)):
        app.connect(event, handler)
