"""The recurrence of a selective state space (arXiv 2312.00752) over a window.

``h[t] = exp(step[t] A) h[t - 1] + step[t] write[t] x[t]`` and ``y[t] = read[t] h[t]``, for every
channel E and state N by itself, from ``h = 0``.

Shapes: ``step`` and ``x`` (batch, S, E), ``decay`` A (E, N), ``write`` and ``read`` (batch, S, N),
``y`` (batch, S, E).
"""

from typing import Any, cast

import torch
from torch import Tensor


def sequential_scan(step: Tensor, decay: Tensor, write: Tensor, read: Tensor, x: Tensor) -> Tensor:
    """Return ``y``, one sample after the other; differentiable."""
    y = _SequentialScan.apply(step, decay, write, read, x)  # type: ignore[no-untyped-call]
    return cast(Tensor, y)


class _SequentialScan(torch.autograd.Function):
    """Keeps the states alone and computes the rest again on the way back.

    Left to PyTorch, the factors of all samples would be kept as well; on a CPU the memory they
    take, not the arithmetic, is what training waits for.
    """

    @staticmethod
    def forward(
        ctx: Any, step: Tensor, decay: Tensor, write: Tensor, read: Tensor, x: Tensor
    ) -> Tensor:
        keep = any(ctx.needs_input_grad)
        h = x.new_zeros(x.shape[0], *decay.shape)
        states, outputs = [h], []
        for t in range(x.shape[1]):
            driven = (step[:, t] * x[:, t]).unsqueeze(-1) * write[:, t].unsqueeze(1)
            h = torch.addcmul(driven, torch.exp(step[:, t].unsqueeze(-1) * decay), h)
            outputs.append(_read(h, read[:, t]))
            if keep:
                states.append(h)
        ctx.states = states
        ctx.save_for_backward(step, decay, write, read, x)
        return torch.stack(outputs, dim=1)

    @staticmethod
    def backward(ctx: Any, grad_y: Tensor) -> tuple[Tensor, ...]:
        step, decay, write, read, x = ctx.saved_tensors
        grads = [torch.empty_like(tensor) for tensor in (step, write, read, x)]
        grad_step, grad_write, grad_read, grad_x = grads
        grad_decay = torch.zeros_like(decay)
        carried = torch.zeros_like(ctx.states[0])
        for t in range(x.shape[1] - 1, -1, -1):
            grad_h = torch.addcmul(carried, grad_y[:, t].unsqueeze(-1), read[:, t].unsqueeze(1))
            grad_read[:, t] = _over_channels(ctx.states[t + 1], grad_y[:, t])
            grad_write[:, t] = _over_channels(grad_h, step[:, t] * x[:, t])
            grad_driven = _read(grad_h, write[:, t])
            carried = grad_h * torch.exp(step[:, t].unsqueeze(-1) * decay)
            # Of the exponent step * decay, for d exp(z) = exp(z) dz.
            grad_exponent = carried * ctx.states[t]
            grad_step[:, t] = (grad_exponent * decay).sum(-1) + grad_driven * x[:, t]
            grad_decay += (grad_exponent * step[:, t].unsqueeze(-1)).sum(0)
            grad_x[:, t] = grad_driven * step[:, t]
        return grad_step, grad_decay, grad_write, grad_read, grad_x


def _read(state: Tensor, weights: Tensor) -> Tensor:
    """Return (batch, E) of a state (batch, E, N) and weights (batch, N)."""
    return torch.bmm(state, weights.unsqueeze(-1)).squeeze(-1)


def _over_channels(state: Tensor, weights: Tensor) -> Tensor:
    """Return (batch, N) of a state (batch, E, N) and weights (batch, E)."""
    return torch.bmm(weights.unsqueeze(1), state).squeeze(1)


def chunked_scan(step: Tensor, decay: Tensor, write: Tensor, read: Tensor, x: Tensor) -> Tensor:
    """Return ``y`` in about twice the square root of S steps: a small graph to export.

    The window is cut into chunks of equal length. All chunks are scanned from zero side by side;
    then the state is carried from chunk to chunk, and each sample gets the part of it that is
    left there. Its work grows with S, where a doubling scan's grows with S log S.
    """
    a = torch.exp(step.unsqueeze(-1) * decay)
    b = (step * x).unsqueeze(-1) * write.unsqueeze(2)
    batch, length, *tail = b.shape
    chunk = _chunk_length(length)
    a = a.reshape(batch, length // chunk, chunk, *tail)
    b = b.reshape(batch, length // chunk, chunk, *tail)
    state, left = b[:, :, 0], a[:, :, 0]
    states, lefts = [state], [left]
    for t in range(1, chunk):
        state = a[:, :, t] * state + b[:, :, t]
        left = a[:, :, t] * left
        states.append(state)
        lefts.append(left)
    whole = torch.stack(states, dim=2)
    if chunk < length:
        carried = state[:, 0]
        carries = [carried]
        for k in range(1, length // chunk - 1):
            carried = left[:, k] * carried + state[:, k]
            carries.append(carried)
        carry = torch.stack(carries, dim=1).unsqueeze(2)
        later = whole[:, 1:] + torch.stack(lefts, dim=2)[:, 1:] * carry
        whole = torch.cat([whole[:, :1], later], dim=1)
    return (whole.reshape(batch, length, *tail) * read.unsqueeze(2)).sum(dim=-1)


def _chunk_length(length: int) -> int:
    """Return the divisor of a window's length that makes the fewest steps."""
    divisors = [d for d in range(1, length + 1) if length % d == 0]
    return min(divisors, key=lambda chunk: chunk + length // chunk)
