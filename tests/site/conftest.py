"""The built site in an installed Chromium. ``ECGTL_SITE`` names a folder with a built site; without it the site of the
stored notebooks is built first. ``ECGTL_SITE_THEMES`` and ``ECGTL_SITE_WIDTHS`` say how it is looked at."""

import os
import shutil
from pathlib import Path

import pytest

from ecgtl import paths
from ecgtl.report.site import book, checks
from ecgtl.report.site.layout import Stored

ROOT = paths.repository()
THEMES = os.environ.get("ECGTL_SITE_THEMES", "light").split()
WIDTHS = [int(width) for width in os.environ.get("ECGTL_SITE_WIDTHS", "1300 390").split()]
PAGES = [*checks.pages(ROOT / "_toc.yml"), "search"]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.site)
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="no Chromium is installed (Debian: apt-get install chromium)"))


def pytest_generate_tests(metafunc):
    for name, values in (("name", PAGES), ("theme", THEMES), ("width", WIDTHS)):
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, values, scope="session")


def pytest_terminal_summary(terminalreporter):
    """The figures of all visits: what was looked at, violations, and the heaviest page."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, ())]
    visits = [dict(report.user_properties) for report in reports if "bytes" in dict(report.user_properties)]
    if visits:
        heavy = max(visits, key=lambda visit: visit["bytes"])
        total = {name: sum(visit[name] for visit in visits) for name in ("axe", "wider", "cut")}
        terminalreporter.write_line(
            f"site: {len(visits)} visits ({len(PAGES)} pages; {', '.join(THEMES)}; {', '.join(map(str, WIDTHS))} px); "
            f"axe violations {total['axe']}, pixels too wide {total['wider']}, frames cut {total['cut']}; "
            f"heaviest page {heavy['page']}, {heavy['bytes'] / 1e6:.2f} MB")


@pytest.fixture(scope="session")
def site():
    """Folder of the built site."""
    given = os.environ.get("ECGTL_SITE")
    return Path(given).resolve() if given else book.make(Stored(ROOT)).parent


@pytest.fixture(scope="session")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])  # root has no sandbox
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def context(browser, theme, width):
    """A window of one theme and width."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
    context.add_init_script(f"localStorage.setItem('mode', '{theme}'); localStorage.setItem('theme', '{theme}')")
    yield context
    context.close()


class Visit:
    """A tab that notes what it asks for and what goes wrong."""

    def __init__(self, tab, site):
        self.tab, self.site, self.requests, self.errors = tab, site, [], []
        tab.on("request", lambda request: self.requests.append(request.url))
        tab.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        tab.on("pageerror", lambda error: self.errors.append(str(error)))

    def open(self, name):
        self.tab.goto(f"{self.site.as_uri()}/{name}.html")

    def files(self):
        """The files that were asked for, without what a page holds itself."""
        return {Path(url.partition("?")[0].removeprefix("file://")) for url in self.requests if url[:5] != "data:"}

    def focused(self, css, keys=400):
        """Press Tab until an element that ``css`` names has the focus; whether it ever had."""
        for _ in range(keys):
            self.tab.keyboard.press("Tab")
            if self.tab.evaluate("css => document.activeElement.matches(css)", css):
                return True
        return False


@pytest.fixture
def visit(context, site):
    tab = context.new_page()
    yield Visit(tab, site)
    tab.close()
