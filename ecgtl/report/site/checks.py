"""Checks of the built site: pages there and filled, nothing from elsewhere, no dead link, no bare image."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml
from bs4 import BeautifulSoup

PAGE_CHARACTERS = 300  # fewer than this is not a page
# Attribute -> the elements that load what it names
LOADING = {"src": ("script", "img", "source", "iframe", "video", "audio", "track", "embed", "input"),
           "poster": ("video",), "data": ("object",), "href": ("image", "use"), "xlink:href": ("image", "use")}
FETCHING = {"stylesheet", "icon", "preload", "prefetch", "modulepreload", "preconnect", "dns-prefetch", "manifest"}


def pages(toc: Path) -> list[str]:
    """Names of all pages in a table of contents, without suffix, in its order."""
    def walk(entry: dict) -> Iterator[str]:
        yield from (entry[name] for name in ("root", "file") if name in entry)
        for name in ("parts", "chapters", "sections"):
            for below in entry.get(name, ()):
                yield from walk(below)

    return list(walk(yaml.safe_load(toc.read_text(encoding="utf-8"))))


def problems(html: Path, names: list[str]) -> list[str]:
    """What is wrong with the site in ``html``, whose pages are ``names``; an empty list when all is well.

    Pages missing or empty, things loaded from elsewhere or not there, dead links, bare images.
    """
    found = [f"{name}.html is missing" for name in names if not (html / f"{name}.html").is_file()]
    for file in sorted(html.rglob("*.html")):
        place = file.relative_to(html).as_posix()
        if place.startswith("_static/"):
            continue  # the theme's templates
        page: Any = BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser")
        characters = sum(len(text) for article in page.find_all("article") for text in article.stripped_strings)
        if place.removesuffix(".html") in names and characters < PAGE_CHARACTERS:
            found.append(f"{place} has next to nothing on it ({characters} characters)")
        found += [f"{place} loads {address}" for address in _loaded(page)
                  if is_elsewhere(address) or not _leads_somewhere(file, address, html)]
        found += [f"{place} has an image without alternative text: {image.get('src', '')[:80]}"
                  for image in page.find_all("img") if re.search(r"^$|\.(png|svg|jpe?g|gif)$", image.get("alt", ""))]
        found += [f"{place} links to {link['href']}, which is not there" for link in page.find_all("a", href=True)
                  if not _leads_somewhere(file, link["href"], html)]
    for file in sorted(html.rglob("*.css")):
        place, text = file.relative_to(html).as_posix(), file.read_text(encoding="utf-8", errors="replace")
        found += [f"{place} loads {address}" for address in _css_addresses(text) if is_elsewhere(address)]
    return found


def _loaded(page: Any) -> list[str]:
    """Addresses of scripts, styles, fonts, images, frames and media, and any that a script names."""
    found = [tag[name] for name, tags in LOADING.items() for tag in page.find_all(tags) if tag.get(name)]
    found += [address for tag in page.find_all(srcset=True) for address in tag["srcset"].split(", ")]
    found += [one.get("href", "") for one in page.find_all("link") if FETCHING & {*map(str.lower, one.get("rel", ()))}]
    for styled in [tag["style"] for tag in page.find_all(style=True)] + [tag.text for tag in page.find_all("style")]:
        found += _css_addresses(styled)
    for script in page.find_all("script"):
        found += re.findall(r"""https?://[^"'\s<>)]+""", script.text)
    return [address.split()[0] for address in found if address.strip()]


def is_elsewhere(address: str) -> bool:
    """Whether a browser would have to ask another server for ``address``."""
    return bool(re.match(r"\s*(https?:)?//", address, re.IGNORECASE))


def _leads_somewhere(page: Path, address: str, html: Path) -> bool:
    parts = urlsplit(address)
    if parts.scheme or parts.netloc or not parts.path:
        return True
    target = (page.parent / unquote(parts.path)).resolve()
    return target.is_relative_to(html.resolve()) and (target.is_file() or (target / "index.html").is_file())


def _css_addresses(text: str) -> list[str]:
    found = re.findall(r"url\(([^)]*)\)", text) + re.findall(r"@import\s+([^;]+);", text)
    return [address.strip("'\" ") for address in found]
