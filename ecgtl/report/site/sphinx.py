"""Sphinx extension of the book: roles that read a number, tables worked out while building, badges.

- ``{res}`` and ``{pub}`` print one number of ours or of a paper (paths: ``ecgtl.report.site.values``).
- ``{badge}`` prints a word of the project's vocabulary: ``tier:reduced``, ``target:full``, ``pending``.
- ``{ecgtl-table}`` prints a table of ``ecgtl.report.site.book_tables``, ``{ecgtl-result}`` a stored result.

Whatever is unknown becomes a warning, so a build with ``-W`` fails. Files behind a page are its dependencies.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

from ecgtl import paths, results
from ecgtl.analysis import cells
from ecgtl.errors import EcgtlError
from ecgtl.report import badges, tables
from ecgtl.report.site import book_tables, values

logger = logging.getLogger(__name__)


class ValueRole(SphinxRole):
    """A number by its path, as text; ``read`` turns the path into it."""

    def __init__(self, read: Callable[[str], str], name: str):
        self.read, self.css = read, f"ecgtl-{name}"

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        try:
            text = self.read(self.text)
        except EcgtlError as error:
            _warn(error, self.get_location())
            return [nodes.problematic(self.rawtext, self.rawtext)], []
        _depend(self.env, values.sources(self.text))
        return [nodes.inline(self.rawtext, text, classes=["ecgtl-value", self.css])], []


class BadgeRole(SphinxRole):
    """A badge: ``kind:word`` for tiers and evidence, one word for states and verdicts."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        try:
            html = badges.badge(self.text)
        except EcgtlError as error:
            _warn(error, self.get_location())
            return [nodes.problematic(self.rawtext, self.rawtext)], []
        return [nodes.raw(self.rawtext, html, format="html")], []


class TableDirective(SphinxDirective):
    """``{ecgtl-table} name``; ``:paper:`` where it can be of one paper, ``:caption:`` instead of its own."""

    required_arguments = 1
    option_spec = {"paper": directives.unchanged_required, "caption": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        page = book_tables.Page(self.env.docname, Path(self.env.srcdir), self.options.get("paper"))
        try:
            frame, caption = book_tables.table(self.arguments[0], page)
        except EcgtlError as error:
            _warn(error, self.get_location())
            return []
        committed = results.folder("reduced").glob("*/*.json")
        _depend(self.env, [*committed, *paths.PACKAGE.rglob("*.yml"), page.folder / book_tables.AVAILABILITY])
        html = tables.html_text(frame, self.options.get("caption", caption))
        return [nodes.raw("", html, format="html")]


class ResultDirective(SphinxDirective):
    """``{ecgtl-result} experiment``: the first finished run of its best tier, two epochs of its history."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        experiment = self.arguments[0]
        try:
            run, body = cells.runs(experiment, cells.shown_tier(experiment))[0]
        except EcgtlError as error:
            _warn(error, self.get_location())
            return []
        _depend(self.env, [run.path])
        text = results.as_text(body | {"history": body["history"][:2]})
        return [nodes.literal_block(text, text, language="json")]


def _warn(error: EcgtlError, location: str) -> None:
    logger.warning("%s", error, location=location, type="ecgtl")


def _depend(env: BuildEnvironment, files: Iterable[Path]) -> None:
    for file in files:
        env.note_dependency(str(file))


def setup(app: Sphinx) -> dict:
    """Called by Sphinx."""
    app.add_role("res", ValueRole(values.result_text, "res"))
    app.add_role("pub", ValueRole(values.published_text, "pub"))
    app.add_role("badge", BadgeRole())
    app.add_directive("ecgtl-table", TableDirective)
    app.add_directive("ecgtl-result", ResultDirective)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
