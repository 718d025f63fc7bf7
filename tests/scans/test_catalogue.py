"""The registry: what is downloaded is what was registered, and stays so."""

import functools
import hashlib
import http.server
import json
import threading
from importlib.resources import files

import pytest

from ldctlib.scans import catalogue, open_scan, patients, split_of, table
from ldctlib.scans.catalogue import DataFile, DataSet
from ldctlib.scans.open import available


@pytest.fixture
def server(tmp_path):
    """A server of tmp_path/www on this machine; ``.requests`` are the paths asked for."""
    root = tmp_path / "www"
    root.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            served.requests.append(self.path)

    served = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=root)
    )
    served.requests, served.root = [], root
    threading.Thread(target=served.serve_forever, daemon=True).start()
    yield served
    served.shutdown()


@pytest.fixture
def toy(server, make_series, monkeypatch, own_cache):
    """A registered data set of six CT slices on the server, and an empty cache."""
    folder = make_series()
    found = {}
    for path in folder.iterdir():
        data = path.read_bytes()
        (server.root / path.name).write_bytes(data)
        url = f"http://127.0.0.1:{server.server_port}/{path.name}"
        found[path.name] = DataFile(url, len(data), hashlib.sha256(data).hexdigest())
    entry = DataSet(
        name="toy",
        title="Toy",
        about="Six slices.",
        licence="CC0-1.0",
        may_show=True,
        citation="Nobody",
        files=found,
        anatomy="chest",
        shape=(6, 8, 12),
        open={"reader": "dicom", "files": ["*.dcm"]},
    )
    monkeypatch.setitem(catalogue._catalogue(), "toy", entry)
    return entry


def test_downloads_once_and_verifies(toy, server, own_cache):
    scan = open_scan("toy")
    assert scan.shape == toy.shape
    assert scan.anatomy == "chest"
    assert scan.provenance["source"] == "toy"
    assert scan.provenance["licence"] == "CC0-1.0"
    assert len(server.requests) == 6
    assert catalogue.verify("toy") == []
    open_scan("toy")
    assert catalogue.fetch("toy") == own_cache / "toy"
    assert len(server.requests) == 6


def test_a_changed_file_in_the_cache_is_replaced(toy, server, own_cache):
    open_scan("toy")
    damaged = own_cache / "toy" / "ct-3.dcm"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-2] + b"\x01\x02")
    assert catalogue.verify("toy") == ["ct-3.dcm is not the registered file (sha256)"]
    open_scan("toy")
    assert damaged.read_bytes() == whole
    assert len(server.requests) == 7


def test_a_changed_file_on_the_server_is_refused(toy, server, own_cache):
    (server.root / "ct-3.dcm").write_bytes(b"something else")
    with pytest.raises(ConnectionError, match=r"toy .*LDCTLIB_DATA_DIR.*phantom-chest"):
        open_scan("toy")
    assert not (own_cache / "toy" / "ct-3.dcm").exists()


def test_no_connection_is_one_sentence(toy, server):
    server.shutdown()
    server.server_close()
    with pytest.raises(ConnectionError, match=r"LDCTLIB_DATA_DIR.*open_scan\(\"phantom-chest\"\)"):
        open_scan("toy")


def test_the_own_folder_goes_first_and_is_only_read(toy, server, tmp_path, monkeypatch):
    own = tmp_path / "own" / "toy"
    own.mkdir(parents=True)
    for name in toy.files:
        (own / name).write_bytes((server.root / name).read_bytes())
    monkeypatch.setenv("LDCTLIB_DATA_DIR", str(own.parent))
    assert open_scan("toy").shape == toy.shape
    assert server.requests == []
    (own / "ct-1.dcm").write_bytes(b"changed")
    with pytest.raises(ValueError, match=r"LDCTLIB_DATA_DIR: .*ct-1\.dcm is not the registered"):
        open_scan("toy")
    (own / "ct-1.dcm").unlink()
    with pytest.raises(ValueError, match=r"ct-1\.dcm is missing"):
        catalogue.fetch("toy", "ct-1.dcm")
    assert server.requests == []


def test_one_file(toy, server, own_cache):
    assert catalogue.fetch("toy", "ct-2.dcm") == own_cache / "toy" / "ct-2.dcm"
    assert server.requests == ["/ct-2.dcm"]
    assert len(catalogue.verify("toy")) == 5


def test_unknown_names():
    with pytest.raises(ValueError, match=r"No data set is called 'lidc'.*lidc-0314"):
        catalogue.fetch("lidc")
    with pytest.raises(ValueError, match="no file 'x'"):
        catalogue.fetch("lidc-0314", "x")


def test_the_shipped_catalogue_is_complete():
    raw = json.loads(files("ldctlib.scans").joinpath("catalogue.json").read_text())
    assert set(raw) == set(catalogue.datasets())
    for name in catalogue.datasets():
        entry = catalogue.dataset(name)
        assert entry.licence
        assert entry.citation
        for file in entry.files.values():
            assert file.url.startswith("https://")
            assert len(file.sha256) == 64
            assert file.bytes > 0
        # non-commercial pixels never appear in the book
        assert not ("NC" in entry.licence and entry.may_show)
    assert [row["name"] for row in table()] + [
        "phantom-chest",
        "phantom-abdomen",
        "phantom-head",
        "phantom-inserts",
    ] == available()


def test_no_patient_is_in_two_splits():
    splits = {name: patients(name) for name in ("training", "validation", "unseen")}
    for name, members in splits.items():
        assert members
        for scan, options in members:
            assert split_of(scan, **options) == name
    real = {scan for scan, _ in splits["training"] if not scan.startswith("phantom")}
    assert real == {"lidc-0314", "crlm-1004", "head-ge"}
    unseen = {scan for scan, _ in splits["unseen"]}
    assert unseen >= {"nsclc-lung1-001", "totalsegmentator-dicom", "dcmqi-liver"}
    assert split_of("phantom-chest", seed=0) == "unseen"
    with pytest.raises(ValueError, match="A split is"):
        patients("test")
