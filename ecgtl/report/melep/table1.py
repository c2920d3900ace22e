"""MELEP 2023, Table 1: its data sets, the paper beside the releases and what is available here."""

import pandas as pd
from IPython.display import HTML
from markupsafe import Markup

from ecgtl.analysis.names import NBSP, PENDING
from ecgtl.datasets import catalogue, snomed
from ecgtl.measurements.melep_datasets import HEADERS, PAPER, PROGRAM, SOURCES, is_whole, pub
from ecgtl.report import badges, in_short, provenance
from ecgtl.report.printed import published_text
from ecgtl.report.words import bullets, link, paragraph
from ecgtl.results import Result

UNLISTED, NOT_AVAILABLE = "–", "not available here"
QUANTITIES = {"records": "Recordings", "labels": "Labels", "rates": "Sampling rates (Hz)", "durations": "Durations (s)",
              "short": "Recordings below 10 s (in the text)"}


def state(counted: Result | None) -> HTML:
    """Badges of the counts, or PENDING with the command that makes them."""
    if counted is not None:
        return badges.of_result(counted)
    return HTML(Markup("<p>{} What is available here has not been counted; <code>{}</code> does it.</p>").format(
        badges.badge("pending"), PROGRAM))


def at_hand(counted: Result | None) -> pd.DataFrame:
    """One row a data set, for a page: version, recordings released and available here, leads, what is refused."""
    rows = []
    for name in HEADERS:
        entry, part = catalogue.entry(name), counts_of(counted, name)
        seen = dict.fromkeys(("Available here", "Leads", "Evidence", "Refused"), part)
        if isinstance(part, dict):
            seen = {"Available here": f"{part['records']:,} ({100 * part['records'] / entry.records:.1f}{NBSP}%)",
                    "Leads": ", ".join(part["leads"]),
                    "Evidence": badges.badge(f"target:{'full' if is_whole(name, part) else 'subset'}"),
                    "Refused": ", ".join(f"{n} × {reason}" for reason, n in part["refused"].items()) or "none"}
        rows.append({"Data set": link(entry.page, entry.title), "Version": entry.version,
                     "Release": f"{entry.records:,}", **seen})
    return pd.DataFrame(rows)


def counts_of(counted: Result | None, name: str) -> dict | str:
    """The counts of one data set, or the word that stands in their place."""
    return PENDING if counted is None else counted.scores[name] or NOT_AVAILABLE


def comparison(counted: Result | None) -> pd.DataFrame:
    """One row a data set and quantity, all as text: ``paper`` as printed, ``release``, ``ours``, ``finding``.

    ``release`` is what the release's own lists say, as far as the package or the counted tables have them.
    """
    rows = []
    for name in HEADERS:
        part = counts_of(counted, name)
        ours, released = _ours(part), _released(name, part)
        rows += [{"dataset": name, "quantity": what, "paper": printed(name, what), "release": released[what],
                  "ours": ours[what], "finding": _finding(name, what, released[what], part)} for what in QUANTITIES]
    return pd.DataFrame(rows)


def printed(name: str, quantity: str) -> str:
    """What the paper prints of a data set, digit for digit: a range as ``6–60``, rates with "and"."""
    place = f"table1.rows.{name}.{'sampling_rates' if quantity == 'rates' else quantity}"
    if quantity == "short":  # one number for PTB-XL and CSN
        place = f"scalars.{'ptbxl' if name == 'csn' else name}_short_records"
    text = published_text(f"{PAPER}.{place}")
    return text.replace(", ", {"durations": "–", "rates": " and "}.get(quantity, ", "))


def _released(name: str, part: dict | str) -> dict[str, str]:
    """By quantity, from the catalogue, the official tables of codes, or PTB-XL's own lists where they are available."""
    entry = catalogue.entry(name)
    if name != "ptbxl":
        listed = {"labels": str(official_labels(*SOURCES[name])), "rates": f"{entry.sampling_rate:g}"}
    elif isinstance(part, dict):
        listed = {"labels": str(part["listed"]), "rates": " and ".join(map(str, part["named_rates"]))}
    else:
        listed = {"labels": part, "rates": part}
    return dict.fromkeys(QUANTITIES, UNLISTED) | {"records": f"{entry.records:,}"} | listed


def official_labels(*sources: str) -> int:
    """How many SNOMED CT codes the official tables count in ``sources`` (of ``snomed.SOURCES``)."""
    return sum(snomed.records(code, *sources) > 0 for code in snomed.tables()["codes"])


def _ours(part: dict | str) -> dict[str, str]:
    """What was counted, by quantity; durations as 8–144, or 10 where all are as long."""
    if not isinstance(part, dict):
        return dict.fromkeys(QUANTITIES, part)
    return {"records": f"{part['records']:,}", "labels": f"{len(part['labels']):,}", "short": f"{part['short']:,}",
            "rates": " and ".join(part["rates"]) or NOT_AVAILABLE,
            "durations": "–".join(f"{s:.4g}" for s in dict.fromkeys(part["durations"])) or NOT_AVAILABLE}


def _finding(name: str, quantity: str, release: str, part: dict | str) -> str:
    """In words, whether the printed number is the release's, or what is available here speaks against it."""
    paper = printed(name, quantity)
    if release not in (UNLISTED, PENDING, NOT_AVAILABLE):
        same = set(release.split(" and ")) == set(paper.split(" and "))
        return "as released" if same else f"differs: {release} in {catalogue.entry(name).version}"
    if not isinstance(part, dict) or not part["records"]:
        return part if isinstance(part, str) else NOT_AVAILABLE
    if quantity == "durations" and part["long"]:
        return f"contradicted: {part['long']} available here are longer"
    more = quantity == "short" and part["short"] > int(paper)
    return "contradicted: more are available here" if more else "not contradicted"


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """``comparison`` as a reader sees it."""
    words = table.assign(dataset=[catalogue.entry(name).title for name in table["dataset"]],
                         quantity=table["quantity"].map(QUANTITIES))
    return words.set_axis(["Data set", "What", "Paper", "Release", "Available here", "Printed number"], axis=1)


def answer(counted: Result | None, table: pd.DataFrame) -> HTML:
    """In short: how many printed numbers a list of the release bears out."""
    return in_short.block([_as_released(table)], state(counted).data)


def _as_released(table: pd.DataFrame) -> str:
    known = table[table["finding"].str.startswith(("as released", "differs"))]
    same = (known["finding"] == "as released").sum()
    return f"Of {len(known)} printed numbers that a list of the release can check, {same} are as released."


def verdict(table: pd.DataFrame) -> HTML:
    """How many printed numbers are the release's, and which are not, from ``comparison``."""
    other = readable(table[table["finding"].str.startswith(("differs", "contradicted"))])
    wrong = "; ".join(f"{name}, {what}: {paper} printed, {finding}"
                      for name, what, paper, _, _, finding in other.itertuples(index=False))
    return HTML(paragraph(_as_released(table) + (f" What differs: {wrong}." if wrong else "")))


def misprints(counted: Result | None) -> pd.DataFrame:
    """Where the paper's table, its text and the releases do not say the same, for a page."""
    rows = [("Georgia, labels", "georgia", "labels", "georgia_labels"),
            ("Georgia, recordings", "georgia", "records", "georgia_records_preprocessing"),
            ("PTB-XL, sampling rates (Hz)", "ptbxl", "rates", "source_sampling_rate"),
            ("PTB-XL, recordings", "ptbxl", "records", "ptbxl_records")]
    return pd.DataFrame([{"What": words, "Table 1": printed(name, quantity),
                          "Text": published_text(f"{PAPER}.scalars.{scalar}"),
                          "Release": _released(name, counts_of(counted, name))[quantity],
                          "Note": pub(f"scalars.{scalar}").get("note", UNLISTED)}
                         for words, name, quantity, scalar in rows])


def made_by(counted: Result | None) -> HTML:
    """How the counts were made; the command where they have not been."""
    return state(counted) if counted is None else provenance.made_by(counted)


def source_lines() -> HTML:
    """Where the four data sets come from, and under which licences."""
    line = Markup('<a class="external" href="{0.page}">{0.title}, {0.version}</a> ({0.licence}); {0.citation}')
    return HTML(bullets(line.format(catalogue.entry(name)) for name in HEADERS))
