import os
import shutil

import pytest

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Viewer</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>
body {{ font: 16px/1.6 sans-serif; max-width: 768px; margin: 0 auto; padding: 16px; color: #222; }}
html[data-theme=dark] body {{ color: #ced6dd; background: #14181e; }}
html[data-theme=dark] img {{ filter: brightness(.8) contrast(1.2); }}
@media (prefers-color-scheme: dark) {{
  html:not([data-theme]) body {{ color: #ced6dd; background: #14181e; }} }}
</style></head><body>{}</body></html>"""


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium."""
    chromium = shutil.which("chromium")
    if chromium is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is missing; continuous integration must not skip these tests.")
        pytest.skip("Chromium is not installed.")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        started = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield started
        started.close()


@pytest.fixture
def open_page(browser, tmp_path):
    """A function that opens figures in a page of their own; outside requests fail the test."""
    contexts, outside, errors = [], [], []

    def refuse(route):
        outside.append(route.request.url)
        route.abort()

    def opened(*viewers, wait=True, **options):
        file = tmp_path / f"page{len(contexts)}.html"
        file.write_text(PAGE.format("\n".join(v.html for v in viewers)), encoding="utf-8")
        settings = {"viewport": {"width": 900, "height": 1000}, **options}
        contexts.append(browser.new_context(**settings))
        page = contexts[-1].new_page()
        page.set_default_timeout(10_000)
        page.route(lambda url: not url.startswith(("file:", "data:")), refuse)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(file.as_uri())
        if wait:
            page.wait_for_selector("figure[data-ready]", timeout=20_000)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not outside
    assert not errors
