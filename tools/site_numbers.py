"""Write every number, table cell and figure of the built site into one sorted text file, to compare two builds.

    python tools/site_numbers.py book/_build/html numbers.txt

A line says the page, what it is, and its value: a cell with its table, row and column; a figure with the SHA-256 of its
pixels, or of its bytes where it is drawn in vectors or stands within the page; a number outside of tables with how
often it stands on the page.
"""

import argparse
import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from bs4 import BeautifulSoup, Tag
from matplotlib.image import imread

NUMBER = re.compile(r"(?<![\w.,])[+\-−]?(?:\d[\d,]*)?\.?\d+(?:[eE][+\-]?\d+)?(?:\s?%)?")
OWN = "article, main"  # what a page says, without the site's navigation


def lines_of(page: Path, root: Path) -> Iterator[str]:
    """Lines on one page of the site below ``root``."""
    name, html = page.relative_to(root).as_posix(), BeautifulSoup(page.read_text(), "html.parser")
    article = html.select_one(OWN) or html
    for hidden in article.select("script, style, nav"):
        hidden.decompose()
    for number, image in enumerate(article.select("img, svg"), start=1):
        yield f"{name} | figure {number} | {_digest(image, page)}"
    for number, table in enumerate(article.select("table"), start=1):
        for row, cells in enumerate(table.select("tr"), start=1):
            for column, cell in enumerate(cells.select("th, td"), start=1):
                yield f"{name} | table {number} row {row} column {column} | {_text(cell)}"
    for drawn in article.select("table, svg"):
        drawn.decompose()
    for value, times in Counter(NUMBER.findall(_text(article))).items():
        yield f"{name} | number | {value} | {times}"


def _digest(image: Tag, page: Path) -> str:
    source = image.get("src", "")
    if source.startswith("data:"):
        return hashlib.sha256(source.encode()).hexdigest()
    if image.name == "svg" or not source.endswith(".png"):
        file = page.parent / source
        return hashlib.sha256(file.read_bytes() if source and file.is_file() else str(image).encode()).hexdigest()
    pixels = imread(page.parent / source)
    return hashlib.sha256(repr(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest()


def _text(part: Tag) -> str:
    return " ".join(part.get_text(" ").split())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("site", type=Path, help="folder of the built pages")
    parser.add_argument("out", type=Path, help="text file to write")
    given = parser.parse_args()
    pages = sorted(given.site.rglob("*.html"))
    if not pages:
        parser.error(f"there is no page below {given.site}; build the site with 'make book'")
    found = sorted(line for page in pages for line in lines_of(page, given.site))
    given.out.write_text("\n".join(found) + "\n")
    print(f"{given.out}: {len(found)} lines from {len(pages)} pages")


if __name__ == "__main__":
    main()
