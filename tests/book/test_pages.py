"""The built book in Chromium: at two widths, light and dark, without a network."""

import functools
import http.server
import os
import threading

import assemble
import pytest
import yaml
from conftest import ROOT

pytestmark = pytest.mark.book
PAGES = assemble.toc_pages(yaml.safe_load((ROOT / "_toc.yml").read_text()))
CHAPTERS = [page for page in PAGES if page.startswith("notebooks/")]
SIZES = {"desktop": (1280, 900), "phone": (360, 800)}
LOOKS = [(size, scheme) for size in SIZES for scheme in ("light", "dark")]


@pytest.fixture(scope="session")
def address(site):
    """The site, served from this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    handler = functools.partial(Quiet, directory=site)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(scope="session")
def contexts(browser):
    """One browser context for each look; pages of a look share its cache, as for a reader."""
    made = {}

    def context(size, scheme):
        if (size, scheme) not in made:
            width, height = SIZES[size]
            view = {"width": width, "height": height}
            made[size, scheme] = browser.new_context(viewport=view, color_scheme=scheme)
        return made[size, scheme]

    yield context
    for one in made.values():
        one.close()


class Visit:
    """A page opened with every request to another host blocked; what it asked for and said."""

    def __init__(self, contexts, address, name, size="desktop", scheme="light"):
        self.address, self.outside, self.errors = address, [], []
        self.page = contexts(size, scheme).new_page()
        self.page.route("**/*", self.gate)
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(f"{address}/{name}.html", wait_until="load")

    def gate(self, route):
        if route.request.url.startswith((self.address, "data:", "blob:")):
            route.continue_()
        else:
            self.outside.append(route.request.url)
            route.abort()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.page.close()


@pytest.fixture
def visit(contexts, address):
    """Open a page: ``with visit("book/intro") as opened``."""
    return functools.partial(Visit, contexts, address)


@pytest.fixture(scope="session")
def offline():
    """Whether the site holds its own scripts."""
    return (ROOT / "build" / "vendor" / "site" / ".complete").exists()


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_alone_and_fits(visit, offline, name, size, scheme):
    with visit(name, size, scheme) as opened:
        page = opened.page
        page.wait_for_function(
            "!document.querySelector('.math') || document.querySelector('mjx-container')"
        )
        assert page.locator("article h1").count() == 1
        assert page.evaluate("document.documentElement.dataset.theme") == scheme
        root = "document.documentElement"
        assert page.evaluate(f"{root}.scrollWidth - {root}.clientWidth") <= 0
        assert page.locator("mjx-merror").count() == 0
        if not offline:
            assert not os.environ.get("CI"), "The site was built without npm and needs a network."
            pytest.skip("built without npm: scripts are on a public network")
        assert opened.outside == []
        assert opened.errors == []


def test_the_front_door_leads_to_the_preface(visit):
    with visit("index") as opened:
        opened.page.wait_for_url(f"**/{PAGES[0]}.html")
        assert opened.page.title()


def test_dark_mode_leaves_grey_values_alone(visit):
    for name in [*CHAPTERS, PAGES[0]]:
        with visit(name, scheme="dark") as opened:
            images = opened.page.locator("article img")
            filters = images.evaluate_all("all => all.map(i => getComputedStyle(i).filter)")
            assert set(filters) <= {"none"}, name


CANVAS = "figure[data-ct-viewer] .canvas"


@pytest.mark.parametrize("name", CHAPTERS)
def test_dragging_over_a_viewer_changes_its_pixels(visit, name):
    with visit(name) as opened:
        opened.page.locator("figure[data-ct-viewer]").first.scroll_into_view_if_needed()
        canvas = opened.page.locator(CANVAS).first
        canvas.wait_for(state="visible")
        canvas.scroll_into_view_if_needed()
        before = canvas.evaluate("c => c.toDataURL()")
        box = canvas.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + min(box["height"], 300) / 2
        opened.page.mouse.move(x, y)
        opened.page.mouse.down()
        opened.page.mouse.move(x + 60, y + 40, steps=4)
        opened.page.mouse.up()
        opened.page.wait_for_timeout(100)
        assert canvas.evaluate("c => c.toDataURL()") != before
        assert opened.errors == []


@pytest.mark.parametrize("name", CHAPTERS)
def test_widgets_are_alive_or_say_what_they_need(visit, name):
    with visit(name) as opened:
        page = opened.page
        views = page.locator("script[type='application/vnd.jupyter.widget-view+json']").count()
        if not views:
            return
        page.wait_for_selector(".jupyter-widgets")
        needs = page.get_by_text("needs a kernel").count()
        linked = page.locator(".widget-slider, .jupyter-button").count()
        assert needs or linked


def test_solutions_are_folded_until_asked_for(visit):
    with visit(CHAPTERS[0]) as opened:
        solution = opened.page.locator("div.solution").first
        content = solution.locator("section, .section").first
        assert not content.is_visible()
        solution.locator("button.toggle-button").click()
        content.wait_for(state="visible")


def test_search_finds_a_word_of_the_glossary(visit):
    with visit("search") as opened:
        opened.page.goto(opened.page.url + "?q=sinogram")
        opened.page.wait_for_selector("#search-results li")
        assert opened.page.get_by_role("link", name="Glossary").count()
