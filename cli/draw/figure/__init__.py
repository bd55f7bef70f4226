"""Figures: panels of maps, texts, pictures and curves, drawn once for every format."""
