"""Names of measures: one canonical spelling for each, and all the spellings that are in use.

    measure = name [ "(" key=value, ... ")" ] [ "@" cutoff ]

``nDCG@10``, ``ndcg@10`` and trec_eval's ``ndcg_cut_10`` are one measure. What our own code computes stands in
`OWN`, and for reference spans in `SPAN`; any other name goes to ir_measures.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ragembed.errors import MissingExtraError, QueryError, RagembedError, SpecError
from ragembed.eval.ir_arguments import as_wanted, ir_arguments
from ragembed.eval.span_names import SPAN, span_cutoff, span_name, span_params
from ragembed.extras import require
from ragembed.spec import Spec, Value

Params = tuple[tuple[str, Value], ...]
"""Parameters of a measure, sorted by their names."""


@dataclass(frozen=True, slots=True)
class Measure:
    """What is measured, whoever computes it. ``str(measure)`` is the canonical name."""

    name: str
    cutoff: int | float | None = None
    """Documents that are looked at; for ir_measures' IPrec a recall level; over spans, chunks or characters."""
    params: Params = ()
    unit: str = ""
    """What the cutoff of a measure over spans counts: nothing for chunks, `CHARACTERS`."""

    def __str__(self) -> str:
        head = str(Spec(self.name, None, self.params)).replace(", ", ",")
        return head if self.cutoff is None else f"{head}@{self.cutoff}{self.unit}"


@dataclass(frozen=True, slots=True)
class Own:
    """What a measure of our own may be given."""

    needs_cutoff: bool
    graded: bool
    """Whether the gains themselves count; otherwise a gain counts if it reaches ``rel``, by default 1."""


OWN: dict[str, Own] = {
    "nDCG": Own(needs_cutoff=False, graded=True),
    "R": Own(needs_cutoff=True, graded=False),
    "P": Own(needs_cutoff=True, graded=False),
    "AP": Own(needs_cutoff=False, graded=False),
    "RR": Own(needs_cutoff=False, graded=False),
    "Success": Own(needs_cutoff=True, graded=False),
}

_ALIASES = {
    **{name.lower(): name for name in OWN},
    "ndcg_cut": "nDCG",
    "recall": "R",
    "precision": "P",
    "map": "AP",
    "map_cut": "AP",
    "mrr": "RR",
    "recip_rank": "RR",
    "hit": "Success",
    "hits": "Success",
    "hit_rate": "Success",
    "hitrate": "Success",
}
_TREC_STYLE = re.compile(r"(.*\D)[_.](\d+)")
_EXAMPLES = "nDCG@10, R@100, P@5, AP, RR@10, Success@5"


def parse_measures(measures: str | Measure | Iterable[str | Measure]) -> tuple[Measure, ...]:
    """Read names, separated by commas or given one by one; a measure named twice counts once."""
    if isinstance(measures, Measure):
        return (measures,)
    names = _split(measures) if isinstance(measures, str) else measures
    parsed = (name if isinstance(name, Measure) else parse_measure(name) for name in names)
    unique = tuple(dict.fromkeys(parsed))
    if not unique:
        raise SpecError("no measure is named", f"name some, for example {_EXAMPLES}")
    return unique


def parse_measure(text: str) -> Measure:
    """Read one name. Raises `SpecError` for an unknown one, a bad parameter, or a cutoff that is missing."""
    head, at, tail = text.strip().rpartition("@")
    if not at:
        head = tail
    spec = _spec(text, head)
    if (over_spans := span_name(spec.name)) is not None:
        size, unit = span_cutoff(text, over_spans, tail if at else None)
        return Measure(over_spans, size, span_params(text, over_spans, dict(spec.params)), unit)
    name, cutoff = spec.name, _cutoff(text, tail) if at else None
    trec_style = _TREC_STYLE.fullmatch(name)
    if trec_style and not at and _is_own(trec_style.group(1)):
        name, cutoff = trec_style.group(1), int(trec_style.group(2))
    if not _is_own(name):
        return _external(text, name, cutoff, spec)
    measure = Measure(_ALIASES[name.lower()], cutoff, _params(spec, {"rel": 1, "judged_only": False}))
    _check(text, measure)
    return measure


def ranks_seen(measure: Measure) -> int | None:
    """How many ranks `measure` looks at; None: all (the cutoff of ir_measures' IPrec is a recall level)."""
    return None if measure.cutoff is None or measure.name == "IPrec" else int(measure.cutoff)


def depth(measures: Sequence[Measure], k: int | None) -> int:
    """How many documents to retrieve for `measures`: `k`, or by default 100, or as many as they look at.

    It is 1,000, as at TREC, for one that looks at all. Raises `QueryError` where `k` is too small for them.
    """
    seen = [ranks_seen(measure) for measure in measures if not needs_spans(measure)]
    deepest = max((ranks for ranks in seen if ranks is not None), default=0)
    if k is None:
        return max(1000 if None in seen else 100, deepest)
    if k < 1:
        raise QueryError(f"k is {k}", "retrieve at least 1 document")
    if deepest > k:
        raise QueryError(
            f"a measure looks {deepest} documents deep, only {k} are retrieved", f"give -k {deepest}"
        )
    return k


def computed_here(measure: Measure) -> bool:
    """Whether our own code computes `measure`; otherwise ir_measures is asked."""
    return measure.name in OWN and all(key == "rel" for key, _ in measure.params)


def needs_spans(measure: Measure) -> bool:
    """Whether `measure` looks at reference spans (`ragembed.eval.spans`), not at judged documents."""
    return measure.name in SPAN


def ir_measure(measure: Measure) -> Any:
    """The object of ir_measures that stands for `measure`; `SpecError` where it refuses the parameters."""
    registry = _ir_registry(str(measure))
    kind = registry[measure.name]
    made = kind(**ir_arguments(str(measure), kind, dict(measure.params), measure.cutoff))
    try:
        made.validate_params()
    except AssertionError as error:
        valid = ", ".join(sorted(kind.SUPPORTED_PARAMS)) or "none"
        raise SpecError(
            f"measure {measure}: {error}", f"parameters of {measure.name} are: {valid}"
        ) from error
    module = require("ir_measures", "eval", f"measure {measure}")
    if not module.DefaultPipeline.supports(made):
        raise SpecError(
            f"no package that is installed computes {measure}",
            "leave it out, or see ir_measures' list of providers",
        )
    return made


def _split(text: str) -> list[str]:
    """Cut at the commas outside parentheses."""
    names = re.findall(r"(?:[^,()]|\([^()]*\)?|\))+", text)
    return [name for name in map(str.strip, names) if name]


def _spec(text: str, head: str) -> Spec:
    try:
        spec = Spec.parse(head.replace("α", "alpha"))
    except SpecError as error:
        raise SpecError(
            f"measure {text!r} does not parse", f"write it like one of {_EXAMPLES}, AP(rel=2)@100"
        ) from error
    if spec.target is not None:
        raise SpecError(f"measure {text!r} takes nothing after a colon", f"write it like one of {_EXAMPLES}")
    return spec


def _cutoff(text: str, written: str) -> int | float:
    try:
        return int(written)
    except ValueError:
        pass
    try:
        return float(written)
    except ValueError:
        raise SpecError(
            f"measure {text!r}: {written!r} is no cutoff", f"write it like one of {_EXAMPLES}"
        ) from None


def _params(spec: Spec, defaults: dict[str, Any], preset: dict[str, Value] | None = None) -> Params:
    """Parameters that differ from the defaults, sorted; ir_measures' single quotes are taken off."""
    given = dict(preset or {})
    for key, value in spec.params:
        quoted = isinstance(value, str) and re.fullmatch(r"'(.*)'", value)
        given[key] = quoted.group(1) if quoted else value
    return tuple(
        sorted((key, value) for key, value in given.items() if key not in defaults or value != defaults[key])
    )


def _is_own(name: str) -> bool:
    return name.lower() in _ALIASES


def _check(text: str, measure: Measure) -> None:
    own, cutoff = OWN[measure.name], measure.cutoff
    if cutoff is None and own.needs_cutoff:
        raise SpecError(f"measure {text!r} lacks a cutoff", f"write for example {measure.name}@10")
    if cutoff is not None and (not isinstance(cutoff, int) or cutoff < 1):
        raise SpecError(
            f"measure {text!r}: the cutoff {cutoff} is no whole number from 1", f"write {measure.name}@10"
        )
    if not computed_here(measure) or (own.graded and measure.params):
        ir_measure(measure)  # which knows more parameters, or says which it knows
    level = dict(measure.params).get("rel", 1)
    if not isinstance(level, int) or isinstance(level, bool) or level < 1:
        raise SpecError(
            f"measure {text!r}: rel={level} is no gain from 1", f"write for example {measure.name}(rel=2)"
        )


def _external(text: str, name: str, cutoff: int | float | None, spec: Spec) -> Measure:
    registry = _ir_registry(text)
    canonical = name if name in registry else {_plain(known): known for known in registry}.get(_plain(name))
    if canonical is None:
        hint = _near(name, 0.6)
        others = sorted(known for known in registry if not _is_own(known))
        raise SpecError(f"unknown measure {text!r}", f"{hint}valid are: {', '.join([*OWN, *SPAN, *others])}")
    kind = registry[canonical]
    defaults = {key: info.default for key, info in kind.SUPPORTED_PARAMS.items()}
    given = _params(spec, defaults, kind.params)  # NumRelRet is NumRet(rel=1)
    given = tuple((key, as_wanted(kind, key, value)) for key, value in given)
    if cutoff is not None and kind.AT_PARAM == "recall":
        cutoff = float(cutoff)
    measure = Measure(kind.__name__, cutoff, given)
    ir_measure(measure)
    return measure


def _plain(name: str) -> str:
    """ir_measures has names with a Greek letter, which no spec has."""
    return name.lower().replace("α", "alpha")


def _ir_registry(text: str) -> dict[str, Any]:
    try:
        module = require("ir_measures", "eval", f"measure {text!r}")
    except MissingExtraError as error:
        raise _without_ir_measures(text, error) from error
    registry: dict[str, Any] = module.measures.registry
    return registry


def _without_ir_measures(text: str, error: RagembedError) -> MissingExtraError:
    hint = _near(text, 0.5)
    return MissingExtraError(
        error.fault,
        f"{hint}without it there are {', '.join([*OWN, *SPAN])}; to have all measures {error.remedy}",
    )


def _near(written: str, cutoff: float) -> str:
    known = {**_ALIASES, **{name.lower(): name for name in SPAN}}
    near = difflib.get_close_matches(written.lower(), known, n=1, cutoff=cutoff)
    return f"did you mean {known[near[0]]}? " if near else ""
