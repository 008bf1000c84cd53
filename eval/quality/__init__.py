"""How good embeddings are by themselves: word similarity, analogies, sentence similarity, bias."""
