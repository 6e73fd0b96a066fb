"""One sample of the per-sample network that ships, as the graph that engines run."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgehip.channels import ANGLES
from edgehip_export.default_cycle import SEEN
from edgehip_export.default_features import SEGMENTS, path_weight
from edgehip_export.default_legendre import FEATURES, MEMORY, LegendreNetwork, memory_step
from edgehip_export.default_sample import PER_S, ROW, liveliness, remember
from edgehip_export.default_score import OutOfRangeScore
from edgehip_export.default_spread import Answer, Spread

NEVER_STILL = 1e-9
"""Added to a memory at each step, so that it never ends in denormal numbers, which are slow."""


class SampleStep(nn.Module):
    """One sample, with explicit state.

    The state is all zero at the beginning: ``memory`` (1, 80), ``before`` (1, ROW), the sample
    before as the network sees it and a 1 that says there was one, and ``recent`` (1, ROW), see
    :func:`remember`. A call costs an engine more for each node of its graph than for the
    arithmetic: rows stay whole, and what is linear in them is one product. All numbers of a row are
    of a size, as 8-bit products ask of them; the memory's own product is so small that it is left
    in full precision, as what it forgets slowly would add up.

    Parameters
    ----------
    network
        As trained.
    spread
        Of the loads' interval.
    score
        Makes the out-of-range score (B, 1) of scaled angles and of their changes (B, 20).
    """

    def __init__(self, network: LegendreNetwork, spread: Spread, score: OutOfRangeScore) -> None:
        super().__init__()
        self.answer = Answer(spread)
        scale = network.target_sd
        angles = len(ANGLES)
        keep, take = memory_step()
        judged = score.weight[:, :angles], score.weight[:, angles:]
        whole = torch.zeros(len(score.weight), FEATURES)
        whole[:, :angles], whole[:, SEEN : SEEN + angles] = judged
        for name, value in (
            ("segments", SEGMENTS),
            ("weight_see", functional.pad(path_weight() / network.seen_sd[:, None], (0, 0, 0, 1))),
            ("bias_see", functional.pad(-network.seen_mean / network.seen_sd, (0, 1), value=1.0)),
            ("weight_memory", torch.cat([keep, take[:, None]], 1)),
            ("bias_memory", torch.full_like(take, NEVER_STILL)),
            ("weight_enter", _rows(network.enter.weight)),
            ("bias_enter", network.enter.bias),
            ("weight_inner", network.inner.weight),
            ("bias_inner", network.inner.bias),
            ("weight_leave", scale[:, None] * network.leave.weight),
            ("bias_leave", scale * network.leave.bias + network.target_mean),
            ("weight_score", _rows(whole)),
            ("bias_score", score.bias),
        ):
            self.register_buffer(name, value.detach())
        self.segments: Tensor
        self.weight_see: Tensor
        self.bias_see: Tensor
        self.weight_memory: Tensor
        self.bias_memory: Tensor
        self.weight_enter: Tensor
        self.bias_enter: Tensor
        self.weight_inner: Tensor
        self.bias_inner: Tensor
        self.weight_leave: Tensor
        self.bias_leave: Tensor
        self.weight_score: Tensor
        self.bias_score: Tensor

    @property
    def state_sizes(self) -> dict[str, int]:
        """Name and length of each state, in the order of the arguments and of the outputs."""
        return {"memory": MEMORY, "before": ROW, "recent": ROW}

    def forward(
        self, angles_deg: Tensor, memory: Tensor, before: Tensor, recent: Tensor
    ) -> tuple[Tensor, ...]:
        """Return moments, forces, the spread of each, the score, and the next states."""
        angles = angles_deg[:, 0]
        pitch = angles @ self.segments
        waves = torch.cat([angles, torch.sin(pitch), torch.cos(pitch)], -1)
        seen = functional.linear(waves, self.weight_see, self.bias_see)
        change = (seen - before) * (PER_S * before[:, SEEN:])
        recent = remember(recent, change)
        each = torch.cat([memory.reshape(len(ANGLES), -1), change[:, : len(ANGLES)].mT], -1)
        memory = functional.linear(each, self.weight_memory, self.bias_memory).reshape(1, MEMORY)
        rows = torch.cat([seen, change, liveliness(recent), memory], -1)
        dense = functional.gelu(functional.linear(rows, self.weight_enter, self.bias_enter))
        dense = functional.gelu(functional.linear(dense, self.weight_inner, self.bias_inner))
        loads = functional.linear(dense, self.weight_leave, self.bias_leave)
        score = functional.linear(rows, self.weight_score, self.bias_score)
        far = torch.linalg.vector_norm(score, dim=-1, keepdim=True)
        return (*self.answer(loads[:, None]), far, memory, seen, recent)


def _rows(weight: Tensor) -> Tensor:
    """Return weights (M, FEATURES) of features as weights of rows, which have a number more each.

    That is behind what is seen, its change, and how lively it was.
    """
    parts = torch.split(weight, [SEEN, SEEN, SEEN, MEMORY], 1)
    return torch.cat([functional.pad(part, (0, 1)) for part in parts[:3]] + [parts[3]], 1)
