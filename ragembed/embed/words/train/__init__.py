"""Training word vectors: one file a method, and the loop of rounds that all share."""

from ragembed.embed.words.train.base import Trainer
from ragembed.registry import Registry

TRAINERS: Registry[Trainer] = Registry(
    "trainer",
    "ragembed.trainers",
    {
        "word2vec": "ragembed.embed.words.train.on_gensim.word2vec:Word2VecTrainer",
        "glove": "ragembed.embed.words.train.glove.trainer:GloVeTrainer",
        "fasttext": "ragembed.embed.words.train.on_gensim.fasttext:FastTextTrainer",
        "elmo": "ragembed.embed.elmo.train:ElmoTrainer",
    },
)

__all__ = ["TRAINERS", "Trainer"]
