"""Tables of the book's prose pages: what ``{ecgtl-table}`` prints."""

import dataclasses
import posixpath
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import yaml
from markupsafe import Markup

from ecgtl import config, paths, published, results
from ecgtl.analysis import claims, costs, coverage
from ecgtl.datasets import catalogue
from ecgtl.errors import EcgtlError
from ecgtl.models import MODELS
from ecgtl.report import tables
from ecgtl.report.badges import MEANING, WORDS, badge
from ecgtl.report.findings import answers, evidence_badges, ours

AVAILABILITY = "availability.yml"  # in the book's folder
_SHORT = {"jang2021": "Jang 2021", "weimann2021": "Weimann 2021", "melep2023": "MELEP 2023"}
_ALLOWED = {
    "dataset": config.LOADERS, "init": (*config.INITS, *config.source_experiments()), "arch": (*MODELS, *config.BASELINES),
    "tier": config.TIERS, "device": config.DEVICES, "precision": config.PRECISIONS,
    "protocol": config.protocols(), "fraction": ("above 0, at most 1",), "on_bad": ("error", "skip"),
}


@dataclass(frozen=True)
class Page:
    """The page a table stands on: its name, the book's folder, and the paper that the table is to be of."""

    name: str
    folder: Path
    paper: str | None = None

    def one_paper(self, table: str) -> str:
        """The paper, or EcgtlError where the table cannot do without."""
        if self.paper is None:
            raise EcgtlError(f"the table {table!r} is of one paper: give :paper:")
        return self.paper

    def link_to(self, other: str, text: str) -> Markup:
        """A link to another page of the book; the check of the built site follows it."""
        address = posixpath.relpath(other, posixpath.dirname(self.name) or ".")
        return Markup('<a href="{}.html">{}</a>').format(address, text)


def table(name: str, page: Page) -> tuple[pd.DataFrame, str]:
    """The table ``name`` and its caption. Raises EcgtlError for an unknown table or paper."""
    if name not in TABLES:
        raise EcgtlError(f"unknown table {name!r}; allowed: {', '.join(TABLES)}")
    if page.paper is not None and page.paper not in published.papers():
        raise EcgtlError(f"unknown paper {page.paper!r}; allowed: {', '.join(published.papers())}")
    return TABLES[name](page)


def _link(address: str, text: str) -> Markup:
    """A link out of the site; nothing is loaded from there."""
    return Markup('<a class="external" href="{}">{}</a>').format(address, text)


def _code(text) -> Markup:
    return Markup("<code>{}</code>").format(text)


def _coverage(page: Page) -> tuple[pd.DataFrame, str]:
    found = coverage.coverage()
    found = found[found["paper"] == page.paper] if page.paper else found
    rows = []
    for row in found.itertuples():
        name = f"{'Table' if row.item[0] == 'T' else 'Figure'}\N{NO-BREAK SPACE}{row.item[1:]}"
        name = name if page.paper else f"{_SHORT[row.paper]}, {name}"
        rows.append({"Item": page.link_to(row.page, name) if row.page else name, "State": badge(row.state),
                     "What it shows": row.what, "Evidence": _evidence(row.evidence), "Why": row.why})
    counts = found["state"].value_counts()
    states = ", ".join(f"{counts.get(state, 0)} {state}" for state in ("done", "partial", "pending"))
    return pd.DataFrame(rows), f"{len(rows)} tables and figures: {states}"


def _evidence(text: str) -> Markup:
    """Badges for ``tier reduced, target full, upstream none``; a dash where there is no evidence."""
    words = [part.split() for part in text.split(",")]
    if not all(len(pair) == 2 for pair in words):
        return Markup("–")
    return Markup(" ").join(badge(":".join(pair)) for pair in words)


def _claims(page: Page) -> tuple[pd.DataFrame, str]:
    rows = [{"Claim": verdict["name"], "Statement": verdict["says"], "In print": badge(verdict["paper"]),
             "Here": badge(verdict["ours"]),
             "Size": Markup(" ").join(answers(verdict["size"], verdict["worthwhile"])) or "–",
             "Evidence": Markup(" ").join(evidence_badges(verdict)) or "–", "In numbers [95 % interval]": ours(verdict, 0)}
            for verdict in claims.all_judged() if page.paper in (None, verdict["of"])]
    return pd.DataFrame(rows), "Claims and their verdicts, by rule"


def _costs(page: Page) -> tuple[pd.DataFrame, str]:
    gpu = yaml.safe_load((paths.PACKAGE / "analysis" / "costs.yml").read_text(encoding="utf-8"))["gpu"]
    speed = float(gpu["bf16_flops_per_second"]) * gpu["share"] / 1e12
    frame = costs.readable()
    frame = frame.assign(Tier=[badge(f"tier:{tier}") for tier in frame["Tier"]])
    return frame, (f"What each experiment costs before it is started; the GPU: {gpu['name']} at {speed:.0f} "
                   f"TFLOP/s, {100 * gpu['share']:.0f} % of its measured peak")


def _catalogue(page: Page) -> tuple[pd.DataFrame, str]:
    rows = []
    for entry in catalogue.entries().values():
        known = (("loader", entry.has_loader), ("twin", entry.twin), ("network", entry.kind == "weights"))
        here = [word for word, there in known if there]
        rows.append({"Name": _code(entry.name),
                     "Database": _link(entry.page, f"{entry.title}, {entry.version}"),
                     "Recordings": f"{entry.records:,}" if entry.records else "–",
                     "Rate (Hz)": f"{entry.sampling_rate:g}" if entry.sampling_rate else "–",
                     "Leads": entry.leads or "–",
                     "Size (unpacked)": f"{entry.size()} ({entry.size('unpacked_gb')})",
                     "Licence": entry.licence, "Here": ", ".join(here) or "not yet"})
    return pd.DataFrame(rows), "Databases and weights, with the version pinned here; ~ marks an estimate"


def _citations(page: Page) -> tuple[pd.DataFrame, str]:
    rows = [{"Database": entry.title, "Cite": entry.citation,
             "Article": _link(f"https://doi.org/{entry.doi}", entry.doi),
             "Data": _link(f"https://doi.org/{entry.data_doi}", entry.data_doi) if entry.data_doi else "–"}
            for entry in catalogue.entries().values()]
    return pd.DataFrame(rows), "What to cite with each database"


def _twins(page: Page) -> tuple[pd.DataFrame, str]:
    rows = [{"Database": entry.title, "Its twin covers": entry.twin}
            for entry in catalogue.entries().values() if entry.twin]
    return pd.DataFrame(rows), "Synthetic twins"


def _availability(page: Page) -> tuple[pd.DataFrame, str]:
    paper = page.one_paper("availability")
    audit = yaml.safe_load((page.folder / AVAILABILITY).read_text(encoding="utf-8"))
    rows = [{"What": entry["what"], "State": badge(entry["state"]),
             "Where": _link(entry["url"], entry["where"]) if "url" in entry else entry["where"],
             "What was found": entry["found"], "What stands in for it here": entry["instead"]}
            for entry in audit["papers"][paper]]
    return pd.DataFrame(rows), f"{_SHORT[paper]}: what can still be had, as of {audit['date']}"


def _tiers(page: Page) -> tuple[pd.DataFrame, str]:
    paper = page.one_paper("tiers")
    frame = tables.tier_table(paper)
    columns = {"Tier": [badge(f"tier:{tier}") for tier in frame["tier"]]}
    for name in frame.columns.drop("tier"):
        columns[name.replace("_", " ").capitalize()] = [f"{value:g}" for value in frame[name]]
    return pd.DataFrame(columns), f"{_SHORT[paper]}: what each tier means (sampling rate in Hz)"


def _words(page: Page) -> tuple[pd.DataFrame, str]:
    kinds = {"tier": config.TIERS, "target": results.EVIDENCE}
    rows = [{"Badge": badge(f"{kind}:{word}"), "What it says": MEANING[word]}
            for kind, words in kinds.items() for word in words]
    rows += [{"Badge": badge(word), "What it says": meaning} for word, meaning in WORDS.items()]
    return pd.DataFrame(rows), "Every badge"


def _parameters(page: Page) -> tuple[pd.DataFrame, str]:
    rows = [{"Parameter": _code(field.name), "Default": _default(field.default),
             "Type": str(getattr(field.type, "__name__", field.type)).replace(" | None", ""),
             "Allowed": ", ".join(_ALLOWED.get(field.name, ())) or "–"}
            for field in dataclasses.fields(config.FinetuneConfig)]
    return pd.DataFrame(rows), "Parameters of a run (ecgtl.config.FinetuneConfig)"


def _default(value) -> str | Markup:
    if value is None:
        return "as the tier has it"
    return _code(value) if value != "" else "empty"


TABLES: dict[str, Callable[[Page], tuple[pd.DataFrame, str]]] = {
    "coverage": _coverage, "claims": _claims, "costs": _costs, "catalogue": _catalogue,
    "citations": _citations, "twins": _twins, "availability": _availability, "tiers": _tiers, "words": _words,
    "parameters": _parameters,
}
