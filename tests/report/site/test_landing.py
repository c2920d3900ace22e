"""The landing page answers: every claim of the three papers, with its verdicts, evidence and a page to go to."""

import re

import pytest
import yaml
from pages import seen
from stored_runs import around, by_class, store

from ecgtl import paths
from ecgtl.analysis import claims, coverage
from ecgtl.analysis.verdicts import SIGNS
from ecgtl.report.site import landing
from ecgtl.report.site.book_tables import Page

pytestmark = pytest.mark.usefixtures("own_results")
ROOT = paths.repository()
CLAIMS = {f"{file.stem}.{name}": claim for file in sorted((paths.PACKAGE / "experiments").glob("*.yml"))
          for name, claim in (yaml.safe_load(file.read_text(encoding="utf-8")).get("claims") or {}).items()}
TOC = set(re.findall(r"file: (\S+)", (ROOT / "_toc.yml").read_text(encoding="utf-8")))


def items():
    """The claims of the strip by name: their HTML."""
    text = landing.strip(Page("index", ROOT / "book"))
    found = re.findall('<li data-claim="(.*?)">(.*?)</li>', text, re.DOTALL)
    assert len(found) == text.count("data-claim") == len(dict(found))
    return dict(found)


def test_every_claim_stands_once_with_verdicts_evidence_and_a_page():
    shown = items()
    assert set(shown) == set(CLAIMS) and len(CLAIMS) > 20
    for name, item in shown.items():
        paper, claim = name.split(".")
        link, words = re.match('<p><a href="(.*?).html">(.*?)</a>', item).groups()
        assert link in TOC and words == claim and CLAIMS[name]["says"] in seen(item)
        _, verdicts, evidence = re.findall("<p>(.*?)</p>", item)
        printed, here = map(seen, re.fullmatch("In print: (.*?) · Here: (.*)", verdicts).groups())
        assert printed == claims.judge(paper, claim, "reduced")["paper"] and printed in (*SIGNS, "not stated")
        assert here.split(" size")[0] == "not tested" and seen(evidence) == "pending"
        assert item.count("ecgtl-badge") >= 3


def test_a_verdict_carries_the_evidence_of_its_runs():
    for method, size, mean in (("beat", 25, 0.75), ("random", 75, 0.70)):
        store("weimann2021-table2", method, size, by_class(around(mean)), target="full", upstream="substitute")
    item = items()["weimann2021.W3"]
    assert "Here: " + "yes" in seen(item) and ">size: larger<" in item
    for badge in ("tier: reduced", "target: full", "upstream: substitute"):
        assert f">{badge}<" in item
    assert "ecgtl-evidence" in item and 'href="notebooks/weimann/table2.html"' in item


@pytest.mark.parametrize(("claim", "page"), [
    ("weimann2021.W7", "weimann/figure3"), ("weimann2021.W6b", "weimann/table5"), ("jang2021.J4", "jang/table3"),
    ("melep2023.M3", "melep/figure6")])
def test_a_claim_leads_to_the_page_that_judges_it(claim, page):
    paper, name = claim.split(".")
    assert coverage.page_of(paper, name, CLAIMS[claim].get("experiment")) == f"notebooks/{page}"
    source = (ROOT / "notebooks" / f"{page}.py").read_text(encoding="utf-8")
    assert f'"{name}"' in source or "shared.said" in source


def test_each_paper_has_a_sentence_that_follows_its_runs():
    text = landing.strip(Page("index", ROOT / "book"))
    links = re.findall(r'<li><a href="(.*?).html">(.*?)</a>: (.*?)</li>', text)
    assert [link[:2] for link in links] == [("weimann", "Weimann 2021"), ("jang", "Jang 2021"), ("melep", "MELEP 2023")]
    assert all("PENDING" in sentence and link in TOC for link, _, sentence in links)
    for method, mean in (("random", 0.70), ("beat", 0.74)):
        store("weimann2021-table2", method, 25, by_class(around(mean)))
    assert "+.069 (Beat classification, 25 %), is +.040 [" in seen(landing.sentence("weimann2021"))
