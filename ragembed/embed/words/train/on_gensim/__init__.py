"""Word2Vec and FastText, on gensim's compiled loops."""
