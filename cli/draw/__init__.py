"""Rich, from traces and results: no torch, no Textual."""
