"""The published networks: their forms agree with one another and with their published equations."""

import math
from typing import cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgehip_export.networks import (
    FAMILIES,
    CausalNetwork,
    Lstm,
    Mamba,
    Transformer,
    build,
    mamba,
)
from edgehip_export.networks.mamba import MambaBlock
from edgehip_export.networks.scan import chunked_scan, sequential_scan

Array = NDArray[np.float64]

PARAMETERS = {"lstm": 205_582, "transformer": 332_174, "mamba": 236_430}
"""Of the published sizes with 14 muscles, counted by hand from the paper's sizes."""


def angles(samples: int = 37, batch: int = 2) -> torch.Tensor:
    return torch.randn(batch, samples, 10, generator=torch.Generator().manual_seed(7))


def unroll(network: CausalNetwork, x: torch.Tensor) -> torch.Tensor:
    """Return the outputs (N, S, D) for the samples (N, S, 10), one step after the other."""
    state = network.initial_state(x.shape[0])
    outputs = []
    for t in range(x.shape[1]):
        output, state = network.step(x[:, t : t + 1], state)
        outputs.append(output)
    return torch.cat(outputs, dim=1)


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().max() / b.std())


@pytest.mark.parametrize("family", ["lstm", "mamba"])
def test_step_by_step_is_the_window(family: str) -> None:
    torch.manual_seed(2)
    network = build(family, 14).eval()
    x = angles()
    with torch.no_grad():
        assert relative(unroll(cast(CausalNetwork, network), x), network(x)) < 1e-4


@pytest.mark.parametrize("family", ["lstm", "mamba"])
def test_state_can_be_handed_over_anywhere(family: str) -> None:
    network = cast(CausalNetwork, build(family, 3).eval())
    x = angles(9, 1)
    with torch.no_grad():
        state = network.initial_state()
        for t in range(4):
            _, state = network.step(x[:, t : t + 1], state)
        copied = tuple(tensor.clone() for tensor in state)
        resumed = []
        for t in range(4, 9):
            output, copied = network.step(x[:, t : t + 1], copied)
            resumed.append(output)
        torch.testing.assert_close(torch.cat(resumed, 1), unroll(network, x)[:, 4:])


def selection(length: int, seed: int) -> list[torch.Tensor]:
    """Return random step, decay, write, read and x of a small state space."""
    generator = torch.Generator().manual_seed(seed)
    shapes = ((2, length, 3), (3, 4), (2, length, 4), (2, length, 4), (2, length, 3))
    step, decay, write, read, x = (
        torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes
    )
    return [step.exp() / 5, -decay.exp(), write, read, x]


@settings(max_examples=40, deadline=None)
@given(length=st.integers(1, 200), seed=st.integers(0, 2**31))
def test_scans_agree_at_every_length(length: int, seed: int) -> None:
    given_ = selection(length, seed)
    torch.testing.assert_close(chunked_scan(*given_), sequential_scan(*given_))


def test_sequential_scan_has_the_gradients_pytorch_finds() -> None:
    given_ = [tensor.requires_grad_() for tensor in selection(12, 5)]
    grad_y = torch.randn(2, 12, 3, dtype=torch.float64)
    ours = torch.autograd.grad(sequential_scan(*given_), given_, grad_y)
    theirs = torch.autograd.grad(chunked_scan(*given_), given_, grad_y)
    torch.testing.assert_close(ours, theirs)


def test_mamba_windows_agree_whatever_the_scan() -> None:
    network = Mamba(14).eval()
    x = angles(180, 1)
    with torch.no_grad():
        sequential = network(x)
        network.scan = "chunked"
        assert relative(network(x), sequential) < 1e-4


def test_mamba_scans_in_chunks_where_each_step_waits_to_be_launched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(mamba, "sequential_scan")
    network = Mamba(3).to("meta")
    assert network(torch.empty(2, 180, 10, device="meta")).shape == (2, 180, 3)


@pytest.mark.parametrize("family", ["lstm", "mamba"])
def test_causal_networks_do_not_see_the_future(family: str) -> None:
    network = build(family, 3).eval()
    x = angles(20, 1)
    later = x.clone()
    later[:, 12:] += 5
    with torch.no_grad():
        torch.testing.assert_close(network(x)[:, :12], network(later)[:, :12])
        assert relative(network(x)[:, 12:], network(later)[:, 12:]) > 0.1


@pytest.mark.parametrize("family", FAMILIES)
def test_published_sizes(family: str) -> None:
    network = build(family, 14)
    assert sum(p.numel() for p in network.parameters()) == PARAMETERS[family]


def test_unknown_family_is_named() -> None:
    with pytest.raises(ValueError, match=r"'gru'.*lstm, transformer, mamba"):
        build("gru", 3)


def test_lstm_follows_its_equations() -> None:
    network = Lstm(3).eval().double()
    x = angles(6, 1).double()
    state = {name: p.detach().numpy() for name, p in network.named_parameters()}
    below = x[0].numpy()
    for layer in range(2):
        hidden, cell = np.zeros(128), np.zeros(128)
        above = []
        for sample in below:
            gates = (
                state[f"lstm.weight_ih_l{layer}"] @ sample
                + state[f"lstm.bias_ih_l{layer}"]
                + state[f"lstm.weight_hh_l{layer}"] @ hidden
                + state[f"lstm.bias_hh_l{layer}"]
            )
            enter, forget, new, leave = np.split(gates, 4)
            cell = sigmoid(forget) * cell + sigmoid(enter) * np.tanh(new)
            hidden = sigmoid(leave) * np.tanh(cell)
            above.append(hidden)
        below = np.array(above)
    expected = below @ state["fc.weight"].T + state["fc.bias"]
    np.testing.assert_allclose(network(x).detach().numpy()[0], expected, rtol=1e-9, atol=1e-12)


def test_mamba_block_follows_its_equations() -> None:
    """Algorithm 2 of arXiv 2312.00752 with the block of its figure 3, one sample at a time."""
    block = cast(MambaBlock, Mamba(3).double().blocks[0])
    x = torch.randn(1, 8, 128, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    p = {name: tensor.detach().numpy() for name, tensor in block.named_parameters()}
    both = x[0].numpy() @ p["in_proj.weight"].T
    through, gate = both[:, :256], both[:, 256:]
    state: Array = np.zeros((256, 16))
    expected = []
    for t in range(8):
        convolved = p["conv1d.bias"].copy()
        for lag in range(4):
            if t - lag >= 0:
                convolved += p["conv1d.weight"][:, 0, 3 - lag] * through[t - lag]
        u = convolved * sigmoid(convolved)
        projected = p["x_proj.weight"] @ u
        step = np.log1p(np.exp(p["dt_proj.weight"] @ projected[:8] + p["dt_proj.bias"]))
        write, read = projected[8:24], projected[24:]
        state = (
            np.exp(step[:, None] * -np.exp(p["A_log"])) * state
            + step[:, None] * write[None] * u[:, None]
        )
        y = (state @ read + p["D"] * u) * gate[t] * sigmoid(gate[t])
        expected.append(p["out_proj.weight"] @ y)
    for scan in ("sequential", "chunked"):
        answer = block(x, scan).detach().numpy()[0]
        np.testing.assert_allclose(answer, np.array(expected), rtol=1e-6, atol=1e-9)


def test_transformer_follows_its_equations() -> None:
    """Post-norm encoder layers with ReLU (arXiv 1706.03762) over learned positions."""
    network = Transformer(3).eval().double()
    x = angles(5, 1).double()
    p = {name: tensor.detach().numpy() for name, tensor in network.named_parameters()}
    h = x[0].numpy() @ p["input_proj.weight"].T + p["input_proj.bias"]
    h = h + p["pos_encoder.pos_embed.weight"][:5]
    for i in range(2):
        at = f"encoder.layers.{i}."
        qkv = h @ p[at + "self_attn.in_proj_weight"].T + p[at + "self_attn.in_proj_bias"]
        heads = []
        for head in range(4):
            q, k, v = (part[:, 32 * head : 32 * head + 32] for part in np.split(qkv, 3, axis=1))
            scores = np.exp(q @ k.T / math.sqrt(32))
            heads.append(scores / scores.sum(axis=1, keepdims=True) @ v)
        mixed = np.concatenate(heads, axis=1) @ p[at + "self_attn.out_proj.weight"].T
        h = layer_norm(h + mixed + p[at + "self_attn.out_proj.bias"], p, at + "norm1")
        wide = np.maximum(h @ p[at + "linear1.weight"].T + p[at + "linear1.bias"], 0)
        narrow = wide @ p[at + "linear2.weight"].T + p[at + "linear2.bias"]
        h = layer_norm(h + narrow, p, at + "norm2")
    expected = h @ p["output_proj.weight"].T + p["output_proj.bias"]
    np.testing.assert_allclose(network(x).detach().numpy()[0], expected, rtol=1e-6, atol=1e-9)


def layer_norm(h: Array, p: dict[str, Array], name: str) -> Array:
    centred = h - h.mean(axis=1, keepdims=True)
    scaled = centred / np.sqrt(centred.var(axis=1, keepdims=True) + 1e-5)
    return np.asarray(scaled * p[name + ".weight"] + p[name + ".bias"])


def sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))
