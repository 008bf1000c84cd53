"""Vectors of words: trained on one's own texts or read from files, and pooled into vectors of passages."""

from ragembed.embed.words.learn import train_word_vectors
from ragembed.embed.words.open import open_word_vectors
from ragembed.embed.words.vectors import WordVectors

__all__ = ["WordVectors", "open_word_vectors", "train_word_vectors"]
