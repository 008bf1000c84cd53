"""GloVe, compiled: counting, sorting into tiles, learning."""
