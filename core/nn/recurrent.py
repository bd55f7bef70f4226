"""A recurrent layer that reads padded batches in both directions.

Shapes: B batch, S sequence length, D width.
"""

import torch
from torch import Tensor, nn


class BidirectionalGRU(nn.Module):
    """One GRU from the left and one from the right, for padded batches.

    The right one starts at each sentence's own last token, so padding changes nothing.

    Args:
        input_dim: width of the input.
        output_dim: width of the output, half of it a direction.
    """

    def __init__(self, input_dim: int, output_dim: int) -> None:
        super().__init__()
        self.forwards = nn.GRU(input_dim, output_dim // 2, batch_first=True)
        self.backwards = nn.GRU(input_dim, output_dim // 2, batch_first=True)

    def forward(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Read `inputs` [B, S, input_dim], of which the first `lengths` [B] count.

        Returns:
            Outputs [B, S, output_dim], meaningless beyond the lengths, and both ends
            [B, output_dim]: the left reader's last state and the right reader's.
        """
        left, _ = self.forwards(inputs)  # [B, S, output_dim / 2]
        right, _ = self.backwards(_reverse(inputs, lengths))
        last = (lengths - 1).view(-1, 1, 1).expand(-1, 1, left.shape[2])
        ends = torch.cat([left.gather(1, last), right.gather(1, last)], -1).squeeze(1)
        return torch.cat([left, _reverse(right, lengths)], -1), ends


def _reverse(sequences: Tensor, lengths: Tensor) -> Tensor:
    """Each of `sequences` [B, S, D] back to front within its length; padding stays in place."""
    place = torch.arange(sequences.shape[1], device=sequences.device).unsqueeze(0)
    mirrored = lengths.unsqueeze(1) - 1 - place  # [B, S]
    index = torch.where(mirrored >= 0, mirrored, place)
    return sequences.gather(1, index.unsqueeze(-1).expand_as(sequences))
