from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragembed.errors import ReadError
from ragembed.read.base import ReadOptions
from ragembed.read.encoding import decode

POLISH = "Zażółć gęślą jaźń. W Szczebrzeszynie chrząszcz brzmi w trzcinie. Źdźbło trawy się kołysze. "
RUSSIAN = "Съешь же ещё этих мягких французских булок, да выпей чаю. Это обычный русский текст. "
GERMAN = "Die Größe der Übung überrascht: schöne Grüße aus Köln, sagt Élodie. "
QUOTES = "“Smart quotes” – and dashes — it’s naïve. Ça coûte 5 €. "
JAPANESE = "今日は天気がいいので、公園に散歩に行きました。"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (POLISH * 3, "cp1250"),
        (RUSSIAN * 3, "cp1251"),
        (RUSSIAN * 20, "koi8-r"),
        (GERMAN, "latin-1"),
        (GERMAN * 20, "latin-1"),
        (QUOTES, "cp1252"),
        (QUOTES * 20, "cp1252"),
        (JAPANESE * 20, "shift_jis"),
        ("今天天气很好，我们去公园散步。" * 5, "gbk"),
        ("caf\xe9", "latin-1"),
    ],
)
def test_legacy_encodings_are_detected(text: str, encoding: str) -> None:
    decoded = decode(text.encode(encoding))
    assert decoded.text == text
    assert decoded.metadata["encoding"] == decoded.encoding != "utf-8"
    assert decoded.errors == 0


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_byte_order_marks(encoding: str) -> None:
    decoded = decode("häh?\n".encode(encoding))
    assert decoded.text == "häh?\n"
    assert decoded.encoding == encoding.removesuffix("-sig")


@given(st.text().map(lambda text: text.replace("\0", "").replace("\r", "")))
def test_utf8_comes_back_as_it_is(text: str) -> None:
    decoded = decode(text.encode())
    assert (decoded.text, decoded.metadata) == (text.removeprefix("\ufeff"), {})


@given(st.binary(max_size=300), st.none() | st.sampled_from(["cp1252", "nonsense", "iso-2022-jp"]))
def test_any_bytes_give_text_that_can_be_stored(data: bytes, declared: str | None) -> None:
    decode(data, declared=declared).text.encode()


def test_damaged_utf8_stays_utf8() -> None:
    good = "Ünïcödé text is fine. ".encode()
    decoded = decode(good + b"\xff\xfe" + good)
    assert decoded.text == "Ünïcödé text is fine. \ufffd\ufffdÜnïcödé text is fine. "
    assert decoded.metadata == {"decoding_errors": 2}


def test_genuine_replacement_characters_are_no_errors() -> None:
    assert decode("a\ufffdb".encode()).errors == 0
    assert decode("é a\ufffdb".encode() + b"\xff").errors == 1


def test_a_given_encoding_is_obeyed_or_refused() -> None:
    assert decode(b"caf\xe9", given="cp1250").text == "café"
    assert decode("\ufeffx".encode(), given="utf-8").text == "x"
    with pytest.raises(ReadError, match="text is not valid utf-8 at byte 4; give its true encoding"):
        decode(b"caf\xe9", given="utf-8")


def test_unknown_encodings_are_refused_before_anything_is_read() -> None:
    for name in ("utf-9", "zip", "base64"):
        with pytest.raises(ReadError, match=f"unknown encoding '{name}'"):
            ReadOptions(encoding=name)


def test_bytes_without_a_nul_are_not_taken_for_two_bytes_a_character() -> None:
    """These four were read as three Chinese characters, and two lines as one."""
    assert decode(b"a\nb\xff\xfe\n").text.count("\n") == 2


def test_line_ends() -> None:
    assert decode(b"a\r\nb\r\n").text == "a\r\nb\r\n"
    assert decode(b"a\rb\r").text == "a\nb\n"
    assert decode(b"10%\r20%\ndone").text == "10%\r20%\ndone"


def test_late_nul_bytes_are_shown() -> None:
    assert decode(b"log\0\0").text == "log\ufffd\ufffd"
    assert decode(b"log\0\0").errors == 2


def test_what_a_page_declares_helps_where_utf8_fails() -> None:
    turkish = "şehirde yürüyüşe çıktık"
    assert decode(turkish.encode("cp1254"), declared="windows-1254").text == turkish
    assert decode(turkish.encode(), declared="windows-1254").text == turkish
    assert decode(JAPANESE.encode("iso-2022-jp"), declared="iso-2022-jp").text == JAPANESE
