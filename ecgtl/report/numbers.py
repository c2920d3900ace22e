"""Our numbers as a reader meets them: each is a button that opens the runs behind it, and how to make them again.

No script is needed: what opens is the browser's own popover, which works from a file, by keyboard and on a phone.
"""

import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ecgtl import paths, results
from ecgtl.analysis import addresses, cells
from ecgtl.analysis.correlations import Interval
from ecgtl.analysis.names import CHOICES, NBSP, PENDING, RIVALS, data_set, f1, score_words
from ecgtl.report import words

_NUMBERED = itertools.count(1)  # a popover's name is unique on its page


def button(text: str, address: str, said: str, made: Sequence[tuple[results.Result, tuple[str, ...]]],
           scores: Sequence[str] = ("Score",)) -> Markup:
    """``text`` as a button that opens what stands behind the number at ``address``.

    That is what is ``said`` of it, a row for each result that it was ``made`` from, with its ``scores``, their data,
    and two commands.
    """
    headings, bodies = ("Run", "Seed", *scores, "Commit", "Made on", "Result"), [body for body, _ in made]
    head = Markup().join(map(Markup('<th scope="col">{}</th>').format, headings))
    rows = (Markup().join(map(Markup("<td>{}</td>").format, run_row(number, body, *own)))
            for number, (body, own) in enumerate(made, 1))
    data = dict.fromkeys(f"{data_set(one['name'])} {one['version']}, digest {one['digest'][:12]}"
                         for one in (body.data for body in bodies))
    evidence = ", ".join(f"{name} {word}" for name, word in cells.evidence_of(bodies).items())
    return Markup('<button type="button" class="ecgtl-number" data-id="{0}" popovertarget="{1}">{2}</button>'
                  '<div popover id="{1}" class="ecgtl-popover" role="dialog" aria-label="{0}">'
                  "<p><code>{0}</code><br>{3}</p><table><thead><tr>{4}</tr></thead><tbody>{5}</tbody></table>"
                  "<p>Data: {6}; evidence: {7}.</p><p>Compute it again from the stored predictions:<br>"
                  "<code>python -m ecgtl verify {0}</code></p><p>Make it again, training included:<br>"
                  '<code>python -m ecgtl reproduce {0}</code></p><button type="button" popovertarget="{1}" '
                  'popovertargetaction="hide">Close</button></div>').format(
                      address, f"ecgtl-number-{next(_NUMBERED)}", text, said, head,
                      Markup().join(map(Markup("<tr>{}</tr>").format, rows)), "; ".join(data), evidence)


def run_row(number: int, body: results.Result, *scores: str) -> tuple:
    """A run behind a number, by the ``number`` that ``reproduce --run`` takes: seed, scores, commit, machine, file."""
    made = body.provenance
    machine = f"{made['machine']}, {made.get('instructions', 'instructions not recorded')}"
    return (number, made["seed"], *scores, made["commit"][:7] + " (changed)" * made["dirty"],
            machine if made["device"] == "cpu" else made["device"], _link(body))


def _count(n: int) -> Markup:
    return Markup(' <span class="ecgtl-n">n{}{}</span>').format(NBSP, n)


def _link(body: results.Result) -> Markup | str:
    """A link from the notebook that runs, else from the repository, to a result's file there; else its name."""
    file, root = results.path_of(body.experiment, body.key, body.config["tier"]), paths.repository()
    if body.config["tier"] == "demo" or not file.is_relative_to(root):
        return file.name
    here = Path.cwd() if Path.cwd().is_relative_to(root) else root
    return Markup('<a href="{}">JSON</a>').format(Path(os.path.relpath(file, here)).as_posix())


@dataclass(frozen=True)
class Numbers:
    """The cells of an experiment in a tier, its finished runs read once."""

    experiment: str
    tier: str

    @cached_property
    def _finished(self) -> list[cells.Finished]:
        return cells.runs(self.experiment, self.tier)

    def cell(self, method: str, size: int | str, score: str | None = None, gap: Interval | None = None,
             brief: bool = False) -> Markup | str:
        """The ``mean`` of a cell, its 95 % interval and the number of runs; PENDING where nothing has been run.

        ``brief`` leaves the number of runs to what the mean opens.
        """
        found = cells.cell_of(self._finished, self.experiment, (method, size), score)
        if not found:
            return PENDING
        runs = "" if brief else _count(found.n)
        return Markup("{} {}{}").format(self.mean(method, size, score, gap), words.limits(found.low, found.high), runs)

    def mean(self, method: str, size: int | str, score: str | None = None, gap: Interval | None = None) -> Markup:
        """The mean of a cell that has runs, as a button; what it opens says the ``gap`` to the paper's number too."""
        own_score, choice = cells.reported(self.experiment)
        name = score or own_score
        scored = cells.scored(self._finished, self.experiment, (method, size), score)
        found: Any = cells.cell_of(self._finished, self.experiment, (method, size), score)
        address = addresses.of(self.experiment, method, size, name)
        # Of a whole curve no epoch is chosen, and what was trained at once has none
        chosen = name not in cells.CURVE_SCORES and any("last" in body.scores for _, body, _ in scored)
        said = (f"{score_words(name)} {words.estimate(found.mean, found.low, found.high)}, mean [95 % interval] of "
                f"{found.n} run{'s' * (found.n > 1)}" + f"; epoch: {CHOICES[choice]}" * chosen)
        if gap and gap.reach:
            said += f"; here − paper {words.estimate(gap.value, gap.low, gap.high, signed=True)}"
        return button(f1(found.mean), address, said, [(body, (f1(value),)) for _, body, value in scored])

    def correlation(self, source: str, arch: str, measure: str, found: Interval) -> Markup | str:
        """The correlation of a measure with F1 over the folds of a checkpoint, as the paper chooses the epoch."""
        finished = [(run, body) for run, body in self._finished if cells.row_of(run) == (source, arch)]
        if not finished or found.value is None:
            return words.estimate(found.value, found.low, found.high, found.n)
        address = addresses.of(self.experiment, (source, arch), None, measure)
        said = (f"Correlation of {RIVALS[measure][0]} with weighted F1 over {found.n} folds: "
                f"{words.estimate(found.value, found.low, found.high)}")
        made = [(body, (f1(body.scores["best_test"]["weighted_f1"]), f"{body.scores['measures'][measure]:.4f}"))
                for _, body in finished]
        shown = button(f1(found.value), address, said, made, ("F1", "MELEP"))
        return Markup("{} {}{}").format(shown, words.limits(found.low, found.high), _count(found.n))
