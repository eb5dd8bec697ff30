"""Designs: an experiment in a short YAML file, read and checked before anything is spent.

    name: same-base-factorial
    kind: factorial              # card, factorial, corpus, runtime or api
    question: How far apart do recipes set checkpoints of one base?
    tier: demo
    behaviours: [hedging]
    checkpoints:
      - smollm2-135m-instruct                                   # a registered name
      - {name: mine, model: vllm/org/mine, family: llama, base: org/base, recipe: dpo}
    partners: openings           # bank, openings (of the same checkpoints, frozen first), or names
    identical: [[a, b]]          # two names for one checkpoint: they must not differ
    claims: [recipe]             # what the report is to say; refused where it is not identified

The rest is optional: `focal` (the new checkpoint of a card), `runtimes` and `margin` (runtime
check), `sampling` and `engine` (Inspect's generation settings), `detect` (what has to be found,
with which power), `limits` and `prices`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from inspect_ai.model import GenerateConfig
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from panelist.panels.bank import BANKS
from panelist.panels.checkpoint import Checkpoint, find_checkpoint, row_of
from panelist.panels.errors import PanelistError
from panelist.panels.tier import find_tier

Kind = Literal["card", "factorial", "corpus", "runtime", "api"]

Claim = Literal["shift", "recipe", "family", "recipe-against-family", "decomposition"]

SHIPPED = Path(__file__).parent
"""Where the designs of the package lie."""

SAMPLING = ("temperature", "top_p", "top_k", "max_tokens", "seed")

ENGINE = (
    "max_connections",
    "max_retries",
    "timeout",
    "attempt_timeout",
    "reasoning_effort",
    "reasoning_tokens",
)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Price(_Strict):
    """Dollars per million tokens."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)


class Limits(_Strict):
    """The most that a run may cost; None is no limit."""

    dollars: float | None = Field(default=None, gt=0)
    requests_per_minute: float | None = Field(default=None, gt=0)
    tokens: int | None = Field(default=None, gt=0)


class Detect(_Strict):
    """What the design has to find: a relative shift, at a base rate, with this power."""

    shift: float = Field(default=0.18, gt=0)
    base: float = Field(default=0.4, gt=0, lt=1)
    power: float = Field(default=0.8, gt=0.05, lt=1)


class Expected(_Strict):
    """Tokens of one generation, as far as they can be foreseen."""

    output_tokens: int = Field(default=110, gt=0)
    input_tokens: int = Field(default=260, gt=0)


class RuntimeSpec(_Strict):
    """One runtime of a runtime check.

    Attributes:
        name: as it stands in the report.
        models: Inspect model string by checkpoint, where it is not the checkpoint's own.
        args: model arguments, such as dtype.
        sampling: settings that differ in this runtime, such as temperature.
        engine: generation settings that differ in it, such as max_connections (batch size).
    """

    name: str
    models: dict[str, str] = {}
    args: dict[str, Any] = {}
    sampling: dict[str, Any] = {}
    engine: dict[str, Any] = {}


class Design(_Strict):
    """A design, as its file says it; see the module for the fields."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    kind: Kind
    question: str = ""
    tier: str = "demo"
    behaviours: tuple[str, ...] = ("hedging",)
    checkpoints: tuple[str | dict[str, Any], ...] = Field(min_length=1)
    focal: str | None = None
    partners: str | tuple[str, ...] = "bank"
    turns: int | None = Field(default=None, ge=2)
    identical: tuple[tuple[str, str], ...] = ()
    claims: tuple[Claim, ...] = ()
    runtimes: tuple[RuntimeSpec, ...] = ()
    margin: float = Field(default=0.1, gt=0, lt=1)
    sampling: dict[str, Any] = {}
    engine: dict[str, Any] = {}
    detect: Detect | None = None
    expected: Expected = Expected()
    limits: Limits = Limits()
    prices: dict[str, Price] = {}

    @field_validator("tier")
    @classmethod
    def _known_tier(cls, value: str) -> str:
        try:
            return find_tier(value).name
        except PanelistError as ex:
            raise ValueError(ex.message.partition("; ")[2]) from ex

    @field_validator("behaviours")
    @classmethod
    def _known_behaviours(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or set(value) - set(BANKS) or len(set(value)) < len(value):
            raise ValueError(f"give one or more of {', '.join(BANKS)}, each once")
        return value

    @property
    def rows(self) -> tuple[Checkpoint, ...]:
        """The checkpoints as registry rows, under the names of the design."""
        return tuple(_row(item) for item in self.checkpoints)

    def config(self, runtime: RuntimeSpec | None = None) -> GenerateConfig:
        """Inspect's settings of a unit."""
        extra = {**runtime.sampling, **runtime.engine} if runtime else {}
        # Without a limit Inspect tries for ever, also to start a server that cannot start.
        return GenerateConfig(**{"max_retries": 8, **self.sampling, **self.engine, **extra})


def _row(item: str | Mapping[str, Any]) -> Checkpoint:
    if isinstance(item, str):
        return find_checkpoint(item)
    if copy_of := item.get("copy_of"):
        known = find_checkpoint(str(copy_of))
        fields = {field: getattr(known, field) for field in known.__slots__}
        return row_of("checkpoints", fields | {k: v for k, v in item.items() if k != "copy_of"})
    return row_of("checkpoints", {"revision": "not stated", "licence": "not stated", **item})


def read_design(path: Path) -> Design:
    """Read a design; one of the package by its bare name.

    Raises:
        PanelistError: the file is missing, is not YAML, or a field is unknown or wrong; the
            message names the file and the field.
    """
    if not path.exists() and path.suffix == "" and path.parent == Path():
        path = SHIPPED / f"{path.name.replace('-', '_')}.yaml"
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as ex:
        shipped = ", ".join(sorted(p.stem.replace("_", "-") for p in SHIPPED.glob("*.yaml")))
        raise PanelistError(
            f"{path}: cannot read the design ({ex.strerror}); give a YAML file, or one of {shipped}"
        ) from ex
    except (yaml.YAMLError, UnicodeDecodeError) as ex:
        raise PanelistError(f"{path}: not YAML ({' '.join(str(ex).split())})") from ex
    if not isinstance(data, dict):
        raise PanelistError(f"{path}: not a design, but {type(data).__name__}; see evals/ for some")
    try:
        design = Design.model_validate(data)
        _check_settings(path, design)
        rows = design.rows
    except ValidationError as ex:
        error = ex.errors()[0]
        where = ".".join(map(str, error["loc"]))
        if error["type"] == "extra_forbidden":
            raise PanelistError(
                f"{path}, {where}: unknown field; a design has {', '.join(Design.model_fields)}"
            ) from ex
        said = error["msg"].removeprefix("Value error, ")
        raise PanelistError(f"{path}, {where}: {error['input']!r}: {said}") from ex
    except PanelistError as ex:
        raise PanelistError(ex.message if str(path) in ex.message else f"{path}: {ex}") from ex
    names = [row.name for row in rows]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise PanelistError(f"{path}, checkpoints: {', '.join(twice)} stands twice; rename one")
    return design


def _check_settings(path: Path, design: Design) -> None:
    """Refuse settings that Inspect would not know, or that stand in the wrong place."""
    for where, settings, known in [
        ("sampling", design.sampling, SAMPLING),
        ("engine", design.engine, ENGINE),
        *((f"runtimes.{r.name}.sampling", r.sampling, SAMPLING) for r in design.runtimes),
        *((f"runtimes.{r.name}.engine", r.engine, ENGINE) for r in design.runtimes),
    ]:
        if unknown := sorted(set(settings) - set(known)):
            raise PanelistError(
                f"{path}, {where}: unknown {', '.join(unknown)}; it may have {', '.join(known)}"
            )
    design.config()
