"""Sphinx extension of the book: roles that read a number, tables made while building, badges.

- ``{res}`` and ``{pub}`` print one number of ours or of a paper (paths: ``ecgtl.report.site.values``).
- ``{badge}`` prints a word of the project's vocabulary: ``tier:reduced``, ``target:full``, ``pending``.
- ``{repository}`` links to the code, ``{binder}`` to a notebook that runs there.
- ``{ecgtl-table}`` prints a table of ``ecgtl.report.site.book_tables``, ``{ecgtl-result}`` a stored result.

Whatever is unknown becomes a warning, so a build with ``-W`` fails. A build reads every page again.
"""

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from markupsafe import Markup
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

from ecgtl.analysis import cells
from ecgtl.errors import EcgtlError
from ecgtl.report import badges, printed, tables
from ecgtl.report.site import book_tables, frame, landing, values
from ecgtl.report.words import link

logger = logging.getLogger(__name__)


class TextRole(SphinxRole):
    """What ``read`` makes of the role's text: a number by its path (text), a badge (HTML, ``css`` is empty)."""

    def __init__(self, read: Callable[[str], str], css: str = ""):
        self.read, self.css = read, css

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        try:
            text = self.read(self.text)
        except EcgtlError as error:
            _warn(error, self)
            return [nodes.problematic(self.rawtext, self.rawtext)], []
        if isinstance(text, Markup):
            return [nodes.raw(self.rawtext, text, format="html")], []
        return [nodes.inline(self.rawtext, text, classes=["ecgtl-value", self.css])], []


class TableDirective(SphinxDirective):
    """``{ecgtl-table} name``; ``:paper:`` where it can be of one paper, ``:caption:`` instead of its own."""

    required_arguments = 1
    option_spec: ClassVar = {"paper": directives.unchanged_required, "caption": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        page = book_tables.Page(self.env.docname, Path(self.env.srcdir), self.options.get("paper"))
        try:
            frame, caption = book_tables.table(self.arguments[0], page)
        except EcgtlError as error:
            return _warn(error, self)
        return [nodes.raw("", tables.html_text(frame, self.options.get("caption", caption)), format="html")]


class ClaimsDirective(SphinxDirective):
    """``{ecgtl-claims}``: every claim with its verdicts, below a sentence a paper."""

    def run(self) -> list[nodes.Node]:
        page = book_tables.Page(self.env.docname, Path(self.env.srcdir))
        return [nodes.raw("", landing.strip(page), format="html")]


class ResultDirective(SphinxDirective):
    """``{ecgtl-result} experiment``: the first finished run of its best tier, two epochs of its history."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        experiment = self.arguments[0]
        try:
            _, body = cells.runs(experiment, cells.shown_tier(experiment))[0]
        except EcgtlError as error:
            return _warn(error, self)
        text = dataclasses.replace(body, history=body.history[:2]).text()
        return [nodes.literal_block(text, text, language="json")]


def _warn(error: EcgtlError, asked: SphinxRole | SphinxDirective) -> list[nodes.Node]:
    """Nothing to show but the warning."""
    logger.warning("%s", error, location=asked.get_location(), type="ecgtl")
    return []


def _every_page(app: Sphinx, env: BuildEnvironment, *_changes: set[str]) -> list[str]:
    """Pages to read: what one prints may have changed where it has not."""
    return [*env.found_docs]


def _cards(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    """The rules of cards, and links to results, which are made as from the book's root, as from the page."""
    context["metatags"] = f"{context.get('metatags', '')}<style>{tables.card_rules()}</style>"
    if "body" in context:
        root = "../" * page.count("/")
        context["body"] = context["body"].replace('<a href="results/', f'<a href="{root}results/')


def setup(app: Sphinx) -> dict:
    """Called by Sphinx."""
    app.add_role("res", TextRole(values.result_text, "ecgtl-res"))
    app.add_role("pub", TextRole(printed.published_text, "ecgtl-pub"))
    app.add_role("badge", TextRole(badges.badge))
    app.add_role("repository", TextRole(partial(link, frame.repository())))
    app.add_role("binder", TextRole(partial(link, frame.binder())))
    app.add_directive("ecgtl-table", TableDirective)
    app.add_directive("ecgtl-claims", ClaimsDirective)
    app.add_directive("ecgtl-result", ResultDirective)
    app.connect("env-get-outdated", _every_page)
    app.connect("html-page-context", _cards)
    frame.setup(app)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
