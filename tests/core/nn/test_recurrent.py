"""The layer that reads in both directions."""

import torch
from torch import nn

from dlcc.core.nn.recurrent import BidirectionalGRU


def test_the_bidirectional_layer_agrees_with_pytorchs_own() -> None:
    torch.manual_seed(1)
    ours, theirs = BidirectionalGRU(8, 12), nn.GRU(8, 6, batch_first=True, bidirectional=True)
    for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
        getattr(theirs, name).data = getattr(ours.forwards, name).data
        getattr(theirs, f"{name}_reverse").data = getattr(ours.backwards, name).data
    inputs, lengths = torch.randn(3, 7, 8), torch.tensor([7, 4, 1])
    packed = nn.utils.rnn.pack_padded_sequence(inputs, lengths, batch_first=True)
    wanted, ends = theirs(packed)
    wanted, _ = nn.utils.rnn.pad_packed_sequence(wanted, batch_first=True)
    found, summary = ours(inputs, lengths)
    for row, length in enumerate(lengths):
        torch.testing.assert_close(found[row, :length], wanted[row, :length])
    torch.testing.assert_close(summary, torch.cat([ends[0], ends[1]], -1))
