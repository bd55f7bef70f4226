"""Bytes in and out: where files lie, archives, downloads, tables, word vectors; no torch."""
