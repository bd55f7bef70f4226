"""Models of Hugging Face's layout: loaded, run and looked at through `capture`."""
