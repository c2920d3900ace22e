"""``classifier``: a shipped classifier trained again."""

from functools import partial

from ecgtl import results
from ecgtl.config import ClassifierConfig
from ecgtl.jobs import ensemble
from ecgtl.report import cards


def classifier(call: str = "", **given) -> None:
    """Train it, and write its file, its card and its result."""
    config = ClassifierConfig.from_notebook(given)
    trained = ensemble.run(config, partial(print, flush=True), config.command())
    path, stored = trained.save()
    cards.write(results.load(stored), path.parent)
    print(f"written: {path.parent}\nwritten: {stored}")
