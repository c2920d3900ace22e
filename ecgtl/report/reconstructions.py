"""How well a trained autoencoder gives back windows that it has not seen (Jang 2021, Figure 4).

    python -m ecgtl.report.reconstructions measure     errors of every held-out window, into results/measured/
    python -m ecgtl.report.reconstructions draw FILE   held-out windows beside what comes back, as an image

Both read the recordings (``ECGTL_DATA``) that the autoencoder was pretrained on. Recordings are not passed on
here, so a page shows the errors, which are committed, and windows of a synthetic twin.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from IPython.display import HTML
from markupsafe import Markup
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator
from scipy import stats
from torch import nn

from ecgtl import claims, published, results, training
from ecgtl.config import TIERS, PretrainConfig
from ecgtl.config.starts import weights_path
from ecgtl.datasets import catalogue
from ecgtl.datasets.base import Recordings
from ecgtl.datasets.windows import Windows
from ecgtl.errors import EcgtlError, exit_status
from ecgtl.jobs import pretrain
from ecgtl.models import checkpoint
from ecgtl.models.cae import summed_squared_error
from ecgtl.pretraining.reconstruction import EVALUATION_BATCH
from ecgtl.report import figures, values
from ecgtl.report.book_tables import badge
from ecgtl.report.words import f1
from ecgtl.results import MEASURED, Result
from ecgtl.statistics import LEVEL, MIN_RUNS

PROGRAM = "python -m ecgtl.report.reconstructions"
ARRAYS = ("error", "deviation", "source", "subject")
SHOWN = {"10th percentile": 0.1, "median": 0.5, "90th percentile": 0.9}  # windows to draw, by their error
TOLERANCE = 0.01  # of the stored error: other hardware rounds otherwise, other windows differ by more
RESAMPLES = 2000
PAPER_SECONDS = 0.2  # a large square of ECG paper; a z-score has no height on it
SOURCE_COLOURS = {"cinc2017": "#0072B2", "mitdb": "#D55E00", "icentia11k": "#009E73", "qtdb": "#CC79A7"}


@dataclass(frozen=True)
class HeldOut:
    """Windows that nobody trained on, the recordings they come from, and the autoencoder to show them to."""

    windows: Windows
    sources: list[Recordings]
    model: nn.Module

    def subjects(self) -> list[tuple[str, str]]:
        """Database and subject of each window."""
        owners = {(source.name, str(record)): str(subject) for source in self.sources
                  for record, subject in zip(source.ids, source.subjects, strict=True)}
        origins = self.windows.origin(np.arange(len(self.windows)))
        return [(database, owners[database, record]) for database, record, _ in origins]

    def lead(self, database: str, record: str) -> str:
        """Name of the lead that the windows of a recording show."""
        source = next(source for source in self.sources if source.name == database)
        row = int(np.flatnonzero(source.ids == record)[0])
        return str(source.leads[row, source.lead_index(row, self.windows.lead)])


# The autoencoder and the windows


def pretrained(tier: str) -> Result:
    """The result of the tier's own autoencoder.

    Raises EcgtlError when it or its weights are absent, or when they are no pair.
    """
    path, weights = _pretrained_path(tier), weights_of(tier)
    if not (path.is_file() and weights.is_file()):
        raise EcgtlError(f"there is no autoencoder of tier {tier}; make one with 'papermill "
                         f"notebooks/pretrain.ipynb out.ipynb -p tier {tier}'")
    result = results.load(path)
    if result.data.get("weights", {}).get("sha256") != checkpoint.checksum(weights):
        raise EcgtlError(f"{weights.name} is not the file that {path.name} speaks of; restore both from git, "
                         "or pretrain again")
    return result


def weights_of(tier: str) -> Path:
    """File of the tier's autoencoder."""
    return weights_path("cae", "cae", tier)


def shown_tier(wanted: str = "best") -> str:
    """The ``wanted`` tier, or the best one that has measured errors. Raises EcgtlError when there is none."""
    for tier in reversed(TIERS) if wanted == "best" else (wanted,):
        if _measured_path(tier).is_file():
            return tier
    tier = "" if wanted == "best" else f" in tier {wanted}"
    raise EcgtlError(f"no errors have been measured{tier}; run '{PROGRAM} measure'")


def network(result: Result) -> nn.Module:
    """The autoencoder of a pretraining ``result`` with its weights, on the CPU, ready to predict."""
    model = pretrain.network(_config(result))
    model.load_state_dict(checkpoint.load(weights_of(result.config["tier"]))[0])
    return model.eval()


def held_out(result: Result) -> HeldOut:
    """The test part that ``result`` was scored on, read anew from the recordings.

    Raises EcgtlError when recordings are absent or not those of the result.
    """
    config = _config(result)
    sources = pretrain.read(config)
    for source in sources:
        if source.digest != result.data["sources"][source.name]["digest"]:
            raise EcgtlError(f"the recordings of {source.name} are not those that {result.key} was "
                             f"pretrained on; run 'python -m ecgtl data check {source.name}'")
    return _test_part(config, sources, result)


def twins(result: Result) -> HeldOut:
    """Windows of synthetic twins, cut as those of ``result``; none of them was ever trained on."""
    asked = _config(result)
    config = PretrainConfig.of(tier="demo", sampling_rate=asked.sampling_rate, seconds=asked.seconds,
                               highpass=asked.highpass).resolved()
    return _test_part(config, pretrain.read(config), result)


def _test_part(config: PretrainConfig, sources: list[Recordings], result: Result) -> HeldOut:
    _, _, test = pretrain.whole_of(config, sources).split(config.validation, config.test, config.seed)
    return HeldOut(test.materialise(), sources, network(result))


def _config(result: Result) -> PretrainConfig:
    """Of a pretraining; a parameter that is younger than the result has its protocol's value."""
    return PretrainConfig.of(**result.config).resolved()


# Errors


@torch.no_grad()
def squared_errors(model: nn.Module, windows: Windows,
                   precision: str = "float32") -> tuple[np.ndarray, np.ndarray]:
    """Summed squared error, and summed squared deviation from the mean, of each window: (n,) float64 both.

    ``precision`` as in ``training.pick_precision``. Source: Jang 2021, section II.3.1 (a sum, not a mean).
    """
    errors, deviations = [], []
    for batch in windows.batches(EVALUATION_BATCH):
        x = torch.from_numpy(batch)
        with training.mixed(precision, torch.device("cpu")):
            made = model(x)
        errors.append(summed_squared_error(x, made).double().numpy())
        centred = batch - batch.mean(axis=-1, keepdims=True)
        deviations.append(np.square(centred, dtype=np.float64).sum(axis=(1, 2)))
    return np.concatenate(errors), np.concatenate(deviations)


def measure(tier: str = "reduced") -> Result:
    """Errors of the autoencoder on every held-out window, not yet saved.

    ``arrays``: ``error`` and ``deviation`` (n,) float32, ``source`` (n,) into ``data["order"]``, ``subject``
    (n,) numbered in the order of the windows. Raises EcgtlError when the mean is not that of the pretraining.
    """
    began = time.perf_counter()
    results.code_state()
    trained = pretrained(tier)
    found = held_out(trained)
    error, deviation = squared_errors(found.model, found.windows, trained.config["precision"])
    stored = trained.scores["mse_sum"]
    if abs(error.mean() - stored) > TOLERANCE * stored:
        raise EcgtlError(f"the errors average {error.mean():.1f}, {trained.key} has {stored:.1f}: these are "
                         "not its windows or weights; pretrain again")
    owners = found.subjects()
    order = list(dict.fromkeys(database for database, _ in owners))
    numbers = {owner: n for n, owner in enumerate(dict.fromkeys(owners))}
    arrays = {"error": error.astype(np.float32), "deviation": deviation.astype(np.float32),
              "source": np.array([order.index(database) for database, _ in owners], np.uint8),
              "subject": np.array([numbers[owner] for owner in owners], np.uint32)}
    data = {name: trained.data[name] for name in ("name", "version", "digest", "weights")}
    data |= {"order": order, "windows": len(error), "subjects": len(numbers), "pretraining": trained.key}
    scores = {"mse_sum": float(error.mean()), "r2": float(1 - error.sum() / deviation.sum())}
    provenance = results.provenance("cpu", time.perf_counter() - began, trained.config["seed"],
                                    torch.get_num_threads(), f"{PROGRAM} --tier {tier} measure")
    return Result(MEASURED, _key(tier), trained.config, trained.evidence, scores, [], data, arrays,
                  provenance)


def load(tier: str) -> Result:
    """The errors that ``measure`` stored. Raises EcgtlError when absent, damaged or of other weights."""
    path, again = _measured_path(tier), f"run '{PROGRAM} --tier {tier} measure'"
    if not path.is_file():
        raise EcgtlError(f"the errors of tier {tier} have not been measured; {again}")
    measured, trained = results.load(path), pretrained(tier)
    lengths = {name: len(array) for name, array in measured.arrays.items()}
    if set(lengths) != set(ARRAYS) or len(set(lengths.values())) != 1:
        raise EcgtlError(f"{path} does not hold the errors of windows; {again}")
    if any(measured.data[name] != trained.data[name] for name in ("weights", "digest")):
        raise EcgtlError(f"{path} was measured with other weights or recordings than those of {trained.key}; "
                         f"{again}")
    return measured


def by_source(measured: Result) -> pd.DataFrame:
    """One row a source database and one for all: subjects, windows, mean error with limits, quantiles, R².

    The 95 % limits come from drawing subjects with replacement, not windows, since windows of one subject are
    alike; with fewer than three subjects there are none.
    """
    source, order = measured.arrays["source"], measured.data["order"]
    parts = {name: source == k for k, name in enumerate(order)}
    parts |= {"all": np.ones(len(source), bool)} if len(order) > 1 else {}
    return pd.DataFrame([{"source": name, **_summary(measured, chosen)} for name, chosen in parts.items()])


def _summary(measured: Result, chosen: np.ndarray) -> dict:
    error, deviation, _, subject = (measured.arrays[name][chosen].astype(np.float64) for name in ARRAYS)
    low, high = clustered_interval(error, subject)
    q10, median, q90 = np.quantile(error, list(SHOWN.values()))
    return {"subjects": len(np.unique(subject)), "windows": len(error), "mean": error.mean(), "low": low,
            "high": high, "q10": q10, "median": median, "q90": q90, "r2": 1 - error.sum() / deviation.sum()}


def clustered_interval(error: np.ndarray, subject: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """95 % limits of the mean of ``error`` (n,) by drawing whole subjects (n,) with replacement.

    Percentiles of the means drawn; NaN with fewer than three subjects.
    """
    _, cluster = np.unique(subject, return_inverse=True)
    sums, counts = np.bincount(cluster, error), np.bincount(cluster)
    if len(sums) < MIN_RUNS:
        return float("nan"), float("nan")
    found = stats.bootstrap((sums, counts), lambda s, n, axis: s.sum(axis=axis) / n.sum(axis=axis),
                            paired=True, vectorized=True, n_resamples=RESAMPLES, batch=100, random_state=seed,
                            confidence_level=LEVEL, method="percentile").confidence_interval
    return float(found.low), float(found.high)


def chosen_windows(error: np.ndarray) -> dict[str, int]:
    """For each name in ``SHOWN`` the window whose rank by ``error`` (n,) is that share of the way up."""
    ranked = np.argsort(error, kind="stable")
    return {name: int(ranked[round(share * (len(error) - 1))]) for name, share in SHOWN.items()}


# What a reader sees


def distribution(measured: Result) -> Figure:
    """Histogram of the windows' errors by source, with our mean, the paper's, and a window's own variance."""
    error, source, order = measured.arrays["error"], measured.arrays["source"], measured.data["order"]
    n, printed = n_samples(measured), _printed()
    top = max(1.05 * n, float(error.max()))
    figure, axes = plt.subplots(figsize=(4.8, 4.0))
    axes.hist([error[source == k] for k in range(len(order))], np.linspace(0, top, 45), stacked=True,
              color=[SOURCE_COLOURS[name] for name in order], edgecolor="white", linewidth=0.3,
              label=[catalogue.entry(name).title for name in order])
    for value, words, colour, dash in ((error.mean(), "our mean", "#000000", "-"),
                                       (printed, "paper's mean, its own data", figures.PAPER_COLOUR, "--"),
                                       (n, "answering with the mean", "#777777", ":")):
        axes.axvline(value, color=colour, linestyle=dash, label=f"{words} ({value:,.0f})")
    axes.set(xlabel="squared error, summed over a window\n(z-scores squared)", ylabel="held-out windows",
             xlim=(0, top))
    share = axes.secondary_xaxis("top", functions=(lambda e: 1 - e / n, lambda r: (1 - r) * n))
    share.set_xlabel("R² of the window")
    figure.legend(*axes.get_legend_handles_labels(), fontsize=8, loc="outside lower center", ncols=1)
    return figure


def panels(found: HeldOut, error: np.ndarray, synthetic: bool) -> Figure:
    """The windows of ``chosen_windows(error)``, one above the other, with what the network makes of them."""
    chosen = chosen_windows(error)
    indices, made = list(chosen.values()), ", synthetic" if synthetic else ""
    figure = figures.reconstructions(found.windows, found.model, indices, synthetic)
    figure.set_size_inches(4.8, 1.9 * len(indices) + 0.7)
    origins = found.windows.origin(indices)
    for axes, (rank, i), (database, record, start) in zip(figure.axes, chosen.items(), origins, strict=True):
        lead = found.lead(database, record)
        axes.set_title(f"{rank}: summed squared error {error[i]:.0f}\n{database} {record}, lead {lead}, "
                       f"{found.windows.rate:g} Hz, from {start:.1f} s{made}", fontsize=8)
        axes.set_xlim(0, found.windows.n_samples / found.windows.rate)
        axes.xaxis.set_minor_locator(MultipleLocator(PAPER_SECONDS))
        axes.grid(which="minor", axis="x", color="#f3d3d3", linewidth=0.5)
        axes.tick_params(which="minor", length=0)
    return figure


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """``by_source`` as a reader sees it."""
    return pd.DataFrame([{
        "Recordings of": "All" if row.source == "all" else catalogue.entry(row.source).title,
        "Subjects": row.subjects, "Windows": f"{row.windows:,}",
        "Mean error [95 % interval]": _with_interval(row.mean, row.low, row.high),
        "Median": f"{row.median:.0f}", "10th to 90th percentile": f"{row.q10:.0f} to {row.q90:.0f}",
        "R²": f1(row.r2)} for row in table.itertuples()])


def comparison(measured: Result) -> pd.DataFrame:
    """The paper's number and what follows from it beside ours, in the paper's units, for a page."""
    n, trained, whole = n_samples(measured), pretrained(measured.config["tier"]), by_source(measured).iloc[-1]
    low, high = published.lookup("jang2021.scalars.signal_range.value")
    errors = {"Paper": _printed(), "Ours, validation": trained.scores["validation"]["summed"],
              "Ours, test": whole["mean"]}
    kinds = {"Squared error, summed over a window": "{:.0f}".format,
             "Squared error a sample": lambda error: f"{error / n:.3f}",
             f"R² (1 − error / {n:,})": lambda error: f1(1 - error / n),
             "Squared error a sample over the range of a signal, as the paper has it":
                 lambda error: f"{100 * error / n / (high - low):.2f} %",
             "Its root over that range: both have one unit":
                 lambda error: f"{100 * np.sqrt(error / n) / (high - low):.1f} %"}
    rows = [{"Quantity": words, **{who: show(error) for who, error in errors.items()}}
            for words, show in kinds.items()]
    # What is in print stands as printed, slips included
    for row, name in ((0, "cae_mse"), (1, "cae_mse_per_sample"), (3, "cae_error_percent")):
        rows[row]["Paper"] = values.published_text(f"jang2021.scalars.{name}")
    rows[3]["Paper"] += " %"
    rows[0]["Ours, test"] = _with_interval(whole["mean"], whole["low"], whole["high"])
    return pd.DataFrame(rows)


def verdict(measured: Result) -> HTML:
    """What can be said, in sentences that follow from the values."""
    tier, n, error = measured.config["tier"], n_samples(measured), measured.scores["mse_sum"]
    trained = pretrained(tier)
    word = badge(claims.judge("jang2021", "J5", tier)["ours"])
    own = measured.evidence["upstream"] == "full"
    sentences = [
        "" if own else "The recordings are not the paper's, so its number is not tested.",
        f"On {measured.data['windows']:,} windows of {measured.data['subjects']} subjects that the network "
        f"has not seen, the error is {error:.0f} of the {n:,} that answering with the mean would cost: "
        f"R² {f1(1 - error / n)}.",
        f"The paper prints {values.published_text('jang2021.scalars.cae_mse')}, which is "
        f"R² {f1(1 - _printed() / n)} by the same reckoning.",
        "On the validation part, which chose the epoch, the error is "
        f"{trained.scores['validation']['summed']:.0f}.",
        _course(trained)]
    return HTML(Markup("<p>{} {}</p>").format(word, " ".join(filter(None, sentences))))


def _course(trained: Result) -> str:
    """Whether the training had come to its end."""
    history, kept = trained.history, trained.scores["epoch"]
    if len(history) < 2 or kept < len(history):
        return f"Of {len(history)} epochs, number {kept} was kept."
    before, last = (row["train_loss"] for row in history[-2:])
    said = f"The last of {len(history)} epochs was kept; the error on the training part "
    if last < before:
        return said + (f"was still falling ({before:.0f} to {last:.0f}), so a longer run can be expected to "
                       "reconstruct better.")
    return said + f"was no longer falling ({before:.0f} to {last:.0f})."


def twin_line(measured: Result, error: np.ndarray) -> HTML:
    """What the error on made windows is, and that it means nothing."""
    text = (f"{len(error):,} windows of the twins, mean error {error.mean():.0f} (real held-out windows: "
            f"{measured.scores['mse_sum']:.0f}). The network has never seen a made heart beat, and how well "
            "it copies one says nothing about ECG.")
    return HTML(Markup("<p>{}</p>").format(text))


def windows_table(measured: Result) -> pd.DataFrame:
    """One row a held-out window: source, subject (a number) and errors, for the CSV."""
    error, deviation, source, subject = (measured.arrays[name] for name in ARRAYS)
    return pd.DataFrame({"window": np.arange(len(error)), "source": np.array(measured.data["order"])[source],
                         "subject": subject, "summed_squared_error": error,
                         "summed_squared_deviation": deviation})


def n_samples(measured: Result) -> int:
    """Samples of a window."""
    return round(measured.config["seconds"] * measured.config["sampling_rate"])


def _printed() -> float:
    """The paper's error of a window."""
    return published.lookup("jang2021.scalars.cae_mse.value")


def _with_interval(value: float, low: float, high: float) -> str:
    return f"{value:.0f} [{low:.0f}, {high:.0f}]" if np.isfinite(low) else f"{value:.0f} (too few subjects)"


def _pretrained_path(tier: str) -> Path:
    return results.path_of("pretrain", pretrain.key_of(PretrainConfig.of(tier=tier).resolved()), tier)


def _measured_path(tier: str) -> Path:
    return results.path_of(MEASURED, _key(tier), tier)


def _key(tier: str) -> str:
    return f"jang2021-figure4-{weights_of(tier).stem}"


# The command


def draw(file: Path, tier: str = "reduced") -> Path:
    """Draw held-out windows of the tier's recordings into ``file``, and return it; its ending says the format."""
    figures.use_style()
    allowed = sorted(Figure().canvas.get_supported_filetypes())
    if file.suffix.removeprefix(".") not in allowed:
        raise EcgtlError(f"{file.name} has no ending of an image; allowed: {', '.join(allowed)}")
    measured, found = load(tier), held_out(pretrained(tier))
    try:
        panels(found, measured.arrays["error"], tier == "demo").savefig(file, dpi=200)
    except OSError as error:
        raise EcgtlError(f"{file} cannot be written ({error.strerror}); give another place") from None
    return file


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; see ``errors.exit_status``."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Errors and pictures of held-out windows; "
                                     "both read the recordings of the pretraining from ECGTL_DATA.")
    parser.add_argument("--tier", default="reduced", choices=TIERS, help="whose autoencoder (%(default)s)")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("measure", help="store the errors of every held-out window")
    drawing = verbs.add_parser("draw", help="draw three held-out windows")
    drawing.add_argument("file", type=Path, help="image to write, e.g. windows.png")
    given = parser.parse_args(arguments)
    return exit_status(lambda: results.save(measure(given.tier)) if given.verb == "measure" else draw(given.file, given.tier))


if __name__ == "__main__":
    sys.exit(main())
