"""The tag library, as templates use it: what goes in is escaped, what comes out is one component."""

import datetime as dt
import json
import re
import uuid
from types import SimpleNamespace
from typing import Any

import pytest
from django import forms
from django.core.files.uploadedfile import SimpleUploadedFile
from django.template import Context, Template
from django.templatetags.static import static
from django.test import RequestFactory

EVIL = '<script>alert("x")</script>'


def draw(source: str, **context: Any) -> str:
    return Template(source).render(Context(context)).strip()


def test_it_draws_icons_from_the_sprite() -> None:
    assert draw('{% icon "pin" "icon-sm" %}') == (
        '<svg class="icon icon-sm" aria-hidden="true"><use href="' + static("vendor/icons.svg") + '#pin"/></svg>'
    )


@pytest.mark.parametrize(
    "source",
    [
        "{% icon evil evil %}",
        "{% pin evil evil evil %}",
        "{% env evil evil %}",
        "{% badge evil evil evil %}",
        "{% team_tag team %}",
        "{% avatar evil evil evil %}",
        "{% bar 10 evil 20 30 evil %}",
        "{% spark points evil %}",
        "{% delta evil %}",
        "{% chart data 100 evil %}",
        "{% copy_button evil evil evil %}",
    ],
)
def test_it_escapes_what_it_is_given(source: str) -> None:
    team = SimpleNamespace(name=EVIL, colour=EVIL)
    html = draw(source, evil=EVIL, team=team, data={"name": EVIL}, points=[1, 2])
    assert "<script>" not in html
    assert '"x"' not in html.replace('\\"x\\"', "")


def test_it_shows_a_pin_with_its_version() -> None:
    assert draw('{% pin "meridian-large" "2026-07-30" %}') == (
        '<span class="pin"><span>meridian-large</span><span class="v">2026-07-30</span></span>'
    )
    assert draw('{% pin "meridian-large" %}') == '<span class="pin"><span>meridian-large</span></span>'


def test_it_says_where_something_is_live() -> None:
    assert draw('{% env "sandbox" %}') == '<span class="env" data-env="sandbox">Sandbox</span>'


def test_it_draws_a_bar_within_its_track() -> None:
    html = draw("{% bar 140 1 150 42.5 %}")
    assert 'aria-label="140 % used, forecast 150 %"' in html
    assert 'data-team="1" width="100%"' in html
    assert "bar-forecast" not in html
    assert 'class="bar-mark" x="42.5%"' in html


def test_it_hides_a_bar_whose_words_stand_beside_it() -> None:
    html = draw("{% bar 40 1 label=None %}")
    assert 'aria-hidden="true"' in html and "role=" not in html and "aria-label" not in html


def test_it_draws_the_forecast_from_where_use_ends() -> None:
    assert 'class="bar-forecast" x="70%" width="20%"' in draw('{% bar 70 "warn" 90 %}')
    assert 'data-tone="warn"' in draw('{% bar 70 "warn" 90 %}')


@pytest.mark.parametrize("points", [[], [5], [None, 2], [3, 3, 3], [0, 10, 5]])
def test_it_draws_a_line_through_any_points(points: list[float | None]) -> None:
    path = re.search(r'<path d="M([^"]+)"', draw("{% spark points %}", points=points))
    assert path is not None
    for pair in path[1].split("L"):
        x, y = (float(number) for number in pair.split())
        assert 0 <= x <= 100
        assert 4 <= y <= 25


def test_it_says_direction_and_judgement_apart() -> None:
    html = draw('{% delta "3.7 %" False True %}')
    assert "is-bad" in html
    assert "#arrow-up" in html
    assert '<span class="vh">up </span>' in html


def test_it_carries_chart_data_a_script_can_read_and_html_cannot() -> None:
    html = draw('{% chart data 100 "One day" %}', data={"unit": "$", "name": "</script><b>"})
    block = re.search(r'<script type="application/json">(.*)</script></time-chart>', html)
    assert block is not None
    assert "<" not in block[1]
    assert json.loads(block[1]) == {"unit": "$", "name": "</script><b>"}


def test_it_changes_the_query_and_keeps_the_rest() -> None:
    request = RequestFactory().get("/?team=a&cursor=x&kind=chat&kind=batch")
    assert draw("{% query team='b' cursor=None %}", request=request) == "?team=b&amp;kind=chat&amp;kind=batch"
    assert draw("{% query team=None cursor='' kind=None %}", request=request) == "?"


@pytest.mark.parametrize(
    ("source", "value", "said"),
    [
        ("{{ it|money }}", 7100, "$0.0071"),
        ("{{ it|money }}", None, ""),
        (
            '{% with places=it|money_places:"run.cost" %}{% for row in it %}{{ row.run.cost|money:places }};'
            "{% endfor %}{% endwith %}",
            [{"run": {"cost": 7_000}}, {"run": {"cost": 20_000}}, {"run": {"cost": None}}],
            "$0.0070;$0.0200;;",
        ),
        ("{{ it|number }}", 412806, "412,806"),
        ("{{ it|tokens }}", 8_200_000, "8.2 M"),
        ("{{ it|ms }}", 412_000, "412 ms"),
        ("{{ it|ms }}", None, ""),
        ("{{ it|percent }}", 70, "70 %"),
        ("{{ it|when }}", None, "Never"),
        ("{{ it|reqid }}", uuid.UUID(int=5), "req_00000000000000000000000000000005"),
        ("{{ it|reqid }}", None, ""),
    ],
)
def test_it_writes_values(source: str, value: object, said: str) -> None:
    assert draw(source, it=value) == said


def test_it_puts_the_exact_time_into_every_time() -> None:
    moment = dt.datetime(2020, 11, 9, 14, 31, 52, 418_000, tzinfo=dt.UTC)
    title = 'datetime="2020-11-09T14:31:52.418000+00:00" title="9 Nov 2020, 14:31:52 UTC"'
    assert draw("{{ it|when }}", it=moment) == f"<time {title}>9 Nov 2020</time>"
    assert draw("{{ it|exact }}", it=moment) == f"<time {title}>14:31:52.418</time>"
    assert draw("{{ it|day }}", it=dt.date(2020, 11, 9)).endswith(">9 Nov 2020</time>")


class Example(forms.Form):
    name = forms.CharField(help_text="As the log shows it.")
    about = forms.CharField(help_text="Said by <b>others</b>.")
    size = forms.ChoiceField(choices=[("", "Any"), ("s", "Small"), ("l", "Large")], required=False)
    way = forms.ChoiceField(choices=[("s", "Signed"), ("t", "With a token")], required=False)
    sure = forms.BooleanField()
    scopes = forms.MultipleChoiceField(choices=[("a", "A"), ("b", "B")], widget=forms.CheckboxSelectMultiple)


def test_it_renders_every_field_with_label_hint_and_error() -> None:
    html = draw("{{ form }}", form=Example({"size": "s"}))
    assert '<label class="field-label" for="id_name">Name</label>' in html
    assert re.search(r'<input type="text" name="name" class="control"[^>]*aria-invalid="true"', html)
    assert 'aria-describedby="id_name_helptext id_name_error"' in html
    assert '<div class="field-hint" id="id_name_helptext">As the log shows it.</div>' in html
    assert "Said by &lt;b&gt;others&lt;/b&gt;." in html
    assert 'id="id_name_error"' in html
    assert 'Size <span class="optional">optional</span>' in html and ">Way</label>" in html, "it always has a value"
    assert '<select name="size" class="control"' in html
    assert re.search(r"<fieldset[^>]*>\s*<legend", html)


class Secrets(forms.Form):
    name = forms.CharField()
    token = forms.CharField(widget=forms.PasswordInput)
    upload = forms.FileField(help_text="CSV.")


def test_it_opens_a_refused_form_at_its_first_wrong_field_and_says_what_it_could_not_keep() -> None:
    assert "autofocus" not in draw("{{ form }}", form=Example())
    html = draw("{{ form }}", form=Example({"name": "n", "size": "x"}))
    assert re.findall(r'name="(\w+)"[^>]*autofocus', html) == ["about"]
    assert re.findall(
        r'type="checkbox" name="(\w+)"[^>]*autofocus',
        draw("{{ form }}", form=Example({"name": "n", "about": "a", "scopes": "a"})),
    ) == ["sure"]

    files = {"upload": SimpleUploadedFile("a.csv", b"a")}
    html = draw("{{ form }}", form=Secrets({"token": "s3cret"}, files))
    assert "s3cret" not in html
    assert 'aria-describedby="id_token_again"' in html
    assert 'id="id_token_again"' in html
    assert 'aria-describedby="id_upload_helptext id_upload_again"' in html
    assert "a secret is never sent back" in html
    assert "again" not in draw("{{ form }}", form=Secrets({}))  # of what is wrong itself, the error says enough
    assert "again" not in draw("{{ form }}", form=Secrets({"name": "n", "token": "s3cret"}, files))


def test_it_loads_the_chart_library_only_for_pages_that_ask() -> None:
    assert draw("{% chart_files %} {% endchart_files %}") == ""
    assert "time-chart.js" in draw("{% chart_files %}1{% endchart_files %}")


def test_it_shows_what_hides_and_turns() -> None:
    said = "pay \u202ebob\u202c\u200b <b>now</b>\r\nline \U000e0041\u3164 \u2764\ufe0f"
    html = draw("{{ said|visible }}", said=said)
    for number in ("U+202E", "U+202C", "U+200B", "U+E0041", "U+3164"):
        assert f">{number}</span>" in html
    assert '<span class="ghost" title="right-to-left override">' in html
    assert "&lt;b&gt;now&lt;/b&gt;\r\nline" in html and html.endswith("\u2764\ufe0f"), "a heart stays a heart"
    assert not set(html) & {"\u202e", "\u202c", "\u200b", "\U000e0041", "\u3164"}
    assert draw("{{ said|visible }}", said="Zoë & co") == "Zoë &amp; co"
    coder, flag = "\U0001f469\u200d\U0001f4bb", "\U0001f3f3\ufe0f\u200d\U0001f308"
    needed = f"{coder} {flag} \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \u0915\u094d\u200d\u0937"
    assert draw("{{ said|visible }}", said=needed) == needed, "a joiner that writing needs hides nothing"
    apart = ("\u0627\u200c\u0644", "\u0631\u0648\u0632\u200c\u0647\u0627", "\u2192\u200d\u2192")
    for idle in ("pay\u200dpal", "a\u200cb", "\U0001f469\u200d", "\u0645\u200c", "\u200d\U0001f4bb", *apart):
        assert "U+200" in draw("{{ said|visible }}", said=idle), ascii(idle)
    assert draw("{{ said|visible }}", said=None) == ""
    attribute = draw('<i title="{{ said|spelled }}">', said='"\u202e>')
    assert attribute == '<i title="&quot;[U+202E]&gt;">'
    team = SimpleNamespace(name="Team\u200b A", colour="1")
    assert ">U+200B</span> A</span>" in draw("{% team_tag team %}", team=team)


def test_it_shows_whose_a_use_is_in_the_colour_of_a_team_the_reader_knows() -> None:
    known = SimpleNamespace(pk=uuid.uuid4(), name="Support", colour=3)
    shell = SimpleNamespace(teams=[known])
    mine = SimpleNamespace(team_id=known.pk, team="Support")
    assert draw("{% team_of use %}", shell=shell, use=mine) == draw("{% team_tag team %}", team=known)
    theirs = SimpleNamespace(team_id=uuid.uuid4(), team=EVIL)
    assert "<script" not in (said := draw("{% team_of use %}", shell=shell, use=theirs)) and "alert" in said
    assert draw("{% team_of use %}", shell=shell, use=SimpleNamespace(team_id=None, team="")) == ""


def test_it_keeps_the_versions_that_are_compared_though_only_the_newest_are_offered() -> None:
    """Without it the field said v9 of a comparison with v1, and *Compare* went there."""
    html = draw('{% include "ui/pick_two.html" %}', url="/", numbers=[9, 8, 7], a=1, b=9)
    assert re.findall(r'value="(\d+)" selected', html) == ["1", "9"]
