"""What draws: ``classifier``, whose card has a diagram, ``draw``, ``report``, ``site``."""

from functools import partial
from pathlib import Path

from ecgtl import paths, results
from ecgtl.config import ClassifierConfig
from ecgtl.config.pages import ReportConfig
from ecgtl.errors import EcgtlError
from ecgtl.jobs import ensemble
from ecgtl.report import cards
from ecgtl.report.jang import figure4
from ecgtl.report.jobs import folder
from ecgtl.report.site import book, layout


def classifier(config: str, **given) -> None:
    """Train a classifier that is shipped again, and write its file, its card and its result."""
    chosen = ClassifierConfig.from_notebook(given)
    trained = ensemble.run(chosen, partial(print, flush=True), chosen.command())
    path, stored = trained.save()
    cards.write(results.load(stored), path.parent)
    print(f"written: {path.parent}\nwritten: {stored}")


def draw(file: str, tier: str) -> None:
    """Draw windows of a pretrained autoencoder."""
    print(f"written: {figure4.draw(Path(file), tier)}")


def report(out: str, config: str, **words) -> None:
    """Write the page on a folder of recordings, and say what stands in it in short."""
    path = paths.output(out)  # before any work
    if path.suffix.lower() not in (".html", ".htm"):
        raise EcgtlError(f"{out!r} does not end in .html, which is what is written; give the file such a name")
    told = folder.write(ReportConfig.of(**words), path, partial(print, flush=True))
    print("", *told, f"written: {path}", sep="\n")


def site(stored: bool) -> None:
    """Build the site."""
    book.make((layout.Stored if stored else layout.Layout)(paths.checkout("_toc.yml").parent))
