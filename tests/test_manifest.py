"""What a corpus says of itself, and what may be added to it."""

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from panelist.evals.corpus_run import Growth, Options
from panelist.evals.design import Design
from panelist.panels.bank import BANKS
from panelist.panels.cast import cast_partners
from panelist.panels.chain import Chain, Turn
from panelist.panels.corpus import TURNS, Part, key_of, table_of, write_part
from panelist.panels.errors import PanelistError
from panelist.panels.manifest import (
    NAME,
    Manifest,
    grown,
    partner_of,
    read_manifest,
    record_in,
    write_manifest,
)
from panelist.panels.tier import find_tier

ROW = {"family": "x", "base": "x/b", "recipe": "sft"}


def planned(folder: Path, **said: Any) -> Manifest:
    """What a design's corpus is to say, as it stands in the file."""
    names = said.pop("names", ("a",))
    design = Design(
        name="mine",
        kind="card",
        focal=names[0],
        checkpoints=tuple({"name": n, "model": f"mockllm/{n}", **ROW} for n in names),
        **{"tier": "3x2", "partners": ("scripted-low", "self"), **said},
    )
    run = Growth(design, folder / "d.yaml", folder / "planned", Options(batch=9), print)
    return filed(folder, run.planned(run.plan.steps[0], find_tier(design.tier), None)[1])


def filed(folder: Path, manifest: Manifest) -> Manifest:
    """As it comes back from a file."""
    write_manifest(folder / "file", manifest)
    return read_manifest(folder / "file")


def put(corpus: Path, text: str) -> Part:
    chain = Chain("c", "s", "Q?", "a", "self", 1, (Turn(1, "partner", "self", text),))
    return write_part(corpus / TURNS, "a", "self", table_of([chain]), key=key_of([text]))


def listed(part: Part) -> dict[str, Any]:
    data = part.path.read_bytes()
    return {"sha256": sha256(data).hexdigest(), "bytes": len(data)}


def damage(corpus: Path, text: str | None = None, **changes: Any) -> Path:
    """A manifest that is not one: a text, or a good one with changes; None takes a key away."""
    write_manifest(corpus, planned(corpus))
    path = corpus / NAME
    data = json.loads(path.read_text()) | changes
    kept = {key: value for key, value in data.items() if value is not None or key == "turns"}
    path.write_text(json.dumps(kept) if text is None else text)
    return path


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    manifest = planned(tmp_path, names=("a", "b"), sampling={"seed": 7, "temperature": 0.5})
    write_manifest(tmp_path, manifest)
    assert read_manifest(tmp_path) == manifest
    assert not list(tmp_path.glob(".*"))
    assert manifest.base_seed == 7
    assert manifest.checkpoints["b"]["sampling"]["temperature"] == 0.5
    low = manifest.partners["scripted-low"]
    _, bank = cast_partners(["scripted-low"], BANKS["hedging"], False)
    assert bank is not None
    assert low["words"] == {
        seed: sha256(bank.turns[seed, "scripted-low"].encode()).hexdigest()[:16]
        for seed in manifest.seeds
    }
    assert (manifest.bank, manifest.bank_sha256) == (bank.version, bank.sha256)


def test_the_files_are_listed_as_they_were_written(tmp_path: Path) -> None:
    corpus = tmp_path / "file"
    kept, gone = put(corpus, "One."), put(corpus, "Two.")
    said = {part.path.relative_to(corpus).as_posix(): listed(part) for part in (kept, gone)}
    first = planned(tmp_path)
    assert first.files == said
    gone.path.unlink()
    kept.path.write_bytes(b"changed since")
    assert filed(tmp_path, first).files == {
        name: listed for name, listed in said.items() if not name.endswith(gone.path.name)
    }


@pytest.mark.parametrize(
    ("text", "changes", "message"),
    [
        ('{"format": 1', {}, "damaged"),
        ("[1]", {}, r"format: \[1\]"),
        (None, {"format": 2}, "format: 2; this panelist reads 1"),
        (None, {"seeds": None}, "not a manifest .*seeds"),
        (None, {"colour": "red"}, "not a manifest .*colour"),
    ],
)
def test_what_is_no_manifest_is_refused(
    tmp_path: Path, text: str | None, changes: dict[str, Any], message: str
) -> None:
    path = damage(tmp_path, text, **changes)
    with pytest.raises(PanelistError, match=message) as refusal:
        read_manifest(tmp_path)
    assert str(path) in str(refusal.value)
    assert len(str(refusal.value).splitlines()) == 1


def test_bytes_that_are_no_text_are_damage(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"\xff\xfe")
    with pytest.raises(PanelistError, match=r"manifest\.json: damaged"):
        read_manifest(tmp_path)


def test_a_folder_without_a_manifest_is_no_corpus(tmp_path: Path) -> None:
    with pytest.raises(PanelistError, match=r"not a corpus, it has no manifest\.json") as refusal:
        read_manifest(tmp_path / "nowhere")
    assert str(tmp_path / "nowhere") in str(refusal.value)


def test_the_same_design_grows_nothing(tmp_path: Path) -> None:
    said: dict[str, Any] = {"partners": ("self", "self+mockllm/x", "scripted-low+self+focal")}
    old = planned(tmp_path, **said)
    assert filed(tmp_path, grown(old, planned(tmp_path, **said), tmp_path)) == old
    assert [partner_of(p) for p in old.partners.values()] == list(
        cast_partners(said["partners"], "v1", False)[0]
    )


def test_what_is_added_joins_what_is_there(tmp_path: Path) -> None:
    old = planned(tmp_path, names=("a", "b"), tier="3x4")
    runtimes = {n: {**said, "runtime": {"engine": n}} for n, said in old.checkpoints.items()}
    note = {"chains": 1}
    old = replace(old, checkpoints=runtimes, files={"f": {"bytes": 1}}, generated=[note])
    new = planned(tmp_path, names=("b", "c"), tier="5x6", partners=("self", "scripted-high"))
    made = grown(old, new, tmp_path)
    assert (made.files, made.generated) == (old.files, [note])
    both = filed(tmp_path, made)
    assert set(both.checkpoints) == {"a", "b", "c"}
    assert both.checkpoints["b"]["runtime"] == {"engine": "b"}
    assert set(both.partners) == {"scripted-low", "self", "scripted-high"}
    assert list(both.seeds) == list(new.seeds)
    assert both.asked == {
        "a": {"scripted-low": [3, 4], "self": [3, 4]},
        "b": {"scripted-low": [3, 4], "self": [5, 6], "scripted-high": [5, 6]},
        "c": {"self": [5, 6], "scripted-high": [5, 6]},
    }
    assert both.design == new.design


def test_grids_of_which_none_is_part_of_the_other_are_refused(tmp_path: Path) -> None:
    old, new = planned(tmp_path, tier="3x4"), planned(tmp_path, tier="5x2")
    with pytest.raises(PanelistError, match=r"3 seeds x 4 replies.* now 5 x 2.*Take 5x4"):
        grown(old, new, tmp_path)


def test_a_smaller_design_takes_nothing_away(tmp_path: Path) -> None:
    old, new = planned(tmp_path, tier="5x2"), planned(tmp_path, tier="3x2")
    both = grown(old, new, tmp_path)
    assert (both.seeds, both.partners, both.expected) == (old.seeds, old.partners, old.expected)


def test_behaviours_are_joined_the_first_first(tmp_path: Path) -> None:
    made = planned(tmp_path)
    old, new = (replace(made, behaviours=b) for b in (["hedging", "repair"], ["challenge"]))
    both = grown(old, replace(new, behaviours=["challenge", "hedging"]), tmp_path)
    assert both.behaviours == ["hedging", "repair", "challenge"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sampling": {"seed": 1}}, "base_seed was 0, and the design says 1"),
        ({"turns": 2}, "turns was None, and the design says 2"),
        ({"sampling": {"temperature": 0.1}}, "checkpoint a, sampling was .*0.7.* says .*0.1"),
    ],
)
def test_a_design_that_is_not_comparable_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    old, new = planned(tmp_path), planned(tmp_path, **changes)
    with pytest.raises(PanelistError, match=message) as refusal:
        grown(old, new, tmp_path)
    assert str(tmp_path) in str(refusal.value)


@pytest.mark.parametrize(
    ("kind", "name", "field", "value", "message"),
    [
        ("checkpoints", "a", "row", {"model": "mockllm/z"}, "checkpoint a, row"),
        ("checkpoints", "a", "args", {"dtype": "half"}, "checkpoint a, args"),
        ("partners", "self", "kind", "checkpoint", "partner self, kind was 'self'"),
        ("partners", "self", "reply_turn", 3, "partner self, reply_turn was 2"),
    ],
)
def test_another_meaning_of_a_name_is_refused(
    tmp_path: Path, kind: str, name: str, field: str, value: object, message: str
) -> None:
    old = planned(tmp_path)
    named = getattr(old, kind)
    new = replace(old, **{kind: {**named, name: {**named[name], field: value}}})  # type: ignore[arg-type]
    with pytest.raises(PanelistError, match=message):
        grown(old, new, tmp_path)


def test_changed_words_of_a_partner_are_refused_on_shared_seeds_only(tmp_path: Path) -> None:
    old, new = planned(tmp_path, tier="3x2"), planned(tmp_path, tier="5x2")
    shared, added = list(old.seeds)[1], list(new.seeds)[-1]

    def reworded(seed: str) -> Manifest:
        low = new.partners["scripted-low"]
        words = {**low["words"], seed: "other"}
        return replace(new, partners={**new.partners, "scripted-low": {**low, "words": words}})

    with pytest.raises(PanelistError, match=f"partner scripted-low, turns on seeds.*{shared}"):
        grown(old, reworded(shared), tmp_path)
    words = grown(old, reworded(added), tmp_path).partners["scripted-low"]["words"]
    assert words == {**new.partners["scripted-low"]["words"], added: "other"}


def test_the_chains_that_are_expected_are_counted(tmp_path: Path) -> None:
    assert planned(tmp_path, names=("a", "b"), tier="3x2").expected == 2 * 2 * 3 * 2
    uneven = {"a": {"p": (3, 2), "q": (5, 1)}, "b": {"p": (1, 1)}}
    assert replace(planned(tmp_path), asked=uneven).expected == 6 + 5 + 1


def test_a_run_is_known_by_what_was_asked(tmp_path: Path) -> None:
    made = planned(tmp_path)
    assert made.run.startswith("mine-")
    done = replace(made, files={"f": {"bytes": 1}}, generated=[{"chains": 1}])
    assert done.run == made.run != planned(tmp_path, tier="3x3").run


def test_the_record_says_what_the_focal_was_asked(tmp_path: Path) -> None:
    record = record_in(planned(tmp_path, tier="24x2", names=("a", "b")), "b")
    assert (record["focal"], record["model"], record["tier"]) == ("b", "mockllm/b", "demo")
    assert [p["name"] for p in record["partners"]] == ["scripted-low", "self"]
    assert record_in(planned(tmp_path, tier="3x2"), "a")["tier"] == "3x2"
