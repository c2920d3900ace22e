"""What draws: ``draw``, ``site``."""

from pathlib import Path

from ecgtl import paths
from ecgtl.report.jang import figure4
from ecgtl.report.site import book, layout


def draw(file: str, tier: str) -> None:
    """Draw windows of a pretrained autoencoder."""
    print(f"written: {figure4.draw(Path(file), tier)}")


def site(stored: bool) -> None:
    """Build the site."""
    book.make((layout.Stored if stored else layout.Layout)(paths.repository()))
