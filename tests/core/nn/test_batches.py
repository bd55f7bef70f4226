"""Padding, and batches of rows of about the same length."""

import torch

from dlcc.core.nn.batches import PAD, PAD_STEP, batches_by_length, pad


def test_pad_fills_on_the_right() -> None:
    assert pad([[5], [6, 7, 8]]).tolist() == [[5, PAD, PAD], [6, 7, 8]]
    assert pad([[5]]).dtype == torch.int64
    assert pad([[5], [6, 7, 8]], 4).tolist() == [[5, PAD, PAD, PAD], [6, 7, 8, PAD]]


def test_batches_hold_neighbours_in_length_within_the_limit() -> None:
    lengths = [50, 10, 90, 30, 300, 30, 80, 0]
    found = batches_by_length(lengths, 200, PAD_STEP)
    assert sorted(number for batch in found for number in batch) == list(range(8))
    assert found[-1] == [4]  # longer than a batch: alone
    for batch in found[:-1]:
        padded = pad([[1] * lengths[number] for number in batch], PAD_STEP)
        assert padded.shape[1] % PAD_STEP == 0
        assert padded.numel() <= 200
    assert len(found) == 4  # four padded to 32 tokens, two to 96, one to 96, one to 320
    flat = [lengths[number] for batch in found for number in batch]
    assert flat == sorted(flat)


def test_batches_keep_an_order_that_is_given_and_count_their_longest() -> None:
    lengths = [4, 2, 3, 1, 9]
    assert batches_by_length(lengths, 8, order=[1, 0, 3, 2]) == [[1, 0], [3, 2]]
    assert batches_by_length(lengths, 8, order=[0, 3, 1]) == [[0, 3], [1]]
    assert batches_by_length(lengths, 8) == [[3, 1], [2, 0], [4]]
    assert batches_by_length([], 8) == []
