"""Sphinx extension of the book: roles that read a number, tables worked out while building, badges.

- ``{res}`` and ``{pub}`` print one number of ours or of a paper (paths: ``ecgtl.report.values``).
- ``{badge}`` prints a word of the project's vocabulary as a badge: ``tier:reduced``, ``target:full``, ``pending``.
- ``{ecgtl-table}`` prints one of ``TABLES``; ``{ecgtl-result}`` a stored result as JSON, its history cut short.

Whatever is unknown becomes a warning, so a build with ``-W`` fails. Files behind a page are its dependencies.
"""

import dataclasses
import json
import posixpath
from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd
import yaml
from docutils import nodes
from docutils.parsers.rst import directives
from markupsafe import Markup
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

from ecgtl import claims, config, paths, published, results
from ecgtl.datasets import catalogue
from ecgtl.errors import EcgtlError
from ecgtl.models import MODELS
from ecgtl.report import badges, tables, values

AVAILABILITY = "availability.yml"
# Words that badges.MEANING lacks: states of an item, verdicts on a claim, what can still be had
WORDS = {
    "done": "all planned runs are there, on the paper's own data",
    "partial": "some runs are there, or other data stand in",
    "pending": "not run yet; the reason stands beside it",
    "supported": "the 95 % interval of the difference lies on the claim's side of 0",
    "not supported": "the interval lies on the other side of 0",
    "undecided": "the interval holds 0",
    "not tested": "fewer than three runs on a side, or no real recordings",
    "not stated": "the statement is ours, not the paper's",
    "public": "anybody can get it, whole",
    "in part": "a part can be had",
    "unpublished": "it exists but was not published",
    "private": "it cannot be given away",
    "not checked": "a place is named; whether it still answers was not checked",
}
_ALLOWED = {"dataset": config.LOADERS, "init": config.INITS, "arch": (*MODELS, *config.BASELINES), "tier": config.TIERS,
            "device": config.DEVICES, "precision": config.PRECISIONS, "protocol": config.protocols(),
            "fraction": ("above 0, at most 1",), "on_bad": ("error", "skip")}
_SHORT = {"jang2021": "Jang 2021", "weimann2021": "Weimann 2021", "melep2023": "MELEP 2023"}

logger = logging.getLogger(__name__)


class ValueRole(SphinxRole):
    """A number by its path, as text; ``read`` turns the path into it."""

    def __init__(self, read: Callable[[str], str], name: str):
        self.read, self.css = read, f"ecgtl-{name}"

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        try:
            text = self.read(self.text)
        except EcgtlError as error:
            logger.warning("%s", error, location=self.get_location(), type="ecgtl")
            return [nodes.problematic(self.rawtext, self.rawtext)], []
        _depend(self.env, values.sources(self.text))
        return [nodes.inline(self.rawtext, text, classes=["ecgtl-value", self.css])], []


class BadgeRole(SphinxRole):
    """A badge: ``kind:word`` for tiers and evidence, one word for states and verdicts."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        try:
            html = badge(self.text)
        except EcgtlError as error:
            logger.warning("%s", error, location=self.get_location(), type="ecgtl")
            return [nodes.problematic(self.rawtext, self.rawtext)], []
        return [nodes.raw(self.rawtext, html, format="html")], []


class TableDirective(SphinxDirective):
    """``{ecgtl-table} name`` with ``:paper:`` where the table can be of one paper, and ``:caption:`` instead of its own."""

    required_arguments = 1
    option_spec = {"paper": directives.unchanged_required, "caption": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        name, paper = self.arguments[0], self.options.get("paper")
        try:
            if name not in TABLES:
                raise EcgtlError(f"unknown table {name!r}; allowed: {', '.join(TABLES)}")
            if paper is not None and paper not in published.papers():
                raise EcgtlError(f"unknown paper {paper!r}; allowed: {', '.join(published.papers())}")
            frame, caption = TABLES[name](self, paper)
        except EcgtlError as error:
            logger.warning("%s", error, location=self.get_location(), type="ecgtl")
            return []
        _depend(self.env, [*_files_behind(), Path(self.env.srcdir) / AVAILABILITY])
        html = table_html(frame, self.options.get("caption", caption))
        return [nodes.raw("", html, format="html")]


class ResultDirective(SphinxDirective):
    """``{ecgtl-result} experiment``: the first finished run of its best tier, with two epochs of its history."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        try:
            tier = tables.shown_tier(self.arguments[0])
            run, body = tables.runs(self.arguments[0], tier)[0]
        except EcgtlError as error:
            logger.warning("%s", error, location=self.get_location(), type="ecgtl")
            return []
        _depend(self.env, [run.path])
        text = json.dumps(body | {"history": body["history"][:2]}, indent=1)
        return [nodes.literal_block(text, text, language="json", classes=["ecgtl-result"])]


def badge(text: str) -> Markup:
    """HTML of the badge for ``kind:word`` or ``word``; EcgtlError with the vocabulary for another word."""
    kind, colon, word = text.partition(":")
    known = badges.MEANING if colon else WORDS
    parts = word.split("/") if colon else [text]
    if not set(parts) <= set(known):
        raise EcgtlError(f"no badge for {text!r}; words after 'tier:', 'target:', …: {', '.join(badges.MEANING)}; "
                         f"words alone: {', '.join(WORDS)}")
    if colon:
        return Markup(badges.badge(kind, word))
    return Markup('<span class="ecgtl-badge ecgtl-{}" title="{}">{}</span>').format(
        text.replace(" ", "-"), WORDS[text], text)


def table_html(frame: pd.DataFrame, caption: str) -> Markup:
    """``frame`` as an accessible table that scrolls on narrow screens; its first column heads the rows.

    Cells are escaped unless they are ``Markup``.
    """
    head = Markup("").join(Markup('<th scope="col">{}</th>').format(column) for column in frame.columns)
    rows = [Markup('<tr><th scope="row">{}</th>{}</tr>').format(
        row[0], Markup("").join(Markup("<td>{}</td>").format(cell) for cell in row[1:]))
        for row in frame.itertuples(index=False, name=None)]
    return Markup('<div class="ecgtl-scroll" tabindex="0" role="region" aria-label="{0}"><table class="ecgtl-table">'
                  "<caption>{0}</caption><thead><tr>{1}</tr></thead><tbody>{2}</tbody></table></div>").format(
                      caption, head, Markup("").join(rows))


def link(address: str, text: str | None = None) -> Markup:
    """A link out of the site; nothing is loaded from there."""
    return Markup('<a class="external" href="{}">{}</a>').format(address, text or address)


def _coverage(directive: SphinxDirective, paper: str | None) -> tuple[pd.DataFrame, str]:
    found = tables.coverage()
    if paper:
        found = found[found["paper"] == paper]
    counts = found["state"].value_counts()
    rows = []
    for row in found.itertuples():
        item = f"{'Table' if row.item[0] == 'T' else 'Figure'}\N{NO-BREAK SPACE}{row.item[1:]}"
        name = item if paper else f"{_SHORT[row.paper]}, {item}"
        rows.append({"Item": _page_link(directive.env.docname, row.page, name) if row.page else name,
                     "What it shows": row.what, "State": badge(row.state), "Evidence": _evidence(row.evidence),
                     "Why": row.why})
    states = ", ".join(f"{counts.get(state, 0)} {state}" for state in ("done", "partial", "pending"))
    return pd.DataFrame(rows), f"{len(rows)} tables and figures: {states}"


def _evidence(text: str) -> Markup:
    """Badges for ``tier reduced, target full, upstream none``; a dash where there is no evidence."""
    words = [part.split() for part in text.split(",")]
    if not all(len(pair) == 2 for pair in words):
        return Markup("–")
    return Markup(" ").join(badge(":".join(pair)) for pair in words)


def _page_link(docname: str, page: str, text: str) -> Markup:
    return Markup('<a href="{}.html">{}</a>').format(posixpath.relpath(page, posixpath.dirname(docname) or "."), text)


def _claims(directive: SphinxDirective, paper: str | None) -> tuple[pd.DataFrame, str]:
    rows = [{"Claim": verdict["name"], "Statement": verdict["says"], "By the paper's numbers": badge(verdict["paper"]),
             "By our runs": badge(verdict["ours"]), "Ours from": badge(f"tier:{verdict['tier']}")}
            for verdict in claims.all_judged() if paper in (None, verdict["of"])]
    return pd.DataFrame(rows), "Claims and their verdicts, by rule"


def _costs(directive: SphinxDirective, paper: str | None) -> tuple[pd.DataFrame, str]:
    gpu = yaml.safe_load((paths.PACKAGE / "report" / "costs.yml").read_text(encoding="utf-8"))["gpu"]
    speed = float(gpu["bf16_flops_per_second"]) * gpu["share"] / 1e12
    frame = tables.costs()
    frame = frame.assign(Tier=[badge(f"tier:{tier}") for tier in frame["Tier"]])
    return frame, (f"What each experiment costs before it is started; the GPU: {gpu['name']} at {speed:.0f} TFLOP/s, "
                   f"{100 * gpu['share']:.0f} % of its measured peak")


def _catalogue(directive: SphinxDirective, paper: str | None) -> tuple[pd.DataFrame, str]:
    rows = [{"Name": Markup("<code>{}</code>").format(e.name), "Database": link(e.page, e.title), "Version": e.version,
             "Recordings": f"{e.records:,}" if e.records else "–", "Rate (Hz)": f"{e.sampling_rate:g}" if e.records else "–",
             "Leads": e.leads or "–", "Download": e.size(), "Unpacked": e.size("unpacked_gb"), "Licence": e.licence,
             "Loader": "yes" if e.has_loader else "not yet", "Twin": "yes" if e.twin else "not yet"}
            for e in catalogue.entries().values()]
    return pd.DataFrame(rows), "The databases; ~ marks an estimate"


def _citations(directive: SphinxDirective, paper: str | None) -> tuple[pd.DataFrame, str]:
    rows = [{"Database": e.title, "Cite": e.citation, "Article": link(f"https://doi.org/{e.doi}", e.doi),
             "Data": link(f"https://doi.org/{e.data_doi}", e.data_doi) if e.data_doi else "–"}
            for e in catalogue.entries().values()]
    return pd.DataFrame(rows), "What to cite with each database"


def _twins(directive: SphinxDirective, paper: str | None) -> tuple[pd.DataFrame, str]:
    rows = [{"Database": e.title, "Its twin covers": e.twin} for e in catalogue.entries().values() if e.twin]
    return pd.DataFrame(rows), "Synthetic twins"


def _availability(directive: SphinxDirective, paper: str | None) -> tuple[pd.DataFrame, str]:
    audit = yaml.safe_load((Path(directive.env.srcdir) / AVAILABILITY).read_text(encoding="utf-8"))
    if paper is None:
        raise EcgtlError("the table 'availability' is of one paper: give :paper:")
    rows = [{"What": entry["what"], "State": badge(entry["state"]),
             "Where": link(entry["url"], entry["where"]) if "url" in entry else entry["where"],
             "What was found": entry["found"], "What stands in for it here": entry["instead"]}
            for entry in audit["papers"][paper]]
    return pd.DataFrame(rows), f"{_SHORT[paper]}: what can still be had, as of {audit['date']}"


def _tiers(directive: SphinxDirective, paper: str | None) -> tuple[pd.DataFrame, str]:
    if paper is None:
        raise EcgtlError("the table 'tiers' is of one paper: give :paper:")
    frame = tables.tier_table(paper)
    shown = {"tier": [badge(f"tier:{tier}") for tier in frame["tier"]]}
    shown |= {column.replace("_", " "): [f"{value:g}" for value in frame[column]] for column in frame if column != "tier"}
    return pd.DataFrame(shown), f"{_SHORT[paper]}: what each tier means (rates in Hz)"


def _words(directive: SphinxDirective, paper: str | None) -> tuple[pd.DataFrame, str]:
    kinds = {"tier": config.TIERS, "target": results.EVIDENCE}
    rows = [{"Badge": badge(f"{kind}:{word}"), "What it says": badges.MEANING[word]}
            for kind, words in kinds.items() for word in words]
    rows += [{"Badge": badge(word), "What it says": meaning} for word, meaning in WORDS.items()]
    return pd.DataFrame(rows), "Every badge"


def _parameters(directive: SphinxDirective, paper: str | None) -> tuple[pd.DataFrame, str]:
    rows = [{"Parameter": Markup("<code>{}</code>").format(field.name), "Default": _default(field.default),
             "Type": str(getattr(field.type, "__name__", field.type)).replace(" | None", ""),
             "Allowed": ", ".join(_ALLOWED.get(field.name, ())) or "–"} for field in dataclasses.fields(config.FinetuneConfig)]
    return pd.DataFrame(rows), "Parameters of a run (ecgtl.config.FinetuneConfig)"


def _default(value) -> str | Markup:
    if value is None:
        return "as the tier has it"
    return Markup("<code>{}</code>").format(value) if value != "" else "empty"


TABLES: dict[str, Callable[[SphinxDirective, str | None], tuple[pd.DataFrame, str]]] = {
    "coverage": _coverage, "claims": _claims, "costs": _costs, "catalogue": _catalogue, "citations": _citations,
    "twins": _twins, "availability": _availability, "tiers": _tiers, "words": _words, "parameters": _parameters,
}


def _files_behind() -> list[Path]:
    """Results and YAML files that the tables are worked out from."""
    return sorted([*results.folder("reduced").glob("*/*.json"), *paths.PACKAGE.rglob("*.yml")])


def _depend(env, files: Iterable[Path]) -> None:
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
