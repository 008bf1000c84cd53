from __future__ import annotations

import random
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

tokenizers: Any = pytest.importorskip("tokenizers", reason="needs the extra tokenizers")

from ragembed.encoder.bpe import END, count_words, learn, merged, segment, symbols  # noqa: E402
from ragembed.encoder.tokenizer import TextTokenizer  # noqa: E402
from ragembed.encoder.tokenizer_kinds import KINDS  # noqa: E402
from ragembed.encoder.train_tokenizer import TokenizerTrainer, train_tokenizer  # noqa: E402
from ragembed.errors import EmbeddingError, SpecError, StoreError  # noqa: E402
from ragembed.tokens import tokenizer as counter  # noqa: E402


def texts() -> list[str]:
    """Sentences of 400 words that a few syllables make up, the first ones most often."""
    draw = random.Random(0)
    syllables = ["ka", "lo", "mi", "nu", "re", "sto", "tri", "ver", "Ün", "dö"]
    words = ["".join(draw.choices(syllables, k=draw.randint(1, 4))) for _ in range(400)]
    weights = [1 / rank for rank in range(1, 401)]
    return [" ".join(draw.choices(words, weights, k=12)).capitalize() + "." for _ in range(300)]


def trained(folder: Path, given: list[str] | None = None, **asked: Any) -> Any:
    """What is written, as the library reads it."""
    trainer = TokenizerTrainer(**{"size": 500, **asked})
    train_tokenizer(trainer, texts() if given is None else given, folder, replace=True)
    return tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_texts_give_the_same_bytes(kind: str, tmp_path: Path) -> None:
    written = set()
    for number in range(5):
        trained(tmp_path / str(number), kind=kind)
        written.add((tmp_path / str(number) / "tokenizer.json").read_bytes())
    assert len(written) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_learned_tokenizer_serves_an_encoder_and_a_chunker(kind: str, tmp_path: Path) -> None:
    found = trained(tmp_path, kind=kind)
    assert 300 < found.get_vocab_size() <= 500
    ours = TextTokenizer(tmp_path)
    [ids] = ours.ids([texts()[0]])
    first, last = KINDS[kind].roles["cls_token"], KINDS[kind].roles["sep_token"]
    assert (ours.before, ours.after) == ([found.token_to_id(first)], [found.token_to_id(last)])
    assert found.encode(texts()[0]).ids == [*ours.before, *ids, *ours.after]
    assert counter(str(tmp_path / "tokenizer.json")).count(texts()[0]) == len(ids)
    # frequent words are whole
    assert len(ids) < sum(map(len, symbols(texts()[0].replace(" ", "")))) / 3


@pytest.mark.parametrize("kind", KINDS)
def test_transformers_reads_it(kind: str, tmp_path: Path) -> None:
    transformers: Any = pytest.importorskip("transformers")
    found = trained(tmp_path, kind=kind)
    theirs = transformers.AutoTokenizer.from_pretrained(str(tmp_path))
    assert theirs(texts()[3])["input_ids"] == found.encode(texts()[3]).ids
    for role, token in KINDS[kind].roles.items():
        assert getattr(theirs, role) == token
        assert theirs.convert_tokens_to_ids(token) == found.token_to_id(token)
    assert theirs(["a", texts()[0]], padding=True)["attention_mask"][0][-1] == 0


@pytest.fixture(scope="module")
def bytes_and_case(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return trained(tmp_path_factory.mktemp("bytes"), kind="byte-bpe", lowercase=False, special=False)


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
@settings(deadline=None)
def test_bytes_give_any_text_back(text: str, bytes_and_case: Any) -> None:
    special = set(KINDS["byte-bpe"].specials)
    if not any(each in text for each in special):
        assert bytes_and_case.decode(bytes_and_case.encode(text).ids) == text


def test_pieces(tmp_path: Path) -> None:
    """Where each kind sees the beginning of a word, and what it makes of a capital and of a new character."""
    given = ["Low lower lowest, low lower lowest"] * 5
    pieces = {}
    for kind in KINDS:
        pieces[kind] = trained(tmp_path / kind, given, kind=kind, size=300, special=False)
    assert pieces["wordpiece"].encode("LOWEST, é").tokens == ["lowest", ",", "[UNK]"]
    assert pieces["wordpiece"].encode("lowerst").tokens == ["lower", "##st"]
    assert pieces["bpe"].encode("LOWEST,\n\n low é").tokens == ["▁lowest", ",", "▁low", "▁", "<unk>"]
    assert pieces["byte-bpe"].encode("low LOWEST é").tokens == ["low", "Ġlowest", "Ġ", "Ã", "©"]
    cased = trained(tmp_path / "cased", given, kind="bpe", size=300, lowercase=False, special=False)
    assert cased.encode("Low LOW").tokens == ["▁Low", "▁", "L", "<unk>"]
    assert pieces["bpe"].decode(pieces["bpe"].encode("lower low").ids) == "lower low"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "given",
    [["a"], ["\ud800 half a \udfff character", "b"], ["x\0y\x07"], ["日本語のテキスト"] * 3, ["e\u0301 é"]],
    ids=["one character", "surrogates", "control characters", "no spaces", "composed"],
)
def test_odd_texts(kind: str, given: list[str], tmp_path: Path) -> None:
    found = trained(tmp_path, given, kind=kind)
    assert found.encode("a b").ids
    assert TextTokenizer(tmp_path).special == 2


@pytest.mark.parametrize("kind", ["wordpiece", "byte-bpe"])
def test_a_word_of_a_million_characters(kind: str, tmp_path: Path) -> None:
    draw = random.Random(0)
    began = time.monotonic()
    given = ["".join(draw.choices("abcdefgh", k=1_000_000)), "a" * 1_000_000, *texts()]
    found = trained(tmp_path, given, kind=kind)
    assert time.monotonic() - began < 60
    assert found.get_vocab_size() == 500


@pytest.mark.parametrize("given", [[], ["", " \n"]])
def test_no_text(given: list[str], tmp_path: Path) -> None:
    with pytest.raises(EmbeddingError, match="the corpus holds no text; give files with text"):
        trained(tmp_path / "new", given)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("kind", ["wordpiece", "bpe"])
def test_more_characters_than_room(kind: str, tmp_path: Path) -> None:
    given = [" ".join(chr(0x4E00 + at) for at in range(100))]
    with pytest.raises(
        EmbeddingError, match=r"that \d+ tokens are needed, size is 50; give size=(\d+) or more"
    ):
        trained(tmp_path, given, kind=kind, size=50)
    assert trained(tmp_path, given, kind=kind, size=300).get_vocab_size() <= 300


@pytest.mark.parametrize(
    "asked",
    [{"kind": "spm"}, {"size": 5}, {"size": 260, "kind": "byte-bpe"}, {"size": 1 << 40}, {"min_count": 0}],
)
def test_settings_that_make_no_sense(asked: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match=r"; (give|valid are)"):
        TokenizerTrainer(**asked)


def test_what_is_there_is_not_lost(tmp_path: Path) -> None:
    train_tokenizer(TokenizerTrainer(size=200), texts(), tmp_path / "t")
    with pytest.raises(StoreError, match="holds a tokenizer already; name another folder, or add --force"):
        train_tokenizer(TokenizerTrainer(), texts(), tmp_path / "t")
    (tmp_path / "t/model.safetensors").write_bytes(b"weights")
    with pytest.raises(StoreError, match=r"holds model\.safetensors, which is of no tokenizer"):
        train_tokenizer(TokenizerTrainer(), texts(), tmp_path / "t", replace=True)
    with pytest.raises(StoreError, match="is a file; name a folder"):
        train_tokenizer(TokenizerTrainer(), texts(), tmp_path / "t/tokenizer.json", replace=True)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(
        StoreError, match=r"cannot be written \(.*\); check its disk and permissions, and train again"
    ):
        train_tokenizer(TokenizerTrainer(size=200), texts(), tmp_path / "file/t")


def learned_by_the_library(lines: list[str], merges: int) -> list[tuple[str, str]]:
    """Merges of words between spaces, as `ragembed.encoder.bpe` learns them."""
    import json

    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(end_of_word_suffix=END))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Split(" ", "removed")
    size = len({symbol for word in count_words(lines) for symbol in symbols(word)}) + merges
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=size, min_frequency=2, end_of_word_suffix=END, show_progress=False
    )
    tokenizer.train_from_iterator(lines, trainer)
    return [tuple(each) for each in json.loads(tokenizer.to_str())["model"]["merges"]]  # type: ignore[misc]


def test_the_library_merges_as_its_plain_twin(shared_fixtures: Path) -> None:
    """Each of its merges is of the most frequent pair at its time, and up to the first tie the same as ours."""
    lines = (shared_fixtures / "subword_nmt/corpus.en").read_text(encoding="utf-8").splitlines()
    counts = count_words(lines)
    ours, theirs = learn(counts, 60), learned_by_the_library(lines, 60)
    tied = 0
    words = [(symbols(word), times) for word, times in counts.items()]
    for step, pair in enumerate(theirs):
        frequency: Counter[tuple[str, str]] = Counter()
        for word, times in words:
            for neighbours in pairwise(word):
                frequency[neighbours] += times
        best = max(frequency.values())
        assert frequency[pair] == best, (step, pair)
        tied = tied or (step if list(frequency.values()).count(best) > 1 else 0)
        words = [(merged(word, pair), times) for word, times in words]
    assert tied > 10
    assert theirs[:tied] == ours[:tied]


def test_the_library_cuts_as_its_plain_twin(shared_fixtures: Path) -> None:
    """With merges that ours learned."""
    lines = (shared_fixtures / "subword_nmt/corpus.en").read_text(encoding="utf-8").splitlines()
    counts = count_words(lines)
    merges = learn(counts, 500)
    alphabet = sorted({symbol for word in counts for symbol in symbols(word)})
    vocabulary = {
        each: number for number, each in enumerate([*alphabet, *("".join(pair) for pair in merges)])
    }
    model = tokenizers.models.BPE(vocab=vocabulary, merges=merges, end_of_word_suffix=END)
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    for word in list(counts)[:2000]:
        assert [token.value for token in model.tokenize(word)] == segment(word, ranks)
