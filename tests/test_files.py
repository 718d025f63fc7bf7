"""Files that are written whole or not at all."""

import csv
import multiprocessing
import os
import signal
import threading

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ldctlib.files import replacing, write_arrays, write_table, write_tensors, write_text

WRITERS = {
    "text": lambda path, number: write_text(path, f"{number}"),
    "table": lambda path, number: write_table(path, [{"number": number}]),
    "arrays": lambda path, number: write_arrays(path, {"number": np.array(number)}),
    "tensors": lambda path, number: write_tensors(path, {"number": torch.tensor(number)}, {}),
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_writers_make_folders_replace_and_leave_nothing_else(write, tmp_path):
    path, other = tmp_path / "a" / "b" / "result", tmp_path / "other"
    write(path, 1)
    write(path, 2)
    write(other, 2)
    assert path.read_bytes() == other.read_bytes()
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_failing_writer_leaves_the_old_file(error, tmp_path):
    path = tmp_path / "result"
    write_text(path, "old")

    def fail():
        with replacing(path) as unfinished:
            unfinished.write_text("half of the ne")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="fields"):
        write_table(tmp_path / "a.csv", [{"psnr": 1}, {"ssim": 1}])
    with pytest.raises(ValueError, match="without rows"):
        write_table(tmp_path / "b.csv", [])
    with pytest.raises(TypeError):
        write_tensors(tmp_path / "c.safetensors", {"a": torch.zeros(1)}, {"seed": 1})
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "d", "\ud800")
    assert not list(tmp_path.iterdir())


def killed(path):
    with replacing(path) as unfinished:
        unfinished.write_text("half of the ne")
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="a signal of POSIX")
@pytest.mark.parametrize("old", [None, "old"])
def test_a_killed_writer_leaves_what_was_there(old, tmp_path):
    path = tmp_path / "result.json"
    if old:
        write_text(path, old)
    process = multiprocessing.get_context("spawn").Process(target=killed, args=(path,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert (path.read_text() if path.exists() else None) == old
    assert list(tmp_path.glob("*.json")) == ([path] if old else [])
    write_text(path, "new")
    assert path.read_text() == "new"


def test_threads_that_write_one_file_each_write_it_whole(tmp_path):
    path, barrier = tmp_path / "result", threading.Barrier(8)

    def write(number):
        with replacing(path) as unfinished:
            barrier.wait()  # all have begun before any is done
            unfinished.write_text(f"{number}" * 10_000)

    threads = [threading.Thread(target=write, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(path.read_text())) == 1
    assert path.stat().st_size == 10_000
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_takes_the_place_of_nothing_or_of_an_empty_one(tmp_path):
    folder = tmp_path / "series"

    def write():
        with replacing(folder) as unfinished:
            unfinished.mkdir()
            (unfinished / "1.dcm").write_text("a slice")

    write()
    assert [path.name for path in folder.iterdir()] == ["1.dcm"]
    (folder / "2.dcm").write_text("another")
    with pytest.raises(OSError, match="series"):
        write()
    assert len(list(folder.iterdir())) == 2
    assert list(tmp_path.iterdir()) == [folder]


def test_a_new_file_has_the_usual_permissions(tmp_path):
    (tmp_path / "usual").write_text("")
    write_text(tmp_path / "ours", "")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_texts_and_tables_are_utf8_with_plain_line_ends(tmp_path):
    write_text(tmp_path / "text", "± 3 HU\nμ\r\n")
    assert (tmp_path / "text").read_bytes() == "± 3 HU\nμ\r\n".encode()
    first = 'the "first", of two'
    rows = [{"patient": first, "rmse": 1.5}, {"patient": "two\nlines", "rmse": None}]
    write_table(tmp_path / "table.csv", rows)
    assert b"\r" not in (tmp_path / "table.csv").read_bytes()
    with (tmp_path / "table.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    assert read == [{"patient": first, "rmse": "1.5"}, {**rows[1], "rmse": ""}]


def test_arrays_and_tensors_come_back(tmp_path):
    arrays = {"path": np.arange(6.0).reshape(2, 3), "facts": np.array("text")}
    for compressed in (False, True):
        write_arrays(tmp_path / "arrays.npz", arrays, compressed=compressed)
        with np.load(tmp_path / "arrays.npz") as file:
            assert all(np.array_equal(file[name], arrays[name]) for name in arrays)
    square = torch.arange(4.0, requires_grad=True).reshape(2, 2)
    write_tensors(tmp_path / "w", {"turned": square.T, "view": square[:, 0]}, {"seed": "1"})
    read = load_file(tmp_path / "w")
    assert read["turned"].tolist() == [[0, 2], [1, 3]]
    assert read["view"].tolist() == [0, 2]
