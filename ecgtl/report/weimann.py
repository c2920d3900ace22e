"""What the pages of Weimann 2021's tables show beyond the general ones: several scores, gains, settings, networks.

The frames of ``comparisons`` and ``trials`` are read once a page; all else is computed from those and from what the
paper prints. A cell without runs is PENDING; fewer than ``MIN_RUNS`` runs get no interval.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import pandas as pd
import torch
from IPython.display import HTML
from markupsafe import Markup

from ecgtl import experiments, models, published, results
from ecgtl.analysis import cells, names
from ecgtl.analysis.claim_rules import judged
from ecgtl.analysis.names import METHODS
from ecgtl.analysis.sources import Runs
from ecgtl.analysis.verdicts import Place
from ecgtl.config import BASELINES, FinetuneConfig, PretrainConfig, protocol
from ecgtl.jobs.pretrain import key_of
from ecgtl.jobs.scoring import CINC_OFFICIAL
from ecgtl.report import badges, tables
from ecgtl.report.findings import findings
from ecgtl.report.words import NBSP, PENDING, difference, estimate, f1, gap, mean_sd, plus_minus
from ecgtl.statistics import Sample

PAPER = "weimann2021"
TABLE1, TABLE2, TABLE3, TABLE4 = (f"{PAPER}-table{number}" for number in range(1, 5))
PTBXL, CPSC2018 = f"{PAPER}-table5-ptbxl", f"{PAPER}-table5-cpsc2018"
NAMES = {TABLE1: "Table 1", TABLE2: "Table 2", TABLE3: "Table 3", TABLE4: "Table 4", PTBXL: "PTB-XL",
         CPSC2018: "CPSC 2018"}
CLASSES = ("normal", "af", "other", "noise")
BY_CLASS = tuple(f"f1_per_class.{name}" for name in CLASSES)
MULTI_LABEL = ("macro_auc", "f_max", "f_beta", "g_beta")
SCORES = {"macro_f1": "Macro F1", **dict(zip(BY_CLASS, ("Normal", "AF", "Other", "Noise"), strict=True)),
          "macro_auc": "AUC", "f_max": "Fmax", "f_beta": "Fβ=2", "g_beta": "Gβ=2"}


# What has been run


def state(experiment: str, tier: str) -> HTML:
    """Badges of the finished runs and their number; while some are missing, the command that makes them."""
    return HTML(badges.state(experiment, tier, f"{NAMES[cells.original(experiment)]}: ")
                + _teachers(experiment, tier))


def _teachers(experiment: str, tier: str) -> Markup:
    """How few subjects stand behind the pretrained runs of a table, where they are not the paper's; else nothing."""
    body = pretraining("beat", tier)
    if "substitute" not in cells.evidence(experiment, tier)["upstream"] or body is None:
        return Markup()
    patients = published.lookup(f"{PAPER}.scalars.icentia_patients.value")
    return Markup("<p>Pretraining had {} subjects to learn from here ({}), where the paper had {:,} patients: how our "
                  "pretrained rows differ from the paper's says as much about that as about the method.</p>").format(
                      body["data"]["subjects"]["train"], " and ".join(body["data"]["sources"]), patients)


def pretraining(objective: str, tier: str) -> dict | None:
    """The result of the tier's own pretraining, None where there is none."""
    config = PretrainConfig.of(objective=objective, tier=tier).resolved()
    return results.done(results.path_of("pretrain", key_of(config), tier))


def comparisons(experiment: str, tier: str, scores: Sequence[str] = ("macro_f1",)) -> pd.DataFrame:
    """``cells.comparison`` of each of ``scores``, with what it is of, and the paper's runs as ``paper_n``."""
    entry = experiments.load(experiment)
    found = pd.concat([cells.comparison(experiment, tier, score).assign(experiment=experiment, tier=tier, score=score)
                       for score in scores])
    return found.assign(paper_n=published.load(entry.paper)[entry.published]["runs"],
                        words=found["words"].str.replace("resnet", "ResNet-"))


def trials(experiment: str, tier: str) -> pd.DataFrame:
    """``cells.runs_table`` with the column ``size``, whatever a column of the experiment stands for."""
    found = cells.runs_table(experiment, tier)
    if found.empty:
        return pd.DataFrame(columns=["method", "size", "run", "epoch_chosen_by"])
    return found.rename(columns={"share_of_dataset": "size", "column": "size"})


def cells_of(frame: pd.DataFrame) -> dict[tuple[str, int | str], cells.Cell]:
    """Our cells behind ``comparisons`` of one score, with the single runs."""
    first = frame.iloc[0]
    return cells.cells(first["experiment"], first["tier"], first["score"])


# Words for numbers


def _printed(row: pd.Series) -> Sample | None:
    return Sample(row["paper"], row["paper_sd"], int(row["paper_n"])) if np.isfinite(row["paper"]) else None


def _ours(row: pd.Series) -> Sample | None:
    return Sample(row["ours"], row["sd"], int(row["n"])) if row["n"] else None


def _our_words(row: pd.Series) -> str:
    return estimate(row["ours"], row["low"], row["high"], row["n"])


def short(method: str) -> str:
    """A method in a word or two, for axes and headings."""
    return "Random weights" if method == "random" else METHODS[method].removesuffix(" classification")


# Several columns, several scores


def readable(frame: pd.DataFrame, heading: str | None = "Data used", only: int | str | None = None) -> pd.DataFrame:
    """``tables.readable`` with ``heading`` for the columns of the paper's table, None to leave them out; printed marks.

    ``only``: the column that baselines are shown at, where they do not depend on it.
    """
    if only is not None:
        trivial = frame["method"].isin(BASELINES)
        frame = frame.assign(words=frame["words"].mask(trivial, "any"))[~trivial | (frame["size"] == only)]
    shown, marked = tables.readable(frame), published.lookup(f"{PAPER}.table4.rows")  # some refer to a footnote
    shown["Paper (mean ± SD)"] += [
        marked.get(row.method, {}).get(str(row.size), {}).get("mark", "") if np.isfinite(row.paper) else ""
        for row in frame.itertuples()]
    return shown.rename(columns={"Data used": heading}) if heading else shown.drop(columns="Data used")


def footnotes() -> HTML:
    """The footnotes of Table 4."""
    notes = published.lookup(f"{PAPER}.table4.footnotes")
    return HTML(Markup("").join(Markup("<p>{} {}.</p>").format(mark, text[0].upper() + text[1:])
                                for mark, text in notes.items()))


def wide(frame: pd.DataFrame) -> pd.DataFrame:
    """``comparisons`` with a row a method and, for each score, a column of the paper (if it prints one) and of ours."""
    # The head of a row breaks behind its commas alone: many columns leave it little room
    heads = [METHODS[method].replace(" ", NBSP).replace(f",{NBSP}", ", ") for method in frame["method"].unique()]
    columns = {"Initialisation": heads}
    for score, rows in frame.groupby("score", sort=False):
        if rows["paper"].notna().any():
            columns[f"{SCORES[score]}, paper"] = [*map(plus_minus, rows["paper"], rows["paper_sd"])]
        columns[f"{SCORES[score]}, ours"] = [_our_words(row) for _, row in rows.iterrows()]
    return pd.DataFrame(columns)


def gains(frame: pd.DataFrame, heading: str | None = "Data used") -> pd.DataFrame:
    """What each pretraining adds to random weights, in print with Welch's interval and here by the analysis plan;
    ``frame``: ``comparisons``.

    The relative gain is the paper's own way of saying it.
    """
    return pd.DataFrame([{
        "Pretraining": METHODS[row["method"]], **({heading: row["words"]} if heading else {}),
        "Paper": found.pop("Paper"), "Paper, relative": _relative(_printed(row), _printed(base), "–"),
        **found, "Ours, relative": _relative(_ours(row), _ours(base)), "n": f"{row['n']},{NBSP}{base['n']}"}
        for row, base, found in _against(frame, "method", "random")])


def steps(frame: pd.DataFrame, base: int | str, heading: str) -> pd.DataFrame:
    """The same rows at another column minus ``base``, in print and here, as in ``gains``."""
    return pd.DataFrame([{"Initialisation": METHODS[row["method"]], heading: f"{row['words']} − {other['words']}",
                          **found, "n": f"{row['n']},{NBSP}{other['n']}"}
                         for row, other, found in _against(frame, "size", base)])


def _against(frame: pd.DataFrame, column: str, value: int | str) -> Iterator[tuple[pd.Series, pd.Series, dict]]:
    """Rows of networks, each with the row that differs from it in ``column`` alone, where it has ``value``, and their
    difference: in print, ours by the analysis plan, and what the plan says of the printed one.
    """
    source, keys = Runs(frame["tier"].iloc[0]), [name for name in ("method", "size", "score") if name != column]
    bases = {tuple(row[keys]): row for _, row in frame[frame[column] == value].iterrows()}
    for _, row in frame[~frame["method"].isin(BASELINES) & (frame[column] != value)].iterrows():
        base = bases[tuple(row[keys])]
        places = [Place(one["experiment"], one["method"], one["size"], one["score"]) for one in (row, base)]
        verdict = judged("beats", places, source).verdict
        known = verdict.ours is not None and np.isfinite(verdict.ours.low)
        said = [verdict.size if known else None, "no worthwhile gain" if verdict.worthwhile is False else None]
        yield row, base, {"Paper": gap(_printed(row), _printed(base), "–"),
                          "Ours": difference(verdict.ours) if known else gap(_ours(row), _ours(base)),
                          "Against print": ", ".join(filter(None, said)) or "–"}


def _relative(a: Sample | None, b: Sample | None, missing: str = PENDING) -> str:
    return f"{100 * (a.mean / b.mean - 1):+.1f}{NBSP}%".replace("-", "−") if a and b else missing


def said(tiers: dict[str, str]) -> HTML:
    """Every claim that rests on one of the experiments in ``tiers``, judged from the paper's numbers and from ours."""
    found = pd.concat([findings(PAPER, experiment, tier) for experiment, tier in tiers.items()])
    return HTML("<p>No statement rests on this table alone.</p>") if found.empty else tables.html(
        found, "Statements and what the runs say")


# Table 1: thirteen settings


def setting(method: str) -> str:
    """A row of Table 1 without its task: ``2,048 samples``, or the four numbers of future prediction."""
    return METHODS[method].partition(", ")[2].capitalize() or "–"


def tasks() -> dict[str, list[str]]:
    """The pretraining tasks with their rows of Table 1."""
    found = {}
    for name, row in published.lookup(f"{PAPER}.table1.rows").items():
        found.setdefault(row["init"], []).append(name)
    del found["random"]
    return found


def best_settings(frame: pd.DataFrame) -> pd.DataFrame:
    """The best setting of each task by macro F1 and its lead over the second, in print and among those of ours."""
    rows = []
    for task, settings in tasks().items():
        own = frame[(frame["score"] == "macro_f1") & frame["method"].isin(settings)]
        rows.append((METHODS[task], *_leader(own, _printed), *_leader(own, _ours),
                     f"{(own['n'] > 0).sum()} of {len(own)}"))
    return pd.DataFrame(rows, columns=["Task", "Best in print", "Lead over the second, in print", "Best of ours",
                                       "Lead over the second, ours", "Settings run"])


def _leader(rows: pd.DataFrame, sample: Callable[[pd.Series], Sample | None]) -> tuple[str, str]:
    """Words for the best of ``rows`` and its lead; a lead needs a second one."""
    known = [(found, setting(row["method"])) for _, row in rows.iterrows() if (found := sample(row))]
    known.sort(key=lambda pair: -pair[0].mean)
    best = f"{known[0][1]} ({f1(known[0][0].mean)})" if known else PENDING
    if len(known) < 2:
        return best, PENDING
    return best, Markup("{} over {}").format(gap(known[0][0], known[1][0]), known[1][1].lower())


def below_random(frame: pd.DataFrame) -> pd.DataFrame:
    """Settings whose mean lies below that of random weights, by score: in print, and here among those that were run."""
    rows = []
    for score, own in frame.groupby("score", sort=False):
        base, row = own[own["method"] == "random"].iloc[0], {"Score": SCORES[score]}
        settings = own[own["method"].isin(itertools.chain.from_iterable(tasks().values()))]
        for words, column in (("in print", "paper"), ("ours", "ours")):
            below = settings[settings[column] < base[column]]
            named = "; ".join(f"{METHODS[one['method']]} ({f1(one[column])})" for _, one in below.iterrows())
            nothing = "none" if settings[column].notna().any() else PENDING
            row[f"Random weights, {words}"] = f1(base[column]) if np.isfinite(base[column]) else PENDING
            row[f"Below them, {words}"] = named or nothing
        rows.append(row)
    return pd.DataFrame(rows)


def challenge(frame: pd.DataFrame, experiment: str, tier: str) -> pd.DataFrame:
    """Macro F1 over four classes beside the challenge's own score, the mean of three: in print (by class) and ours.

    ``frame``: ``comparisons`` by class and over all.
    """
    ours, by, rows = cells.cells(experiment, tier, "challenge_f1"), frame.set_index(["method", "score"]), []
    for method in frame["method"].unique():
        whole, cell = by.loc[method, "macro_f1"], ours.get((method, frame["size"].iloc[0]))
        three = [by.loc[method, f"f1_per_class.{name}"]["paper"] for name in CINC_OFFICIAL]
        rows.append((METHODS[method], f1(whole["paper"]), _our_words(whole), f1(np.mean(three)),
                     estimate(cell.mean, cell.low, cell.high, cell.n) if cell else PENDING))
    return pd.DataFrame(rows, columns=["Initialisation", "Four classes, paper", "Four classes, ours",
                                       "Three classes, paper", "Three classes, ours"])


# Table 2: classes and choices of the epoch


def class_rows(experiment: str, tier: str) -> pd.DataFrame:
    """``comparisons`` of networks by class; the paper prints them for its largest share, in Table 1."""
    ours = comparisons(experiment, tier, BY_CLASS).drop(columns=["paper", "paper_sd"])
    # A row of Table 2 is the best setting of Table 1, where it starts from the same weights
    best = {"random": "random"} | {name: row["init"] for name, row in experiments.load(TABLE1).rows.items()}
    theirs = comparisons(TABLE1, tier, BY_CLASS)
    theirs = theirs.assign(method=theirs["method"].map(best))[["method", "size", "score", "paper", "paper_sd"]]
    return ours[~ours["method"].isin(BASELINES)].merge(theirs, "left")


def choices(experiment: str, tier: str) -> pd.DataFrame:
    """Macro F1 by three ways of choosing the epoch, and what the forbidden one would add (mean over pairs)."""
    entry, runs, rows = experiments.load(experiment), cells.runs(experiment, tier), []
    for method, size in itertools.product(entry.inits, entry.columns):
        found = {}
        for choice in names.CHOICES:
            cell = cells.cell_of(runs, experiment, (method, size), choice=choice)
            found[choice] = np.array(cell.values if cell else ())
        flattery = found["best_test"] - found["validated"]
        rows.append({"Initialisation": METHODS[method], "Data used": entry.column_words(size),
                     **{words.capitalize(): mean_sd(found[choice], 1) for choice, words in names.CHOICES.items()},
                     "Best on test − best on validation": f1(flattery.mean(), True) if len(flattery) else PENDING,
                     "n": len(flattery)})
    return pd.DataFrame(rows)


# Tables 3 and 4: what the columns stand for


def rates(tier: str) -> pd.DataFrame:
    """What a column of Table 3 is in ``tier``: sampling rate and length of recordings, and the pretraining's rate."""
    entry = experiments.load(TABLE3)
    configs = {run.size: run.config for run in experiments.enumerate_runs(TABLE3, tier) if run.method == "random"}
    upstream = published.lookup(f"{PAPER}.scalars.icentia_sampling_rate.value")
    own = protocol(PAPER)["pretraining"]["tiers"][tier]["sampling_rate"]
    return pd.DataFrame([{"Column": entry.column_words(size), "Rate here": f"{config.sampling_rate:g} Hz",
                          "Input here": f"{config.seconds:g} s, {config.n_samples:,} samples",
                          "Pretrained at, in the paper": f"{upstream} Hz", "Pretrained at, here": f"{own:g} Hz"}
                         for size, config in configs.items()])


def networks(tier: str) -> pd.DataFrame:
    """Parameters and work of the networks of Table 4, counted in the models, as the paper and as ``tier`` has them.

    Work is that of training on one recording, forward and backward (``models.training_flops``). Below them the part of
    ResNet-50 that future prediction pretrains.
    """
    stages = published.lookup(f"{PAPER}.scalars.resnet50_pretrained_stages.value")
    names = experiments.load(TABLE4).columns
    columns = {"Network": [*names, f"resnet50, first {stages} stages, no output"]}
    for size, words in (("paper", "the paper's size"), (tier, f"tier {tier}")):
        config, (whole, output) = tuned(size), parameters("resnet50", size, stages=stages)
        flops = [models.training_flops(name, 1, len(CLASSES), config.n_samples, width=config.width) for name in names]
        counts = [*(parameters(name, size)[0] for name in names), whole - output]
        columns[f"Parameters, {words}"] = [f"{n:,}" for n in counts]
        columns[f"GFLOP a recording, {words}"] = [*(f"{n / 1e9:.3g}" for n in flops), "–"]
    return pd.DataFrame(columns).replace({"Network": "resnet"}, "ResNet-", regex=True)


def parameters(arch: str, tier: str, **options) -> tuple[int, int]:
    """Parameters of a classifier of CinC 2017 as ``tier`` has it, and of its output layer."""
    with torch.device("meta"):
        model = models.build(arch, 1, len(CLASSES), width=tuned(tier).width, **options)
    return models.count_parameters(model), models.count_parameters(model.output)


def tuned(tier: str) -> FinetuneConfig:
    """How ``tier`` fine-tunes on CinC 2017."""
    return FinetuneConfig.of(dataset="cinc2017", protocol=PAPER, tier=tier).resolved()


# Table 5: several labels a recording


def data_used(experiment: str) -> HTML:
    """How many of the paper's recordings there are here."""
    data = experiments.load(experiment).data
    theirs = published.lookup(f"{PAPER}.scalars.{'ptbxl_rhythm' if experiment == PTBXL else 'cpsc2018'}_records.value")
    return HTML(f"<p>{NAMES[experiment]} {data.version}: {data.records:,} recordings here, "
                f"{theirs:,} in the paper.</p>")


def label_rows(experiment: str, tier: str) -> pd.DataFrame:
    """Recordings with each label by set, and the mean AUC of each initialisation; a dash where there is none."""
    found = [(run.method, body) for run, body in cells.runs(experiment, tier) if run.method not in BASELINES]
    if not found:
        return pd.DataFrame({"Label": [PENDING]})
    data = found[0][1]["data"]
    table = pd.DataFrame(data["split"], index=data["classes"]).rename(columns=str.capitalize)
    table.insert(0, "Label", table.index.str.replace("_", " "))
    for method in experiments.load(experiment).inits:
        own = [body["scores"]["validated"]["auc_per_class"] for name, body in found if name == method]
        areas = pd.DataFrame(own, columns=data["classes"], dtype=float)
        table[f"AUC, {short(method).lower()}"] = areas.mean(skipna=False).map(f1) if len(areas) else PENDING
    return table


def unscored(experiment: str, tier: str) -> HTML:
    """Labels that no recording of the test set has (or all have), named: the mean AUC leaves them out."""
    bodies = [body for _, body in cells.runs(experiment, tier)]
    if not bodies:
        return HTML(f"<p>{PENDING}: no run yet.</p>")
    areas = bodies[0]["scores"]["validated"]["auc_per_class"]  # the test part is the same in all runs
    left_out = [name.replace("_", " ") for name, area in areas.items() if area is None]
    text = f"All {len(areas)} labels occur in the test part; the AUC is the mean over all of them."
    if left_out:
        text = (f"Of {len(areas)} labels {len(left_out)} cannot be scored, because no recording of the test part has "
                f"them, or every one: {', '.join(left_out)}. The AUC is the mean over the others.")
    return HTML(Markup("<p>{}</p>").format(text))


def thresholds(experiment: str, tier: str) -> pd.DataFrame:
    """Thresholds found on the training set for each metric: mean and range over runs."""
    methods = experiments.load(experiment).inits
    columns = {"Initialisation": [METHODS[method] for method in methods]}
    for name in ("f_beta", "g_beta"):
        texts = {method: f"{cell.mean:.2f} ({min(cell.values):.2f} to {max(cell.values):.2f})"
                 for (method, _), cell in cells.cells(experiment, tier, f"thresholds.{name}").items()}
        columns[f"Threshold for {SCORES[name]}"] = [texts.get(method, PENDING) for method in methods]
    return pd.DataFrame(columns)


def quoted(experiment: str) -> Iterator[tuple[str, dict[str, dict[str, float]]]]:
    """Related work that the paper repeats in Table 5: the source, and mean and SD by score."""
    for row in published.lookup(f"{PAPER}.table5.quoted_rows").values():
        yield row["source"], row[experiments.load(experiment).dataset]


def quoted_rows() -> pd.DataFrame:
    """The row of related work that the paper repeats in Table 5: other people's result, quoted as such."""
    rows = [{"Quoted from": source, "Data set": NAMES[experiment],
             **{SCORES[score]: plus_minus(**cells[score]) if score in cells else "–" for score in MULTI_LABEL}}
            for experiment in (PTBXL, CPSC2018) for source, cells in quoted(experiment)]
    return pd.DataFrame(rows)


def quoted_values(experiment: str) -> dict[str, float]:
    """The same of one data set as numbers, for a figure."""
    return {score: cell["mean"] for _, cells in quoted(experiment) for score, cell in published.items()}


def rankings(frames: Iterable[tuple[str, pd.DataFrame]]) -> pd.DataFrame:
    """Initialisations from the best to the worst by each score, equal ones joined by =; ``frames``: experiment,
    ``comparisons``.
    """
    rows = [(NAMES[experiment], SCORES[score], _ranked(own, "paper"), _ranked(own, "ours"))
            for experiment, frame in frames
            for score, own in frame[~frame["method"].isin(BASELINES)].groupby("score", sort=False)]
    return pd.DataFrame(rows, columns=["Data set", "Score", "In print", "Ours"])


def _ranked(rows: pd.DataFrame, column: str) -> str:
    """Methods from the best to the worst; all of them are needed."""
    if rows[column].isna().any():
        return "not printed" if column == "paper" else PENDING
    # As they are shown: three decimals decide what is equal
    by_value = rows["method"].map(short).str.lower().groupby(rows[column].map(f1)).agg(" = ".join)
    return " > ".join(by_value.sort_index(ascending=False))


def ranking_verdict(ranked: pd.DataFrame) -> HTML:
    """Does the order stay the same whatever the score, as the paper's text has it? From ``rankings``."""
    lines = []
    for (name, own), column in itertools.product(ranked.groupby("Data set", sort=False), ("In print", "Ours")):
        orders = own.loc[~own[column].isin(["not printed", PENDING]), column]
        if len(orders):
            word = "one and the same" if orders.nunique() == 1 else f"{orders.nunique()} different ones"
            lines.append(Markup("<li>{}, {}: {} scores, {}.</li>").format(name, column.lower(), len(orders), word))
    return HTML(Markup("<p>Orders of the five initialisations:</p><ul>{}</ul>").format(Markup("").join(lines)))
