import doctest
import json

import assemble
import copies
import nbformat
import pytest
import tables
import yaml
from chapter import example
from conftest import ROOT
from execute import Run

TOC = {
    "root": "book/intro",
    "parts": [{"chapters": [{"file": "book/a"}, {"file": "notebooks/b"}]}, {"chapters": []}],
}


@pytest.fixture
def notebook():
    return nbformat.v4.new_notebook(cells=example())


def test_pages_of_a_table_of_contents():
    assert assemble.toc_pages(TOC) == ["book/intro", "book/a", "notebooks/b"]


def test_every_page_of_the_book_exists():
    for page in assemble.toc_pages(yaml.safe_load((ROOT / "_toc.yml").read_text())):
        assert any((ROOT / f"{page}{end}").exists() for end in (".md", ".ipynb")), page


def test_every_text_page_is_in_the_table_of_contents():
    pages = assemble.toc_pages(yaml.safe_load((ROOT / "_toc.yml").read_text()))
    assert {f"book/{p.stem}" for p in (ROOT / "book").glob("*.md")} <= set(pages)


def test_generated_tables(notebook):
    chapters = tables.chapters_table({"notebooks/b": notebook})
    assert "| {doc}`/notebooks/b` | predict the noise of a mean | 5 to read" in chapters
    downloads = tables.copies_table({"notebooks/b": notebook})
    assert "</copies/student/b.ipynb>" in downloads
    assert "</copies/teacher/b.ipynb>" in downloads
    assert "no chapters" in tables.chapters_table({})


def test_every_data_set_of_the_catalogue_is_listed_with_licence_and_citation():
    text = tables.data_table(scans=True) + tables.data_table(scans=False)
    cited = tables.citations_list()
    for name, entry in tables.catalogue().items():
        row = next(line for line in text.splitlines() if line.startswith(f"| `{name}` "))
        assert entry["licence"] in row
        assert f"`{name}`" in cited
    assert "https://doi.org/10.1118/1.3528204" in cited


def test_a_page_that_asks_for_an_unknown_table_is_refused():
    assert tables.fill("a\n<!-- generated: x -->\nb", {"x": "1"}) == "a\n1\nb"
    with pytest.raises(KeyError):
        tables.fill("<!-- generated: y -->", {"x": "1"})


def stream(text):
    return nbformat.v4.new_output("stream", name="stderr", text=text)


def test_progress_bars_are_dropped_and_prints_kept(notebook):
    bar = "  0%|          | 0/5 [00:00<?, ?it/s]\r100%|████| 5/5 [00:00<00:00, 9it/s]\n"
    notebook.cells[3].outputs = [stream(bar), stream("done\n"), stream("50% | of [it]s\n")]
    assemble.without_progress_bars(notebook)
    assert [o.text for o in notebook.cells[3].outputs] == ["done\n", "50% | of [it]s\n"]


def widget_view(model):
    data = {"application/vnd.jupyter.widget-view+json": {"model_id": model}}
    return nbformat.v4.new_output("display_data", data=data)


def test_bars_that_are_widgets_go_and_other_widgets_stay(notebook):
    models = {
        "box": {"model_name": "HBoxModel", "state": {"children": ["IPY_MODEL_bar"]}},
        "bar": {"model_name": "FloatProgressModel", "state": {}},
        "slider": {"model_name": "FloatSliderModel", "state": {}},
    }
    states = {"application/vnd.jupyter.widget-state+json": {"state": models}}
    notebook.metadata["widgets"] = nbformat.from_dict(states)
    notebook.cells[3].outputs = [widget_view("box"), widget_view("slider")]
    assemble.without_progress_bars(notebook)
    assert notebook.cells[3].outputs == [widget_view("slider")]
    assert "widgets" in notebook.metadata
    notebook.cells[3].outputs = [widget_view("box")]
    assemble.without_progress_bars(notebook)
    assert notebook.cells[3].outputs == []
    assert "widgets" not in notebook.metadata


def test_a_page_says_what_its_run_took_and_hides_what_papermill_added(notebook):
    injected = nbformat.v4.new_code_cell("profile = 1", metadata={"tags": ["injected-parameters"]})
    notebook.cells.insert(3, injected)
    run = Run("b", "key", "quick", 41.4, 50.0, 912.0, "")
    page = assemble.dress(notebook, "notebooks/b", run)
    assert "41 s with 0.9 GB" in page.cells[1].source
    assert page.cells[0].source.count(":class: chapter-table") == 1
    assert page.cells[0].source.endswith(":::")
    hidden = [c for c in page.cells if "injected-parameters" in c.metadata.get("tags", [])]
    assert "remove-cell" in hidden[0].metadata.tags
    assert len(notebook.cells) == len(page.cells) - 1


def test_buttons_only_where_there_is_a_repository(monkeypatch, tmp_path):
    base = yaml.safe_load((ROOT / "_config.yml").read_text())
    plain = assemble.configuration(base, None, {})
    assert "launch_buttons" not in plain
    assert "repository" not in plain
    public = assemble.configuration(base, ("https://github.com/a/b", "main"), {"x": 1})
    assert public["launch_buttons"]["binderhub_url"]
    assert public["repository"]["url"] == "https://github.com/a/b"
    assert public["sphinx"]["config"]["x"] == 1
    monkeypatch.setenv("GITHUB_REPOSITORY", "me/course")
    monkeypatch.setenv("GITHUB_REF_NAME", "trunk")
    assert assemble.repository() == ("https://github.com/me/course", "trunk")
    monkeypatch.delenv("GITHUB_REPOSITORY")
    monkeypatch.setattr(assemble, "ROOT", tmp_path)
    assert assemble.repository() is None


def test_the_tree_keeps_unchanged_files_and_drops_old_ones(tmp_path):
    tree = assemble.Tree(tmp_path)
    tree.write("a/same", "1")
    tree.write("old", "1")
    before = (tmp_path / "a" / "same").stat().st_mtime_ns
    tree = assemble.Tree(tmp_path)
    tree.write("a/same", "1")
    tree.prune()
    assert (tmp_path / "a" / "same").stat().st_mtime_ns == before
    assert not (tmp_path / "old").exists()


def test_dressed_notebooks_are_valid(notebook):
    page = assemble.dress(notebook, "notebooks/b", None)
    nbformat.validate(json.loads(json.dumps(page)))


@pytest.mark.parametrize("module", [assemble, copies, tables], ids=lambda m: m.__name__)
def test_examples_in_docstrings(module):
    result = doctest.testmod(module)
    assert result.attempted
    assert result.failed == 0
