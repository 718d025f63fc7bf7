import copies
import nbformat
import pytest
from chapter import example, markdown, write


@pytest.fixture
def both(tmp_path):
    """The student's and the teacher's copy of the example chapter."""
    write(example(), tmp_path / "c.ipynb")
    links = {"kak1988": "https://doi.org/10.1137/1.9780898719277"}
    return [nbformat.read(p, 4) for p in copies.write_copies(tmp_path / "c.ipynb", tmp_path, links)]


def text(notebook):
    return "\n".join(cell.source for cell in notebook.cells)


def test_students_see_the_exercise_and_not_its_solution(both):
    student = text(both[0])
    assert "How many pixels must you average" in student
    assert student.count("# Your answer") == 1
    assert "single_hu / 5" not in student
    assert "number grows with the square" not in student


def test_teachers_see_both(both):
    teacher = text(both[1])
    assert "**Exercise**" in teacher
    assert "**Solution**" in teacher
    assert "single_hu / 5" in teacher
    assert "# Your answer" not in teacher


def test_copies_are_valid_notebooks_in_plain_markdown(both):
    for copy in both:
        nbformat.validate(copy)
        assert ":::" not in text(copy)
        assert "{cite" not in text(copy)
        assert "[kak1988](https://doi.org/10.1137/1.9780898719277)" in text(copy)
        assert not any(cell.get("outputs") for cell in copy.cells)


def test_apart_from_solutions_both_are_the_same(both):
    solution = [cell.id for cell in both[1].cells if copies.is_solution(cell)]
    kept = [cell.id for cell in both[1].cells if not copies.is_solution(cell)]
    student = [cell.id for cell in both[0].cells if "answer" not in cell.metadata.tags]
    assert solution
    assert student == kept


def test_a_solution_without_its_tag_is_refused(tmp_path):
    write([*example(), markdown(":::{solution} ex-a\n\n42\n:::")], tmp_path / "c.ipynb")
    with pytest.raises(ValueError, match="lacks the tag"):
        copies.write_copies(tmp_path / "c.ipynb", tmp_path, {})


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("A {term}`window <lung window>` is", "A window is"),
        ("See {doc}`/book/glossary`.", "See *glossary*."),
        ("See {doc}`the words </book/glossary>`.", "See the words."),
        (":::{admonition} Look\n:class: tip\n\nHere.\n:::", "**Look**\n\nHere."),
        ("```{bibliography}\n:filter: docname in docnames\n```", ""),
        ("{cite:p}`a2020,b2021`", "[a](x), [b2021]"),
        ("```python\nx = {1}\n```", "```python\nx = {1}\n```"),
    ],
)
def test_directives_and_roles_become_plain(source, expected):
    links = {"a2020": "x"}
    assert copies.plain(source, links) == expected.replace("[a]", "[a2020]")


def test_links_come_from_the_bibliography(tmp_path):
    bib = "@article{a,\n title = {T},\n doi = {10.1/x},\n}\n\n@book{b,\n title = {U},\n}\n"
    (tmp_path / "r.bib").write_text(bib)
    assert copies.bibliography_links(tmp_path / "r.bib") == {"a": "https://doi.org/10.1/x"}
