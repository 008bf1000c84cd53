"""What an update takes over from the model that it goes on from, with real trainers and the command line's way in."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ragembed.embed.words.train.checkpoint import STATE
from ragembed.embed.words.train.reading import Reading
from ragembed.embed.words.train.run import train_to_folder
from ragembed.embed.words.train.update import inherited
from ragembed.embed.words.vectors import WordVectors
from ragembed.errors import CorruptError, EmbeddingError, SpecError

pytest.importorskip("gensim", reason="needs the extra words")
from ragembed.embed.words.train.on_gensim.word2vec import Word2VecTrainer

TEXTS = ["New York is large , New York is old .", "The new mayor of New York is here ."] * 30
SETTINGS: dict[str, Any] = {"dimension": 6, "window": 3, "skipgram": False, "epochs": 2, "workers": 1}
READING = Reading(tokens="cased", min_count=2, phrases=1, phrase_threshold=1.0)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "old"
    train_to_folder(Word2VecTrainer(**SETTINGS), TEXTS, folder, reading=READING)
    assert "New_York" in WordVectors.open(folder).words
    return folder


def test_what_is_not_asked_for_is_as_it_was(model: Path) -> None:
    trainer, reading = inherited(model, "word2vec")
    assert trainer.settings() == {**Word2VecTrainer(**SETTINGS).settings(), "workers": None}
    assert reading == READING
    trainer, _ = inherited(model, "word2vec(epochs=7)")
    assert trainer.settings() == {**Word2VecTrainer(**SETTINGS).settings(), "epochs": 7, "workers": None}


def test_another_trainer_is_refused(model: Path) -> None:
    with pytest.raises(EmbeddingError, match="was trained by word2vec, not glove; train word2vec"):
        inherited(model, "glove")
    with pytest.raises(SpecError, match="no parameter 'size'"):
        inherited(model, "word2vec(size=3)")


def test_phrases_of_the_model_are_joined_and_no_others_learnt(model: Path, tmp_path: Path) -> None:
    """Once is too rare for a phrase to be learnt, and San Francisco would be one."""
    texts = ["Once New York .", *["San Francisco is here ."] * 30]
    train_to_folder(Word2VecTrainer(**SETTINGS), texts, tmp_path / "new", update=model)
    old, new = WordVectors.open(model), WordVectors.open(tmp_path / "new")
    assert old.counts is not None
    assert new.counts is not None
    at = list(old.words).index("New_York")
    assert new.words[at] == "New_York"
    assert new.counts[at] == old.counts[at] + 1
    assert set(new.words[len(old) :]) == {"San", "Francisco"}
    assert new.info["phrases"] == old.info["phrases"]
    assert new.info["tokenizer"] == old.info["tokenizer"]
    assert new.info["reading"] == old.info["reading"]


@pytest.mark.parametrize(
    ("settings", "reading", "message"),
    [
        ({"dimension": 7}, {}, "trained with dimension=6, dimension=7 is asked for; give dimension=6"),
        ({}, {"tokens": "words"}, "cut by the tokenizer cased, words is asked for; leave it as it was"),
        ({}, {"phrases": 2}, "trained with phrases=1, 2 is asked for; leave it out"),
        ({}, {"phrase_threshold": 5.0}, "trained with phrase_threshold=1.0, 5.0 is asked for; leave it out"),
    ],
)
def test_what_cannot_change_is_refused_before_anything_is_read(
    settings: dict[str, Any], reading: dict[str, Any], message: str, model: Path, tmp_path: Path
) -> None:
    def never() -> Any:
        raise AssertionError
        yield

    asked = Reading(**{**vars(READING), **reading})
    trainer = Word2VecTrainer(**{**SETTINGS, **settings})
    with pytest.raises(EmbeddingError, match=message):
        train_to_folder(trainer, never(), tmp_path / "new", reading=asked, update=model)
    assert not list(tmp_path.iterdir())


def test_a_model_that_a_kill_left_between_two_renames_is_found(model: Path, tmp_path: Path) -> None:
    (tmp_path / "m.training").mkdir()
    shutil.copytree(model, tmp_path / "m.training" / "replaced")
    _, reading = inherited(tmp_path / "m", "word2vec")
    assert reading == READING
    assert (tmp_path / "m").is_dir()


def damaged(model: Path, folder: Path, change: Any) -> Path:
    """A copy of the model whose ``values.json`` was changed."""
    shutil.copytree(model, folder)
    path = folder / STATE / "values.json"
    listed = json.loads(path.read_text())
    change(listed)
    path.write_text(json.dumps(listed))
    return folder


@pytest.mark.parametrize("name", ["settings", "meta"])
@pytest.mark.parametrize("wrong", [None, 7])
def test_a_state_that_does_not_say_how_it_was_trained(
    model: Path, tmp_path: Path, name: str, wrong: Any
) -> None:
    old = damaged(model, tmp_path / "old", lambda listed: listed["values"].update({name: wrong}))
    with pytest.raises(CorruptError, match="does not say how the model was trained"):
        inherited(old, "word2vec")
    with pytest.raises(CorruptError, match="does not say how the model was trained"):
        train_to_folder(Word2VecTrainer(**SETTINGS), TEXTS, tmp_path / "new", reading=READING, update=old)


def test_a_state_without_its_arrays(model: Path, tmp_path: Path) -> None:
    old = damaged(model, tmp_path / "old", lambda listed: listed["arrays"].remove("syn0"))
    with pytest.raises(CorruptError, match="has syn0 of shape None"):
        train_to_folder(Word2VecTrainer(**SETTINGS), TEXTS, tmp_path / "new", reading=READING, update=old)


def test_a_reading_that_is_none(model: Path, tmp_path: Path) -> None:
    shutil.copytree(model, tmp_path / "old")
    path = tmp_path / "old" / "words.json"
    state = json.loads(path.read_text())
    state["info"]["reading"]["min_count"] = "few"
    path.write_text(json.dumps(state))
    with pytest.raises(EmbeddingError, match="do not say how their texts were read"):
        inherited(tmp_path / "old", "word2vec")
