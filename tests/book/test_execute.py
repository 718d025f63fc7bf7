import json
import os

import execute
import nbformat
import pytest
from chapter import code, markdown, write
from execute import Budget, fingerprint, run_all

QUICK = {"profile": "quick"}
AMPLE = Budget(120, 2000)


@pytest.fixture
def place(tmp_path):
    """A library, pins and an empty folder of notebooks."""
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "a.py").write_text("a = 1")
    (tmp_path / "pins.txt").write_text("numpy==2")
    return tmp_path


def notebook(place, name, *sources):
    cells = [code('profile = "none"', "parameters"), *(code(source) for source in sources)]
    write([markdown("# Title"), *cells], place / f"{name}.ipynb")
    return place / f"{name}.ipynb"


def run(place, *notebooks, budget=AMPLE):
    library, pins = place / "library", place / "pins.txt"
    out = place / "out"
    return run_all(list(notebooks), out, QUICK, library=library, pins=pins, budget=budget)


def key(place, path, parameters=QUICK):
    return fingerprint(path, parameters, place / "library", place / "pins.txt")


def test_the_fingerprint_watches_all_that_a_run_depends_on(place):
    path = notebook(place, "n", "1 + 1")
    keys = [key(place, path), key(place, path, {"profile": "full"})]
    (place / "library" / "weights.bin").write_bytes(b"1")
    keys.append(key(place, path))
    (place / "pins.txt").write_text("numpy==3")
    keys.append(key(place, path))
    keys.append(key(place, notebook(place, "n", "1 + 2")))
    assert len(set(keys)) == len(keys)


def test_the_fingerprint_ignores_outputs_and_byte_code(place):
    path = notebook(place, "n", "1 + 1")
    before = key(place, path)
    content = nbformat.read(path, 4)
    content.cells[2].outputs = [nbformat.v4.new_output("stream", text="2")]
    nbformat.write(content, path)
    (place / "library" / "__pycache__").mkdir()
    (place / "library" / "__pycache__" / "a.pyc").write_bytes(b"1")
    assert key(place, path) == before


def test_one_fails_the_others_go_on_and_a_good_run_is_remembered(place):
    good = notebook(place, "good", "print('profile is', profile)")
    bad = notebook(place, "bad", "kind = 'window'", "raise ValueError(f'no such {kind}')")
    first = run(place, bad, good)
    assert "cell 4" in first[0].error
    assert "ValueError: no such window" in first[0].error
    assert "raise ValueError" in first[0].error
    assert (place / "out" / "bad.failed.ipynb").exists()
    assert not (place / "out" / "bad.ipynb").exists()
    assert first[1].error == ""
    assert first[1].megabytes > 20
    assert "profile is quick" in (place / "out" / "good.ipynb").read_text()

    again = run(place, good)[0]
    assert again.cached
    assert again.seconds == first[1].seconds
    assert again.cpu_seconds > 0.1
    (place / "out" / "good.json").write_text("{")
    assert execute.remembered("good", place / "out", key(place, good)) is None


def test_another_library_makes_memory_useless(place):
    good = notebook(place, "good", "1 + 1")
    run(place, good)
    assert execute.remembered("good", place / "out", key(place, good))
    (place / "library" / "a.py").write_text("a = 2")
    assert execute.remembered("good", place / "out", key(place, good)) is None


def test_memory_over_budget_is_an_error_with_names_and_numbers(place):
    path = notebook(place, "fat", "block = bytearray(300_000_000)\nimport time; time.sleep(1)")
    done = run(place, path)[0]
    assert done.megabytes > 300
    sentence = done.over(Budget(60, 200))
    assert sentence.startswith("fat took")
    assert "may take 60 s and 200 MB" in sentence
    assert "slowest: cell 3" in sentence
    assert done.over(AMPLE) == ""


def test_a_run_that_does_not_end_is_stopped(place):
    path = notebook(place, "endless", "while True: pass")
    done = run(place, path, budget=Budget(3, 2000))[0]
    assert done.error.startswith("stopped after")
    assert done.over(Budget(3, 2000))
    assert json.loads(path.read_text())["cells"][1]["outputs"] == []


def test_slack_stretches_time_and_not_memory():
    assert Budget(90, 2000).times(2) == Budget(180, 2000)


def test_notebooks_that_run_side_by_side_share_the_cores(place):
    cores = os.cpu_count() or 2
    source = "import os\nassert int(os.environ['OMP_NUM_THREADS']) * {} <= {}"
    alone = notebook(place, "alone", source.format(1, cores))
    pair = [notebook(place, name, source.format(min(2, cores), cores)) for name in ("one", "two")]
    assert not any(done.error for done in [*run(place, alone), *run(place, *pair)])
