"""Labels are read as they were written, and bad ones are refused."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_labels import write_labels

from panelist.panels.errors import PanelistError
from panelist.scorers.labelled import read_labels, read_set

ROW = {"id": "a", "conv": "c", "text": "t", "label": 1}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2: not JSON"),
        ("[1]", r"line 2, row: \[1\]; write a JSON object"),
        ('{"label": ' + "1" * 5000 + "}", "line 2: not JSON"),
        ("[" * 100_000, "line 2: not JSON"),
        (json.dumps({**ROW, "label": 2}), r"line 2, label: 2; write 0 \(absent\) or 1"),
        (json.dumps({**ROW, "label": True}), "line 2, label: True; write 0"),
        (json.dumps({**ROW, "label": [1]}), r"line 2, label: \[1\]; write 0"),
        (json.dumps({"id": "a", "conv": "c", "text": "t"}), "line 2: lacks the field label; add"),
        (json.dumps({**ROW, "text": " \n"}), r"line 2, text: ' \\n'; write a string that is not"),
        (json.dumps({**ROW, "text": 3}), "line 2, text: 3; write a string"),
        (json.dumps({**ROW, "conv": None}), "line 2, conv: None; write a string"),
        (json.dumps({**ROW, "context": 3}), "line 2, context: 3; write a string, or leave it"),
        (json.dumps({**ROW, "rating": float("nan")}), "line 2, rating: nan; write a finite"),
        (json.dumps({**ROW, "rating": "7"}), "line 2, rating: '7'; write a number"),
        (json.dumps({**ROW, "id": "x" * 3, "text": ["y" * 99]}), r"line 2, text: \['y{55}\.\.\.;"),
    ],
)
def test_a_bad_row_is_one_clear_message(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "repair" / "x.test.jsonl"
    path.parent.mkdir()
    path.write_text(f"{json.dumps(ROW)}\n{line}\n")
    with pytest.raises(PanelistError, match=said) as caught:
        read_labels(tmp_path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_bad_files_are_one_clear_message(tmp_path: Path) -> None:
    folder = tmp_path / "repair"
    folder.mkdir()
    with pytest.raises(PanelistError, match=r"holds no labels .* repair/mrda_q\.test\.jsonl"):
        read_labels(tmp_path)
    (folder / "x.test.jsonl").write_bytes(b'{"id": "\xff"}\n')
    with pytest.raises(PanelistError, match="line 1: not JSON"):
        read_labels(tmp_path)
    (folder / "x.test.jsonl").write_text("\n")
    with pytest.raises(PanelistError, match="has no rows"):
        read_labels(tmp_path)
    (folder / "x.test.jsonl").rename(folder / "x.tset.jsonl")
    with pytest.raises(PanelistError, match="its name must be"):
        read_labels(tmp_path)
    with pytest.raises(PanelistError, match="lies in none of the folders"):
        read_set(tmp_path / "x.test.jsonl")


texts = st.text(min_size=1).filter(str.strip) | st.just("a\u2028b\ud800")
optional = st.none() | st.text()
rows = st.lists(
    st.fixed_dictionaries(
        {"id": texts, "conv": texts, "text": texts, "label": st.integers(0, 1)},
        optional={
            "context": optional,
            "author": optional,
            "rating": st.none() | st.floats(allow_nan=False, allow_infinity=False),
            "source_label": st.text(),
        },
    ),
    min_size=1,
)


@given(rows=rows, ascii_only=st.booleans())
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]], ascii_only: bool
) -> None:
    folder = tmp_path_factory.mktemp("labels") / "challenge"
    folder.mkdir()
    path = folder / "b_q.train.jsonl"
    lone = "\\ud800" in json.dumps(rows)
    lines = [json.dumps(row, ensure_ascii=ascii_only or lone) for row in rows]
    path.write_bytes("\n".join(lines).encode())
    [read] = read_labels(folder.parent, ["train"])
    assert (read.behaviour, read.corpus, read.split) == ("challenge", "b_q", "train")
    assert read.sha256 == sha256(path.read_bytes()).hexdigest()
    for name in ("id", "conv", "text", "label"):
        assert read.table[name].tolist() == [row[name] for row in rows]
    for name in ("context", "author", "domain"):
        assert read.table[name].tolist() == [row.get(name) or "" for row in rows]
    ratings = [row.get("rating") for row in rows]
    assert [None if np.isnan(r) else r for r in read.table["rating"]] == ratings


def test_a_rated_row_without_a_conversation_stands_for_itself(tmp_path: Path) -> None:
    [rated] = read_labels(write_labels(tmp_path), ["rated"])
    assert rated.table["conv"].nunique() == 100
    assert rated.table["label"].isna().all()
    assert rated.facts()["base_rate"] is None
