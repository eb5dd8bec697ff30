"""What raters give back: tables that spreadsheets saved, and the JSON of label.html."""

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from panelist.panels.errors import PanelistError
from panelist.scorers.labelling_folder import to_csv
from panelist.scorers.labelling_raters import LABELS, has_labels, read_rater

IDS = ("r1", "r2", "r3")
TABLE = "id,label,reply\nr1,1,a\nr2,0,b\nr3,unsure,c\n"
READ = {"r1": "1", "r2": "0", "r3": "unsure"}


@pytest.mark.parametrize(
    "content",
    [
        TABLE.encode(),
        TABLE.encode("utf-8-sig"),
        TABLE.replace(",", ";").encode("utf-8-sig"),
        TABLE.replace(",", "\t").encode("utf-16"),
        f"sep=;\r\n{TABLE.replace(',', ';')}".encode(),
        TABLE.replace("\n", "\r\n").encode(),
        TABLE.replace("\n", "\r").encode(),
        TABLE.replace(",a", ",caf\u00e9").encode("cp1252"),
        (TABLE + ",,\n\n , ,\n").encode(),
        b"LABEL,x, Id\n1,,r1\n0,,r2\n Unsure ,,r3\n",
        b'"id","label"\n"r1","1"\n"r2","0"\n"r3","UNSURE"\n',
        b"reply,id,label\n" + b'"' + b"long " * 60_000 + b'",r1,1\n,r2,0\n,r3,unsure',
    ],
)
def test_what_spreadsheets_make_of_it_is_read(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "r.csv").write_bytes(content)
    assert read_rater(tmp_path / "r.csv", IDS) == READ
    assert has_labels(tmp_path / "r.csv")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("id,label\nr1,1\nr2,0\n", "1 of 3 replies have no label: r3; label them, or write unsure"),
        ("id,label\nr1\nr2,0\nr3,\n", "2 of 3 replies have no label: r1, r3"),
        ("id,label\nr1,1\nr2,2\nr3,0\n", r"line 3, label: '2'; write 1 \(there\), 0"),
        ("id,label\nr1,yes\n", r"line 2, label: 'yes'; write 1"),
        ("id,label\nr1,1.0\n", r"label: '1.0'"),
        ("id,label\nr9,1\n", "line 2, id: 'r9' is not in this sample"),
        ("id,label\n,1\n", "line 2, id: '' is not in this sample"),
        ("id,label\nr1,1\nr2,1\nr1,0\n", "line 4, id: 'r1' stands twice"),
        (
            "id,tag\nr1,1\n",
            "has 0 columns 'label'; it must hold id and label once, found 'id, tag'",
        ),
        ("id,label,label\nr1,1,0\n", "has 2 columns 'label'"),
        ("", "has 0 columns 'id'"),
        ('id,label\n"r1,1\n', "not a table"),
    ],
)
def test_a_wrong_table_says_where_and_how_to_mend(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "r.csv").write_text(content)
    with pytest.raises(PanelistError, match=said) as error:
        read_rater(tmp_path / "r.csv", IDS)
    assert str(tmp_path / "r.csv") in str(error.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"labels": {"r1": "1", "r1": "0"}}', "'r1' stands twice"),
        ('{"labels": {"r1": true}}', "label: 'true'"),
        ('{"labels": {"r1": {"a": 1}}}', "label: "),
        ('{"labels": {"r1": "maybe"}}', "label: 'maybe'"),
        ('{"labels": {"r4": "1"}}', "'r4' is not in this sample"),
        ('{"labels": {"r1": "1"}, "sample": "b"}', "sample: 'b', but this folder's is 'a'"),
        ('{"labels": {"r1": "1"}}', "sample: None, but"),
        ('{"labels": [1]}', "has no labels by id"),
        ("[]", "has no labels by id"),
        ('{"labels": ', "not JSON"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_wrong_json_says_what_is_wrong(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "r.json").write_text(content)
    with pytest.raises(PanelistError, match=said):
        read_rater(tmp_path / "r.json", IDS, sample_id="a" if "sample:" in said else "")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PanelistError, match=r"r\.csv: cannot read the labels \(No such file"):
        read_rater(tmp_path / "r.csv", IDS)
    assert not has_labels(tmp_path / "r.csv")


labellings = st.dictionaries(
    st.from_regex(r"\Ar[0-9a-f]{1,12}\Z"), st.sampled_from(LABELS), min_size=1
)
fixture_is_constant = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@fixture_is_constant
@given(labels=labellings, data=st.data())
def test_a_table_is_read_as_it_was_filled(
    tmp_path: Path, labels: dict[str, str], data: st.DataObject
) -> None:
    texts = data.draw(st.lists(st.text(), min_size=len(labels), max_size=len(labels)))
    rows = [
        {"id": name, "label": label, "partner": text, "reply": text[::-1]}
        for (name, label), text in zip(labels.items(), texts, strict=True)
    ]
    content = to_csv(rows).decode("utf-8-sig")
    delimiter = data.draw(st.sampled_from(",;\t"))
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerows(csv.reader(io.StringIO(content, newline="")))
    encoding = data.draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
    (tmp_path / "r.csv").write_bytes(out.getvalue().encode(encoding))
    (tmp_path / "r.json").write_text(json.dumps({"labels": labels}))
    for name in ("r.csv", "r.json"):
        assert read_rater(tmp_path / name, list(labels)) == labels


@fixture_is_constant
@given(content=st.binary() | st.text().map(lambda t: f"id,label\n{t}".encode("utf-8", "replace")))
@pytest.mark.parametrize("name", ["r.csv", "r.json"])
def test_any_bytes_are_read_or_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    try:
        read = read_rater(tmp_path / name, IDS, complete=False)
    except PanelistError as ex:
        assert str(tmp_path / name) in str(ex)
    else:
        assert set(read) <= set(IDS) and set(read.values()) <= set(LABELS)
