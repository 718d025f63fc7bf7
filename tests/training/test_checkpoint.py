import pytest
import torch

from ldctlib.training import checkpoint


def test_a_nested_state_comes_back_as_it_was(tmp_path):
    state = {
        "step": 3,
        "best": float("-inf"),
        "rate": 0.1 + 0.2,
        "names": ["a", None, True],
        "by number": {0: {"moment": torch.randn(3), "step": torch.tensor(2.0)}, 1: {}},
        "random": torch.get_rng_state(),
    }
    checkpoint.save(state, tmp_path / "deep" / "state.safetensors")
    loaded = checkpoint.load(tmp_path / "deep" / "state.safetensors")
    assert {k: loaded[k] for k in ("step", "best", "rate", "names")} == {
        k: state[k] for k in ("step", "best", "rate", "names")
    }
    assert list(loaded["by number"]) == [0, 1]
    assert torch.equal(loaded["by number"][0]["moment"], state["by number"][0]["moment"])
    assert loaded["by number"][0]["step"].shape == ()
    assert torch.equal(loaded["random"], state["random"])
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["state.safetensors"]


def test_the_memory_format_survives(tmp_path):
    weights = torch.randn(4, 3, 5, 5).contiguous(memory_format=torch.channels_last)
    checkpoint.save({"last": weights, "first": weights.contiguous()}, tmp_path / "s.safetensors")
    loaded = checkpoint.load(tmp_path / "s.safetensors")
    assert loaded["last"].stride() == weights.stride()
    assert loaded["first"].is_contiguous()
    assert torch.equal(loaded["last"], weights)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_adam_goes_on_exactly(tmp_path, fused, memory_format):
    def new():
        torch.manual_seed(0)
        net = torch.nn.Conv2d(3, 4, 5).to(memory_format=memory_format)
        return net, torch.optim.Adam(net.parameters(), lr=0.1, fused=fused)

    def step(net, adam, x):
        adam.zero_grad()
        net(x).square().mean().backward()
        adam.step()

    torch.manual_seed(1)
    batches = torch.randn(6, 2, 3, 9, 9)
    net, adam = new()
    for x in batches[:3]:
        step(net, adam, x)
    checkpoint.save(
        {"net": net.state_dict(), "adam": adam.state_dict()}, tmp_path / "s.safetensors"
    )
    resumed, resumed_adam = new()
    loaded = checkpoint.load(tmp_path / "s.safetensors")
    resumed.load_state_dict(loaded["net"])
    resumed_adam.load_state_dict(loaded["adam"])
    for x in batches[3:]:
        step(net, adam, x)
        step(resumed, resumed_adam, x)
    assert all(map(torch.equal, net.parameters(), resumed.parameters()))


def test_what_json_cannot_hold_is_refused_before_anything_is_written(tmp_path):
    path = tmp_path / "state.safetensors"
    checkpoint.save({"step": 1}, path)
    with pytest.raises(TypeError, match="net/layer is a Linear"):
        checkpoint.save({"net": {"layer": torch.nn.Linear(1, 1)}}, path)
    assert checkpoint.load(path) == {"step": 1}


def test_a_damaged_or_foreign_file_is_named(tmp_path):
    path = tmp_path / "state.safetensors"
    checkpoint.save({"t": torch.zeros(1000)}, path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"state.safetensors is damaged"):
        checkpoint.load(path)
    from safetensors.torch import save_file

    save_file({"t": torch.zeros(3)}, path)
    with pytest.raises(ValueError, match="no checkpoint of a training"):
        checkpoint.load(path)
