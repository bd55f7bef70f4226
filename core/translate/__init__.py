"""Sequence to sequence with cross-attention."""
