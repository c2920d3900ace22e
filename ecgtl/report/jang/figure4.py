"""How well a trained autoencoder gives back windows that it has not seen (Jang 2021, Figure 4).

    python -m ecgtl draw FILE   held-out windows beside what comes back, as an image

That reads the recordings (``ECGTL_DATA``) that the autoencoder was pretrained on. Recordings are not passed on
here, so a page shows the errors, which are committed, and windows of a synthetic twin.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from IPython.display import HTML
from markupsafe import Markup
from matplotlib import pyplot as plt
from matplotlib.ticker import MultipleLocator
from scipy import stats

from ecgtl import published
from ecgtl.analysis import claims
from ecgtl.analysis.names import f1
from ecgtl.datasets import catalogue
from ecgtl.errors import EcgtlError
from ecgtl.measurements.reconstruction_errors import ARRAYS, HeldOut, held_out, load, pretrained
from ecgtl.report import badges, figures, in_short
from ecgtl.report.printed import published_text
from ecgtl.report.words import paragraph
from ecgtl.results import Result
from ecgtl.statistics import LEVEL, MIN_RUNS

SHOWN = {"10th percentile": 0.1, "median": 0.5, "90th percentile": 0.9}  # windows to draw, by their error
RESAMPLES = 2000
PAPER_SECONDS = 0.2  # a large square of ECG paper; a z-score has no height on it
SOURCE_COLOURS = {"cinc2017": "#0072B2", "mitdb": "#D55E00", "icentia11k": "#009E73", "qtdb": "#CC79A7"}


def by_source(measured: Result) -> pd.DataFrame:
    """One row a source database and one for all: subjects, windows, mean error with limits, quantiles, R².

    The 95 % limits come from drawing subjects with replacement, not windows, since windows of one subject are
    alike; with fewer than three subjects there are none.
    """
    table, order, rows = windows_table(measured), measured.data["order"], []
    for name in [*order, "all"] if len(order) > 1 else order:
        own = table if name == "all" else table[table["source"] == name]
        error, deviation = (own[f"summed_squared_{kind}"].to_numpy(np.float64) for kind in ("error", "deviation"))
        rows.append((name, own["subject"].nunique(), len(own), error.mean(),
                     *clustered_interval(error, own["subject"].to_numpy()), *np.quantile(error, [*SHOWN.values()]),
                     1 - error.sum() / deviation.sum()))
    return pd.DataFrame(rows, columns=["source", "subjects", "windows", "mean", "low", "high", "q10", "median", "q90",
                                       "r2"])


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


def distribution(measured: Result) -> plt.Figure:
    """Histogram of the windows' errors by source, with our mean, the paper's, and a window's own variance."""
    error, source, order = measured.arrays["error"], measured.arrays["source"], measured.data["order"]
    n = n_samples(measured)
    top = max(1.05 * n, float(error.max()))
    figure, axes = plt.subplots(figsize=(figures.WIDTH, 4.2))
    axes.hist([error[source == k] for k in range(len(order))], [*np.linspace(0, top, 45)], stacked=True,
              color=[SOURCE_COLOURS[name] for name in order], edgecolor="white", linewidth=0.3,
              label=[catalogue.entry(name).title for name in order])
    for value, words, colour, dash in ((error.mean(), "mean here", figures.INK, "-"),
                                       (_printed(), "paper's mean, its own data", figures.PAPER_COLOUR, "--"),
                                       (n, "baseline: the window's mean", figures.GREY, ":")):
        axes.axvline(value, color=colour, linestyle=dash, label=f"{words} ({value:,.0f})")
    axes.set(xlabel="squared error, summed over a window\n(z-scores squared)", ylabel="held-out windows", xlim=(0, top))
    share = axes.secondary_xaxis("top", functions=(lambda e: 1 - e / n, lambda r: (1 - r) * n))  # type: ignore[operator]
    share.set_xlabel("R² of the window")
    return figures.legend_below(figure, [axes], 1)


def errors_said(measured: Result) -> str:
    """What ``distribution`` says: mean and quantiles of the error, beside the paper's and that of the mean alone."""
    whole = [*by_source(measured).itertuples()][-1]
    return (f"Squared error of {whole.windows:,} held-out windows: mean {_with_interval(whole)}, 10th to 90th "
            f"percentile {whole.q10:.0f} to {whole.q90:.0f}; the paper's mean is {_printed():.0f}, and the window's own"
            f" mean as the reconstruction gives {n_samples(measured):,}.")


def panels(found: HeldOut, error: np.ndarray, synthetic: bool) -> plt.Figure:
    """The windows of ``chosen_windows(error)``, one above the other, with what the network makes of them."""
    chosen, made = chosen_windows(error), ", synthetic" if synthetic else ""
    figure = figures.reconstructions(found.windows, found.model, [*chosen.values()], synthetic)
    figure.set_size_inches(figures.WIDTH, 1.9 * len(chosen) + 0.7)
    for axes, (rank, i) in zip(figure.axes, chosen.items(), strict=True):
        place = "{database} {record}, lead {lead}, {rate:g} Hz, from {start:.1f} s".format_map(
            found.origins.iloc[i].to_dict() | {"rate": found.windows.rate})
        axes.set_title(f"{rank}: summed squared error {error[i]:.0f}{made}\n{place}")
        axes.set_xlim(0, found.windows.n_samples / found.windows.rate)
        axes.xaxis.set_minor_locator(MultipleLocator(PAPER_SECONDS))
        axes.grid(which="minor", axis="x", color="#f3d3d3", linewidth=0.5)
        axes.tick_params(which="minor", length=0)
    return figure


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """``by_source`` as a reader sees it."""
    return pd.DataFrame([{"Recordings of": "All" if row.source == "all" else catalogue.entry(row.source).title,
                          "Subjects": row.subjects, "Windows": f"{row.windows:,}",
                          "Mean error [95 % interval]": _with_interval(row), "Median": f"{row.median:.0f}",
                          "10th to 90th percentile": f"{row.q10:.0f} to {row.q90:.0f}", "R²": f1(row.r2)}
                         for row in table.itertuples()])


def _with_interval(row: Any) -> str:
    interval = f"[{row.low:.0f}, {row.high:.0f}]" if np.isfinite(row.low) else "(too few subjects)"
    return f"{row.mean:.0f} {interval}"


def comparison(measured: Result) -> pd.DataFrame:
    """The paper's number and what follows from it beside ours, in the paper's units, for a page."""
    n, trained = n_samples(measured), pretrained(measured.config["tier"])
    low, high = published.lookup("jang2021.scalars.signal_range.value")
    whole = [*by_source(measured).itertuples()][-1]
    columns = {"Quantity": ["Squared error, summed over a window", "Squared error a sample", f"R² (1 − error / {n:,})",
                            "Squared error a sample over the range of a signal, as the paper has it",
                            "Its root over that range: both have one unit"]}
    for who, error in (("Paper", _printed()), ("Ours, validation", trained.scores["validation"]["summed"]),
                       ("Ours, test", whole.mean)):
        columns[who] = [f"{error:.0f}", f"{error / n:.3f}", f1(1 - error / n),
                        f"{100 * error / n / (high - low):.2f} %", f"{100 * np.sqrt(error / n) / (high - low):.1f} %"]
    columns["Ours, test"][0] = _with_interval(whole)
    # What is in print stands as printed, misprints included
    for row, name, unit in ((0, "cae_mse", ""), (1, "cae_mse_per_sample", ""), (3, "cae_error_percent", " %")):
        columns["Paper"][row] = published_text(f"jang2021.scalars.{name}") + unit
    return pd.DataFrame(columns)


def answer(measured: Result) -> HTML:
    """In short: the mean error, held beside the printed one."""
    whole = [*by_source(measured).itertuples()][-1]
    text = (f"A held-out window is rebuilt with a summed squared error of {_with_interval(whole)} here, on other "
            f"recordings than the paper's, which prints {published_text('jang2021.scalars.cae_mse')}.")
    return in_short.block([text], badges.row(measured.config["tier"], measured.evidence))


def verdict(measured: Result) -> HTML:
    """What can be said, in sentences that follow from the values."""
    tier, n, error = measured.config["tier"], n_samples(measured), measured.scores["mse_sum"]
    trained, own = pretrained(tier), measured.evidence["upstream"] == "full"
    sentences = [] if own else ["The recordings are not the paper's, so its number is not tested."]
    sentences += [
        f"On {measured.data['windows']:,} windows of {measured.data['subjects']} subjects that the network has not "
        f"seen, the error is {error:.0f} of the {n:,} that answering with the mean would cost: R² {f1(1 - error / n)}.",
        f"The paper prints {published_text('jang2021.scalars.cae_mse')}, which is "
        f"R² {f1(1 - _printed() / n)} by the same reckoning.",
        "On the validation set, which chose the epoch, the error is "
        f"{trained.scores['validation']['summed']:.0f}.", _course(trained)]
    return HTML(paragraph(Markup("{} {}").format(badges.badge(claims.judge("jang2021", "J5", tier)["ours"]),
                                                 " ".join(sentences))))


def _course(trained: Result) -> str:
    """Whether the training had come to its end."""
    history, kept = trained.history, trained.scores["epoch"]
    if len(history) < 2 or kept < len(history):
        return f"Of {len(history)} epochs, number {kept} was kept."
    before, last = (row["train_loss"] for row in history[-2:])
    so = ", so a longer run can be expected to reconstruct better" if last < before else ""
    return (f"The last of {len(history)} epochs was kept; the error on the training set was "
            f"{'still' if so else 'no longer'} falling ({before:.0f} to {last:.0f}){so}.")


def twin_line(measured: Result, error: np.ndarray) -> HTML:
    """What the error on made windows is, and that it means nothing."""
    return HTML(paragraph(
        f"{len(error):,} windows of the twins, mean error {error.mean():.0f} (real held-out windows: "
        f"{measured.scores['mse_sum']:.0f}). The network has never seen a made heart beat, and how well it copies one "
        "says nothing about ECG."))


def windows_table(measured: Result) -> pd.DataFrame:
    """One row a held-out window: source, subject (a number) and errors, for the CSV."""
    error, deviation, source, subject = (measured.arrays[name] for name in ARRAYS)
    return pd.DataFrame({"window": np.arange(len(error)), "source": np.array(measured.data["order"])[source],
                         "subject": subject, "summed_squared_error": error, "summed_squared_deviation": deviation})


def n_samples(measured: Result) -> int:
    """Samples of a window."""
    return round(measured.config["seconds"] * measured.config["sampling_rate"])


def _printed() -> float:
    """The paper's error of a window."""
    return published.lookup("jang2021.scalars.cae_mse.value")


def draw(file: Path, tier: str = "reduced") -> Path:
    """Draw held-out windows of the tier's recordings into ``file``, and return it; its ending says the format."""
    figures.use_style()
    allowed = sorted(plt.Figure().canvas.get_supported_filetypes())
    if file.suffix.removeprefix(".") not in allowed:
        raise EcgtlError(f"{file.name} has no ending of an image; allowed: {', '.join(allowed)}")
    measured, found = load(tier), held_out(pretrained(tier))
    try:
        panels(found, measured.arrays["error"], tier == "demo").savefig(file, dpi=200)
    except OSError as error:
        raise EcgtlError(f"{file} cannot be written ({error.strerror}); give another place") from None
    return file
