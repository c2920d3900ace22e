"""What a figure says, in words and by rule: the alternative text of its image."""

from collections.abc import Callable, Mapping

import numpy as np
from matplotlib.figure import Figure

from ecgtl.analysis.correlations import Interval
from ecgtl.analysis.names import PENDING, f1
from ecgtl.report.words import estimate

NAMED = 4  # values that are named one by one; of more the highest and the lowest alone


def ordered(values: Mapping[str, float | None], write: Callable[[float], str] = f1) -> str:
    """Named values from the highest to the lowest; of many the two ends. PENDING where nothing is known."""
    known = sorted(((value, name) for name, value in values.items() if value is not None and np.isfinite(value)),
                   key=lambda pair: -pair[0])
    words = [f"{name} {write(value)}" for value, name in known]
    if len(words) > NAMED:
        return f"of {len(words)} the highest is {words[0]}, the lowest {words[-1]}"
    return ", ".join(words) or PENDING


def beside_zero(found: Mapping[str, Interval]) -> str:
    """How many of several named values have a 95 % interval above 0, below it, or around it; the extremes by name."""
    known = {name: one for name, one in found.items() if one.value is not None}
    if not known:
        return f"{PENDING}: no value yet"
    said = []
    for side, words in ((1, "above 0"), (-1, "below 0"), (0, "not distinguishable from 0")):
        own = {name: one for name, one in known.items() if one.side == side}
        extreme = sorted(own, key=lambda name: -side * (own[name].value or 0))[:NAMED] if side else []
        listed = "; ".join(f"{name} {estimate(own[name].value, own[name].low, own[name].high, signed=True)}"
                           for name in extreme) + "; and others" * (len(own) > len(extreme) > 0)
        said.append(f"{len(own)} {words}{f' ({listed})' if listed else ''}")
    values = ordered({name: one.value for name, one in known.items()}, lambda value: f1(value, True))
    return f"of {len(known)}, {', '.join(said)}; {values}"


def by_panel(panels: Mapping[str, str]) -> str:
    """What each panel says, one after the other."""
    return ". ".join(f"{title}: {said}" for title, said in panels.items()) + "."


def written(figure: Figure) -> str:
    """All that is written in a diagram, from top to bottom: its boxes, or its panels' titles."""
    texts = [axes.get_title(loc="left") or axes.get_title() for axes in figure.axes]
    texts += [text.get_text() for axes in figure.axes for text in axes.texts]
    return "; ".join(" ".join(text.split()) for text in texts if text.strip())
