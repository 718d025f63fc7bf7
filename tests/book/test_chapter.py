import check
import nbformat
import pytest
from chapter import code, example, markdown, write


@pytest.fixture
def notebook(tmp_path):
    """Write the example chapter after a change; returns its path."""

    def make(change=lambda cells: None):
        cells = example()
        change(cells)
        write(cells, tmp_path / "chapter.ipynb")
        return tmp_path / "chapter.ipynb"

    return make


def test_the_example_keeps_the_form_of_a_chapter(notebook):
    assert check.template(notebook()) == []


def test_the_same_cells_give_the_same_file(notebook):
    assert notebook().read_bytes() == notebook().read_bytes()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda cells: cells.pop(0), "first cell"),
        (lambda cells: cells.pop(1), "chapter.SETUP"),
        (lambda cells: cells[1].metadata.tags.clear(), "chapter.SETUP"),
        (lambda cells: cells.pop(2), "parameters"),
        (lambda cells: cells[2].update(source='profile = "full"'), "parameters"),
        (lambda cells: cells[0].update(source="# Title\n\nNo table."), "'Minutes'"),
        (lambda cells: cells[9].metadata.tags.clear(), "lacks the tag 'solution'"),
        (lambda cells: cells.pop(-2), "What is next"),
        (lambda cells: cells.pop(-1), "References"),
        (
            lambda cells: cells[3].outputs.append(nbformat.v4.new_output("stream", text="x")),
            "stored",
        ),
    ],
)
def test_a_departure_from_the_form_is_named(notebook, change, complaint):
    assert any(complaint in sentence for sentence in check.template(notebook(change)))


def test_cells_carry_tags_alt_text_and_caption():
    cell = code("plot()", "hide-input", alt="A line.", caption="It rises.")
    assert cell.metadata.tags == ["hide-input"]
    assert cell.metadata.mystnb["image"] == {"alt": "A line."}
    assert cell.metadata.mystnb["figure"]["caption"] == "It rises."
    assert "mystnb" not in code("x = 1").metadata
    assert markdown(" text ").source == "text"
