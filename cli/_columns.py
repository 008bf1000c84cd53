"""What `ragembed neighbors` puts side by side: word vectors, embedders and the embedders of indexes, each a column."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ragembed.cli._warnings import NOT_KEPT, tell_warnings
from ragembed.cli.options import progress_bar

if TYPE_CHECKING:
    from ragembed.embed.base import Embedder
    from ragembed.embed.words.explore.neighbors import Neighbors
    from ragembed.eval.quality.words import WordLookup
    from ragembed.pipeline import Pipeline


@dataclass(frozen=True)
class Column:
    """Words with the vectors that one of those compared gives them."""

    source: str
    """A path, or the spec of an embedder with what it settled."""
    label: str
    """`source` in a word or two."""
    neighbors: "Neighbors"

    @property
    def size(self) -> tuple[int, int]:
        """How many words there are, and the length of a vector."""
        vectors: Any = self.neighbors.table.vectors
        return len(self.neighbors.table.words), int(vectors.shape[1])


def columns(
    models: Sequence[Path],
    indexes: Sequence[Path],
    embedders: Sequence[str],
    vocabulary: Path | None,
    most: int,
) -> list[Column]:
    """All of them in the order of their kinds: models, embedders of indexes, embedders.

    Embedders answer from the words of the file `vocabulary`, or else from the `most` frequent of their index, those of
    `embedders` from those of the first index, whose texts they learn from; without either from their own.
    """
    from ragembed.pipeline import Pipeline

    found = [_model(path) for path in models]
    given = None if vocabulary is None else words_of_file(vocabulary)
    with ExitStack() as stack:
        opened = [stack.enter_context(Pipeline.open(index)) for index in indexes]
        for pipeline in opened:
            words = given or _words_of_index(pipeline, most)
            found += [_column(_with_words(embedder, pipeline), words) for embedder in pipeline.embedders]
        for spec in embedders:
            found.append(_embedder(spec, given, opened[0] if opened else None, most))
    return found


def words_of_file(path: Path) -> list[str]:
    """The words in a file, one on each line."""
    from ragembed.errors import DatasetError
    from ragembed.lines import read_lines

    words = [line.strip() for _, line in read_lines(path) if line.strip()]
    if not words:
        raise DatasetError(f"{path} holds no words", "write one on each line")
    return list(dict.fromkeys(words))


class _GivenWords:
    """Words that an embedder was given, with the vectors that it made of them. Any other is embedded when asked for."""

    def __init__(self, words: Sequence[str], vectors: Any, source: "WordLookup") -> None:
        self.words = words
        self.vectors = vectors
        self._source = source
        self._rows = {word: row for row, word in enumerate(words)}

    def rows(self, words: Sequence[str]) -> Any:
        import numpy as np

        return np.array([self._rows.get(word, -1) for word in words], np.int64)

    def word_vectors(self, words: Sequence[str]) -> Any:
        return self._source.word_vectors(words)


def _model(path: Path) -> Column:
    from ragembed.embed.words import open_word_vectors
    from ragembed.embed.words.explore.neighbors import Neighbors

    vectors = open_word_vectors(path)
    tell_warnings(path, vectors, only=NOT_KEPT)
    return Column(str(path), path.name, Neighbors(vectors))


def _embedder(spec: str, given: list[str] | None, pipeline: "Pipeline | None", most: int) -> Column:
    from ragembed.eval.quality.prepare import ready
    from ragembed.eval.quality.words import word_vectors_of

    words = given
    if words is None and pipeline is not None:
        words = _words_of_index(pipeline, most)
    texts = None if pipeline is None else _texts_of_index(pipeline)
    maker, _ = ready(spec, texts, words or (), words=True, remedy="name an index to learn from (-i INDEX)")
    if words is None and word_vectors_of(maker).vocabulary() is None:
        raise typer.BadParameter(
            f"{maker.name} embeds any text; give the words that may answer (--vocabulary FILE, or -i INDEX)"
        )
    return _column(maker, words)


def _with_words(embedder: "Embedder", pipeline: "Pipeline") -> "Embedder":
    """An embedder of an index; of a lexical one, whose words are in the postings, a copy that has learnt them anew."""
    if embedder.kind == "dense":
        return embedder
    from ragembed.embed import EMBEDDERS

    copy = EMBEDDERS.create(embedder.spec)
    copy.fit(_texts_of_index(pipeline, embedder.field))
    return copy


def _column(embedder: "Embedder", words: Sequence[str] | None) -> Column:
    from ragembed.embed.words.explore.neighbors import Neighbors
    from ragembed.errors import EmbeddingError
    from ragembed.eval.quality.progress import part_of
    from ragembed.eval.quality.words import embedded, word_vectors_of

    source = word_vectors_of(embedder)
    if words is None:
        own = source.vocabulary()
        assert own is not None
        words, vectors = own
    else:
        with progress_bar(f"embedding words ({embedder.name})") as progress:
            known, vectors = embedded(words, source, part_of(progress, len(words), "words"))
        there = known.nonzero()[0]
        if not len(there):
            raise EmbeddingError(
                f"{embedder.name} knows none of the {len(words)} words",
                "give other words, or another embedder",
            )
        words, vectors = [words[row] for row in there.tolist()], vectors[there]
    return Column(str(embedder.spec), embedder.name, Neighbors(_GivenWords(words, vectors, source)))


def _words_of_index(pipeline: "Pipeline", most: int) -> list[str]:
    """The most frequent words of an index, by falling count, ties by the alphabet."""
    from ragembed.embed.words.tokens import WordTokenizer
    from ragembed.errors import DatasetError

    counts: Counter[str] = Counter()
    tokenizer = WordTokenizer()
    for text in _texts_of_index(pipeline):
        counts.update(tokenizer.tokens(text))
    if not counts:
        raise DatasetError(f"{pipeline.store.folder} holds no words", "index files with text")
    return sorted(counts, key=lambda word: (-counts[word], word))[:most]


def _texts_of_index(pipeline: "Pipeline", field: str | None = None) -> Iterator[str]:
    with pipeline.store.snapshot() as catalog:
        yield from catalog.all_embedded_texts(field)
