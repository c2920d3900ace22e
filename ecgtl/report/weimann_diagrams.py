"""Figures 1 and 2 of Weimann 2021: the course of the study, and the network for future prediction.

Boxes are read from the models, the paper's numbers and the results, so that none can drift from what is run.
"""

import dataclasses

import pandas as pd
import torch
from IPython.display import HTML
from markupsafe import Markup
from matplotlib.figure import Figure

from ecgtl import models, published, results
from ecgtl.config import FinetuneConfig, PretrainConfig, protocol
from ecgtl.datasets import catalogue
from ecgtl.jobs.pretrain import key_of
from ecgtl.models.contrastive import FuturePredictor
from ecgtl.report import badges, book_tables, diagrams, tables, values, weimann
from ecgtl.report.diagrams import Box
from ecgtl.report.tables import METHODS
from ecgtl.report.weimann import PAPER, TABLE2
from ecgtl.report.words import PENDING, f1

OBJECTIVES = tuple(protocol(PAPER)["pretraining"]["objectives"])


def _pub(path: str) -> str:
    return values.published_text(f"{PAPER}.{path}")


# Figure 1: the course of the study


def pretrained(tier: str) -> dict[str, dict]:
    """The results of the tier's own four pretrainings, as far as they are there, by objective."""
    found = {}
    for objective in OBJECTIVES:
        path = results.path_of("pretrain",
                               key_of(PretrainConfig.of(objective=objective, tier=tier).resolved()), tier)
        if path.is_file():
            found[objective] = results.stored(path)
    return found


def overview(tier: str) -> pd.DataFrame:
    """The three steps, paper beside ours: ``phase``, ``what``, ``paper``, ``ours`` as text, PENDING where
    nothing was run.
    """
    trained, runs = pretrained(tier), tables.runs(TABLE2, tier)
    phases = {"1. Pretraining": _pretraining(trained, tier), "2. Transfer": _transfer(tier),
              "3. Fine-tuning": _finetuning(runs, tier)}
    return pd.DataFrame([(phase, *row) for phase, rows in phases.items() for row in rows],
                        columns=["phase", "what", "paper", "ours"])


def _pretraining(trained: dict[str, dict], tier: str) -> list[tuple[str, str, str]]:
    body = next(iter(trained.values()), None)
    config = PretrainConfig.of(objective=OBJECTIVES[0], tier=tier).resolved()
    sources = ", ".join(catalogue.entry(name).title for name in config.source_names)
    frames = {name: own["data"]["frames"]["train"] * len(own["history"]) for name, own in trained.items()}
    return [("source of continuous ECG", catalogue.entry("icentia11k").title, sources),
            ("subjects", _pub("scalars.icentia_patients"),
             "{train} to learn from, {validation} to choose the epoch, {test} to test".format_map(body["data"]["subjects"])
             if body else PENDING),
            ("tasks", _words(weimann.tasks()), _words(trained) or PENDING),
            ("frames seen", _pub("scalars.pretraining_frames"),
             f"{min(frames.values()):,} to {max(frames.values()):,}" if frames else PENDING),
            ("sampling rate of the frames (Hz)", _pub("scalars.icentia_sampling_rate"),
             f"{config.sampling_rate:g}")]


def _words(objectives) -> str:
    return ", ".join(weimann.short(name).lower() for name in objectives)


def _transfer(tier: str) -> list[tuple[str, str, str]]:
    parts = {size: _parameters(size) for size in ("paper", tier)}
    arch = PretrainConfig.of(objective=OBJECTIVES[0], tier=tier).resolved().arch
    return [("network", "ResNet-18v2", arch.replace("resnet", "ResNet-") + "v2"),
            ("weights carried over, worked out",
             *(f"{whole - output:,}" for whole, output in parts.values())),
            ("weights that start at random, worked out", *(f"{output:,}" for _, output in parts.values()))]


def _parameters(tier: str) -> tuple[int, int]:
    """Parameters of the classifier and of its output layer, which is not carried over; the paper's from its
    width.
    """
    with torch.device("meta"):
        model = models.build(_tuned(tier).arch, 1, len(weimann.CLASSES), width=_tuned(tier).width)
    return models.count_parameters(model), models.count_parameters(model.output)


def _tuned(tier: str) -> FinetuneConfig:
    return FinetuneConfig.of(dataset="cinc2017", protocol=PAPER, tier=tier).resolved()


def _finetuning(runs: list, tier: str) -> list[tuple[str, str, str]]:
    config, body = _tuned(tier), runs[0][1] if runs else None
    found, largest = tables.cells(TABLE2, tier), max(size for _, size in _places())
    printed = published.lookup(f"{PAPER}.table2.rows")
    ours = {method: found[method, largest].mean for method in printed if (method, largest) in found}
    theirs = {method: row[str(largest)]["mean"] for method, row in printed.items()}
    return [("recordings of CinC 2017", _pub("scalars.cinc2017_records"), f"{body['data']['records']:,}"
             if body else PENDING),
            ("sampling rate of the recordings (Hz)", _pub("scalars.finetuning_sampling_rate"),
             f"{config.sampling_rate:g}"),
            ("length of the input (s)", _pub("scalars.input_duration"), f"{config.seconds:g}"),
            ("epochs at most", _pub("scalars.max_epochs"), str(config.epochs)),
            ("runs a cell", _pub("scalars.runs"), _numbers(runs)),
            ("macro F1, random weights", f1(theirs["random"]), f1(ours["random"]) if "random" in ours
             else PENDING),
            ("macro F1, best pretraining", _best(theirs), _best(ours))]


def _places() -> list[tuple[str, int]]:
    rows = published.lookup(f"{PAPER}.table2.rows")
    return [(method, int(size)) for method, row in rows.items() for size in row]


def _numbers(runs: list) -> str:
    """Finished runs of a cell, the fewest and the most."""
    counts = [sum((run.method, run.size) == place for run, _ in runs) for place in _places()]
    return str(counts[0]) if len(set(counts)) == 1 else f"{min(counts)} to {max(counts)}"


def _best(means: dict[str, float]) -> str:
    own = {method: mean for method, mean in means.items() if method != "random"}
    if not own:
        return PENDING
    best = max(own, key=own.get)
    return f"{f1(own[best])} ({weimann.short(best).lower()})"


def course(steps: pd.DataFrame) -> Figure:
    """The study as a flow chart of ``overview``: pretrain, carry the weights over, fine-tune."""
    paper, ours = (dict(zip(steps["what"], steps[column], strict=True)) for column in ("paper", "ours"))

    def box(key: str, title: str, words: str, kind: str = "plain") -> Box:
        lines = (f"Paper: {words.format_map(paper)}", "", f"Here: {words.format_map(ours)}")
        return Box(key, title, lines, kind)

    boxes = [[box("ecg", "Continuous ECG", "{source of continuous ECG}; subjects: {subjects}")],
             [box("pre", "1. Pretraining", "{network}; tasks: {tasks}; {frames seen} frames", "trained")],
             [box("take", "2. Transfer", "{weights carried over, worked out} weights carried over; "
                  "{weights that start at random, worked out}, "
                  "of the output layer, start at random", "transferred")],
             [box("fine", "3. Fine-tuning", "CinC 2017, {recordings of CinC 2017} recordings; macro F1 "
                  "{macro F1, best pretraining} against {macro F1, random weights} from random weights",
                  "transferred")]]
    return diagrams.flow(boxes, [("ecg", "pre"), ("pre", "take"), ("take", "fine")],
                         {"trained": "trained upstream", "transferred": "taken over, trained on"})


def learned(tier: str) -> pd.DataFrame:
    """How well each pretraining task was learnt, on subjects that were not trained on."""
    bodies = pretrained(tier)
    rows = []
    for objective in OBJECTIVES:
        row = {"Task": METHODS[objective]}
        if objective in bodies:
            scores, config = bodies[objective]["scores"], bodies[objective]["config"]
            chance = scores.get("majority", 1 / ((config["negatives"] or 0) + 1))
            row |= {"Frame (s)": f"{config['seconds']:.2f}", "Accuracy": f1(scores["accuracy"]),
                    "Without looking": f1(chance),
                    "Macro F1": f1(scores["macro_f1"]) if "macro_f1" in scores
                    else "–", "Frames": f"{scores['n']:,}"}
        rows.append(row)
    return pd.DataFrame(rows).fillna(PENDING)


def upstream_badges(tier: str) -> HTML:
    """Badges of the pretrainings; pending where there is none."""
    bodies = list(pretrained(tier).values())
    if not bodies:
        return HTML(Markup("<p>{}</p>").format(book_tables.badge("pending")))
    return HTML(badges.row(tier, tables.evidence_of(bodies)))


# Figure 2: future prediction


@dataclasses.dataclass(frozen=True)
class Future:
    """What the network for future prediction is, read from the module itself.

    ``shapes`` of what passes between its parts, without the batch axis; ``parameters`` of its parts;
    ``counts``: layers, heads, widths and dropout of the attention pooling.
    """

    config: PretrainConfig
    shapes: dict[str, tuple[int, ...]]
    parameters: dict[str, int]
    counts: dict[str, float]


def future(tier: str) -> Future:
    """The network of the tier's own configuration, laid out on the ``meta`` device: nothing is computed."""
    config = PretrainConfig.of(objective="future", tier=tier).resolved()
    samples, candidates = round(config.seconds * config.sampling_rate), config.negatives + 1
    with torch.device("meta"):
        encoder = models.build(config.arch, 1, 1, width=config.width,
                               **models.variant_options(config.arch, config.variant))
        model = FuturePredictor(encoder, config.context)
        shapes = {"frames": (config.context, samples), "candidates": (candidates, samples)}
        shapes |= _passing(model, torch.empty(1, config.context + candidates, samples))
    layers = list(model.pooling.layers.layers)
    return Future(config, shapes,
                  {"encoder": models.count_parameters(model.encoder), "token": model.pooling.token.numel(),
                   "pooling": models.count_parameters(model.pooling.layers),
                   "all": models.count_parameters(model)},
                  {"layers": len(layers), "heads": layers[0].self_attn.num_heads,
                   "width": model.pooling.token.numel(),
                   "inner": layers[0].linear1.out_features, "dropout": layers[0].dropout.p})


def _passing(model: FuturePredictor, x: torch.Tensor) -> dict[str, tuple[int, ...]]:
    """Shapes of what enters the pooling, of what its layers get with the token in front, of the context
    vector and the logits.
    """
    found = {}

    def note(name: str, module: torch.nn.Module, made: bool):
        def hook(_, given, given_back):
            found[name] = tuple((given_back if made else given[0]).shape[1:])
        return module.register_forward_hook(hook)

    hooks = [note("encoded context", model.pooling, False), note("with token", model.pooling.layers, False),
             note("context vector", model.pooling, True), note("logits", model, True)]
    with torch.no_grad():
        model(x)
    for hook in hooks:
        hook.remove()
    return found


def framework(network: Future) -> Figure:
    """Figure 2 as a flow chart: context and candidates through one encoder, attention pooling, dot products,
    cross-entropy.
    """
    def size(name: str) -> str:
        return " × ".join(f"{n:,}" for n in network.shapes[name])

    shapes, counts, parameters = network.shapes, network.counts, network.parameters
    n_context, n_candidates, width = shapes["frames"][0], shapes["candidates"][0], shapes["context vector"][0]
    encoder = f"{network.config.arch.replace('resnet', 'ResNet-')}v2, {parameters['encoder']:,} parameters"
    layers = f"{counts['layers']:g} Transformer layers, {counts['heads']:g} heads, {counts['inner']:,} inside"
    pooling = (f"a learned token in front: {size('with token')}", layers,
               f"{parameters['pooling'] + parameters['token']:,} parameters",
               f"the token's output is the context vector c: {width:,}")
    dots = f"{size('logits')} numbers; softmax and cross-entropy: which one is the future?"
    boxes = [[Box("context", "Context", (f"{n_context} frames in a row", size("frames")), "signal"),
              Box("future", "Candidates", (f"the future and {n_candidates - 1} negatives",
                                           size("candidates")), "signal")],
             [Box("one", "Encoder E", (encoder, f"gives {size('encoded context')}"), "trained"),
              Box("two", "Encoder E, the same", ("shared weights", f"gives {n_candidates} × {width:,}"),
                  "trained")],
             [Box("pool", "Attention pooling", pooling, "transferred"),
              Box("h", "Encoded futures", (f"{n_candidates} vectors h of {width:,}",), "vector")],
             [Box("dot", "Dot products c · h", (dots,))]]
    return diagrams.flow(boxes, [("context", "one"), ("future", "two"), ("one", "pool"), ("two", "h"),
                                 ("pool", "dot"), ("h", "dot")],
                         {"trained": "encoder, taken over", "transferred": "left behind", "vector": "vector"})


def stated(*tiers: str) -> pd.DataFrame:
    """What the paper says of the framework beside what the modules of ``tiers`` have."""
    best = "table1.rows.future_c16_n8_o8"  # the best of its settings in print
    said = {"Transformer layers": "scalars.transformer_layers.value",
            "width of the attention pooling": "scalars.d_model",
            "heads": "scalars.attention_heads.value", "inner width": "scalars.d_ff",
            "frames of the context": f"{best}.context",
            "negatives": f"{best}.negatives", "offset (frames)": f"{best}.offset",
            "samples of a frame": f"{best}.frame"}
    ours = {tier: _counted(future(tier)) for tier in tiers}
    return pd.DataFrame([{"What": what, "Paper": _pub(said[what]) if what in said else "not stated",
                          **{f"Tier {tier}": found[what] for tier, found in ours.items()}}
                         for what in ours[tiers[0]]])


def _counted(network: Future) -> dict[str, str]:
    counts, config = network.counts, network.config
    return {"Transformer layers": f"{counts['layers']:g}",
            "width of the attention pooling": f"{counts['width']:g}",
            "heads": f"{counts['heads']:g}", "inner width": f"{counts['inner']:,}",
            "dropout": f"{counts['dropout']:g}",
            "frames of the context": str(config.context), "negatives": str(config.negatives),
            "offset (frames)": str(config.offset),
            "samples of a frame": f"{network.shapes['frames'][1]:,}",
            "parameters of the encoder": f"{network.parameters['encoder']:,}",
            "parameters of the pooling": f"{network.parameters['pooling'] + network.parameters['token']:,}"}


def stated_verdict(statements: pd.DataFrame) -> HTML:
    """How far each tier's network is what the paper says, from ``stated``."""
    return HTML(Markup("<p>{}</p>").format(" ".join(diagrams.met(statements))))


def encoder_blocks(tier: str) -> list[diagrams.Block]:
    """The encoder block by block; its last linear layer is taken away in the framework."""
    config = PretrainConfig.of(objective="future", tier=tier).resolved()
    shape = (1, round(config.seconds * config.sampling_rate))
    return diagrams.network(config.arch, 1, 1, shape, width=config.width,
                            **models.variant_options(config.arch, config.variant))[:-1]
