"""The lexicon language, and how cues are matched."""

import pytest

from panelist.scorers.detector import BEHAVIOURS
from panelist.scorers.lexicon import NOT, parse, shipped, tokenize

SOURCE = """
// comment
[not]
in may
as (soon|far) as possible
[modal 2]
may
might (well)? be   // optional
[about 1]
about #
[any 1 quiet]
as * as
possible
"""


def found(text: str) -> list[tuple[str, str]]:
    lexicon = parse(SOURCE)
    return [(cue.name, text[cue.start : cue.end]) for cue in lexicon.cues(text, tokenize(text))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("it may rain", [("modal", "may")]),
        ("in may it rains", []),
        ("It rains in May.", []),
        ("May it rain. May it?", [("modal", "May"), ("modal", "May")]),
        ("it might be", [("modal", "might be")]),
        ("it might  well\nbe", [("modal", "might  well\nbe")]),
        ("it might, be", []),
        (
            "about $5 and about half of it and about it",
            [("about", "about $5"), ("about", "about half")],
        ),
        ("as soon as possible", []),
        ("as good as possible", [("any", "as good as"), ("any", "possible")]),
        ("mayor, maybe", []),
    ],
)
def test_longest_entry_from_the_left(text: str, expected: list[tuple[str, str]]) -> None:
    assert found(text) == expected


def test_a_cue_in_two_classes_is_of_the_first() -> None:
    lexicon = parse("[a 1]\none (two|three)\n[b 2]\none two\n")
    assert lexicon.entries == {("one", "two"): "a", ("one", "three"): "a"}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("maybe\n", "line 1: a cue before the first"),
        ("[a 1]\nx\n[a 2]\n", "line 3: class 'a' opens a second time"),
        ("[a one]\n", "line 1: '\\[a one\\]' is no"),
        ("[a 1]\nMaybe\n", "line 2: 'Maybe' is no run of words"),
        ("[a 1]\nso-\n", "line 2: 'so-' is no run of words"),
        ("[a 1]\nx (y)?\n(z)?\n", "line 3: '' is no run of words"),
    ],
)
def test_a_damaged_lexicon_names_the_line(source: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(source)


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_shipped_lexicons_are_whole(behaviour: str) -> None:
    lexicon = shipped(behaviour)
    loud = {one.name for one in lexicon.classes.values() if not one.quiet and one.name != NOT}
    assert set(lexicon.entries.values()) == set(lexicon.classes)
    assert all(lexicon.classes[name].grade > 0 for name in loud)
