"""Checks of the built site: pages there and filled, nothing from elsewhere, no dead link, no bare image."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml

PAGE_CHARACTERS = 300  # fewer than this is not a page


def pages(toc: Path) -> list[str]:
    """Names of all pages in a table of contents, without suffix, in its order."""
    def walk(entry: dict) -> Iterator[str]:
        for name in ("root", "file"):
            if name in entry:
                yield entry[name]
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
        page = Page.read(file)
        if place.removesuffix(".html") in names and page.characters < PAGE_CHARACTERS:
            found.append(f"{place} has next to nothing on it ({page.characters} characters)")
        found += [f"{place} loads {address}" for address in page.loaded
                  if is_elsewhere(address) or not _leads_somewhere(file, address, html)]
        found += [f"{place} has an image without alternative text: {image}" for image in page.bare_images]
        found += [f"{place} links to {address}, which is not there" for address in page.links
                  if not _leads_somewhere(file, address, html)]
    for file in sorted(html.rglob("*.css")):
        place, text = file.relative_to(html).as_posix(), file.read_text(encoding="utf-8", errors="replace")
        found += [f"{place} loads {address}" for address in _css_addresses(text) if is_elsewhere(address)]
    return found


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


class Page(HTMLParser):
    """What a page loads, links to and shows: collected while parsing.

    ``loaded`` addresses of scripts, styles, fonts, images, frames and media, and any that a script names;
    ``links`` addresses of ``<a>``; ``bare_images`` images whose alternative text is missing or a file name;
    ``characters`` of text in its article.
    """

    LOADING = {"script": ("src",), "img": ("src", "srcset"), "source": ("src", "srcset"), "iframe": ("src",),
               "video": ("src", "poster"), "audio": ("src",), "track": ("src",), "embed": ("src",),
               "object": ("data",), "input": ("src",), "image": ("href", "xlink:href"),
               "use": ("href", "xlink:href")}
    FETCHING = {"stylesheet", "icon", "preload", "prefetch", "modulepreload", "preconnect", "dns-prefetch", "manifest"}

    def __init__(self):
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.bare_images: list[str] = []
        self.characters = 0
        self._inside: list[str] = []

    @classmethod
    def read(cls, file: Path) -> "Page":
        page = cls()
        page.feed(file.read_text(encoding="utf-8"))
        page.close()
        return page

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        self.loaded += [candidate.split()[0] for name in self.LOADING.get(tag, ())
                        for candidate in _candidates(name, given.get(name, ""))]
        self.loaded += _css_addresses(given.get("style", ""))
        if tag == "link" and self.FETCHING & set(given.get("rel", "").lower().split()):
            self.loaded.append(given.get("href", ""))
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag == "img" and (not given.get("alt") or re.search(r"\.(png|svg|jpe?g|gif)$", given["alt"])):
            self.bare_images.append(given.get("src", "")[:80])
        if tag in ("script", "style", "article"):
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._inside:
            self._inside.remove(tag)

    def handle_data(self, data: str) -> None:
        if "style" in self._inside:
            self.loaded += _css_addresses(data)
        elif "script" in self._inside:
            self.loaded += re.findall(r"""https?://[^"'\s<>)]+""", data)
        elif "article" in self._inside:
            self.characters += len(data.strip())


def _candidates(attribute: str, value: str) -> list[str]:
    """The addresses in an attribute: several with their sizes in ``srcset``, else one."""
    return [part for part in (value.split(", ") if attribute == "srcset" else [value]) if part.strip()]
