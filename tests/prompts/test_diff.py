"""Differences of texts: nothing lost, lines paired as people would, and no text that takes for ever."""

from hypothesis import given, settings
from hypothesis import strategies as st

from prompts_app import diff
from prompts_app.three_way import has_conflict, merge, regions

LINES = st.lists(st.sampled_from(["", "a", "b b", "the same line", "the other line", "{{name}}"]), max_size=8)
TEXTS = LINES.map("\n".join)


@given(TEXTS, TEXTS)
def test_it_loses_no_line(old: str, new: str) -> None:
    rows = diff.rows(old, new)
    assert "\n".join(row.old.text for row in rows if row.old) == old
    assert "\n".join(row.new.text for row in rows if row.new) == new
    assert [row.old.number for row in rows if row.old] == list(range(1, old.count("\n") + 2))
    column = diff.inline(rows)
    assert sum(isinstance(row, diff.Row) and row.new is not None for row in column) == new.count("\n") + 1
    hidden = sum(row.count for row in diff.folded(rows) if isinstance(row, diff.Fold))
    assert hidden + sum(isinstance(row, diff.Row) for row in diff.folded(rows)) == len(rows)


def test_it_pairs_lines_that_are_alike_and_marks_the_words() -> None:
    old = "Rules\n- Keep it under 120 words.\n- No dates."
    new = "Rules\n- Cite sources.\n- Keep it under 90 words.\n- No dates."
    rows = diff.rows(old, new)
    assert [(bool(row.old), bool(row.new)) for row in rows] == [(True, True), (False, True), (True, True), (True, True)]
    pair = rows[2]
    assert pair.old and pair.new
    assert [pair.old.text[a:b] for a, b in pair.old.spans] == ["120"]
    assert [pair.new.text[a:b] for a, b in pair.new.spans] == ["90"]
    assert diff.counts(rows) == (2, 1)


def test_it_folds_what_is_the_same() -> None:
    same = "\n".join(f"line {n}" for n in range(20))
    rows = diff.folded(diff.rows(same, same + "\nmore"))
    assert [type(row).__name__ for row in rows] == ["Fold", "Row", "Row", "Row", "Row"]


def test_it_answers_for_texts_made_to_be_slow() -> None:
    """Blank lines, repeated words and one endless line: each is quadratic for a comparison without bounds."""
    assert diff.counts(diff.rows("\n" * 40_000, "x\n" + "\n" * 39_000))[0] >= 1
    assert diff.counts(diff.rows("a b " * 20_000, "a c " * 20_000)) == (1, 1)
    words = ["\n".join(f"{start}{'a ' * 1_900}{n}" for n in range(60)) for start in ("", "b ")]
    assert diff.counts(diff.rows(*words)) == (60, 60)
    turns = ["\n".join(f"a\n{one}" for _ in range(450)) for one in "bc"]
    assert diff.counts(diff.rows(*turns))[0] >= 450 and regions(turns[0], turns[1], turns[0])
    many = ["\n".join(f"the line {n % k} is so" for n in range(3_000)) for k in (5, 7)]
    assert len(diff.rows(*many)) >= 3_000


def test_it_says_what_changed_of_variables_and_parameters() -> None:
    name, plan = {"name": "name", "type": "text"}, {"name": "plan", "type": "text"}
    found = diff.variable_changes([name, plan], [{**plan, "type": "choice"}, {"name": "url", "type": "text"}])
    assert [(one.name, one.kind) for one in found] == [("name", "removed"), ("plan", "changed"), ("url", "added")]
    assert found[1].fields == [("type", "text", "choice")]
    assert [(one.name, one.was, one.now) for one in diff.mapping_changes({"top_p": 1}, {"top_p": 0.5})] == [
        ("top_p", 1, 0.5)
    ]


@settings(max_examples=300)
@given(TEXTS, TEXTS, TEXTS)
def test_three_sides_lose_nothing(base: str, theirs: str, mine: str) -> None:
    found = regions(base, theirs, mine)
    for side, text in (("base", base), ("theirs", theirs), ("mine", mine)):
        assert "\n".join(line for region in found for line in getattr(region, side)) == text
    assert merge(regions(base, base, mine)) == mine
    assert merge(regions(base, theirs, base)) == theirs
    assert not has_conflict(regions(base, mine, mine))


def test_changes_in_different_places_fit_together() -> None:
    base = "one\ntwo\nthree\nfour"
    found = regions(base, "ONE\ntwo\nthree\nfour", "one\ntwo\nthree\nFOUR")
    assert not has_conflict(found)
    assert merge(found) == "ONE\ntwo\nthree\nFOUR"
    assert has_conflict(regions(base, "one\n2\nthree\nfour", "one\nzwei\nthree\nfour"))
