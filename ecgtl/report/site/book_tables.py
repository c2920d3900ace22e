"""Tables of the book's prose pages: what ``{ecgtl-table}`` prints."""

import dataclasses
import posixpath
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from markupsafe import Markup

from ecgtl import config, published, results
from ecgtl.analysis import claims, costs, coverage
from ecgtl.config.classifier import shipped
from ecgtl.config.parameters import WORDS
from ecgtl.datasets import catalogue
from ecgtl.errors import EcgtlError
from ecgtl.jobs import predict
from ecgtl.models import checkpoint
from ecgtl.report.badges import badge, words
from ecgtl.report.cards import limits
from ecgtl.report.findings import answers, evidence_badges, ours
from ecgtl.report.words import link

AVAILABILITY = "availability.yml"  # in the book's folder
OF_ONE_PAPER = ("availability", "tiers")
SHORT: dict[str | None, str] = {"jang2021": "Jang 2021", "weimann2021": "Weimann 2021", "melep2023": "MELEP 2023"}


@dataclasses.dataclass(frozen=True)
class Page:
    """The page a table stands on: its name, the book's folder, and the paper that the table is to be of."""

    name: str
    folder: Path
    paper: str | None = None

    def link_to(self, other: str, text: str) -> Markup:
        """A link to another page of the book; the check of the built site follows it."""
        address = posixpath.relpath(other, posixpath.dirname(self.name) or ".")
        return Markup('<a href="{}.html">{}</a>').format(address, text)


def table(name: str, page: Page) -> tuple[pd.DataFrame, str]:
    """The table ``name`` and its caption. Raises EcgtlError for an unknown table or paper."""
    for what, value, allowed in (("table", name, TABLES), ("paper", page.paper, (None, *published.papers()))):
        if value not in allowed:
            raise EcgtlError(f"unknown {what} {value!r}; allowed: {', '.join(filter(None, allowed))}")
    if page.paper is None and name in OF_ONE_PAPER:
        raise EcgtlError(f"the table {name!r} is of one paper: give :paper:")
    rows, caption = TABLES[name](page)
    return pd.DataFrame(rows), caption


Table = tuple[list[dict] | pd.DataFrame, str]


def _code(text) -> Markup:
    return Markup("<code>{}</code>").format(text)


def _coverage(page: Page) -> Table:
    found = coverage.coverage()
    found = found[found["paper"] == page.paper] if page.paper else found
    rows = []
    for row in found.itertuples():
        name = f"{'Table' if row.item[0] == 'T' else 'Figure'}\N{NO-BREAK SPACE}{row.item[1:]}"
        name = name if page.paper else f"{SHORT[row.paper]}, {name}"
        rows.append({"Item": page.link_to(row.page, name) if row.page else name, "State": badge(row.state),
                     "Kind": row.kind, "What it shows": row.what, "Evidence": _evidence(row.evidence), "Why": row.why})
    return rows, f"{len(rows)} tables and figures: {coverage.counts(found)}"


def _evidence(text: str) -> Markup:
    """Badges for ``tier reduced, target full, upstream none``; a dash where there is no evidence."""
    words = [part.split() for part in text.split(",")]
    if not all(len(pair) == 2 for pair in words):
        return Markup("–")
    return Markup(" ").join(badge(":".join(pair)) for pair in words)


def _claims(page: Page) -> Table:
    rows = [{"Claim": verdict["name"], "Statement": verdict["says"], "In print": badge(verdict["paper"]),
             "Here": badge(verdict["ours"]),
             "Size": Markup(" ").join(answers(verdict["size"], verdict["worthwhile"])) or "–",
             "Evidence": Markup(" ").join(evidence_badges(verdict)) or "–",
             "In numbers [95 % interval]": ours(verdict, 0)}
            for verdict in claims.all_judged() if page.paper in (None, verdict["of"])]
    return rows, "Claims and their verdicts, by rule"


def _costs(page: Page) -> Table:
    gpu, frame = costs.gpu(), costs.readable()
    frame["Tier"] = [badge(f"tier:{tier}") for tier in frame["Tier"]]
    return frame, (f"What each experiment costs before it is started; the GPU: {gpu['name']} at "
                   f"{costs.gpu_speed() / 1e12:.0f} TFLOP/s, {100 * gpu['share']:.0f} % of its measured peak")


def _catalogue(page: Page) -> Table:
    rows = []
    for entry in catalogue.entries().values():
        known = {"loader": entry.has_loader, "twin": entry.twin, "network": entry.kind == "weights"}
        rows.append({"Name": _code(entry.name), "Database": link(entry.page, f"{entry.title}, {entry.version}"),
                     "Recordings": f"{entry.records:,}" if entry.records else "–",
                     "Rate (Hz)": f"{entry.sampling_rate:g}" if entry.sampling_rate else "–",
                     "Leads": entry.leads or "–",
                     "Size (unpacked)": f"{entry.size()} ({entry.size('unpacked_gb')})", "Licence": entry.licence,
                     "Here": ", ".join(word for word, there in known.items() if there) or "not yet"})
    return rows, "Databases and weights, with the version pinned here; ~ marks an estimate"


def _doi(doi: str | None) -> Markup | str:
    return link(f"https://doi.org/{doi}", doi) if doi else "–"


def _citations(page: Page) -> Table:
    rows = [{"Database": entry.title, "Cite": entry.citation, "Article": _doi(entry.doi), "Data": _doi(entry.data_doi)}
            for entry in catalogue.entries().values()]
    return rows, "What to cite with each database"


def _twins(page: Page) -> Table:
    every = catalogue.entries().values()
    return [{"Database": one.title, "Its twin covers": one.twin} for one in every if one.twin], "Synthetic twins"


def _availability(page: Page) -> Table:
    audit = yaml.safe_load((page.folder / AVAILABILITY).read_text(encoding="utf-8"))
    rows = [{"What": entry["what"], "State": badge(entry["state"]),
             "Where": link(entry["url"], entry["where"]) if "url" in entry else entry["where"],
             "What was found": entry["found"], "What stands in for it here": entry["instead"]}
            for entry in audit["papers"][page.paper]]
    return rows, f"{SHORT[page.paper]}: availability of code and data, as of {audit['date']}"


def _tiers(page: Page) -> Table:
    rows = [{"Tier": badge(f"tier:{tier}"),
             **{name.replace("_", " ").capitalize(): value if isinstance(value, str) else f"{value:g}"
                for name, value in rules.items()}}
            for tier, rules in config.protocol(page.paper).tiers.items()]
    return rows, f"{SHORT[page.paper]}: what each tier means (sampling rate in Hz)"


def _words(page: Page) -> Table:
    meanings = {f"{kind}:{word}": words()["of_kind"][word]
                for kind, known in (("tier", config.TIERS), ("target", results.EVIDENCE)) for word in known}
    rows = [{"Badge": badge(word), "What it says": said} for word, said in (meanings | words()["alone"]).items()]
    return rows, "Every badge"


def _parameters(page: Page) -> Table:
    defaults: dict[Any, str] = {None: "as the tier has it", "": "empty"}
    allowed = WORDS | config.FinetuneConfig.words() | {
        "init": (*config.INITS, *config.source_experiments()), "fraction": ("above 0, at most 1",)}
    rows = [{"Parameter": _code(field.name), "Default": defaults.get(field.default) or _code(field.default),
             "Type": str(getattr(field.type, "__name__", field.type)).replace(" | None", ""),
             "Allowed": Markup(", ").join(map(_code, allowed.get(field.name, ()))) or "–"}
            for field in dataclasses.fields(config.FinetuneConfig)]
    return rows, "Parameters of a run (ecgtl.config.FinetuneConfig)"


def _classifiers(page: Page) -> Table:
    """What is shipped, with the scores of the test set and of foreign data sets."""
    rows = []
    for name, path in shipped().items():
        facts = checkpoint.load(path)[1]
        scores = facts.stored["scores"]
        foreign = [f"{catalogue.entry(at).title} {limits(one['auc'], one)}" for at, one in scores["foreign"].items()]
        rows.append({"Name": _code(name), "What it is": predict.kind_of(facts), "Lead": ", ".join(facts.leads),
                     "Classes": ", ".join(facts.classes or ()), "Shortest recording": f"{facts.shortest:g} s",
                     "Macro F1, test set": limits(scores["macro_f1"], scores),
                     "AUC of atrial fibrillation, foreign": Markup("<br>").join(foreign), "Licence": facts.licence})
    return rows, "Classifiers that come with the package, with 95 % intervals over recordings"


TABLES: dict[str, Callable[[Page], Table]] = {made.__name__[1:]: made for made in (
    _coverage, _claims, _costs, _catalogue, _citations, _twins, _availability, _tiers, _words, _parameters,
    _classifiers)}
