"""Networks and studies as diagrams, and Figures 1 and 2 of Jang 2021 among them.

Boxes are read from the models, the papers' numbers and the results, so that none can drift from what is run. What is
compared step by step, and the words in the boxes, stand in ``studies.yml``.
"""

import itertools
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import pandas as pd
import torch
import yaml
from IPython.display import HTML
from markupsafe import Markup
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from torch import nn

from ecgtl import experiments, models, paths, published
from ecgtl.analysis import cells
from ecgtl.analysis.names import METHODS
from ecgtl.config import FinetuneConfig, PretrainConfig, protocol
from ecgtl.datasets import catalogue
from ecgtl.errors import EcgtlError
from ecgtl.models import googlenet
from ecgtl.report import badges, printed, reconstructions

WIDTH = 4.2  # inches: with the text below still readable where a telephone shrinks the figure
TEXT = 8  # points
# Pale grounds of Okabe and Ito's colours, on which black text stands out; the edge has the colour itself
_GREY, _BLUE, _GREEN = ("#f2f2f2", "#777777"), ("#d6eaf8", "#0072B2"), ("#d2efe6", "#009E73")
COLOURS = {"plain": _GREY, "frozen": _GREY, "signal": _BLUE, "trained": _BLUE, "transferred": _GREEN,
           "vector": ("#fbe0c8", "#D55E00")}
_LINE, _CHARACTERS = 0.145, 13.5  # inches a line of text, characters an inch
_GAP, _PAD = 0.34, 0.07  # inches between rows of boxes and within a box
_ROW = 0.27  # inches a bar
IMAGE = (3, googlenet.SIZE, googlenet.SIZE)  # shape of a spectrogram image
_KINDS = {nn.Conv1d: "convolution", nn.Conv2d: "convolution", nn.Linear: "linear", nn.Upsample: "upsampling",
          nn.ConvTranspose1d: "transposed convolution", nn.ConvTranspose2d: "transposed convolution",
          nn.BatchNorm1d: "batch norm", nn.BatchNorm2d: "batch norm",
          nn.MaxPool1d: "max-pool", nn.MaxPool2d: "max-pool"}


# Networks, block by block


@dataclass(frozen=True)
class Layer:
    """One layer: ``kind`` in words; ``kernel`` and ``stride`` where it has them, else empty and 1."""

    kind: str
    kernel: str = ""
    stride: int = 1

    def __str__(self) -> str:
        size = f"{self.kernel}/{self.stride}" if self.stride > 1 else self.kernel
        return f"{self.kind} {size}".strip()

    @property
    def looks_around(self) -> bool:
        """Whether it is a convolution over more than one sample; those of size 1 only mix the channels."""
        return "convolution" in self.kind and self.kernel != "1"


@dataclass(frozen=True)
class Block:
    """A part of a network: its ``name`` there, its layers in the order of their first use, what it gives.

    ``shape`` is without the batch axis and without the height of 1 that 1-D convolutions are computed with;
    ``parameters`` are the trainable ones.
    """

    name: str
    layers: tuple[Layer, ...]
    shape: tuple[int, ...]
    parameters: int

    @property
    def words(self) -> str:
        """The layers as text, equal ones counted: ``2 × batch norm, 2 × convolution 19``."""
        counts = Counter(map(str, self.layers))
        return ", ".join(f"{n} × {layer}" if n > 1 else layer for layer, n in counts.items())

    @property
    def size(self) -> str:
        """The shape as text: ``24 × 256``."""
        return " × ".join(f"{n:,}" for n in self.shape)


@dataclass(frozen=True)
class Call:
    """One use of a layer: its name in the network, what it was given and what it made."""

    name: str
    module: nn.Module
    given: torch.Tensor
    made: torch.Tensor


def trace(model: nn.Module, shape: Sequence[int]) -> list[Block]:
    """The blocks of ``model`` in the order in which they compute, for an input of ``shape`` (no batch axis).

    Opened are the network itself and whatever holds a sequence of parts that have parts; layers whose names
    begin alike up to a slash (Caffe's) are one block, side by side where none feeds the other. What has no
    parameters is left out. Nothing is computed for a model on the ``meta`` device.
    """
    members = dict(_members(model))
    x = torch.empty(1, *shape, device=next(model.parameters()).device)
    found = calls(model, x, {*members, *members.values()})
    whole = {call.name: call.made for call in found if call.name in set(members.values())}
    used = [call for call in found if call.name in members]
    blocks = [_block(name, [call for call in used if members[call.name] == name], whole.get(name))
              for name in dict.fromkeys(members[call.name] for call in used)]
    return [block for block in blocks if block.parameters]


def network(name: str, in_channels: int, n_outputs: int, shape: Sequence[int], **options) -> list[Block]:
    """The blocks of ``models.build(name, ...)`` for inputs of ``shape``; it is laid out, not computed."""
    with torch.device("meta"):
        return trace(models.build(name, in_channels, n_outputs, **options), shape)


def parameters(blocks: Iterable[Block]) -> int:
    """Trainable parameters of all ``blocks`` together."""
    return sum(block.parameters for block in blocks)


def part(blocks: Sequence[Block], prefix: str) -> list[Block]:
    """The blocks whose names begin with ``prefix``. Raises EcgtlError when there is none."""
    chosen = [block for block in blocks if block.name.startswith(prefix)]
    if not chosen:
        raise EcgtlError(f"no block begins with {prefix!r}; there are {', '.join(b.name for b in blocks)}")
    return chosen


def kernels(blocks: Iterable[Block]) -> list[str]:
    """Kernels of the convolutions in ``blocks`` that look around, each once."""
    layers = [layer for block in blocks for layer in block.layers]
    return list(dict.fromkeys(layer.kernel for layer in layers if layer.looks_around))


def table(blocks: Sequence[Block]) -> pd.DataFrame:
    """One row a block, for a page: name, layers, shape of what it gives, parameters; the sum at the end."""
    rows = [(block.name, block.words, block.size, f"{block.parameters:,}") for block in blocks]
    rows.append(("all", "", "", f"{parameters(blocks):,}"))
    return pd.DataFrame(rows, columns=["Block", "Layers", "Output", "Parameters"])


def listed(networks: dict[str, list[Block]]) -> pd.DataFrame:
    """One row a block of every network, for the CSV."""
    rows = [(name, block.name, block.words, block.size, block.parameters)
            for name, blocks in networks.items() for block in blocks]
    return pd.DataFrame(rows, columns=["network", "block", "layers", "output", "parameters"])


def calls(model: nn.Module, x: torch.Tensor, names: set[str]) -> list[Call]:
    """Every use of the modules in ``names`` while ``x`` passes through ``model``, in evaluation mode."""
    found: list[Call] = []

    def note(name: str, module: nn.Module, given: tuple, made: torch.Tensor | tuple) -> None:
        found.append(Call(name, module, given[0], made[0] if isinstance(made, tuple) else made))

    with torch.no_grad(), ExitStack() as afterwards:
        afterwards.callback(model.train, model.training)
        for name, module in model.named_modules():
            if name in names:
                afterwards.callback(module.register_forward_hook(partial(note, name)).remove)
        model.eval()(x)
    return found


def _members(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Each layer's name with the name of its block."""
    for name, child in module.named_children():
        place = prefix + name
        if _holds_blocks(child):
            yield from _members(child, f"{place}.")
        else:
            yield from ((below, place.split("/")[0]) for below, layer in child.named_modules(prefix=place)
                        if not list(layer.children()))


def _holds_blocks(module: nn.Module) -> bool:
    """Whether ``module`` holds, at whatever depth, a plain sequence of parts that have parts themselves."""
    children = list(module.children())
    sequence = type(module) is nn.Sequential and any(list(child.children()) for child in children)
    return sequence or any(_holds_blocks(child) for child in children)


def _block(name: str, calls: list[Call], made: torch.Tensor | None) -> Block:
    modules = list(dict.fromkeys(call.module for call in calls))
    layers = tuple(layer for layer in map(_layer, modules) if layer)
    shape = _shape(made.shape) if made is not None else _side_by_side(calls)
    return Block(name, layers, shape, sum(map(models.count_parameters, modules)))


def _side_by_side(calls: list[Call]) -> tuple[int, ...]:
    """Shape of several layers' joint output: the channels of those whose output none of them takes."""
    taken = {id(call.given) for call in calls}
    ends = [call.made.shape for call in calls if id(call.made) not in taken]
    return _shape((1, sum(shape[1] for shape in ends), *ends[0][2:]))


def _shape(shape: Sequence[int]) -> tuple[int, ...]:
    """Without the batch axis and a height of 1."""
    return (shape[1], shape[3]) if len(shape) == 4 and shape[2] == 1 else tuple(shape[1:])


def _layer(module: nn.Module) -> Layer | None:
    """In words; None for what does nothing when it is used."""
    if isinstance(module, nn.Identity | nn.Dropout):
        return Layer(f"dropout {module.p:g}") if getattr(module, "p", 0) else None
    kind = next((words for known, words in _KINDS.items() if isinstance(module, known)), type(module).__name__)
    if not hasattr(module, "kernel_size"):
        return Layer(kind)
    kernel, stride = _size(module.kernel_size), int(np.max(module.stride))
    pools_whole = kind == "max-pool" and str(stride) == kernel
    return Layer(kind, kernel, 1 if pools_whole else stride)


def _size(kernel: int | tuple[int, ...]) -> str:
    """``19`` for a kernel over time, ``3×3`` for one over an image."""
    sizes = [int(n) for n in np.atleast_1d(kernel)]
    return "×".join(map(str, sizes)) if len(sizes) == 2 and sizes[0] > 1 else str(sizes[-1])


# Drawings


def hourglass(blocks: Sequence[Block], title: str, start: Sequence[int]) -> Figure:
    """A network from top to bottom: bars wider for longer signals (log scale), taller for more channels.

    The first bar is the input, of shape ``start``. Text in a bar is its shape, beside it stand the block's
    name, the kernels of its convolutions and its parameters.
    """
    rows = [("input", tuple(start)), *((_facts(block), block.shape) for block in blocks)]
    lengths = np.log2([shape[-1] for _, shape in rows])
    channels = np.array([shape[0] if len(shape) > 1 else 1 for _, shape in rows])
    widths, heights = 0.35 + 0.65 * lengths / lengths.max(), 0.6 + 0.35 * channels / channels.max()
    figure, axes = plt.subplots(figsize=(WIDTH, _ROW * len(rows) + 1.1))
    small = {"va": "center", "fontsize": TEXT - 1}
    for y, ((words, shape), width, height) in enumerate(zip(rows, widths, heights, strict=True)):
        _rectangle(axes, -width / 2, y - height / 2, width, height, "signal" if len(shape) > 1 else "vector")
        axes.text(0, y, " × ".join(map(str, shape)), ha="center", **small)
        axes.text(0.56, y, words, ha="left", **small)
    axes.text(0.56, -1, "block, kernel k, parameters", ha="left", color="#444444", **small)
    axes.set(xlim=(-0.52, 1.95), ylim=(len(rows) - 0.4, -1.4), title=title)
    axes.set_axis_off()
    words = {"signal": "channels × length" if len(start) == 2 else "channels × height × width"}
    _legend(figure, words | ({"vector": "vector"} if any(len(shape) == 1 for _, shape in rows) else {}))
    return figure


def _facts(block: Block) -> str:
    used = kernels([block])
    return f"{block.name}{', k ' + ', '.join(used) if used else ''}, {block.parameters:,}"


@dataclass(frozen=True)
class Box:
    """A box of a flow chart: bold ``title``, ``lines`` below (an empty one is a gap), colour by ``kind``."""

    key: str
    title: str
    lines: tuple[str, ...] = ()
    kind: str = "plain"


def flow(rows: Sequence[Sequence[Box]], arrows: Sequence[tuple[str, str]], legend: dict[str, str]) -> Figure:
    """A flow chart of ``rows`` of boxes from top to bottom, with arrows from box to box by their keys.

    Boxes of a row share its width and are as tall as the longest text among them; ``legend`` explains kinds.
    """
    wrapped = [[_wrapped(box, WIDTH / len(row)) for box in row] for row in rows]
    heights = [_LINE * max(len(title) + len(body) for title, body in texts) + 2 * _PAD for texts in wrapped]
    total = sum(heights) + _GAP * (len(rows) - 1)
    figure, axes = plt.subplots(figsize=(WIDTH, total + 0.35))
    axes.set(xlim=(0, WIDTH), ylim=(total + 0.02, -0.02))
    axes.set_axis_off()
    places, y = {}, 0.0
    for row, texts, height in zip(rows, wrapped, heights, strict=True):
        width = WIDTH / len(row)
        for column, (box, (title, body)) in enumerate(zip(row, texts, strict=True)):
            places[box.key] = _rectangle(axes, column * width + _PAD, y, width - 2 * _PAD, height, box.kind)
            for k, line in enumerate([*title, *body]):
                axes.text((column + 0.5) * width, y + _PAD + (k + 0.5) * _LINE, line, ha="center", va="center",
                          fontsize=TEXT, weight="bold" if k < len(title) else "normal")
        y += height + _GAP
    for start, end in arrows:
        _arrow(axes, places[start], places[end])
    _legend(figure, legend)
    return figure


def _wrapped(box: Box, width: float) -> tuple[list[str], list[str]]:
    n = int((width - 4 * _PAD) * _CHARACTERS)
    body = [piece for line in box.lines for piece in textwrap.wrap(line, n) or [""]]
    return textwrap.wrap(box.title, n - 1), body


def _rectangle(axes: Axes, x: float, y: float, width: float, height: float, kind: str) -> Rectangle:
    fill, edge = COLOURS[kind]
    return axes.add_patch(Rectangle((x, y), width, height, facecolor=fill, edgecolor=edge, linewidth=0.9))


def _arrow(axes: Axes, start: Rectangle, end: Rectangle) -> None:
    """Sideways within a row; straight down to another one, at the narrower box's middle."""
    if start.get_y() == end.get_y():
        y = start.get_y() + start.get_height() / 2
        ends = (start.get_x() + start.get_width(), y), (end.get_x(), y)
    else:
        narrow = min(start, end, key=Rectangle.get_width)
        x = narrow.get_x() + narrow.get_width() / 2
        ends = (x, start.get_y() + start.get_height()), (x, end.get_y())
    style = {"arrowstyle": "-|>", "color": "#444444", "linewidth": 1.1, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", ends[1], ends[0], arrowprops=style)


def _legend(figure: Figure, words: dict[str, str]) -> None:
    handles = [Patch(fc=COLOURS[kind][0], ec=COLOURS[kind][1], label=text) for kind, text in words.items()]
    figure.legend(handles=handles, fontsize=TEXT, loc="outside lower center", ncols=len(words), handlelength=1.2,
                  columnspacing=1.0)


# The course of a study and the statements on its networks, paper beside ours


@cache
def _study(paper: str) -> dict:
    return yaml.safe_load((paths.PACKAGE / "report" / "studies.yml").read_text(encoding="utf-8"))[paper]


def _printed(paper: str, said: dict | str | None) -> str:
    return printed.published_text(f"{paper}.{said['pub']}") if isinstance(said, dict) else said


def study_table(paper: str, ours: dict[str, str], theirs: dict[str, str]) -> pd.DataFrame:
    """The study step by step, paper beside ours: ``phase``, ``what``, ``paper``, ``ours`` as text.

    ``ours`` by what stands in ``studies.yml``; ``theirs`` what is computed for the paper too.
    """
    rows = [(phase, what, theirs.get(what) or _printed(paper, said), ours[what])
            for phase, steps in _study(paper)["steps"].items() for what, said in steps.items()]
    return pd.DataFrame(rows, columns=["phase", "what", "paper", "ours"])


def study_chart(paper: str, steps: pd.DataFrame) -> Figure:
    """The study as a flow chart of its ``study_table``."""
    known = steps.set_index("what")
    return chart(paper, "course", known["paper"], known["ours"])


def chart(paper: str, name: str, *facts: Mapping[str, str]) -> Figure:
    """A flow chart of ``studies.yml``, its words filled with ``facts``; of two, each twice: the paper's and ours."""
    def filled(lines: list[str]) -> tuple[str, ...]:
        first, *other = (tuple(line.format_map(known) for line in lines) for known in facts)
        return (f"Paper: {first[0]}", "", f"Here: {other[0][0]}") if other else first

    found = _study(paper)[name]
    rows = [[Box(key, title.format_map(facts[0]), filled(lines), kind) for key, title, kind, *lines in row]
            for row in found["boxes"]]
    return flow(rows, found["arrows"], found["legend"])


def readable_study(steps: pd.DataFrame) -> pd.DataFrame:
    """``study_table`` as a reader sees it, with whether the two say the same."""
    same = np.where(steps["paper"] == steps["ours"], "yes", "no")
    unsaid = steps["paper"].str.contains("not stated")
    shown = steps.set_axis(["Phase", "What", "Paper", "Here"], axis=1)
    return shown.assign(Same=np.where(unsaid, "decided here", same))


def study_verdict(steps: pd.DataFrame) -> HTML:
    """How much of the study is as printed, from ``study_table``."""
    what = readable_study(steps).set_index("Same")["What"]
    same, other = (what[what.index == word] for word in ("yes", "no"))
    text = (f"Of {len(what)} entries {len(same)} are as printed ({', '.join(same)}), and {len(other)} are "
            f"not ({', '.join(other)}).")
    if other.str.contains("source").any():
        text += " Recordings other than the paper's stand in, so its numbers are context."
    return HTML(Markup("<p>{}</p>").format(text))


def statements(paper: str, ours: dict[str, dict[str, str]]) -> pd.DataFrame:
    """What the paper says of its networks beside ``ours``: what the networks of each tier have, by what it is."""
    said = {what: _printed(paper, words) for what, words in _study(paper)["statements"].items()}
    found = pd.DataFrame(ours).add_prefix("Tier ").rename_axis("What").reset_index()
    found.insert(1, "Paper", found["What"].map(said).fillna("not stated"))
    return found


def statements_met(found: pd.DataFrame, *more: str) -> HTML:
    """A sentence a tier, how many of the paper's ``statements`` its network meets, and which not; then ``more``."""
    said = found[found["Paper"] != "not stated"]
    sentences = []
    for column in said.columns[2:]:
        other = said[said["Paper"] != said[column]]
        but = "; ".join(f"{what} ({ours})" for what, ours in zip(other["What"], other[column], strict=True))
        sentences.append(f"{column} meets {len(said) - len(other)} of {len(said)} statements of the paper"
                         + (f", but not: {but}." if but else "."))
    return HTML(Markup("<p>{}</p>").format(" ".join([*sentences, *more])))


def tier_badges(*tiers: str) -> HTML:
    """Badges of the tiers whose networks are drawn: no recordings are behind a drawing."""
    found = Markup(" ").join(badges.badge(f"tier:{tier}") for tier in tiers)
    return HTML(Markup('<p class="ecgtl-badges">{}</p>').format(found))


# Figure 2 of Jang 2021: the networks


def autoencoder(tier: str) -> list[Block]:
    """Blocks of the autoencoder as it is pretrained in ``tier``."""
    config = PretrainConfig.of(tier=tier).resolved()
    return network(config.arch, 1, config.features, window(tier), width=config.width, variant=config.variant)


def classifier(tier: str) -> list[Block]:
    """Blocks of the classifier as ``tier`` has it: the encoder to its features and one linear layer to the rhythms."""
    config = FinetuneConfig.of(init="cae", tier=tier).resolved()
    return network(config.arch, 1, rhythms(), window(tier), width=config.width, variant=config.variant)


def image_network() -> list[Block]:
    """Blocks of GoogLeNet up to its features, which the image arm takes from spectrograms."""
    return [block for block in network("googlenet", 3, 1000, IMAGE) if len(block.shape) > 1]


def window(tier: str) -> tuple[int, int]:
    """Shape of a window in ``tier``: one lead, samples."""
    config = PretrainConfig.of(tier=tier).resolved()
    return 1, round(config.seconds * config.sampling_rate)


def rhythms() -> int:
    """The rhythms that the paper tells apart."""
    return published.lookup("jang2021.scalars.rhythms.value")


def arms(tier: str) -> Figure:
    """The three arms side by side: what goes in, what is taken over, what is trained."""
    own, n_image = classifier(tier), googlenet.N_FEATURES
    counts = {"encoder": parameters(part(own, "encoder.")), "googlenet": parameters(image_network()),
              "linear": parameters(part(own, "output")), "image features": n_image,
              "image linear": (n_image + 1) * rhythms(), "rhythms": rhythms()}
    shapes = {"window": window(tier), "spectrogram": IMAGE, "features": part(own, "encoder.bottleneck")[0].shape}
    return chart("jang2021", "arms", METHODS | {name: f"{n:,}" for name, n in counts.items()}
                 | {name: " × ".join(map(str, shape)) for name, shape in shapes.items()})


def stated() -> pd.DataFrame:
    """What the paper says of its networks beside what those of the tiers ``paper`` and ``reduced`` have."""
    return statements("jang2021", {tier: _counted(tier) for tier in ("paper", "reduced")})


def _counted(tier: str) -> dict[str, str]:
    """The same of a tier's networks, counted in their blocks."""
    blocks = autoencoder(tier)
    body, back = part(blocks, "encoder.blocks."), part(blocks, "decoder.blocks.")
    wide = [[layer for layer in block.layers if layer.looks_around] for block in body]
    up = "transposed convolution" if "transposed" in back[1].words else "linear upsampling, convolution"
    return {"residual blocks of the encoder": str(len(body)), "convolutions a block": _each(map(len, wide)),
            "batch norms a block": _each(sum(layer.kind == "batch norm" for layer in b.layers) for b in body),
            "kernel": _each(layer.kernel for layers in wide for layer in layers),
            "stride": _each(layer.stride for layers in wide for layer in layers),
            "activation": _each(layer.kind for b in body for layer in b.layers if "ReLU" in layer.kind),
            "decoder": up, "features": part(blocks, "encoder.bottleneck")[0].size,
            "channels of the stem (width)": str(blocks[0].shape[0]),
            "parameters of the autoencoder": f"{parameters(blocks):,}",
            "of them in the encoder": f"{parameters(part(blocks, 'encoder.')):,}",
            f"parameters, classifier of {rhythms()} rhythms": f"{parameters(classifier(tier)):,}",
            "parameters of GoogLeNet to its features (frozen)": f"{parameters(image_network()):,}"}


def _each(found: Iterable) -> str:
    return ", ".join(dict.fromkeys(map(str, found)))


def stated_verdict(found: pd.DataFrame) -> HTML:
    """How far each tier's network is what the paper says, from ``stated``."""
    unsaid = found.loc[found["Paper"] == "not stated", "What"].iloc[0]
    return statements_met(found, f"The {unsaid} are not stated anywhere, and with them the number of parameters is "
                                 "ours to choose.")


# Figure 1 of Jang 2021: the course of the study


def overview(experiment: str, tier: str) -> pd.DataFrame:
    """The study step by step, as ``study_table``; ours of the tier's autoencoder and the runs of ``experiment``."""
    trained, runs = reconstructions.pretrained(tier), cells.runs(experiment, tier)
    if not runs:
        raise EcgtlError(f"no result of {experiment} in tier {tier}; run 'python -m ecgtl run {experiment} "
                         f"--tier {tier}'")
    entry, rules, (run, body) = experiments.load(experiment), protocol("jang2021"), runs[0]
    data, windows, rate = body["data"], trained.data["windows"], trained.config["sampling_rate"]
    leads, tenths = rules["datasets"].get(data["name"], {}).get("leads"), 10 * rules["split"]["test"]
    filled = cells.cells(experiment, tier)
    finished = [filled[place].n if place in filled else 0 for place in itertools.product(entry.inits, entry.columns)]
    ours = {
        "unlabelled source": ", ".join(catalogue.entry(name).title for name in trained.data["sources"]),
        "unlabelled subjects": f"{sum(trained.data['subjects'].values()):,}",
        "unlabelled windows": f"{sum(windows.values()):,}",
        "labelled source": catalogue.entry(data["name"]).title + (f", lead {', '.join(leads)}" if leads else ""),
        "labelled recordings": f"{data['records']:,}", "rhythms": str(len(data["classes"])),
        "sampling rate (Hz)": f"{rate:g}", "samples in a window": f"{round(trained.config['seconds'] * rate):,}",
        "baseline": f"Butterworth, {rules['input']['highpass']:g} Hz", "features": str(trained.config["features"]),
        "training to test windows": f"{windows['train']:,}:{windows['test']:,}, by subject, and "
                                    f"{windows['validation']:,} to choose the epoch",
        "epochs of the autoencoder": str(len(trained.history)),
        "squared error of a test window": f"{trained.scores['mse_sum']:.0f}",
        "arms": _arms(entry.inits), "training to test recordings": f"{10 - tenths:g}:{tenths:g}",
        "shares of the training part (%)": _each(entry.columns), "trials a cell": str(entry.runs[tier]),
        "trials finished": f"{min(finished)} to {max(finished)}",
        "epochs of the classifier": str(run.config.epochs), "learning rate": f"{run.config.learning_rate:g}"}
    return study_table("jang2021", ours, {"arms": _arms(published.lookup("jang2021.table2.columns"))})


def _arms(given: Iterable[str]) -> str:
    """The arms in words, in one order whatever the order they are given in."""
    return ", ".join(words for arm, words in published.items() if arm in given)
