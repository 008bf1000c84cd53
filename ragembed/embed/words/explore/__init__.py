"""Looking at word vectors: neighbours, analogies, maps."""
