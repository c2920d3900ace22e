"""The tool that compares two builds of the site: whatever a page says in numbers changes its text file."""

import subprocess
import sys

import numpy as np
import pytest
from matplotlib.image import imsave

from ecgtl import paths

PAGE = """<html><nav>7 pages</nav><main><h1>Table 2</h1><p>The gain is −0.006 [−.020, 1.5e-3] in 36,864 frames,
25 % of them, twice 25 %.</p>
<table><tr><th>row</th><th>F1</th></tr><tr><td>beat</td><td>.734 ± .012</td></tr></table>
<img src="curve.png"><img src="plan.svg">
<img src="data:image/svg+xml,%3Csvg/%3E"><svg><text>12</text></svg><script>var x = 99;</script></main></html>"""


def written(folder):
    out = folder / "numbers.txt"
    subprocess.run([sys.executable, paths.repository() / "tools" / "site_numbers.py", folder / "html", out], check=True)
    return out.read_text().splitlines()


@pytest.fixture
def site(tmp_path):
    (tmp_path / "html" / "notebooks").mkdir(parents=True)
    page = tmp_path / "html" / "notebooks" / "table2.html"
    page.write_text(PAGE)
    imsave(page.with_name("curve.png"), np.zeros((4, 5, 3)))
    page.with_name("plan.svg").write_text("<svg/>")
    return tmp_path


def test_every_number_cell_and_figure_has_a_line(site):
    lines = [line.removeprefix("notebooks/table2.html | ") for line in written(site)]
    assert lines == sorted(lines)
    assert [line for line in lines if line.startswith("number")] == [f"number | {value} | {n}" for value, n in sorted(
        (("−0.006", 1), ("−.020", 1), ("1.5e-3", 1), ("36,864", 1), ("25 %", 2), ("2", 1)))]
    assert [line for line in lines if line.startswith("table")] == [
        "table 1 row 1 column 1 | row", "table 1 row 1 column 2 | F1", "table 1 row 2 column 1 | beat",
        "table 1 row 2 column 2 | .734 ± .012"]
    assert len([line for line in lines if line.startswith("figure")]) == 4
    assert not [line for line in lines if "99" in line or "| 7 |" in line]


@pytest.mark.parametrize("change", ["number", "cell", "pixel", "drawing", "within"])
def test_any_change_shows_and_the_same_site_gives_the_same_text(site, change):
    before, page = written(site), site / "html" / "notebooks" / "table2.html"
    assert written(site) == before
    if change == "pixel":
        pixels = np.zeros((4, 5, 3))
        pixels[0, 0, 0] = 1
        imsave(page.with_name("curve.png"), pixels)
    elif change == "drawing":
        page.with_name("plan.svg").write_text("<svg><path/></svg>")
    else:
        page.write_text(PAGE.replace(*{"number": ("36,864", "36,865"), "cell": (".734", ".733"),
                                                "within": ("%3Csvg/", "%3Cp/")}[change]))
    assert len(set(written(site)) ^ set(before)) == 2


def test_an_empty_folder_is_an_error(tmp_path):
    (tmp_path / "html").mkdir()
    with pytest.raises(subprocess.CalledProcessError):
        written(tmp_path)
