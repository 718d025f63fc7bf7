"""Weight files: ours, those of the published benchmark, and bad ones."""

import argparse
import hashlib
import pickle
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ldctlib.denoisers import (
    METHODS,
    available,
    load,
    network,
    published,
    read_weights,
    write_weights,
)
from ldctlib.units import Normalization

BENCHMARK = Normalization.benchmark()
LIGHT = [name for name in available() if name != "transct"]  # whose file would be 320 MB


def same(state, other):
    return set(state) == set(other) and all(torch.equal(state[k], other[k]) for k in state)


@pytest.fixture
def publisher(tmp_path, monkeypatch):
    """A server on this machine that publishes files of its folder, and an empty cache."""
    folder = tmp_path / "published"
    folder.mkdir()
    handler = partial(SimpleHTTPRequestHandler, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(published, "BASE_URL", f"http://127.0.0.1:{server.server_port}/")
        monkeypatch.setattr(published.pooch, "os_cache", lambda _: tmp_path / "cache")
        yield folder
        server.shutdown()


def test_published_weights_are_downloaded_and_verified(publisher, tmp_path, monkeypatch):
    state = benchmark_checkpoint(publisher / "cnn10.pt", "cnn10")
    with pytest.raises(ConnectionError, match=r"cnn10\.pt could not be had"):
        load("cnn10", weights="ldct-benchmark")  # not the registered file
    assert not list((tmp_path / "cache").rglob("*.pt"))
    sha256 = hashlib.sha256((publisher / "cnn10.pt").read_bytes()).hexdigest()
    monkeypatch.setitem(METHODS, "cnn10", METHODS["cnn10"].with_learned(published_sha256=sha256))
    assert same(load("cnn10", weights="ldct-benchmark").network.state_dict(), state)
    (publisher / "cnn10.pt").unlink()
    assert load("cnn10", weights="ldct-benchmark").source == "ldct-benchmark"
    (tmp_path / "cache" / "ldct-benchmark" / "cnn10.pt").write_bytes(b"damaged")
    with pytest.raises(ConnectionError, match="could not be had"):
        load("cnn10", weights="ldct-benchmark")


def test_weights_were_published_for_every_method():
    sha256 = [METHODS[name].trainable.published_sha256 for name in available()]
    assert all(len(text) == 64 for text in sha256)
    assert len(set(sha256)) == 8
    mine = METHODS["cnn10"].with_learned(published_sha256=None)
    with pytest.raises(ValueError, match="No weights of cnn10 were published"):
        published.published_weights(mine)


def test_two_methods_with_one_network_keep_apart(tmp_path):
    path = tmp_path / "mine.safetensors"
    write_weights(path, "redcnn", network("redcnn").state_dict(), normalization=BENCHMARK)
    with pytest.raises(ValueError, match="holds the weights of redcnn, not of dugan"):
        load("dugan", weights=path)


def benchmark_checkpoint(path, name, **changes):
    """A file as ldct-benchmark publishes them."""
    args = argparse.Namespace(lr=1e-4, mbs=68, trainer=name, cuda=True, adam_b1=0.9, data=None)
    state = network(name, seed=3).state_dict()
    content = {"args": args, "iteration": 87000, "model_state_dict": state, **changes}
    torch.save(content, path)
    return state


@pytest.mark.parametrize("name", LIGHT)
def test_round_trip(tmp_path, name):
    state = network(name, seed=3).state_dict()
    path = tmp_path / "deep" / "mine.safetensors"
    other = Normalization(0.0, 1000.0)
    write_weights(path, name, state, normalization=other, facts={"steps": 7})
    file = read_weights(path, METHODS, name)
    assert same(file.state, state)
    assert file.facts == {"steps": 7}
    denoiser = load(name, weights=path)
    assert denoiser.normalization == other
    assert same(denoiser.network.state_dict(), state)
    assert [p.name for p in path.parent.iterdir()] == ["mine.safetensors"]


def test_half_precision_file_is_half_as_large(tmp_path):
    state = network("redcnn").state_dict()
    sizes = []
    for dtype in (torch.float32, torch.float16):
        path = tmp_path / f"{dtype}.safetensors"
        write_weights(path, "redcnn", state, normalization=BENCHMARK, dtype=dtype)
        sizes.append(path.stat().st_size)
    read = read_weights(path, METHODS, "redcnn").state
    assert sizes[0] > 1.98 * sizes[1]
    assert all(v.dtype == torch.float32 for v in read.values())
    assert torch.equal(read["conv1.weight"], state["conv1.weight"])
    assert not torch.equal(read["conv2.weight"], state["conv2.weight"])
    for key, value in state.items():
        torch.testing.assert_close(read[key], value, rtol=2**-11, atol=2**-25)


@pytest.mark.parametrize("name", LIGHT)
def test_published_checkpoint(tmp_path, name):
    path = tmp_path / f"{name}.pt"
    state = benchmark_checkpoint(path, name)
    denoiser = load(name, weights=path)
    assert same(denoiser.network.state_dict(), state)
    assert denoiser.normalization == BENCHMARK
    assert denoiser.source == f"{name}.pt"
    assert read_weights(path, METHODS, name).facts == {"iteration": 87000}


def test_namespaces_are_allowed_only_while_a_file_is_read(tmp_path):
    path = tmp_path / "cnn10.pt"
    benchmark_checkpoint(path, "cnn10")
    load("cnn10", weights=path)
    assert argparse.Namespace not in torch.serialization.get_safe_globals()
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)


@pytest.mark.parametrize("wrap", [dict, lambda s: {"epoch": 3, "model_state_dict": s}])
def test_bare_and_wrapped_state_dicts(tmp_path, wrap):
    state = network("cnn10", seed=3).state_dict()
    path = tmp_path / "w.pth"
    torch.save(wrap({f"module.{k}": v for k, v in state.items()}), path)
    assert same(load("cnn10", weights=path).network.state_dict(), state)


class Intruder:
    def __reduce__(self):
        return (print, ("code from a weight file was run",))


def test_code_in_a_file_is_not_run(tmp_path, capsys):
    path = tmp_path / "evil.pt"
    benchmark_checkpoint(path, "cnn10", args=Intruder())
    with pytest.raises(ValueError, match="more than weights"):
        load("cnn10", weights=path)
    assert capsys.readouterr().out == ""


def write_other_method(path):
    benchmark_checkpoint(path, "wganvgg")


def write_missing_key(path):
    state = network("cnn10").state_dict()
    del state["layers.4.bias"]
    torch.save(state, path)


def write_wrong_shape(path):
    torch.save({**network("cnn10").state_dict(), "layers.4.bias": torch.zeros(2)}, path)


def write_nan(path):
    torch.save({**network("cnn10").state_dict(), "layers.4.bias": torch.tensor([np.nan])}, path)


def write_truncated(path):
    benchmark_checkpoint(path, "cnn10")
    path.write_bytes(path.read_bytes()[:2000])


def write_text(path):
    path.write_text("<html>404</html>")


def write_numbers(path):
    torch.save([1, 2, 3], path)


BAD = {
    write_other_method: "holds the weights of wganvgg, not of cnn10",
    write_missing_key: "does not fit cnn10: layers.4.bias is missing in the file and \\(1,\\)",
    write_wrong_shape: "layers.4.bias is \\(2,\\) in the file",
    write_nan: "not finite",
    write_truncated: "damaged",
    write_text: "damaged",
    write_numbers: "holds no weights",
}


@pytest.mark.parametrize(("write", "message"), BAD.items())
def test_bad_torch_files(tmp_path, write, message):
    path = tmp_path / "bad.pt"
    write(path)
    with pytest.raises(ValueError, match=message):
        load("cnn10", weights=path)


def test_bad_safetensors(tmp_path):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match="damaged"):
        load("cnn10", weights=path)
    save_file(network("cnn10").state_dict(), path, {"normalization": "{oops"})
    with pytest.raises(ValueError, match="damaged"):
        load("cnn10", weights=path)


def test_safetensors_of_others_have_no_metadata(tmp_path):
    path = tmp_path / "foreign.safetensors"
    state = network("cnn10", seed=3).state_dict()
    save_file(state, path)
    denoiser = load("cnn10", weights=path)
    assert set(denoiser.network.state_dict()) == set(state)
    assert denoiser.normalization == BENCHMARK


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no weight file"):
        load("cnn10", weights=tmp_path / "none.pt")


def test_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "w.safetensors"
    state = network("cnn10").state_dict()
    write_weights(path, "cnn10", state, normalization=BENCHMARK)
    before = path.read_bytes()

    def full_disk(*args):
        raise OSError("no space")

    monkeypatch.setattr("safetensors.torch.save_file", full_disk)
    with pytest.raises(OSError, match="no space"):
        write_weights(path, "cnn10", state, normalization=BENCHMARK)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1
