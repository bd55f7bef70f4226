"""Files that are installed with the program: models, word vectors, word lists, demo traces."""
