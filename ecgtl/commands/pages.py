"""What draws: ``draw``, ``report``, ``site``."""

from functools import partial
from pathlib import Path

from ecgtl import paths
from ecgtl.config.pages import ReportConfig
from ecgtl.report.jang import figure4
from ecgtl.report.jobs import folder
from ecgtl.report.site import book, layout


def draw(file: str, tier: str) -> None:
    """Draw windows of a pretrained autoencoder."""
    print(f"written: {figure4.draw(Path(file), tier)}")


def report(out: str, config: str, **words) -> None:
    """Write the page on a folder of recordings, and say what stands in it in short."""
    path = paths.output(out)  # before any work
    told = folder.write(ReportConfig.of(**words), path, partial(print, flush=True))
    print("", *told, f"written: {path}", sep="\n")


def site(stored: bool) -> None:
    """Build the site."""
    book.make((layout.Stored if stored else layout.Layout)(paths.repository()))
