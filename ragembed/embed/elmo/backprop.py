"""The recurrent layer for training: the same numbers as `bilstm.run_layer`, with its gradients written out.

Autograd would take the steps apart and add to the gradient of every weight at every step. Here the loop back through
time only finds what the gates' gradients are, and each weight's gradient is one matrix product at its end.

Source: Hochreiter & Schmidhuber 1997; Sak et al. 2014 for the projection. A bound passes no gradient where it acted.

Notation: D = 2 directions, T steps, B lanes, P projection, C cells.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from ragembed.embed.elmo.bilstm import Layer
from ragembed.embed.elmo.options import Options

if TYPE_CHECKING:
    from torch import Tensor


def train_layer(
    layer: Layer, options: Options, x: Tensor, h: Tensor, c: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Outputs ``(D, T, B, P)`` for `x` ``(D, T, B, P)``, and the last output and cells.

    Differentiable in `x` and the weights. `h` ``(D, B, P)`` and `c` ``(D, B, C)`` are what is remembered at the start;
    no gradient goes further back.
    """
    found: tuple[Tensor, Tensor, Tensor] = _function().apply(
        x,
        layer.inputs,
        layer.recurrent,
        layer.bias,
        layer.project,
        h,
        c,
        options.cell_clip,
        options.proj_clip,
    )
    return found


@functools.cache
def _function() -> Any:
    """The autograd function; made at first use, for torch is imported no earlier."""
    import torch

    class Recurrence(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(
            ctx: Any,
            x: Tensor,
            inputs: Tensor,
            recurrent: Tensor,
            bias: Tensor,
            project: Tensor,
            h: Tensor,
            c: Tensor,
            cell_clip: float | None,
            proj_clip: float | None,
        ) -> tuple[Tensor, Tensor, Tensor]:
            directions, steps, lanes, size = x.shape
            cells = c.shape[2]
            gates = torch.baddbmm(bias, x.flatten(1, 2), inputs).unflatten(1, (steps, lanes))  # (D, T, B, 4C)
            outputs = x.new_empty(directions, steps + 1, lanes, size)
            kept = x.new_empty(directions, steps + 1, lanes, cells)  # cells
            held = x.new_empty(directions, steps, lanes, cells)  # before the projection
            outputs[:, 0], kept[:, 0] = h, c
            for t in range(steps):
                g = gates[:, t].baddbmm_(outputs[:, t], recurrent)
                g[..., :cells].sigmoid_()
                g[..., cells : 2 * cells].tanh_()
                g[..., 2 * cells :].sigmoid_()
                i, j, f, o = g.split(cells, dim=2)
                now = torch.mul(kept[:, t], f, out=kept[:, t + 1]).addcmul_(i, j)
                if cell_clip is not None:
                    now.clamp_(-cell_clip, cell_clip)
                m = torch.tanh(now, out=held[:, t]).mul_(o)
                torch.bmm(m, project, out=outputs[:, t + 1])
                if proj_clip is not None:
                    outputs[:, t + 1].clamp_(-proj_clip, proj_clip)
            ctx.save_for_backward(x, inputs, recurrent, project, gates, outputs, kept, held)
            ctx.clips = cell_clip, proj_clip
            last, cells_now = outputs[:, -1].clone(), kept[:, -1].clone()
            ctx.mark_non_differentiable(last, cells_now)
            return outputs[:, 1:].clone(), last, cells_now

        @staticmethod
        @torch.autograd.function.once_differentiable  # type: ignore[untyped-decorator]
        def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
            ctx: Any, grad: Tensor, *_: Any
        ) -> tuple[Tensor | None, ...]:
            x, inputs, recurrent, project, gates, outputs, kept, held = ctx.saved_tensors
            cell_clip, proj_clip = ctx.clips
            directions, steps, lanes, _ = x.shape
            cells = kept.shape[3]
            d_gates = torch.empty_like(gates)
            d_outputs = grad.clone()  # what reaches each output, before its bound
            d_cells = x.new_zeros(directions, lanes, cells)
            back, project_back = recurrent.transpose(1, 2), project.transpose(1, 2)
            for t in reversed(range(steps)):
                d_y = d_outputs[:, t]
                if t + 1 < steps:
                    d_y.baddbmm_(d_gates[:, t + 1], back)
                if proj_clip is not None:
                    d_y.mul_(outputs[:, t + 1].abs() < proj_clip)
                d_m = torch.bmm(d_y, project_back)
                i, j, f, o = gates[:, t].split(cells, dim=2)
                d_i, d_j, d_f, d_o = d_gates[:, t].split(cells, dim=2)
                m, now, before = held[:, t], kept[:, t + 1], kept[:, t]
                squashed = now.tanh()
                d_cells.add_(d_m * o * (1 - squashed * squashed))
                if cell_clip is not None:
                    d_cells.mul_(now.abs() < cell_clip)
                torch.mul(d_m * m, 1 - o, out=d_o)  # through m = o tanh(c): tanh(c) o (1 - o) = m (1 - o)
                torch.mul(d_cells * j * i, 1 - i, out=d_i)
                torch.mul(d_cells * i, 1 - j * j, out=d_j)
                torch.mul(d_cells * before * f, 1 - f, out=d_f)
                d_cells.mul_(f)
            flat = d_gates.flatten(1, 2)  # (D, T B, 4C)
            return (
                torch.bmm(flat, inputs.transpose(1, 2)).view_as(x),
                torch.bmm(x.flatten(1, 2).transpose(1, 2), flat),
                torch.bmm(outputs[:, :-1].flatten(1, 2).transpose(1, 2), flat),
                flat.sum(dim=1, keepdim=True),
                torch.bmm(held.flatten(1, 2).transpose(1, 2), d_outputs.flatten(1, 2)),
                None,
                None,
                None,
                None,
            )

    return Recurrence
