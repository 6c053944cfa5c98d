"""How a text is cut: by headings and paragraphs, never longer than a passage may be, in time that grows with it."""

from console.knowledge.chunking import LONGEST, pieces_of


def test_it_keeps_the_path_of_headings() -> None:
    text = (
        "Before\n\n# A #\none\n## B\n\n```\n# code\n```\n\nC\n===\n\nthree\n\n#### D\nfour\n\nE | F\n--- | ---\n1 | 2"
    )
    assert pieces_of(text) == [
        ("", "Before"),
        ("A", "one"),
        ("A › B", "```\n# code\n```"),
        ("C", "three"),
        ("C › D", "four\n\nE | F\n--- | ---\n1 | 2"),
    ]


def test_no_passage_is_too_long_and_nothing_is_lost() -> None:
    sentence = "A sentence of some length that says little. "
    for text in (sentence * 200, "x" * 5_000, "line\n" * 2_000, "# H\n" * 500 + "end", ("p" * 300 + "\n\n") * 40):
        pieces = pieces_of(text)
        assert all(len(one.text) <= LONGEST for one in pieces)
        kept = "".join("".join(one.text.split()) for one in pieces)
        assert kept == "".join(text.replace("# H\n", "").split())
    assert len(pieces_of("one two\n\n" * 3)) == 1, "short paragraphs share a passage"
    assert pieces_of("# Only\n## Headings") == []
    assert pieces_of("# no heading", has_headings=False) == [("", "# no heading")]
