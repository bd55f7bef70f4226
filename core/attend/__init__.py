"""Attention from scratch, on sentences of word vectors."""
