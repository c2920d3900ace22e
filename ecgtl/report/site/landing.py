"""What the landing page answers: a sentence a paper, and every claim with its verdicts and evidence."""

from markupsafe import Markup

from ecgtl.analysis import cells, claims, coverage
from ecgtl.analysis.names import PENDING
from ecgtl.report import in_short
from ecgtl.report.badges import badge
from ecgtl.report.findings import answers, evidence_badges
from ecgtl.report.melep import table2, transfer_folds
from ecgtl.report.site.book_tables import SHORT, Page

GAINS = {"weimann2021": "weimann2021-table2", "jang2021": "jang2021-table2-ptbxl"}  # what a paper's sentence is of


def strip(page: Page) -> Markup:
    """A sentence a paper, then every claim of every paper: what it says, the verdict in print, ours, and evidence."""
    judged, papers = claims.all_judged(), (*GAINS, "melep2023")
    links = {paper: page.link_to(paper.rstrip("0123456789"), SHORT[paper]) for paper in papers}
    said = Markup().join(Markup("<li>{}: {}</li>").format(links[paper], sentence(paper)) for paper in papers)
    strips = (Markup('<p><strong>{}</strong></p><ul class="ecgtl-claims">{}</ul>').format(
        links[paper], Markup().join(_item(page, one) for one in judged if one["of"] == paper)) for paper in papers)
    return Markup("<ul>{}</ul>{}").format(said, Markup().join(strips))


def sentence(paper: str) -> str:
    """What In short says on the page of the paper's main table: its first sentence, with the other where that waits."""
    if paper in GAINS:
        tier = cells.shown_tier(GAINS[paper], pending=True)
        first, *more = in_short.of_table(cells.current(GAINS[paper], tier), tier)
    else:
        folds = [transfer_folds.load(name) for name in (transfer_folds.CSN, transfer_folds.PTBXL)]
        first, *more = table2.sentences(table2.pairs(folds)[0])
    if PENDING in first and more:
        return Markup("{}; {}{}").format(first[:-1], more[0][0].lower(), more[0][1:])
    return first


def _item(page: Page, verdict: dict) -> Markup:
    experiment = claims.claims(verdict["of"])[verdict["name"]].get("experiment")
    where = coverage.page_of(verdict["of"], verdict["name"], experiment)
    here = Markup(" ").join([badge(verdict["ours"]), *answers(verdict["size"], verdict["worthwhile"])])
    evidence = Markup(" ").join(evidence_badges(verdict)) or badge("pending")
    return Markup('<li data-claim="{}.{}"><p>{} {}</p><p>In print: {} · Here: {}</p><p>{}</p></li>').format(
        verdict["of"], verdict["name"], page.link_to(where, verdict["name"]), verdict["says"],
        badge(verdict["paper"]), here, evidence)
