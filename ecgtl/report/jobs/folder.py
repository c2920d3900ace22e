"""The page of ``ecgtl report``: what a folder of recordings holds, how good they are, and what can be learnt from them.

One HTML file that loads nothing; its prose stands in ``folder.html``. A part that cannot be computed says why in its
place.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from string import Template

import numpy as np
import pandas as pd
from markupsafe import Markup, escape
from matplotlib import pyplot as plt

from ecgtl import paths, results
from ecgtl.analysis.correlations import Interval
from ecgtl.analysis.names import METHODS, SCORES
from ecgtl.config import ALL_LEADS, BASELINES, FinetuneConfig, ProbeConfig, ScoreConfig, starts
from ecgtl.config.pages import ReportConfig
from ecgtl.datasets import folder, label_file
from ecgtl.datasets.cache import write_atomic
from ecgtl.datasets.formats import Given
from ecgtl.datasets.recordings import Recordings
from ecgtl.datasets.wfdb_header import Header
from ecgtl.errors import SAID, EcgtlError, note_once
from ecgtl.jobs import finetune, inputs, rank
from ecgtl.jobs.scoring import ONE_LABEL, SEVERAL_LABELS, with_limits
from ecgtl.measurements import quality
from ecgtl.models import checkpoint
from ecgtl.report import alt, figures, in_short, words
from ecgtl.report.across.probe import named
from ecgtl.report.tables import card_rules, html_text

FEWEST = 10  # subjects; a class that fewer have is left out where something is learnt
WORST = 3  # recordings that are named
ENCODERS = {"random:cae": ("cae-seed0",), "random:resnet18": ("beat-seed0",)}  # that are shipped
NOT = Markup("<p>{} cannot be computed: {}.</p>")


@dataclass(frozen=True, eq=False)
class Folder:
    """What a page is about: the ``headers`` below a folder, by record, and the ``recordings`` that can be used.

    ``given`` is what every job is asked with, ``scores`` are shown, the first is compared. ``trials`` are the results
    of classifiers on one test set, ``reasons`` say why others have none.
    """

    given: dict
    headers: dict[str, Header]
    recordings: Recordings
    scores: tuple[str, ...]
    trials: dict[str, results.Result] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    @cached_property
    def subjects(self) -> np.ndarray:
        """How many subjects have each class, and how many are without it in a recording, (2, classes).

        EcgtlError where there are no labels.
        """
        found = self.recordings
        if not found.classes:
            raise EcgtlError("no recording has a label; add labels.csv with the columns record and label, or --labels")
        return np.array([[len({*found.subjects[column == own]}) for column in found.label_matrix.T] for own in (1, 0)])

    @cached_property
    def learnable(self) -> Recordings:
        """The recordings of the classes that are not too rare; EcgtlError where nothing can be told apart."""
        found, kept = self.recordings, np.flatnonzero(self.subjects.min(axis=0) >= FEWEST)
        if len(kept) + found.multi_label < 2:
            raise EcgtlError(f"{len(kept)} of {len(found.classes)} classes suffice to learn from; give more recordings")
        if not found.multi_label and len(kept) < len(found.classes):
            found = found.select(np.isin(found.labels, kept))
        own = found.labels[:, kept] if found.multi_label else np.searchsorted(kept, found.labels)
        return replace(found, classes=tuple(found.classes[k] for k in kept), labels=own)

    def attempt(self, name: str, config: FinetuneConfig) -> None:
        """Have the result of ``config`` as that of ``name``, or the reason why there is none; of the first, EcgtlError.
        """
        try:
            self.trials[name] = finetune.run(config, recordings=self.learnable)
        except EcgtlError as error:
            if not self.trials:
                raise
            self.reasons[name] = str(error)

    def probe(self, encoder: str) -> str:
        """Probe an encoder, once; its name."""
        config = ProbeConfig.of(**self.given, encoder=encoder).probes["100 %"].resolved()
        if config.arch != "cae_classifier":  # the others take any length: no zeros beyond the longest recording
            config = replace(config, seconds=min(config.seconds, float(self.learnable.durations.max())))
        name = f"{named(encoder, config)}, {config.seconds:.3g} s"
        if name not in self.trials:
            self.attempt(name, config)
        return name

    def score(self, score: str, *names: str) -> Interval:
        """A score with its limits, or the difference of two classifiers; nothing where one has no result."""
        if not {*names} <= {*self.trials}:
            return Interval()
        arrays = [self.trials[name].arrays for name in names]
        return Interval(*with_limits(score, arrays[0]["y_test"], *[one["prob_validated"] for one in arrays]))


def write(config: ReportConfig, out: Path, report: Callable[[str], None] = print) -> list[str]:
    """Write the page of a folder to ``out``, whole or not at all; the lines of its In short.

    ``report`` is told what is going on. Raises EcgtlError where no recording can be used.
    """
    (seconds, before), short, bodies = (results.clock(), len(SAID)), [], {}
    note_once.cache_clear()
    figures.use_style()
    report(f"reading {config.root}")
    root, given = paths.given(config.root), asdict(config) | {"dataset": "folder", "tier": "reduced"}
    recordings = inputs.read(FinetuneConfig.of(**given, protocol="probe").plan())
    found = folder.read_headers(root, Given(config.rate, config.unit), label_file.find(root, config.labels or None))
    headers = {record: header for record, (_, header) in found.items() if isinstance(header, Header)}
    about = Folder(given, headers, recordings, SEVERAL_LABELS if recordings.multi_label else ONE_LABEL)
    for name, work in PARTS.items():
        report(name)
        try:
            said, body = work(about)
        except EcgtlError as error:
            said, body = f"{name.capitalize()}: not computed.", NOT.format("This", error)
        whose = {why: [who for who in about.reasons if about.reasons[who] == why] for why in about.reasons.values()}
        bodies[name] = body + Markup().join(NOT.format(", ".join(names), why) for why, names in whose.items())
        about.reasons.clear()
        short.append(said)
    page = Template((paths.PACKAGE / "report" / "jobs" / "folder.html").read_text(encoding="utf-8")).substitute(
        vars(quality) | bodies, title=escape(f"Recordings in {root.resolve().name}"), cards=card_rules(), FEWEST=FEWEST,
        short=words.bullets(short), notes=words.bullets(dict.fromkeys(SAID[before:] or ["Nothing."])),
        made=escape(f"Made in {seconds():.0f} s, {pd.Timestamp.now():%Y-%m-%d}, commit {results.code_state()[0][:10]}: "
                    f"{config.command().replace(' --root', '')}. Digest of the recordings: {recordings.digest[:12]}."))
    write_atomic(out, page.encode(errors="backslashreplace"))
    return [escape(said).striptags() for said in short]


def files(about: Folder) -> tuple[str, Markup]:
    """What was read, and what was left out."""
    headers, found = about.headers.values(), about.recordings
    seconds = np.array([header.n_samples / header.sampling_rate for header in headers])
    of_each, own = Counter(found.subjects.tolist()), {*found.ids.tolist()}
    rates = [f"{header.sampling_rate * n:g} Hz" for header in headers for n in {*header.per_frame}]
    facts = {"Recordings": f"{len(headers)} read, {len(found)} used, {sum(map(len, found.skipped.values()))} left out",
             "Files": counted(header.path.suffix[1:].upper().replace("HEA", "WFDB") for header in headers),
             "Lengths": f"{seconds.min():.1f} to {seconds.max():.1f} s, median {np.median(seconds):.1f} s",
             "Sampling rates": counted(rates), "Leads": counted(k for one in headers for k in dict.fromkeys(one.leads)),
             "Looked at": f"lead {' or '.join(dict.fromkeys(found.leads.ravel()))}",
             "Subjects": "none is known: each recording counts as its own, exact duplicates excepted"
             if {*of_each} <= own else f"{len(of_each)}; recordings of one: {counted(of_each.values())}",
             "Exact duplicates": "; ".join(" = ".join(pair) for pair in found.duplicates) or "none",
             **{f"Left out: {reason}": f"{len(ids)}: {', '.join(ids)}" for reason, ids in found.skipped.items()}}
    return (f"Recordings: {facts['Recordings']}; {facts['Files']}; {facts['Lengths']}.",
            html_text(pd.DataFrame(facts.items(), columns=["What", "Found"]), "Recordings, and how many have what"))


def counted(found: Iterable) -> str:
    """Each of several things with how often it occurs, the most frequent first."""
    return ", ".join(f"{what} ({n})" for what, n in Counter(found).most_common())


def signals(about: Folder) -> tuple[str, Markup]:
    """Signal quality: how many recordings are above the limit of each measure, and the worst."""
    lead, rows, above = about.given["lead"], [], {}
    table = quality.of_folder(about.headers, None if lead in (ReportConfig.lead, ALL_LEADS) else lead)
    for name, limit in quality.LIMITS._asdict().items():
        worst = table.sort_values(name, ascending=False, kind="stable").drop_duplicates("record")
        above[name] = worst[worst[name] > limit]["record"].tolist()
        shown = [f"{record} ({lead}, {share(value)})"
                 for record, lead, value in worst[["record", "lead", name]].head(WORST).to_numpy() if value > 0]
        rows.append({"Measure": name, "Limit": share(limit), "Recordings above it": len(above[name]),
                     "Median": share(worst[name].median()), "Worst": ", ".join(shown) or "–"})
    n, said = table["record"].nunique(), ", ".join(f"{name} {len(some)}" for name, some in above.items())
    return (f"Signal quality: {len(set().union(*above.values()))} of {n} recordings are above a limit ({said}).",
            html_text(pd.DataFrame(rows), f"{n} recordings that can be read, each by the lead that is worst"))


def share(value: float) -> str:
    """A share in per cent."""
    return words.percent(f"{100 * value:.1f}") if np.isfinite(value) else "–"


def labels(about: Folder) -> tuple[str, Markup]:
    """Recordings and subjects of each class, and which are too few to learn from."""
    found, sizes, few = about.recordings, about.recordings.counts(), about.subjects.min(axis=0) < FEWEST
    table = pd.DataFrame({"Class": sizes.keys(), "Recordings": sizes.values(), "Subjects": about.subjects[0],
                          "Too few": np.where(few, "too few", "–")})
    several = f"; labels of a recording: {counted(found.label_matrix.sum(axis=1).tolist())}" * found.multi_label
    return (f"Labels: {alt.ordered(sizes, str)}; {few.sum()} of {len(sizes)} classes too few to learn from.",
            html_text(table, f"Labels of {len(found)} recordings{several}"))


def baselines(about: Folder) -> tuple[str, Markup]:
    """The baselines on the test set."""
    first = SCORES[about.scores[0]]
    for arch in BASELINES:
        about.attempt(METHODS[arch], FinetuneConfig.of(**about.given, protocol="probe", arch=arch))
    rows = [{"Classifier": METHODS[arch], **{SCORES[score]: estimate(about.score(score, METHODS[arch]))
                                             for score in about.scores}} for arch in BASELINES]
    sets = pd.DataFrame(about.trials[METHODS[BASELINES[0]]].data["split"]).reset_index(names="Class")
    return (f"Baselines, {first}: {'; '.join('{Classifier} {0}'.format(row[first], **row) for row in rows)}.",
            html_text(sets, "Recordings in each set") + html_text(pd.DataFrame(rows), f"Scores {LIMITS}"))


def estimate(found: Interval) -> str:
    """A score with its limits; a dash where there is none."""
    return words.estimate(found.value, found.low, found.high)


def encoders(about: Folder) -> tuple[str, Markup]:
    """Frozen encoders beside the same networks with random weights."""
    score, rows, gains = about.scores[0], [], []
    for own, twin in [(about.probe(one), about.probe(random)) for random, many in ENCODERS.items() for one in many]:
        gap = about.score(score, own, twin)
        gains.append(in_short.Finding(own, gap))
        rows.append({"Encoder": own, "Frozen": estimate(about.score(score, own)),
                     "Random weights": estimate(about.score(score, twin)),
                     "Difference": words.difference(gap) if gap.reach else "–"})
    said = Markup(" ").join(in_short.findings("difference", gains))
    return (Markup("Frozen encoders minus random weights, {}: {}").format(SCORES[score], said),
            html_text(pd.DataFrame(rows), f"{SCORES[score]} {LIMITS}") + dots(about))


def dots(about: Folder) -> Markup:
    """A figure of the scores of all classifiers with their limits."""
    score, found = SCORES[about.scores[0]], {name: about.score(about.scores[0], name) for name in about.trials}
    figure, axes = plt.subplots(figsize=(figures.WIDTH, 0.7 + 0.26 * len(found)))
    for y, one in enumerate(found.values()):
        figures.dot(axes, one, y, *figures.STYLES[0])
    figures.name_rows(axes, [*found])
    axes.set_xlabel(score, loc="right")
    said = f"{score}: {alt.ordered({name: one.value for name, one in found.items()})}"
    return Markup(figures.shown(figure, f"All classifiers: {score} {LIMITS}.", said).data)


def checkpoints(about: Folder) -> tuple[str, Markup]:
    """MELEP of the shipped checkpoints that have labels of their own."""
    facts = {str(file): own for file in sorted(starts.SHIPPED.glob("*.safetensors"))
             if (own := checkpoint.load(file)[1]).classes}
    ranking = rank.rank(ScoreConfig.of(**about.given), [*facts], lambda line: None)
    about.reasons.update({Path(name).stem: why for name, why in ranking.refused.items()})
    rows = [{"Checkpoint": Path(one.candidate.name).stem, "MELEP": words.estimate(one.value, one.low, one.high),
             "Trained on": facts[one.candidate.name].dataset + " (synthetic)" * facts[one.candidate.name].synthetic,
             "Lowest in": share(one.first)} for one in ranking.scores]
    return ("MELEP is lowest for {Checkpoint}, trained on {Trained on}: {MELEP}.".format(**rows[0]),
            html_text(pd.DataFrame(rows), f"MELEP on {len(ranking.target.table)} recordings, and in how many draws of "
                      f"them it is the lowest; {sum(ranking.target.left_out.values())} recordings left out"))


LIMITS = "on the test set, with 95 % limits over test recordings drawn again"
PARTS = {"files": files, "quality": signals, "labels": labels, "baselines": baselines, "encoders": encoders,
         "checkpoints": checkpoints}
