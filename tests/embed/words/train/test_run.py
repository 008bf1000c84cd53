"""The loop of rounds: checkpoints, resuming, replacing, updating, with a trainer whose numbers can be followed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from ragembed.embed.words.corpus import TokenCorpus
from ragembed.embed.words.train.base import Arrays, Start, Tell, Trainer
from ragembed.embed.words.train.reading import Reading
from ragembed.embed.words.train.run import Watch, train_to_folder, trained
from ragembed.embed.words.train.work_folder import put_in_place
from ragembed.embed.words.vectors import WordVectors
from ragembed.errors import EmbeddingError, LockedError, SpecError, StoreError
from ragembed.index.lock import write_lock

TEXTS = ["apple pear apple", "pear plum apple"]
READING = Reading(min_count=1)


@dataclass(kw_only=True)
class Adding(Trainer):
    """Adds the round's number, from 1, times `step` to every weight; stops dead before round `dies`."""

    name: ClassVar[str] = "adding"

    epochs: int = 4
    step: float = 1.0
    dies: int | None = field(default=None, init=False)
    made: list[int] = field(default_factory=list, init=False)

    @property
    def rounds(self) -> int:
        return self.epochs

    def prepare(self, corpus: TokenCorpus, folder: Path, start: Start | None, tell: Tell) -> None:
        self.words, self.counts = corpus.words, corpus.counts
        self.weights = np.zeros((len(corpus.words), 2), np.float32)
        if start is not None:
            self.weights[: len(start.vectors)] = start.arrays["weights"]

    def round(self, number: int, tell: Tell) -> float:
        if number == self.dies:
            raise KeyboardInterrupt
        self.made.append(number)
        self.weights = self.weights + np.float32(self.step * (number + 1))
        return float(self.step / (number + 1))

    def arrays(self) -> Arrays:
        return {"weights": self.weights}

    def restore(self, arrays: Arrays, meta: Mapping[str, Any]) -> None:
        self.weights = np.array(arrays["weights"])

    def result(self) -> WordVectors:
        return WordVectors(self.words, self.weights, counts=self.counts)


def test_trains_and_saves(tmp_path: Path) -> None:
    told: list[tuple[int, int, float]] = []
    watch = Watch(rounds=lambda number, of, loss, seconds: told.append((number, of, loss)))
    done = train_to_folder(Adding(), TEXTS, tmp_path / "model", reading=READING, watch=watch)
    assert (done.words, done.tokens, done.texts) == (3, 6, 2)
    assert done.losses == [1, 0.5, 1 / 3, 0.25]
    assert told == [(n, 4, 1 / n) for n in (1, 2, 3, 4)]
    vectors = WordVectors.open(tmp_path / "model")
    assert list(vectors.words) == ["apple", "pear", "plum"]
    assert np.all(vectors.vectors == 1 + 2 + 3 + 4)
    assert vectors.counts is not None
    assert vectors.counts.tolist() == [3, 2, 1]
    assert vectors.info["method"] == "adding"
    assert vectors.info["settings"] == {"epochs": 4, "step": 1.0}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    output = tmp_path / "model"
    first = Adding()
    first.dies = 2
    with pytest.raises(KeyboardInterrupt):
        train_to_folder(first, TEXTS, output, reading=READING, checkpoint_seconds=0)
    assert not output.exists()
    second = Adding()
    done = train_to_folder(second, TEXTS, output, reading=READING, checkpoint_seconds=0)
    assert second.made == [2, 3]
    assert done.resumed_after == 2
    assert done.losses == [1, 0.5, 1 / 3, 0.25]
    assert np.all(WordVectors.open(output).vectors == 10)


def test_the_same_source_is_not_read_again(tmp_path: Path) -> None:
    def must_not_be_read() -> Any:
        raise AssertionError
        yield

    first = Adding()
    first.dies = 1
    with pytest.raises(KeyboardInterrupt):
        train_to_folder(first, TEXTS, tmp_path / "m", reading=READING, source=["a", 1], checkpoint_seconds=0)
    second = Adding()
    train_to_folder(second, must_not_be_read(), tmp_path / "m", reading=READING, source=["a", 1])
    assert second.made == [1, 2, 3]


@pytest.mark.parametrize("source", [None, []])
def test_what_says_nothing_of_its_source_is_read_again(source: Any, tmp_path: Path) -> None:
    first = Adding()
    first.dies = 1
    with pytest.raises(KeyboardInterrupt):
        train_to_folder(first, TEXTS, tmp_path / "m", reading=READING, source=source)
    train_to_folder(Adding(), [*TEXTS, "fig fig"], tmp_path / "m", reading=READING, source=source)
    assert "fig" in WordVectors.open(tmp_path / "m").words


def test_other_texts_are_refused_where_there_is_a_checkpoint(tmp_path: Path) -> None:
    first = Adding()
    first.dies = 1
    with pytest.raises(KeyboardInterrupt):
        train_to_folder(first, TEXTS, tmp_path / "m", reading=READING, source=["a", 1], checkpoint_seconds=0)
    more = [*TEXTS, "fig fig"]
    with pytest.raises(StoreError, match="interrupted training on other texts; give the same texts"):
        train_to_folder(Adding(), more, tmp_path / "m", reading=READING, source=["a", 2])
    second = Adding()
    train_to_folder(second, TEXTS, tmp_path / "m", reading=READING, source=["a", 1])
    assert second.made == [1, 2, 3]  # what was refused cost nothing


def test_other_texts_begin_anew_with_restart(tmp_path: Path) -> None:
    first = Adding()
    first.dies = 1
    with pytest.raises(KeyboardInterrupt):
        train_to_folder(first, TEXTS, tmp_path / "m", reading=READING, checkpoint_seconds=0)
    second = Adding()
    train_to_folder(second, [*TEXTS, "fig fig"], tmp_path / "m", reading=READING, restart=True)
    assert second.made == [0, 1, 2, 3]
    assert "fig" in WordVectors.open(tmp_path / "m").words


@pytest.mark.parametrize("texts", [TEXTS, []])
def test_a_folder_of_somebody_elses_is_not_worked_in(texts: list[str], tmp_path: Path) -> None:
    """Also where the corpus itself lies in it, and where the training fails."""
    (tmp_path / "m.training").mkdir()
    (tmp_path / "m.training" / "early.txt").write_text("apple pear")
    with pytest.raises(StoreError, match=r"m\.training, where early\.txt is, which no training made"):
        train_to_folder(Adding(), texts, tmp_path / "m", reading=READING)
    assert (tmp_path / "m.training" / "early.txt").read_text() == "apple pear"


@pytest.mark.parametrize("left", ["checkpoint.new", "checkpoint.old", ".result.ab12.tmp", "plan.json.tmp"])
def test_what_a_kill_leaves_in_between_is_no_stranger(left: str, tmp_path: Path) -> None:
    (tmp_path / "m.training" / left).mkdir(parents=True)
    train_to_folder(Adding(), TEXTS, tmp_path / "m", reading=READING)
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_more_than_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def prepare(*_: Any) -> None:
        np.empty(1 << 60, np.uint8)

    monkeypatch.setattr(Adding, "prepare", prepare)
    with pytest.raises(EmbeddingError, match=r"adding needs more memory than there is \(.*\); lower the dim"):
        train_to_folder(Adding(), TEXTS, tmp_path / "m", reading=READING)
    assert not list(tmp_path.iterdir())


def test_other_settings_are_refused_until_restart(tmp_path: Path) -> None:
    first = Adding()
    first.dies = 1
    with pytest.raises(KeyboardInterrupt):
        train_to_folder(first, TEXTS, tmp_path / "m", reading=READING, checkpoint_seconds=0)
    with pytest.raises(StoreError, match=r"step=1.0 where 2.0 is asked for now"):
        train_to_folder(Adding(step=2.0), TEXTS, tmp_path / "m", reading=READING)
    train_to_folder(Adding(step=2.0), TEXTS, tmp_path / "m", reading=READING, restart=True)
    assert np.all(WordVectors.open(tmp_path / "m").vectors == 20)


def test_replaces_a_model_only_when_told(tmp_path: Path) -> None:
    output = tmp_path / "m"
    train_to_folder(Adding(), TEXTS, output, reading=READING)
    with pytest.raises(StoreError, match="holds a trained model already"):
        train_to_folder(Adding(), TEXTS, output, reading=READING)
    train_to_folder(Adding(step=3.0), TEXTS, output, reading=READING, replace=True)
    assert np.all(WordVectors.open(output).vectors == 30)


def test_replaces_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("dear")
    with pytest.raises(StoreError, match="no model"):
        train_to_folder(Adding(), TEXTS, tmp_path / "letters", reading=READING, replace=True)
    assert (tmp_path / "letters" / "dear.txt").exists()


def test_one_at_a_time(tmp_path: Path) -> None:
    work = tmp_path / "m.training"
    work.mkdir()
    with write_lock(work), pytest.raises(LockedError):
        train_to_folder(Adding(), TEXTS, tmp_path / "m", reading=READING)


def test_update_keeps_words_and_adds_new_ones(tmp_path: Path) -> None:
    output = tmp_path / "m"
    train_to_folder(Adding(), TEXTS, output, reading=READING)
    done = train_to_folder(Adding(), ["fig apple fig"], output, reading=READING, update=output)
    vectors = WordVectors.open(output)
    assert list(vectors.words) == ["apple", "pear", "plum", "fig"]
    assert vectors.vectors[:, 0].tolist() == [20, 20, 20, 10]
    assert done.drift is not None
    assert done.drift.to_json()["new_words"] == 1


def test_a_kill_between_the_renames_of_an_update(tmp_path: Path) -> None:
    output = tmp_path / "m"
    train_to_folder(Adding(), TEXTS, output, reading=READING)
    (tmp_path / "m.training").mkdir()
    output.rename(tmp_path / "m.training" / "replaced")
    train_to_folder(Adding(), ["fig apple fig"], output, reading=READING, update=output)
    assert WordVectors.open(output).vectors[:, 0].tolist() == [20, 20, 20, 10]


def test_a_kill_after_the_last_rename_leaves_nothing_to_go_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    output, work = tmp_path / "m", tmp_path / "m.training"
    place = "ragembed.embed.words.train.run.put_in_place"
    monkeypatch.setattr(place, lambda *where: (put_in_place(*where), die()))
    with pytest.raises(KeyboardInterrupt):
        train_to_folder(Adding(), TEXTS, output, reading=READING, checkpoint_seconds=0)
    assert np.all(WordVectors.open(output).vectors == 10)
    assert (work / "checkpoint").is_dir()
    with pytest.raises(StoreError, match="holds a trained model already"):
        train_to_folder(Adding(), TEXTS, output, reading=READING)
    assert not work.exists()


def test_an_interrupted_replacement_of_a_model_is_gone_on_with(tmp_path: Path) -> None:
    output = tmp_path / "m"
    train_to_folder(Adding(), TEXTS, output, reading=READING)
    first = Adding()
    first.dies = 2
    with pytest.raises(KeyboardInterrupt):
        train_to_folder(first, TEXTS, output, reading=READING, replace=True, checkpoint_seconds=0)
    second = Adding()
    train_to_folder(second, TEXTS, output, reading=READING, replace=True)
    assert second.made == [2, 3]


def test_a_full_disk_is_told_in_terms_of_the_training(tmp_path: Path) -> None:
    def texts() -> Iterator[str]:
        yield from TEXTS
        raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match=r"No space left.*run the same again$") as caught:
        train_to_folder(Adding(), texts(), tmp_path / "m", reading=READING)
    assert "index" not in str(caught.value)


def test_what_diverges_is_told(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingError, match="diverged"), np.errstate(all="ignore"):
        train_to_folder(Adding(step=float("inf")), TEXTS, tmp_path / "m", reading=READING)
    assert not (tmp_path / "m").exists()


def test_in_a_temporary_folder() -> None:
    with trained(Adding(), TEXTS, reading=READING) as (vectors, corpus):
        assert np.all(vectors.vectors == 10)
        assert list(corpus) == [["apple", "pear", "apple"], ["pear", "plum", "apple"]]
    assert json.dumps(vectors.info)


def test_reading_checks_its_numbers() -> None:
    with pytest.raises(SpecError, match="no tokenizer"):
        Reading(tokens="bytes")
    for wrong in ({"min_count": 0}, {"max_words": 1}, {"phrases": -1}, {"phrase_threshold": float("nan")}):
        ((name, value),) = wrong.items()
        with pytest.raises(SpecError, match=f"^{name}={value} makes no sense; give "):
            Reading(**wrong)  # type: ignore[arg-type]


def test_an_error_leaves_nothing_that_would_refuse_the_next_try(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingError, match="stand in it 5 times"):
        train_to_folder(Adding(), TEXTS, tmp_path / "m")
    assert not list(tmp_path.iterdir())


def test_what_has_no_checkpoint_yet_gives_way_to_other_settings(tmp_path: Path) -> None:
    first = Adding()
    first.dies = 0
    with pytest.raises(KeyboardInterrupt):
        train_to_folder(first, TEXTS, tmp_path / "m", reading=READING)
    train_to_folder(Adding(step=2.0), TEXTS, tmp_path / "m", reading=READING)
    assert np.all(WordVectors.open(tmp_path / "m").vectors == 20)


@pytest.mark.parametrize("damage", ["", None])
def test_a_checkpoint_of_nobody_knows_whom_is_dropped(damage: str | None, tmp_path: Path) -> None:
    first = Adding()
    first.dies = 2
    with pytest.raises(KeyboardInterrupt):
        train_to_folder(first, TEXTS, tmp_path / "m", reading=READING, checkpoint_seconds=0)
    plan = tmp_path / "m.training" / "plan.json"
    plan.unlink()
    if damage is not None:
        plan.write_text(damage)
    second = Adding(step=2.0)
    train_to_folder(second, TEXTS, tmp_path / "m", reading=READING)
    assert second.made == [0, 1, 2, 3]


def test_the_root_is_no_model() -> None:
    with pytest.raises(StoreError, match="cannot be written to /"):
        train_to_folder(Adding(), TEXTS, Path("/"), reading=READING)
