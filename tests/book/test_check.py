"""Each check passes on a good page and fails on a bad one."""

import check
import pytest


def test_a_good_page_passes(make_page):
    page = make_page(
        '<h2 id="here">x</h2><a href="#here">there</a> <a href="https://example.org">out</a>'
        '<img src="../x.png" alt="A square."><pre>:::{note}</pre>',
        head='<link rel="stylesheet" href="../_static/own.css">',
    )
    assert check.check_site(page.site, [page.name], offline=True) == []


def test_missing_and_empty_pages(make_page):
    page = make_page()
    empty = page.site / "book" / "empty.html"
    empty.write_text("<article>little</article>")
    wrong = check.missing_pages(page.site, ["book/page", "book/none", "book/empty"])
    assert wrong == ["book/none: the page was not built.", "book/empty: the page is empty."]


@pytest.mark.parametrize("address", ["nowhere.html", "page.html#nowhere", "../_static/no.css"])
def test_dead_links(make_page, address):
    wrong = check.links(make_page(f'<a href="{address}">x</a>'), {})
    assert len(wrong) == 1
    assert address in wrong[0]


@pytest.mark.parametrize(
    "image",
    [
        '<img src="../x.png">',
        '<img src="../x.png" alt="">',
        '<img src="../x.png" alt="_images/x.png">',
        '<svg role="img"></svg>',
    ],
)
def test_images_without_alt_text(make_page, image):
    assert len(check.alt_text(make_page(image))) == 1


def test_weight_counts_the_page_and_its_images(make_page):
    page = make_page('<img src="../x.png" alt="A square.">' * 2)
    expected = (page.path.stat().st_size + 1000) / 1e6
    assert check.megabytes(page) == pytest.approx(expected)
    assert check.weight(page) == []
    assert check.weight(page, limit=expected / 2)


@pytest.mark.parametrize(
    ("article", "head"),
    [
        ('<img src="https://other.org/x.png" alt="x">', ""),
        ('<img srcset="//other.org/x.png 2x" alt="x">', ""),
        ('<iframe src="https://other.org/"></iframe>', ""),
        ("", '<script src="https://other.org/x.js"></script>'),
        ("", '<link rel="stylesheet" href="https://other.org/x.css">'),
        ("", "<style>@import 'https://other.org/x.css'</style>"),
        ("", "<style>a { background: url(https://other.org/x.png) }</style>"),
    ],
)
def test_anything_loaded_from_another_host(make_page, article, head):
    page = make_page(article, head)
    assert check.other_hosts(page) == ["book/page: it loads from other.org."]
    assert check.other_hosts(page, allowed=("other.org",)) == []


def test_style_sheets_are_read_for_other_hosts(make_page):
    page = make_page(head='<link rel="stylesheet" href="../_static/own.css">')
    (page.site / "_static" / "own.css").write_text('b { src: url("https://other.org/f.woff") }')
    assert check.other_hosts(page)


@pytest.mark.parametrize(
    "text", ["PLACEHOLDER", "a TODO here", ":::{note}", "{term}`x`", "{cite:p}`x`", "```{math}"]
)
def test_leftovers(make_page, text):
    assert check.leftovers(make_page(f"<p>{text}</p>"))
    assert not check.leftovers(make_page(f"<pre>{text}</pre>", name="book/code"))


def test_chapters_show_outputs_and_no_errors(make_page):
    assert check.outputs(make_page())
    assert not check.outputs(make_page('<div class="cell_output">1</div>', name="book/a"))
    error = '<div class="cell_output"><div class="output traceback">x</div></div>'
    assert check.outputs(make_page(error, name="book/b"))
