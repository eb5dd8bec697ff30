"""Designs: what is refused before anything is spent, and what a check says of the rest."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from panelist.evals.check import Checked, check
from panelist.evals.design import SHIPPED, read_design
from panelist.evals.units import Plan
from panelist.panels.errors import PanelistError

A = {"name": "a", "model": "mockllm/a", "family": "x", "base": "x/b", "recipe": "sft"}
B = A | {"name": "b", "model": "mockllm/b", "recipe": "dpo"}
OTHER = A | {"name": "o", "model": "mockllm/o", "family": "y", "base": "y/b"}
GOOD: dict[str, Any] = {
    "name": "mine",
    "kind": "factorial",
    "checkpoints": [A, B],
    "claims": ["recipe"],
}


def written(folder: Path, **changes: Any) -> Path:
    path = folder / "design.yaml"
    path.write_text(yaml.safe_dump(GOOD | changes))
    return path


def checked(folder: Path, **changes: Any) -> Checked:
    path = written(folder, **changes)
    return check(read_design(path), path)


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_design_may_be_run(path: Path) -> None:
    design = read_design(path)
    assert design.name == path.stem.replace("_", "-")
    made = check(design, path)
    assert made.chains > 0
    assert design.question


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"teir": "demo"}, "teir: unknown field"),
        ({"tier": "huge"}, "tier: 'huge': choose one of demo"),
        ({"kind": "survey"}, "kind: 'survey'"),
        ({"name": "No Spaces"}, "name: 'No Spaces'"),
        ({"behaviours": ["politeness"]}, "behaviours: .*give one or more of hedging"),
        ({"checkpoints": []}, "checkpoints"),
        ({"checkpoints": ["gpt-99"]}, "unknown checkpoint 'gpt-99'"),
        ({"checkpoints": [A, A]}, "a stands twice"),
        ({"checkpoints": [A, B | {"recipe": "magic"}]}, "recipe: unknown value 'magic'"),
        ({"checkpoints": [A, {"name": "b"}]}, "a checkpoint needs"),
        ({"checkpoints": [A, OTHER]}, "a same-base factorial has two or more checkpoints"),
        ({"sampling": {"heat": 1}}, "sampling: unknown heat"),
        ({"engine": {"temperature": 1}}, "engine: unknown temperature"),
        ({"claims": ["family"]}, "claims: family is not identified"),
        ({"claims": ["decomposition"]}, "claims: decomposition is not identified"),
        ({"kind": "corpus"}, "needs two families"),
        ({"kind": "runtime"}, "a runtime check compares two or more"),
        ({"kind": "card"}, "focal: None; a card is about one of"),
        ({"focal": "a"}, "focal: only a design of kind card"),
        ({"runtimes": [{"name": "r"}]}, "runtimes: only a design of kind runtime"),
        ({"partners": "everyone"}, "partners: 'everyone'; give bank"),
        ({"partners": "openings", "turns": 4}, "turns: 4; frozen partners only open"),
        ({"identical": [["a", "b"]]}, "not two names of one model"),
        ({"identical": [["a", "z"]]}, "identical: 'z' is not in checkpoints"),
        (
            {
                "checkpoints": [A, A | {"name": "a2"}, B],
                "identical": [["a", "a2"]],
                "sampling": {"temperature": 0},
            },
            "identical: at temperature 0",
        ),
        ({"limits": {"tokens": 1000}}, r"limits.tokens: about [\d,]+ tokens are needed"),
        ({"limits": {"dollars": -1}}, "limits.dollars"),
        (
            {"limits": {"dollars": 1}, "checkpoints": [A, B | {"model": "openai/gpt-4o-mini"}]},
            "prices: limits.dollars needs a price for every API model",
        ),
        (
            {"limits": {"dollars": 0.01}, "prices": {"mockllm/a": {"input": 9, "output": 9}}},
            r"limits.dollars: about \$[\d.]+ is needed, the limit is \$0.01",
        ),
        ({"detect": {"shift": 0.18}}, "detect.shift: 18 % cannot be found with 80 % power"),
    ],
)
def test_a_design_that_cannot_be_run_as_it_says_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(PanelistError, match=message) as refusal:
        checked(tmp_path, **changes)
    assert "design.yaml" in str(refusal.value)
    assert len(str(refusal.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [("a: [", "not YAML"), ("- a\n", "not a design, but list"), ("", "not a design")],
)
def test_what_is_no_design_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(PanelistError, match=message):
        read_design(path)


def test_a_missing_design_names_the_shipped_ones(tmp_path: Path) -> None:
    with pytest.raises(PanelistError, match="same-base-factorial"):
        read_design(tmp_path / "nowhere.yaml")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    ),
    st.sampled_from(["checkpoints", "partners", "limits", "runtimes", "identical", "sampling"]),
)
def test_no_value_of_a_field_is_a_crash(
    tmp_path_factory: pytest.TempPathFactory, value: Any, field: str
) -> None:
    path = tmp_path_factory.mktemp("d") / "design.yaml"
    path.write_text(yaml.safe_dump(GOOD | {field: value}))
    try:
        check(read_design(path), path)
    except PanelistError as refusal:
        assert "design.yaml" in str(refusal)


def test_chains_generations_and_cost_are_counted(tmp_path: Path) -> None:
    made = checked(
        tmp_path,
        partners="openings",
        prices={"mockllm/a": {"input": 1.0, "output": 2.0}},
        expected={"input_tokens": 100, "output_tokens": 50},
        sampling={"max_tokens": 200},
    )
    # Two focals x two partners x 24 seeds x 2 replies, and 24 openings of each.
    assert made.chains == 2 * 2 * 24 * 2
    assert made.generations == made.chains + 2 * 24
    own = made.generations / 2
    assert made.tokens == made.generations * 150
    assert made.most_output == made.generations * 200
    assert made.dollars == pytest.approx(own * (100 * 1 + 50 * 2) / 1e6)
    assert made.most_dollars == pytest.approx(own * (100 * 1 + 200 * 2) / 1e6)


def test_round_tables_count_every_live_turn(tmp_path: Path) -> None:
    path = written(tmp_path, partners=["self+mockllm/c", "scripted-low"])
    [step] = Plan(read_design(path)).steps
    assert step.turns == 3
    assert step.n_partners == 2


def test_the_check_says_what_is_not_identified(tmp_path: Path) -> None:
    said = dict(checked(tmp_path).lines())
    assert said["recipe"].startswith("1 pairs with same base")
    assert said["family"].startswith("not identified")


def test_more_seeds_find_less(tmp_path: Path) -> None:
    small = [checked(tmp_path, tier=tier).smallest_contrast for tier in ("demo", "quick")]
    assert None not in small
    assert small[1] < small[0]  # type: ignore[operator]
