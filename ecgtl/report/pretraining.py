"""What the pretraining notebook shows: parts, learning curve, examples and scores, whatever the objective."""

import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from ecgtl import results
from ecgtl.datasets.base import UNLABELLED
from ecgtl.jobs.pretrain import Pretrained
from ecgtl.pretraining.classification import LabelledFrames
from ecgtl.pretraining.future import Contrasts
from ecgtl.report import figures, tables
from ecgtl.report.tables import html
from ecgtl.report.words import f1

DRAWN = 512  # frames among which one of each class is looked for
SHOWN = 4  # candidates of a future that are drawn at most, the future among them


def _reconstructs(result: results.Result) -> bool:
    return result.config["objective"] == "reconstruction"


def parts(result: results.Result) -> pd.DataFrame:
    """Windows, or frames an epoch, and subjects in each part."""
    if _reconstructs(result):
        return tables.pretraining_parts(result)
    return pd.DataFrame({"frames an epoch": result.data["frames"], "subjects": result.data["subjects"]})


def curve(result: results.Result) -> Figure:
    """The learning curve: error of reconstruction, or loss and accuracy; the kept epoch is marked."""
    if _reconstructs(result):
        return figures.reconstruction_curve(result.history, result.scores["epoch"])
    table = pd.DataFrame(result.history)
    figure, panels = plt.subplots(1, 2, figsize=(8.5, 3.4))
    for axes, score in zip(panels, ("loss", "accuracy"), strict=True):
        for part, words, colour, dash in (("train", "training (running mean)", "#000000", "-"),
                                          ("validation", "validation", "#0072B2", "--")):
            axes.plot(table["epoch"], table[f"{part}_{score}"], dash, color=colour, label=words, marker="o", markersize=3)
        axes.axvline(result.scores["epoch"], color="#777777", linewidth=1, label=f"kept epoch ({result.scores['epoch']})")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set(xlabel="epoch")
    panels[0].set(title="Loss", ylabel="mean cross-entropy (nats)")
    panels[1].set(title="Accuracy", ylabel="share of frames answered rightly", ylim=(0, 1))
    panels[1].axhline(_chance(result), color="#D55E00", linewidth=1, linestyle="-.", label=_CHANCE[_of_classes(result)])
    figure.legend(*panels[1].get_legend_handles_labels(), fontsize=8, loc="outside lower center", ncols=2)
    return figure


_CHANCE = {True: "one answer for all", False: "a guess"}


def _of_classes(result: results.Result) -> bool:
    return "macro_f1" in result.scores


def _chance(result: results.Result, part: str = "validation") -> float:
    """Accuracy on a part without looking: of the most frequent class, or of a guess among the candidates."""
    scores = result.scores if part == "test" else result.scores["validation"]
    return scores["majority"] if _of_classes(result) else 1 / (result.config["negatives"] + 1)


def learned(result: results.Result) -> str:
    """One stable line: did the training loss (the validation error of a reconstruction) end below its start?"""
    if _reconstructs(result):
        return tables.error_fell(result)
    return f"training loss fell: {result.history[-1]['train_loss'] < result.history[0]['train_loss']}"


def scores(result: results.Result):
    """Scores of the kept epoch on the validation and test parts, as HTML."""
    if _reconstructs(result):
        return tables.pretraining_scores(result)
    rows = []
    for part, found in (("validation", result.scores["validation"]), ("test", result.scores)):
        row = {"Part": part, "Frames": found["n"], "Accuracy": f1(found["accuracy"]),
               _CHANCE[_of_classes(result)].capitalize(): f1(_chance(result, part)), "Loss": f"{found['loss']:.3f}"}
        if _of_classes(result):
            row |= {"Macro F1": f1(found["macro_f1"]),
                    **{f"F1 {name}": f1(found["f1_per_class"].get(name, np.nan)) for name in found["counts"]}}
        rows.append(row)
    return html(pd.DataFrame(rows), f"Answers on subjects that were not trained on, weights of epoch {result.scores['epoch']}; "
                                    "– where a class does not occur")


def examples(pretrained: Pretrained) -> Figure:
    """Some inputs of the test part with what the network makes of them."""
    if isinstance(pretrained.test, LabelledFrames):
        return _frames(pretrained, pretrained.test)
    if isinstance(pretrained.test, Contrasts):
        return _future(pretrained, pretrained.test)
    n = len(pretrained.test)
    return figures.reconstructions(pretrained.test, pretrained.model.cpu(), [0, n // 2, n - 1], _synthetic(pretrained))


def _frames(pretrained: Pretrained, test: LabelledFrames) -> Figure:
    """A frame of each class that occurs, with its label and the answer."""
    row, start = test.frames.draw(np.random.default_rng(pretrained.result.config["seed"]), DRAWN)
    label = test.labels_of(row, start)
    first = [int((label == k).argmax()) for k in np.unique(label[label != UNLABELLED])]
    row, start, label = row[first], start[first], label[first]
    x = test.frames.take(row, start)
    probabilities = _probabilities(pretrained, x)
    seconds = np.arange(x.shape[2]) / test.frames.rate
    figure, panels = plt.subplots(len(x), 1, figsize=(8.5, 1.7 * len(x) + 0.4), sharex=True, squeeze=False)
    for axes, frame, k, p, where in zip(panels[:, 0], x[:, 0], label, probabilities, _titles(pretrained, test, row, start),
                                        strict=True):
        axes.plot(seconds, frame, color="#111111", linewidth=0.9)
        axes.set_title(f"{test.classes[k]}; answer {test.classes[p.argmax()]} ({p.max():.2f})\n{where}", fontsize=9)
        axes.set_ylabel("standard\ndeviations")
    panels[-1, 0].set_xlabel("time in the frame (s)")
    return figure


def _future(pretrained: Pretrained, test: Contrasts) -> Figure:
    """One context, and candidates for its future with the probability that each is given."""
    rows, starts, places = test.draw(np.random.default_rng(pretrained.result.config["seed"]), 1)
    x = test.frames.take(rows[0], starts[0])[:, 0]
    p = _probabilities(pretrained, x[np.newaxis])[0]
    context, candidates, true = x[:test.context], x[test.context:], int(places[0])
    shown = [true, *[k for k in p.argsort()[::-1].tolist() if k != true][:SHOWN - 1]]
    figure, panels = plt.subplots(1 + len(shown), 1, figsize=(8.5, 1.5 * (1 + len(shown)) + 0.4))
    seconds = np.arange(context.size) / test.frames.rate
    panels[0].plot(seconds, context.ravel(), color="#111111", linewidth=0.6)
    where = _titles(pretrained, test, rows[0, :1], starts[0, :1])[0]
    panels[0].set_title(f"the context, {test.context} frames\n{where}", fontsize=9)
    for axes, k in zip(panels[1:], shown, strict=True):
        axes.plot(seconds[:x.shape[1]], candidates[k], color="#0072B2" if k == true else "#D55E00", linewidth=0.9)
        axes.set_title(f"{'the future' if k == true else 'a negative'}: {p[k]:.2f}", fontsize=9)
    for axes in panels:
        axes.set_ylabel("standard\ndeviations")
    panels[-1].set_xlabel("time from the first sample (s)")
    return figure


def _probabilities(pretrained: Pretrained, x: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        logits = pretrained.model.cpu().eval()(torch.from_numpy(x))
    return torch.softmax(logits, dim=1).numpy()


def _synthetic(pretrained: Pretrained) -> bool:
    return pretrained.result.evidence["upstream"] == "synthetic"


def _titles(pretrained: Pretrained, test: LabelledFrames | Contrasts, row: np.ndarray, start: np.ndarray) -> list[str]:
    """Recording, lead, sampling rate and place of each frame."""
    frames, titles = test.frames, []
    for one, (name, record, seconds) in zip(row, frames.origin(row, start), strict=True):
        recordings = frames.opened(int(frames.source[one]))
        i = int(frames.record[one])
        lead = recordings.leads[i, recordings.lead_index(i, frames.lead)]
        titles.append(f"{name} {record} from {seconds:.1f} s: lead {lead}, {frames.rate:g} Hz"
                      f"{', synthetic' if _synthetic(pretrained) else ''}")
    return titles
