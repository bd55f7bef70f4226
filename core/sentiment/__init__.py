"""An encoder-only Transformer that classifies texts."""
