"""What the pretraining notebook shows: sets, learning curve, examples and scores, whatever the objective."""

import numpy as np
import pandas as pd
import torch
from IPython.display import HTML
from matplotlib import pyplot as plt

from ecgtl import results
from ecgtl.analysis.names import f1
from ecgtl.datasets.recordings import UNLABELLED
from ecgtl.jobs.pretrain import Pretrained
from ecgtl.report import alt, figures, tables
from ecgtl.training import loop
from ecgtl.training.classification import LabelledFrames
from ecgtl.training.future import Contrasts

DRAWN = 512  # frames among which one of each class is looked for
SHOWN = 4  # candidates of a future that are drawn at most, the future among them


def _reconstructs(result: results.Result) -> bool:
    return result.config["objective"] == "reconstruction"


def parts(result: results.Result) -> pd.DataFrame:
    """Windows, or frames an epoch, and subjects in each set."""
    unit, name = ("windows", "windows") if _reconstructs(result) else ("frames an epoch", "frames")
    return pd.DataFrame({unit: result.data[name], "subjects": result.data["subjects"]})


def curve(result: results.Result) -> plt.Figure:
    """The learning curve: error of reconstruction, or loss and accuracy; the kept epoch is marked."""
    shown = [("loss", "Loss", "mean cross-entropy (nats)"), ("accuracy", "Accuracy", "accuracy")]
    if _reconstructs(result):
        shown = [("loss", "Reconstruction error", "squared error, summed over\na window (z-scores squared)")]
    figure, panels = plt.subplots(len(shown), 1, figsize=(figures.WIDTH, 0.8 + 2 * len(shown)), squeeze=False,
                                  sharex=True)
    kept = result.scores["epoch"]
    for axes, (score, title, ylabel) in zip(panels[:, 0], shown, strict=True):
        words = {"train": "training (running mean)", "validation": "validation"}
        figures.by_epoch(axes, result.history, score, words, marker="o", markersize=3)
        axes.axvline(kept, color=figures.GREY, linewidth=1, label=f"kept epoch ({kept})")
        axes.set(title=title, ylabel=ylabel)
    if not _reconstructs(result):
        panels[0, 0].set_xlabel("")
        label, chance = _chance(result, result.scores["validation"])
        axes.set_ylim(0, 1)
        axes.axhline(chance, color="#D55E00", linewidth=1, linestyle="-.", label=label)
    return figures.legend_below(figure, panels[:, 0])


def curve_said(result: results.Result) -> str:
    """What ``curve`` says: the first and the kept epoch."""
    first, kept = result.history[0], result.history[result.scores["epoch"] - 1]
    names = [name for name in ("train_loss", "validation_loss", "validation_accuracy") if name in first]
    return alt.by_panel({f"From epoch {first['epoch']} to the kept epoch {kept['epoch']}": "; ".join(
        f"{name.replace('train_', 'training ').replace('_', ' ')} {first[name]:.4g} to {kept[name]:.4g}"
        for name in names)})


def _chance(result: results.Result, scores: dict) -> tuple[str, float]:
    """Accuracy without looking: of the most frequent class, or of a guess among the candidates."""
    return ("majority-class baseline", scores["majority"]) if "macro_f1" in result.scores else (
        "chance", 1 / (result.config["negatives"] + 1))


def learned(result: results.Result) -> str:
    """One stable line: did the training loss (the validation error of a reconstruction) end below its start?"""
    if _reconstructs(result):
        first, kept = result.history[0]["validation_loss"], result.scores["validation"]["summed"]
        return f"validation error fell: {kept < first}"
    return f"training loss fell: {result.history[-1]['train_loss'] < result.history[0]['train_loss']}"


def scores(result: results.Result) -> HTML:
    """Scores of the kept epoch on the validation and test sets, as HTML."""
    if _reconstructs(result):
        return _errors(result)
    rows = []
    for part, found in (("validation", result.scores["validation"]), ("test", result.scores)):
        words, chance = _chance(result, found)
        row = {"Part": part, "Frames": found["n"], "Accuracy": f1(found["accuracy"]), words.capitalize(): f1(chance),
               "Loss": f"{found['loss']:.3f}"}
        if "macro_f1" in found:
            row |= {"Macro F1": f1(found["macro_f1"]),
                    **{f"F1 {name}": f1(found["f1_per_class"].get(name)) for name in found["counts"]}}
        rows.append(row)
    caption = f"Answers on subjects that were not trained on, weights of epoch {result.scores['epoch']}; "
    return tables.html(pd.DataFrame(rows), caption + "– where a class does not occur")


def examples(pretrained: Pretrained) -> plt.Figure:
    """Some inputs of the test set with what the network makes of them."""
    test = pretrained.test
    if isinstance(test, LabelledFrames):
        return _frames(pretrained, test)
    if isinstance(test, Contrasts):
        return _future(pretrained, test)
    indices = [0, len(test) // 2, len(test) - 1]
    return figures.reconstructions(test, pretrained.model.cpu(), indices, _synthetic(pretrained))


def _frames(pretrained: Pretrained, test: LabelledFrames) -> plt.Figure:
    """A frame of each class that occurs, with its label and the answer."""
    row, start = test.frames.draw(np.random.default_rng(pretrained.result.config["seed"]), DRAWN)
    label = test.labels_of(row, start)
    first = [int((label == k).argmax()) for k in np.unique(label[label != UNLABELLED])]
    row, start, label = row[first], start[first], label[first]
    x, places = test.frames.take(row, start), _places(pretrained, test, row, start)
    answers = zip(x[:, 0], label, _probabilities(pretrained, x), places, strict=True)
    shown = [(f"{test.classes[k]}; predicted {test.classes[p.argmax()]} ({p.max():.2f})\n{place}",
              [(frame, {"color": figures.INK, "linewidth": 0.9})]) for frame, k, p, place in answers]
    height = 1.7 * len(shown) + 0.4
    return figures.traces(shown, test.frames.rate, height, "standard\ndeviations", "time in the frame (s)")


def _future(pretrained: Pretrained, test: Contrasts) -> plt.Figure:
    """One context, and candidates for its future with the probability that each is given."""
    rows, starts, places = test.draw(np.random.default_rng(pretrained.result.config["seed"]), 1)
    x = test.frames.take(rows[0], starts[0])[:, 0]
    p, true = _probabilities(pretrained, x[np.newaxis])[0], int(places[0])
    place, = _places(pretrained, test, rows[0, :1], starts[0, :1])
    shown = [(f"the context, {test.context} frames\n{place}",
              [(x[:test.context].ravel(), {"color": figures.INK, "linewidth": 0.6})])]
    for k in [true, *[k for k in p.argsort()[::-1].tolist() if k != true][:SHOWN - 1]]:
        words, colour = ("the future", "#0072B2") if k == true else ("a negative", "#D55E00")
        shown.append((f"{words}: {p[k]:.2f}", [(x[test.context + k], {"color": colour, "linewidth": 0.9})]))
    height, ylabel = 1.5 * len(shown) + 0.4, "standard\ndeviations"
    return figures.traces(shown, test.frames.rate, height, ylabel, "time from the first sample (s)", sharex=False)


def _probabilities(pretrained: Pretrained, x: np.ndarray) -> np.ndarray:
    return loop.predict(pretrained.model, x, torch.device("cpu"), precision="float32")


def _synthetic(pretrained: Pretrained) -> bool:
    return pretrained.result.evidence["upstream"] == "synthetic"


def _places(pretrained: Pretrained, test: LabelledFrames | Contrasts, row: np.ndarray, start: np.ndarray) -> list[str]:
    """Recording, lead, sampling rate and place of each frame."""
    frames, found = test.frames, []
    for one, (name, record, seconds) in zip(row, frames.origin(row, start), strict=True):
        recordings, i = frames.sources[frames.source[one]], int(frames.record[one])
        lead = recordings.leads[i, 0]
        found.append(f"{name} {record} from {seconds:.1f} s: lead {lead}, {frames.rate:g} Hz"
                     f"{', synthetic' if _synthetic(pretrained) else ''}")
    return found


def _errors(result: results.Result) -> HTML:
    """Reconstruction errors on the validation and test windows."""
    scores = result.scores
    test = {"summed": scores["mse_sum"], "per_sample": scores["mse_sample"], "r2": scores["r2"]}
    rows = [{"Part": part, "Squared error, summed over a window": f"{s['summed']:.1f}",
             "per sample": f"{s['per_sample']:.3f}", "R²": f"{s['r2']:.3f}".replace("-", "−")}
            for part, s in (("validation", scores["validation"]), ("test", test))]
    return tables.html(pd.DataFrame(rows), f"Reconstruction of z-scored windows, weights of epoch {scores['epoch']}")
