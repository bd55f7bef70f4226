"""The one loop that trains every model, its checkpoints and its settings."""
