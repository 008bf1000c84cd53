"""Source code and configuration: text as it is, with its language."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ragembed.read.base import Failure, ReadOptions, Source
from ragembed.read.compose import make_document
from ragembed.read.encoding import decode
from ragembed.types import Document

LANGUAGES = {
    "bash": "shell", "bat": "batch", "c": "c", "cc": "cpp", "cfg": "ini", "clj": "clojure",
    "cmake": "cmake", "conf": "ini", "cpp": "cpp", "cs": "csharp", "css": "css", "cu": "cuda",
    "cxx": "cpp", "dart": "dart", "dockerfile": "dockerfile", "el": "lisp", "erl": "erlang",
    "ex": "elixir", "exs": "elixir", "f90": "fortran", "fs": "fsharp", "go": "go", "gql": "graphql",
    "gradle": "groovy", "graphql": "graphql", "groovy": "groovy", "h": "c", "hcl": "hcl", "hh": "cpp",
    "hpp": "cpp", "hs": "haskell", "ini": "ini", "java": "java", "jl": "julia", "js": "javascript",
    "jsx": "javascript", "kt": "kotlin", "kts": "kotlin", "less": "less", "lisp": "lisp", "lua": "lua",
    "m": "objectivec", "mjs": "javascript", "mk": "make", "ml": "ocaml", "mli": "ocaml", "nim": "nim",
    "nix": "nix", "php": "php", "pl": "perl", "pm": "perl", "properties": "ini", "proto": "protobuf",
    "ps1": "powershell", "py": "python", "pyi": "python", "pyx": "cython", "r": "r", "rb": "ruby",
    "rs": "rust", "sass": "sass", "scala": "scala", "scss": "scss", "sh": "shell", "sol": "solidity",
    "sql": "sql", "svelte": "svelte", "swift": "swift", "tf": "hcl", "toml": "toml", "ts": "typescript",
    "tsx": "typescript", "v": "verilog", "vb": "basic", "vue": "vue", "xml": "xml", "xsd": "xml",
    "xsl": "xml", "yaml": "yaml", "yml": "yaml", "zig": "zig", "zsh": "shell",
}  # fmt: skip
"""Languages by the last part of a file's name."""

NAMES = {"makefile": "make", "dockerfile": "dockerfile", "cmakelists.txt": "cmake", "jenkinsfile": "groovy"}
"""Languages of files that have a name of their own."""
_SHEBANG = re.compile(rb"#!\s*\S*/(?:env\s+(?:-\S+\s+)*)?(python|bash|sh|zsh|node|perl|ruby)")
_INTERPRETERS = {b"bash": "shell", b"sh": "shell", b"zsh": "shell", b"node": "javascript"}


def language_of(name: str, head: bytes) -> str | None:
    """The language of a file by its name, else by its ``#!`` line."""
    name = name[name.rfind("/") + 1 :].lower()
    by_name = NAMES.get(name) or LANGUAGES.get(name.rpartition(".")[2] if "." in name else "")
    if by_name:
        return by_name
    match = None if "." in name else _SHEBANG.match(head)
    return _INTERPRETERS.get(match[1], match[1].decode()) if match else None


def read_code(source: Source, data: bytes, options: ReadOptions) -> Iterator[Document | Failure]:
    """One document, its text that of the file."""
    decoded = decode(data, options.encoding)
    language = language_of(source.id, data[:128])
    yield make_document(source, decoded.text, "code", first_line=1, language=language, **decoded.metadata)
