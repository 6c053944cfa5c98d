"""What answers may become on a page, whole and in pieces: nothing runs, nothing is fetched, no link hides its host."""

import re

import pytest

from console.chat.events import event
from console.chat.markdown import Growing, excerpt, mended, render
from tests.chat.corpus import ATTACKS

_ALLOWED = re.compile(
    r"</?(?:p|br|hr|h[1-6]|ul|ol|li|blockquote|pre|code|em|strong|s|a|span|table|thead|tbody|tr|th|td|label)"
    r'(?: (?:class="[\w -]+"|tabindex="0"|start="\d+"|target="_blank"|rel="noopener noreferrer nofollow"'
    r'|href="(?:https?:|mailto:)[^"<>]*"))*>'
)

# The cleaner gives attributes in any order.
_BOX = re.compile(
    r'<input(?=[^>]* type="checkbox")(?=[^>]* disabled="")(?: (?:checked|type|disabled)="(?:checkbox)?")+>'
)


def harmless(html: str) -> bool:
    """Say whether a text has no markup but what the allow-list names."""
    return "<" not in _BOX.sub("", _ALLOWED.sub("", html))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 10_000])
def test_it_lets_no_attack_through_however_it_is_split(size: int) -> None:
    bad = []
    for attack in ATTACKS:
        assert harmless(render(attack)), render(attack)
        growing = Growing()
        for end in range(size, len(attack) + size, size):
            bad += [html for html in growing.feed(attack[:end]) if not harmless(html)]
    assert not bad


def test_it_shows_where_links_and_images_lead_and_fetches_nothing() -> None:
    html = render("[your bank](https://evil.example/x) ![a cat](https://evil.example/cat.png) <https://facet.example>")
    assert html.count("(evil.example)") == 2 and "<img" not in html and "(facet.example)" not in html
    assert html.count('rel="noopener noreferrer nofollow"') == 3
    assert "<p>[U+202E]moc.knab" in render("\u202emoc.knab [x](https://evil.example)")
    assert "href" not in render(
        "[a](javascript:alert(1)) [b](//evil.example) [c](/accounts/logout/) [d](data:text/html,x)"
    )


def test_it_draws_tables_code_and_math() -> None:
    table = render("| a | b | c |\n|---|--:|:-:|\n| 1 | `2` | 3 |")
    assert "<table>" in table and '<td class="is-right"><code>2</code></td>' in table
    assert "<td>1</td>" in table and '<th class="is-center">c</th>' in table and "style" not in table
    code = render("```python\nprint('<b>')\n```")
    assert 'class="hl-nb"' in code and "&lt;b&gt;" in code and "<b>" not in code
    assert "<pre" in render("```nonsense\nx\n```")
    math = render("Let $a_1 * b_1 * c$ and \\(x_2 < y\\), for $5 and $6.")
    assert (
        '<code class="math">$a_1 * b_1 * c$</code>' in math and "\\(x_2 &lt; y\\)" in math and "for $5 and $6." in math
    )


def test_it_draws_tasks_as_boxes_nobody_can_press() -> None:
    html = render(
        "- [ ] Buy **milk**\n- [x] Done\n- [x](https://a.example)\n- \\[ ] typed\n- [ ]\n\n[ ] no list <input>"
    )
    todo, done, *others = html.split("<li")[1:]
    assert _BOX.sub("", todo).startswith(' class="task"><label>Buy <strong>milk</strong></label>')
    assert _BOX.sub("", done).startswith(' class="task"><label>Done</label>')
    assert "checked" in done and "checked" not in todo
    assert not any("<input" in other or "task" in other for other in others) and harmless(html)


def test_it_takes_the_beginning_of_an_answer_without_its_marks() -> None:
    text = "## Orders\n\n- Open **Orders**, choose `part_2`\n- 2 * 3 > 5, snake_case"
    assert excerpt(text) == "Orders Open Orders, choose part_2 2 * 3 > 5, snake_case"


def test_it_looks_right_while_it_grows() -> None:
    text = "# Plan\n\nFirst **bold** words.\n\n- one\n- two with `code`\n\n```python\nx = 1\n```\n\nDone, see [this](https://a.example)."
    growing, page, seen = Growing(), "", []
    for end in range(1, len(text) + 1):
        whole, last = growing.feed(text[:end])
        page += whole
        seen.append(page + last)
    assert seen[-1] == render(text)
    assert not any("**" in html or "](" in html for html in seen)


def test_it_reads_what_is_never_closed_in_time_that_grows_with_its_length(monkeypatch: pytest.MonkeyPatch) -> None:
    for opened in ("[", "![", "[[](", "](["):  # hours, if it did not
        assert mended(opened * 300_000 + "]x")
    with monkeypatch.context() as patch:
        patch.setattr("console.chat.markdown._MATH", None)  # not looked for where nothing closes it
        assert harmless(render("\\(" * 1000)) and harmless(render("\\[" * 1000 + "\\)"))
    half = {"a [b": "a b", "a ![b](https://x": "a b", "[a] [[b]": "[a] [b", "[a](b) c": "[a](b) c", "[a](b\n": "a\n"}
    assert {text: mended(text) for text in half} == half
    assert '<code class="math">' in render(r"\( and \(x\)")


def test_it_encodes_events_that_words_cannot_break_out_of() -> None:
    frame = event("text", {"last": "x\n\nevent: end\ndata: {}\r\n\r\u2028"})
    assert frame.count(b"\n") == 3 and frame.startswith(b"event: text\ndata: ") and b"\r" not in frame
