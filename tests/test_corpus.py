"""Parts of a corpus: whole or not at all, and checked by their names."""

import errno
import os
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from hypothesis import given
from hypothesis import strategies as st

from panelist.panels.chain import Chain, Turn
from panelist.panels.corpus import (
    CORRUPT,
    SCHEMA,
    SCORES,
    TURNS,
    CorruptPart,
    Part,
    alone,
    folder_of,
    intact,
    key_of,
    lineage,
    part_at,
    parts,
    parts_in,
    read_part,
    set_aside,
    sweep,
    table_of,
    turns_of,
    turns_up_to,
    write_part,
)
from panelist.panels.errors import PanelistError

COUNT = st.none() | st.integers(0, 2**31 - 1)
TURN = st.builds(
    Turn,
    index=st.just(0),
    role=st.sampled_from(["focal", "partner"]),
    speaker=st.text(),
    text=st.text(),
    reasoning=st.text(),
    stop_reason=st.text(),
    output_tokens=COUNT,
    max_tokens=COUNT,
)


def chain(name: str, *texts: str) -> Chain:
    turns = tuple(
        Turn(index, "focal" if index % 2 == 0 else "partner", "x", text)
        for index, text in enumerate(texts, 1)
    )
    return Chain(name, "s-1", "Q?", "f", "p", 1, turns)


def put(root: Path, *chains: Chain, focal: str = "f", partner: str = "p", **leg: Any) -> Part:
    key = key_of([one.id for one in chains], leg.get("leg", 0))
    first = leg.pop("first", 1)
    return write_part(root / TURNS, focal, partner, table_of(chains, first), key=key, **leg)


def half_written(folder: Path) -> Path:
    """What a killed writer leaves."""
    folder.mkdir(parents=True, exist_ok=True)
    left = folder / f".{'a' * 16}.{'b' * 16}.parquet.0123abcd.part"
    left.write_bytes(b"PAR1")
    return left


@given(st.lists(st.lists(TURN, min_size=1, max_size=3), max_size=3))
def test_turns_survive_their_table(said: list[list[Turn]]) -> None:
    chains = [
        replace(
            chain(f"c{number}"),
            turns=tuple(replace(turn, index=at) for at, turn in enumerate(turns, 1)),
        )
        for number, turns in enumerate(said)
    ]
    table = table_of(chains)
    assert table.schema == SCHEMA
    assert turns_of(table) == {one.id: one.turns for one in chains}


def test_a_part_is_read_as_it_was_written(tmp_path: Path) -> None:
    chains = [chain("b", "Öne?", ""), chain("a", "\x00 🎲", "Two.")]
    part = put(tmp_path, *chains)
    assert list(parts(tmp_path / TURNS)) == [part]
    assert read_part(part).schema.remove_metadata() == SCHEMA
    assert list(turns_of(read_part(part)).items()) == [(one.id, one.turns) for one in chains]
    assert read_part(part, ["chain"])["chain"].unique().to_pylist() == ["b", "a"]
    assert lineage(part) == (0, "")


def test_a_repeated_writer_adds_nothing(tmp_path: Path) -> None:
    assert put(tmp_path, chain("a", "One.")) == put(tmp_path, chain("a", "One."))
    assert len(list(parts(tmp_path / TURNS))) == 1


@given(st.text(), st.text())
def test_any_name_survives_its_folder(focal: str, partner: str) -> None:
    folder = folder_of(Path("turns"), focal, partner)
    assert len(folder.parts) == 3
    assert str(folder).isascii()
    part = part_at(folder / f"{'a' * 16}.{'b' * 16}.parquet")
    assert part is not None
    assert (part.focal, part.partner, part.name) == (focal, partner, f"{'a' * 16}.{'b' * 16}")


@pytest.mark.parametrize("name", ["vllm/a:b=c", "..", ".", "%2F", "ü λ", "", "a/../b"])
def test_a_part_is_found_under_any_name(tmp_path: Path, name: str) -> None:
    part = put(tmp_path, chain("a", "One."), focal=name, partner=name)
    assert part.path.resolve().is_relative_to((tmp_path / TURNS).resolve())
    assert list(parts(tmp_path / TURNS)) == [part]
    assert (part.focal, part.partner) == (name, name)


@pytest.mark.parametrize(
    "path",
    [
        f"focal=f/partner=p/{'a' * 16}.parquet",
        f"focal=f/partner=p/{'a' * 16}.{'b' * 15}.parquet",
        f"focal=f/partner=p/{'a' * 16}.{'b' * 16}.json",
        f"partner=p/focal=f/{'a' * 16}.{'b' * 16}.parquet",
    ],
)
def test_other_files_are_no_parts(path: str) -> None:
    assert part_at(Path("turns") / path) is None


@pytest.mark.parametrize("place", [0, 40, -1])
def test_a_changed_byte_is_named(tmp_path: Path, place: int) -> None:
    part = put(tmp_path, chain("a", "One."))
    assert intact(part)
    data = bytearray(part.path.read_bytes())
    data[place] ^= 1
    part.path.write_bytes(data)
    assert not intact(part)
    with pytest.raises(CorruptPart, match="run the design again") as refusal:
        read_part(part)
    assert str(part.path) in str(refusal.value)
    again = pickle.loads(pickle.dumps(refusal.value))
    assert (again.part, str(again)) == (part, str(refusal.value))


def test_a_corrupt_part_of_scores_is_scored_anew(tmp_path: Path) -> None:
    part = write_part(tmp_path / SCORES / "d@1", "f", "p", pa.table({"x": [1]}), key="a" * 16)
    part.path.write_bytes(b"")
    with pytest.raises(CorruptPart, match="panelist score"):
        read_part(part)


def test_half_written_files_are_no_parts_and_are_swept(tmp_path: Path) -> None:
    part = put(tmp_path, chain("a", "One."))
    left = half_written(part.path.parent)
    scored = half_written(folder_of(tmp_path / SCORES / "d@1", "f", "p"))
    assert list(parts(tmp_path / TURNS)) == parts_in(part.path.parent) == [part]
    sweep(tmp_path)
    assert (left.exists(), scored.exists(), part.path.exists()) == (False, True, True)
    sweep(tmp_path, scores=True)
    assert (scored.exists(), part.path.exists()) == (False, True)


def test_a_part_set_aside_is_read_no_more(tmp_path: Path) -> None:
    part = put(tmp_path, chain("a", "One."), focal="vllm/f")
    data = part.path.read_bytes()
    target = set_aside(tmp_path, part)
    assert target == tmp_path / CORRUPT / part.path.relative_to(tmp_path)
    assert target.read_bytes() == data
    assert list(parts(tmp_path / TURNS)) == parts_in(part.path.parent) == []


def test_a_key_knows_order_leg_and_where_ids_end() -> None:
    asked = [["a", "b"], ["b", "a"], ["ab"], ["a"], []]
    keys = {key_of(ids, leg) for ids in asked for leg in (0, 1, 11)}
    assert len(keys) == 15
    assert key_of(["a", "b"]) == key_of(("a", "b"), 0)


@pytest.mark.parametrize("where", ["fsync", "replace"])
def test_a_full_disk_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    kept = put(tmp_path, chain("a", "One."))
    owner = os if where == "fsync" else Path
    with monkeypatch.context() as broken:
        broken.setattr(owner, where, full)
        with pytest.raises(PanelistError, match="No space left") as refusal:
            put(tmp_path, chain("b", "Two."))
    assert str(kept.path.parent) in str(refusal.value)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [kept.path]
    assert intact(kept)


def test_a_corpus_is_a_hive_dataset(tmp_path: Path) -> None:
    first = put(tmp_path, chain("a", "One.", "Two."), focal="vllm/a:b=c", partner="..")
    put(tmp_path, chain("b", "Three."), focal="f", partner="ü")
    put(
        tmp_path,
        chain("a", "One.", "Two.", "Four."),
        focal="vllm/a:b=c",
        partner="..",
        leg=1,
        parent=first.name,
        first=3,
    )
    half_written(first.path.parent)
    table = ds.dataset(tmp_path / TURNS, partitioning="hive").to_table()
    assert set(table.column_names) == {*SCHEMA.names, "focal", "partner"}
    rows = {(r["focal"], r["partner"], r["text"]) for r in table.to_pylist()}
    mine = {("vllm/a:b=c", "..", text) for text in ("One.", "Two.", "Four.")}
    assert rows == mine | {("f", "ü", "Three.")}


def test_turns_are_followed_through_the_legs(tmp_path: Path) -> None:
    whole = chain("a", "One.", "Two.", "Three.")
    first = put(tmp_path, chain("a", "One."), chain("failed", "No."))
    second = put(tmp_path, chain("a", "One.", "Two."), leg=1, parent=first.name, first=2)
    third = put(tmp_path, whole, leg=2, parent=second.name, first=3)
    here = {part.name: part for part in (first, second, third)}
    assert lineage(third) == (2, second.name)
    assert turns_up_to(here, third.name) == {"a": whole.turns}
    assert set(turns_up_to(here, first.name)) == {"a", "failed"}
    assert turns_up_to(here, "") == {}


def test_one_process_writes_at_a_time(tmp_path: Path) -> None:
    new = tmp_path / "new"
    with alone(new), pytest.raises(PanelistError, match="another run"), alone(new):
        pass
    with alone(new):
        pass
