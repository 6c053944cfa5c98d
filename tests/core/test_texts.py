"""Names and texts people write."""

import pytest

from console.core.errors import BadInput
from console.core.texts import line, text


def test_a_line_is_kept_with_single_blanks() -> None:
    assert line("  Two \t words\n ", "name", most=9) == "Two words"
    assert line("", "title", most=9) == ""


def test_a_text_keeps_its_lines() -> None:
    assert text(" One\r\n\n\tTwo \r\n", "greeting", most=9) == "One\n\n\tTwo"


@pytest.mark.parametrize(
    ("read", "value", "says"),
    [
        (line, 7, "must be a text"),
        (line, "ten letters", "has 11 characters; 9 is the most"),
        (line, "a\x00b", "holds a character nobody could see"),
        (line, "a\u202eb", "holds a character nobody could see"),
        (line, " \n ", "is missing"),
        (text, None, "must be a text"),
        (text, "ten\nletters", "has 11 characters; 9 is the most"),
        (text, "a\x1bb", "holds a character nobody could see"),
        (text, "\r\n", "is missing"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name(read, value, says) -> None:
    with pytest.raises(BadInput, match=f"^name {says}") as caught:
        read(value, "name", most=9, is_required=True)
    assert caught.value.param == "name"
