"""Figures have the style of the pages, without a screen, and are closed after each test."""

import matplotlib
import pytest
from matplotlib import pyplot as plt

from ecgtl.report import figures

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def _style():
    figures.use_style()
    yield
    plt.close("all")
