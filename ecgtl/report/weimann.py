"""What the pages of Weimann 2021's tables show beyond the general ones: several scores, gains, settings,
networks.

The frames of ``comparisons`` and ``trials`` are read once a page; all else is worked out from those and from
what the paper prints. A cell without runs is PENDING; fewer than ``MIN_RUNS`` runs get no interval.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
import torch
from IPython.display import HTML
from markupsafe import Markup

from ecgtl import experiments, models, published, results, statistics
from ecgtl.claim_rules import Place, Runs, judged
from ecgtl.config import BASELINES, FinetuneConfig, PretrainConfig, protocol
from ecgtl.jobs.pretrain import key_of
from ecgtl.jobs.scoring import CINC_OFFICIAL
from ecgtl.report import book_tables, tables
from ecgtl.report.findings import findings
from ecgtl.report.tables import METHODS
from ecgtl.report.words import NBSP, PENDING, difference, estimate, f1, gap, mean_sd, plus_minus
from ecgtl.statistics import Sample

PAPER = "weimann2021"
TABLE1, TABLE2, TABLE3, TABLE4 = (f"{PAPER}-table{number}" for number in range(1, 5))
PTBXL, CPSC2018 = f"{PAPER}-table5-ptbxl", f"{PAPER}-table5-cpsc2018"
NAMES = {TABLE1: "Table 1", TABLE2: "Table 2", TABLE3: "Table 3", TABLE4: "Table 4", PTBXL: "PTB-XL",
         CPSC2018: "CPSC 2018"}
CLASSES = ("normal", "af", "other", "noise")
SCORES = {"macro_f1": "Macro F1", "f1_per_class.normal": "Normal", "f1_per_class.af": "AF",
          "f1_per_class.other": "Other",
          "f1_per_class.noise": "Noise", "macro_auc": "AUC", "f_max": "Fmax", "f_beta": "Fβ=2",
          "g_beta": "Gβ=2"}
BY_CLASS = tuple(f"f1_per_class.{name}" for name in CLASSES)
MULTI_LABEL = ("macro_auc", "f_max", "f_beta", "g_beta")
# scalars: what the paper fine-tunes on
RECORDS = {PTBXL: "ptbxl_rhythm_records", CPSC2018: "cpsc2018_records"}


# What has been run


def shown_tier(experiment: str, wanted: str = "best") -> str:
    """The tier that a page shows, also while it says PENDING."""
    return tables.shown_tier(experiment, wanted, pending=True)


def state(experiment: str, tier: str) -> HTML:
    """Badges of the finished runs and their number; while some are missing, the command that makes them."""
    return HTML(book_tables.state(experiment, tier, f"{NAMES[tables.original(experiment)]}: ") + _teachers(experiment, tier))


def _teachers(experiment: str, tier: str) -> Markup:
    """How few subjects stand behind the pretrained runs of a table, where they are not the paper's; else nothing."""
    path = results.path_of("pretrain", key_of(PretrainConfig.of(objective="beat", tier=tier).resolved()), tier)
    if "substitute" not in tables.evidence(experiment, tier)["upstream"] or not path.is_file():
        return Markup()
    data = results.stored(path)["data"]
    patients = published.lookup(f"{PAPER}.scalars.icentia_patients.value")
    return Markup("<p>Pretraining had {} subjects to learn from here ({}), where the paper had {:,} patients: how our "
                  "pretrained rows differ from the paper's says as much about that as about the method.</p>").format(
                      data["subjects"]["train"], " and ".join(data["sources"]), patients)


def comparisons(experiment: str, tier: str, scores: Sequence[str] = ("macro_f1",)) -> pd.DataFrame:
    """``tables.comparison`` of each of ``scores``, with ``experiment``, ``tier``, ``score`` and ``paper_n``, the paper's
    runs.
    """
    entry = experiments.load(experiment)
    n = published.load(entry.paper)[entry.published]["runs"]
    found = pd.concat([tables.comparison(experiment, tier, score).assign(experiment=experiment, tier=tier, score=score, paper_n=n)
                       for score in scores])
    return found.assign(words=found["words"].str.replace("resnet", "ResNet-"))


def trials(experiment: str, tier: str) -> pd.DataFrame:
    """``tables.runs_table`` with the column ``size``, whatever a column of the experiment stands for."""
    columns = ["method", "size", "run", "epoch_chosen_by"]
    found = tables.runs_table(experiment, tier)
    return found.rename(columns={"share_of_dataset": "size",
                                 "column": "size"}) if len(found) else pd.DataFrame(columns=columns)


def single(frame: pd.DataFrame, score: str = "macro_f1",
           choice: str = "validated") -> dict[tuple[str, int | str], tuple[float, ...]]:
    """A score of every run by (method, size), from ``trials``."""
    column = score.replace("f1_per_class.", "f1_")
    chosen = frame[frame["epoch_chosen_by"] == choice]
    return {place: tuple(rows[column]) for place, rows in chosen.groupby(["method", "size"])}


def table2(tier: str) -> pd.DataFrame:
    """Table 2 beside ours, with the baselines."""
    return tables.comparison(TABLE2, tier)


# Words for numbers


def _judged(row: pd.Series, base: pd.Series, source: Runs) -> dict[str, str]:
    """Our difference of two rows of ``comparisons`` by the analysis plan, and what it says of the printed one."""
    places = [Place(one["experiment"], one["method"], one["size"], one["score"]) for one in (row, base)]
    verdict = judged("beats", places, source).verdict
    known = verdict.ours is not None and np.isfinite(verdict.ours.low)
    said = [verdict.size if known else None, "no worthwhile gain" if verdict.worthwhile is False else None]
    return {"Ours": difference(verdict.ours) if known else gap(_ours(row), _ours(base)),
            "Against print": ", ".join(filter(None, said)) or "–"}


def _printed(row: pd.Series) -> Sample | None:
    return Sample(row["paper"], row["paper_sd"], int(row["paper_n"])) if np.isfinite(row["paper"]) else None


def _ours(row: pd.Series) -> Sample | None:
    return Sample(row["ours"], row["sd"], int(row["n"])) if row["n"] else None


def short(method: str) -> str:
    """A method in a word or two, for axes and headings."""
    return "Random weights" if method == "random" else METHODS[method].removesuffix(" classification")


# Several columns, several scores


def readable(frame: pd.DataFrame, heading: str | None = "Data used",
             only: int | str | None = None) -> pd.DataFrame:
    """``tables.readable`` with ``heading`` for the columns of the paper's table, None to leave them out;
    marks as printed.

    ``only``: the column that trivial classifiers are shown at, where they do not depend on it.
    """
    if only is not None:
        frame = frame[~frame["method"].isin(BASELINES) | (frame["size"] == only)].assign(
            words=lambda rows: rows["words"].where(~rows["method"].isin(BASELINES), "any"))
    shown = tables.readable(frame)
    for place, row in enumerate(frame.itertuples()):
        if (row.method, str(row.size)) in _marks() and np.isfinite(row.paper):
            shown.loc[place, "Paper (mean ± SD)"] += _marks()[row.method, str(row.size)]
    if heading is None:
        return shown.drop(columns="Data used")
    return shown.rename(columns={"Data used": heading})


def _marks() -> dict[tuple[str, str], str]:
    """Cells of Table 4 that the paper refers to a footnote."""
    rows = published.lookup(f"{PAPER}.table4.rows")
    return {(method, size): cell["mark"] for method, row in rows.items() for size, cell in row.items()
            if "mark" in cell}


def footnotes() -> HTML:
    """The footnotes of Table 4."""
    notes = published.lookup(f"{PAPER}.table4.footnotes")
    return HTML(Markup("").join(Markup("<p>{} {}.</p>").format(mark, text[0].upper() + text[1:])
                                for mark, text in notes.items()))


def wide(frame: pd.DataFrame) -> pd.DataFrame:
    """``comparisons`` with a row a method and, for each score, a column of the paper (where it prints one)
    and of ours.
    """
    columns = {}
    for score, rows in frame.groupby("score", sort=False):
        rows = rows.set_index("method")
        columns.setdefault("Initialisation", [_narrow(METHODS[method]) for method in rows.index])
        if rows["paper"].notna().any():
            columns[f"{SCORES[score]}, paper"] = [plus_minus(row.paper, row.paper_sd)
                                                  for row in rows.itertuples()]
        columns[f"{SCORES[score]}, ours"] = [estimate(row.ours, row.low, row.high, row.n)
                                             for row in rows.itertuples()]
    return pd.DataFrame(columns)


def _narrow(words: str) -> str:
    """So that the head of a row breaks behind its commas alone: many columns leave it little room."""
    return words.replace(" ", NBSP).replace(f",{NBSP}", ", ")


def gains(frame: pd.DataFrame, heading: str | None = "Data used") -> pd.DataFrame:
    """What each pretraining adds to random weights, in print with Welch's interval and here by the analysis plan; ``frame``:
    ``comparisons``.

    The relative gain is the paper's own way of saying it.
    """
    rows, source = [], Runs(frame["tier"].iloc[0])
    for _, row in frame.iterrows():
        if row["method"] == "random" or row["method"] in BASELINES:
            continue
        base = _base(frame, row, method="random")
        pairs = [(found(row), found(base)) for found in (_printed, _ours)]
        rows.append({"Pretraining": METHODS[row["method"]], **({heading: row["words"]} if heading else {}),
                     **({"Score": SCORES[row["score"]]} if frame["score"].nunique() > 1 else {}),
                     "Paper": gap(*pairs[0], "–"), "Paper, relative": _relative(*pairs[0], "–"),
                     **_judged(row, base, source), "Ours, relative": _relative(*pairs[1]),
                     "n": f"{row['n']},{NBSP}{base['n']}"})
    return pd.DataFrame(rows)


def _base(frame: pd.DataFrame, row: pd.Series, **other) -> pd.Series:
    """The row of ``frame`` that ``row`` is compared with: the same but for ``other``."""
    wanted = {name: row[name] for name in ("method", "size", "score")} | other
    return frame[np.logical_and.reduce([frame[name] == value for name, value in wanted.items()])].iloc[0]


def _relative(a: Sample | None, b: Sample | None, missing: str = PENDING) -> str:
    if a is None or b is None:
        return missing
    return f"{100 * (a.mean / b.mean - 1):+.1f}{NBSP}%".replace("-", "−")


def steps(frame: pd.DataFrame, base: int | str, heading: str) -> pd.DataFrame:
    """The same rows at another column minus ``base``, in print and here, as in ``gains``."""
    rows, source = [], Runs(frame["tier"].iloc[0])
    for _, row in frame.iterrows():
        if row["size"] == base or row["method"] in BASELINES:
            continue
        other = _base(frame, row, size=base)
        rows.append({"Initialisation": METHODS[row["method"]], heading: f"{row['words']} − {other['words']}",
                     "Paper": gap(_printed(row), _printed(other), "–"),
                     **_judged(row, other, source),
                     "n": f"{row['n']},{NBSP}{other['n']}"})
    return pd.DataFrame(rows)


def said(tiers: dict[str, str]) -> HTML:
    """Every claim that rests on one of the experiments in ``tiers``, judged from the paper's numbers and from
    ours.
    """
    found = pd.concat([findings(PAPER, experiment, tier) for experiment, tier in tiers.items()])
    if found.empty:
        return HTML("<p>No statement rests on this table alone.</p>")
    return tables.html(found, "Statements and what the runs say")


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
    """The best setting of each task by macro F1 and its lead over the second, in print and among those that
    were run.
    """
    frame = frame[frame["score"] == "macro_f1"]
    rows = []
    for task, names in tasks().items():
        own = frame[frame["method"].isin(names)]
        paper, ours = (_leader(own, sample) for sample in (_printed, _ours))
        rows.append({"Task": METHODS[task], "Best in print": paper[0],
                     "Lead over the second, in print": paper[1],
                     "Best of ours": ours[0], "Lead over the second, ours": ours[1],
                     "Settings run": f"{(own['n'] > 0).sum()} of {len(own)}"})
    return pd.DataFrame(rows)


def _leader(rows: pd.DataFrame, sample) -> tuple[str, str]:
    """Words for the best of ``rows`` and its lead; a lead needs a second one."""
    known = [(found, row["method"]) for _, row in rows.iterrows() if (found := sample(row))]
    known.sort(key=lambda pair: -pair[0].mean)
    if not known:
        return PENDING, PENDING
    best = f"{setting(known[0][1])} ({f1(known[0][0].mean)})"
    if len(known) < 2:
        return best, PENDING
    return best, Markup("{} over {}").format(gap(known[0][0], known[1][0]), setting(known[1][1]).lower())


def below_random(frame: pd.DataFrame) -> pd.DataFrame:
    """Settings whose mean lies below that of random weights, by score: in print, and here among those that
    were run.
    """
    rows = []
    for score, own in frame.groupby("score", sort=False):
        base = own[own["method"] == "random"].iloc[0]
        settings = own[own["method"].isin([name for names in tasks().values() for name in names])]
        row = {"Score": SCORES[score]}
        for words, column in (("in print", "paper"), ("ours", "ours")):
            below = settings[settings[column] < base[column]]
            row[f"Random weights, {words}"] = f1(base[column]) if np.isfinite(base[column]) else PENDING
            row[f"Below them, {words}"] = "; ".join(
                f"{METHODS[name]} ({f1(value)})"
                for name, value in zip(below["method"], below[column], strict=True)) or (
                "none" if settings[column].notna().any() else PENDING)
        rows.append(row)
    return pd.DataFrame(rows)


def challenge(frame: pd.DataFrame, experiment: str, tier: str) -> pd.DataFrame:
    """Macro F1 over four classes beside the challenge's own score, the mean of three: in print (from its
    classes) and ours.

    ``frame``: ``comparisons`` by class and over all.
    """
    ours = tables.cells(experiment, tier, "challenge_f1")
    by = frame.set_index(["method", "score"])
    rows = []
    for method in frame["method"].unique():
        whole, cell = by.loc[method, "macro_f1"], ours.get((method, frame["size"].iloc[0]))
        three = [by.loc[method, f"f1_per_class.{name}"]["paper"] for name in CINC_OFFICIAL]
        rows.append({"Initialisation": METHODS[method], "Four classes, paper": f1(whole["paper"]),
                     "Four classes, ours": estimate(whole["ours"], whole["low"], whole["high"], whole["n"]),
                     "Three classes, paper": f1(np.mean(three)),
                     "Three classes, ours": estimate(cell.mean, cell.low, cell.high, cell.n) if cell
                     else PENDING})
    return pd.DataFrame(rows)


# Table 2: classes and choices of the epoch


def class_rows(frame: pd.DataFrame, tier: str) -> pd.DataFrame:
    """F1 by method, share of the data set and class, from ``trials``; the paper prints it for its largest
    share (Table 1).
    """
    printed, settings = published.lookup(f"{PAPER}.table1.rows"), _settings_of_table2()
    sizes, rows = experiments.load(TABLE2).columns, []
    for name in CLASSES:
        values = single(frame, f"f1_per_class.{name}") if len(frame) else {}
        for method, size in ((method, size) for method in settings for size in sizes):
            found = values.get((method, size), ())
            sample = Sample.of(found) if found else Sample(np.nan, np.nan, 0)
            low, high = statistics.score_interval(sample)
            known = size == max(sizes) and tier != "demo"
            theirs = printed[settings[method]][f"f1_{name}"] if known else {"mean": np.nan, "sd": np.nan}
            rows.append({"method": method, "size": size, "class": name, "mean": sample.mean, "low": low,
                         "high": high,
                         "n": sample.n, "paper": theirs["mean"], "paper_sd": theirs["sd"]})
    return pd.DataFrame(rows)


def _settings_of_table2() -> dict[str, str]:
    """The row of Table 1 that a row of Table 2 is the best setting of."""
    rows = experiments.load(TABLE1).rows
    return {"random": "random"} | {row["init"]: name for name, row in rows.items() if row["init"] in METHODS}


def choices(frame: pd.DataFrame, experiment: str) -> pd.DataFrame:
    """Macro F1 by three ways of choosing the epoch, and what the forbidden one would add (mean over pairs);
    from ``trials``.
    """
    entry = experiments.load(experiment)
    by = {choice: single(frame, choice=choice) for choice in tables.CHOICES}
    rows = []
    for place in ((method, size) for method in entry.inits for size in entry.columns):
        found = {choice: np.array(by[choice].get(place, ())) for choice in tables.CHOICES}
        flattery = found["best_test"] - found["validated"]
        rows.append({"Initialisation": METHODS[place[0]],
                     "Data used": entry.column_words(place[1]),
                     **{words.capitalize(): mean_sd(found[choice], 1)
                        for choice, words in tables.CHOICES.items()},
                     "Best on test − best on validation": f1(flattery.mean(), True) if len(flattery)
                     else PENDING,
                     "n": len(flattery)})
    return pd.DataFrame(rows)


# Tables 3 and 4: what the columns stand for


def rates(tier: str) -> pd.DataFrame:
    """What a column of Table 3 is in ``tier``: sampling rate and length of the recordings, and the rate of
    the pretraining.
    """
    entry = experiments.load(TABLE3)
    configs = {run.size: run.config for run in experiments.enumerate_runs(TABLE3, tier)
               if run.method == "random"}
    upstream = f"{published.lookup(f'{PAPER}.scalars.icentia_sampling_rate.value')} Hz"
    own = protocol(PAPER)["pretraining"]["tiers"][tier]["sampling_rate"]
    return pd.DataFrame([{"Column": entry.column_words(size),
                          "Rate here": f"{config.sampling_rate:g} Hz",
                          "Input here": f"{config.seconds:g} s, {config.n_samples:,} samples",
                          "Pretrained at, in the paper": upstream, "Pretrained at, here": f"{own:g} Hz"}
                         for size, config in configs.items()])


def networks(tier: str) -> pd.DataFrame:
    """Parameters and work of the networks of Table 4, counted in the models, as the paper has them and as
    ``tier`` has them.

    Work is that of training on one recording, forward and backward (``models.training_flops``). Below them
    the part of ResNet-50 that future prediction pretrains.
    """
    rows = [{"Network": name, **_counted(name, "paper", "the paper's size"),
             **_counted(name, tier, f"tier {tier}")}
            for name in experiments.load(TABLE4).columns]
    stages = published.lookup(f"{PAPER}.scalars.resnet50_pretrained_stages.value")
    part = {f"Parameters, {words}": f"{_encoder('resnet50', size, stages):,}"
            for size, words in (("paper", "the paper's size"), (tier, f"tier {tier}"))}
    rows.append({"Network": f"resnet50, first {stages} stages, no output"} | part)
    return pd.DataFrame(rows).fillna("–").replace({"Network": "resnet"}, "ResNet-", regex=True)


def _counted(name: str, tier: str, words: str) -> dict[str, str]:
    config, n_classes = _config(tier), len(CLASSES)
    with torch.device("meta"):
        parameters = models.count_parameters(models.build(name, 1, n_classes, width=config.width))
    flops = models.training_flops(name, 1, n_classes, config.n_samples, width=config.width)
    return {f"Parameters, {words}": f"{parameters:,}", f"GFLOP a recording, {words}": f"{flops / 1e9:.3g}"}


def _encoder(name: str, tier: str, stages: int) -> int:
    """Parameters of the first ``stages`` of a network, without its output layer."""
    with torch.device("meta"):
        model = models.build(name, 1, len(CLASSES), width=_config(tier).width, stages=stages)
    return models.count_parameters(model) - models.count_parameters(model.output)


def _config(tier: str) -> FinetuneConfig:
    return FinetuneConfig.of(dataset=experiments.load(TABLE4).dataset, protocol=PAPER,
                             tier=tier).resolved()


# Table 5: several labels a recording


def data_used(experiment: str) -> HTML:
    """How many of the paper's recordings there are here."""
    data = experiments.load(experiment).data
    theirs = published.lookup(f"{PAPER}.scalars.{RECORDS[experiment]}.value")
    return HTML(f"<p>{NAMES[experiment]} {data.version}: {data.records:,} recordings here, "
                f"{theirs:,} in the paper.</p>")


def label_rows(experiment: str, tier: str) -> pd.DataFrame:
    """Recordings with each label by part, and the mean AUC of each initialisation; a dash where there is
    none.
    """
    found = [(run, body) for run, body in tables.runs(experiment, tier) if run.method not in BASELINES]
    if not found:
        return pd.DataFrame({"Label": [PENDING]})
    parts, rows = found[0][1]["data"]["split"], []
    for label in found[0][1]["data"]["classes"]:
        row = {"Label": label.replace("_", " "),
               **{part.capitalize(): counts[label] for part, counts in parts.items()}}
        for method in experiments.load(experiment).inits:
            values = [body["scores"]["validated"]["auc_per_class"][label] for run, body in found
                      if run.method == method]
            row[f"AUC, {short(method).lower()}"] = _mean_or_pending(values)
        rows.append(row)
    return pd.DataFrame(rows)


def _mean_or_pending(values: Sequence[float | None]) -> str:
    if not values:
        return PENDING
    return "–" if None in values else f1(np.mean(values))


def unscored(experiment: str, tier: str) -> HTML:
    """Labels that no recording of the test part has (or all have), named: the mean AUC leaves them out."""
    bodies = [body for _, body in tables.runs(experiment, tier)]
    if not bodies:
        return HTML(f"<p>{PENDING}: no run yet.</p>")
    areas = bodies[0]["scores"]["validated"]["auc_per_class"]  # the test part is the same in all runs
    left_out = [name.replace("_", " ") for name, area in areas.items() if area is None]
    if not left_out:
        return HTML(f"<p>All {len(areas)} labels occur in the test part; the AUC is the mean over all of "
                    "them.</p>")
    said = Markup("<p>Of {} labels {} cannot be scored, because no recording of the test part has them, or "
                  "every one: {}. The AUC is the mean over the others.</p>")
    return HTML(said.format(len(areas), len(left_out), ", ".join(left_out)))


def thresholds(experiment: str, tier: str) -> pd.DataFrame:
    """Thresholds found on the training part for each metric: mean and range over runs."""
    rows = []
    bodies = [(run.method, body["scores"]["validated"].get("thresholds", {}))
              for run, body in tables.runs(experiment, tier)]
    for method in experiments.load(experiment).inits:
        row = {"Initialisation": METHODS[method]}
        for name in ("f_beta", "g_beta"):
            values = [found[name] for own, found in bodies if own == method and name in found]
            row[f"Threshold for {SCORES[name]}"] = (
                f"{np.mean(values):.2f} ({min(values):.2f} to {max(values):.2f})" if values else PENDING)
        rows.append(row)
    return pd.DataFrame(rows)


def quoted_rows() -> pd.DataFrame:
    """The row of related work that the paper repeats in Table 5: other people's result, quoted as such."""
    rows = []
    for row in published.lookup(f"{PAPER}.table5.quoted_rows").values():
        for experiment in (PTBXL, CPSC2018):
            printed = row[experiments.load(experiment).dataset]
            rows.append({"Quoted from": row["source"], "Data set": NAMES[experiment],
                         **{SCORES[score]: plus_minus(printed[score]["mean"], printed[score]["sd"])
                            if score in printed else "–"
                            for score in MULTI_LABEL}})
    return pd.DataFrame(rows)


def quoted_values(experiment: str) -> dict[str, float]:
    """The same of one data set as numbers, for a figure."""
    name = experiments.load(experiment).dataset
    rows = published.lookup(f"{PAPER}.table5.quoted_rows").values()
    return {score: cell["mean"] for row in rows for score, cell in row[name].items()}


def rankings(frames: Iterable[tuple[str, pd.DataFrame]]) -> pd.DataFrame:
    """Initialisations from the best to the worst by each score, equal ones joined by =; ``frames``:
    experiment, ``comparisons``.
    """
    rows = []
    for experiment, frame in frames:
        for score, own in frame[~frame["method"].isin(BASELINES)].groupby("score", sort=False):
            rows.append({"Data set": NAMES[experiment], "Score": SCORES[score],
                         **{words: _ranked(own["method"], own[column])
                            for words, column in (("In print", "paper"), ("Ours", "ours"))}})
    return pd.DataFrame(rows)


def _ranked(methods: pd.Series, values: pd.Series) -> str:
    """Methods from the best to the worst; all of them are needed."""
    if values.isna().any():
        return "not printed" if values.name == "paper" else PENDING
    # As they are shown: three decimals decide what is equal
    by_value = {}
    for method, value in zip(methods, values, strict=True):
        by_value.setdefault(f1(value), []).append(short(method).lower())
    return " > ".join(" = ".join(by_value[value]) for value in sorted(by_value, reverse=True))


def ranking_verdict(ranked: pd.DataFrame) -> HTML:
    """Does the order stay the same whatever the score, as the paper's text has it? From ``rankings``."""
    lines = []
    for name, own in ranked.groupby("Data set", sort=False):
        for column in ("In print", "Ours"):
            orders = [order for order in own[column] if order not in ("not printed", PENDING)]
            if orders:
                word = "one and the same" if len(set(orders)) == 1 else f"{len(set(orders))} different ones"
                lines.append(Markup("<li>{}, {}: {} scores, {}.</li>").format(name, column.lower(),
                                                                              len(orders), word))
    items = Markup("").join(lines)
    return HTML(Markup("<p>Orders of the five initialisations:</p><ul>{}</ul>").format(items))
