from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ragembed.embed.words.corpus import TokenCorpus
from ragembed.embed.words.tokens import tokenizer
from ragembed.embed.words.train.glove import tiles
from ragembed.embed.words.train.glove.cooccurrence import Counting
from ragembed.embed.words.train.glove.reference import reference_cooccurrences
from ragembed.embed.words.train.glove.tiles import Grid, Tiles, Weighing, make_tiles
from ragembed.errors import EmbeddingError

pytest.importorskip("numba", reason="needs the extra words")

WEIGHING = Weighing(x_max=10, alpha=0.75)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> TokenCorpus:
    """100 words: 32 blocks of 4, of which some rows are empty."""
    random = np.random.default_rng(0)
    texts = [" ".join(f"w{n}" for n in random.zipf(1.2, 60) if n <= 100) for _ in range(200)]
    folder = tmp_path_factory.mktemp("corpus")
    return TokenCorpus.read(texts, folder, tokenizer("whitespace"), min_count=1)


def make(corpus: TokenCorpus, folder: Path, seed: int = 1, workers: int = 1) -> Tiles:
    folder.mkdir(exist_ok=True)
    return make_tiles(corpus, Counting(5, workers=workers), WEIGHING, seed, folder, lambda share: None)


def test_the_grid_depends_on_the_number_of_words_alone() -> None:
    assert Grid.for_words(2) == Grid(2, 2, 1)
    assert Grid.for_words(100) == Grid(100, 32, 4)
    assert Grid.for_words(100_000) == Grid(100_000, 97, 1031)
    assert Grid.for_words(2_000_000).length < 1 << 16


@pytest.mark.parametrize("words", [1, 2, 31, 33, 100, 40_000])
def test_every_word_has_a_number_of_its_own(words: int) -> None:
    grid = Grid.for_words(words)
    numbers = grid.numbering().numbers
    assert len(set(numbers.tolist())) == words
    assert numbers.max() < grid.blocks * grid.length


def test_holds_every_pair_once(corpus: TokenCorpus, tmp_path: Path) -> None:
    made = make(corpus, tmp_path)
    found: dict[tuple[int, int], tuple[float, float]] = {}
    for p in range(made.grid.blocks):
        for q in range(made.grid.blocks):
            words, contexts, inside = made.pairs(p, q)
            assert set((words % made.grid.blocks).tolist()) <= {p}
            assert set((contexts % made.grid.blocks).tolist()) <= {q}
            pairs = zip(words.tolist(), contexts.tolist(), strict=True)
            found.update(zip(pairs, zip(made.logs[inside], made.weights[inside], strict=True), strict=True))
    rows = {word: row for row, word in enumerate(corpus.words)}
    expected = reference_cooccurrences(([rows[word] for word in text] for text in corpus), window=5)
    assert len(made.cells) == len(expected)
    assert found.keys() == expected.keys()
    for pair, x in expected.items():
        assert found[pair] == pytest.approx((np.log(x), min(1, (x / 10) ** 0.75)), rel=1e-6, abs=1e-6)


def test_patches_follow_one_another_and_are_shuffled(
    corpus: TokenCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "_DOWN", 2)
    monkeypatch.setattr(tiles, "_ACROSS", 2)
    made = make(corpus, tmp_path)
    cells = [(int(cell) >> 16, int(cell) & 0xFFFF) for cell in made.cells[: made.offsets[0, 1]]]
    stripes = [row // 2 for row, _ in cells]
    assert stripes == sorted(stripes)
    there, back = ([column // 2 for row, column in cells if row // 2 == stripe] for stripe in (0, 1))
    assert (there, back) == (sorted(there), sorted(back, reverse=True))
    whole = make(corpus, tmp_path / "whole")
    monkeypatch.setattr(tiles, "_DOWN", 4)
    monkeypatch.setattr(tiles, "_ACROSS", 4)
    whole = make(corpus, tmp_path / "whole")
    inside = [whole.cells[whole.inside(p, q)] for p in range(32) for q in range(32)]
    assert sum(bool((np.diff(tile.astype(np.int64)) < 0).any()) for tile in inside) > 100


def test_any_number_of_workers_makes_the_same_files(corpus: TokenCorpus, tmp_path: Path) -> None:
    one, three = make(corpus, tmp_path / "1"), make(corpus, tmp_path / "3", workers=3)
    other = make(corpus, tmp_path / "seed", seed=2)
    assert np.array_equal(one.offsets, three.offsets)
    for name in ("cells", "logs", "weights"):
        assert np.array_equal(getattr(one, name), getattr(three, name))
    assert not np.array_equal(one.cells, other.cells)
    assert sorted(one.cells.tolist()) == sorted(other.cells.tolist())


def test_what_is_complete_is_not_made_again(corpus: TokenCorpus, tmp_path: Path) -> None:
    make(corpus, tmp_path)
    before = (tmp_path / "pairs.logs").stat().st_mtime_ns
    make(corpus, tmp_path, workers=2)
    assert (tmp_path / "pairs.logs").stat().st_mtime_ns == before
    (tmp_path / "pairs.json").unlink()
    make(corpus, tmp_path)
    assert (tmp_path / "pairs.logs").stat().st_mtime_ns > before


def test_words_that_all_stand_alone(tmp_path: Path) -> None:
    alone = TokenCorpus.read(["a", "b", "a"], tmp_path, tokenizer("whitespace"), min_count=1)
    with pytest.raises(EmbeddingError, match="no word of the corpus has another one near it"):
        make(alone, tmp_path)
