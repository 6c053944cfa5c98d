"""What stands in addresses and forms: read where it can be, and shown at the right field where it was refused."""

import datetime as dt

from django import forms

from console.core import parsing
from console.core.errors import BadInput
from console.core.forms import refuse
from console.core.ids import parse_id, uuid7


def test_it_reads_numbers_moments_and_ids_and_takes_nothing_else_for_one() -> None:
    assert [parsing.number(text, None) for text in ("0", "12", "999999999")] == [0, 12, 999_999_999]
    assert {parsing.number(text, None) for text in ("", "-1", "1.0", " 1", "\N{ARABIC-INDIC DIGIT ONE}", "9" * 10)} == {
        None
    }
    assert parsing.moment("2026-11-26T18:30:00.123+00:00") == parsing.moment("2026-11-26T18:30:00.123 00:00")
    assert parsing.moment("2026-11-26T18:30:00Z") == dt.datetime(2026, 11, 26, 18, 30, tzinfo=dt.UTC)
    assert {parsing.moment(text) for text in ("", "now", "2026-11-26T18:30:00", "2026-13-26T18:30:00Z")} == {None}
    made = uuid7()
    assert parse_id(f"run_{made.hex}", "run_") == parse_id(made.hex, "run_") == parse_id(str(made)) == made
    assert parse_id("") is parse_id("run_") is parse_id(f"run_{made.hex}", "req_") is None


def test_it_shows_a_refusal_at_its_field_or_above_the_form() -> None:
    class Form(forms.Form):
        shown_at = {"document": "text"}
        name, text = forms.CharField(required=False), forms.CharField(required=False)

    for param, place in (("name", "name"), ("name.first", "name"), ("document", "text"), ("other", "__all__")):
        form = Form({})
        form.is_valid()
        refuse(form, BadInput("No.", param=param))
        assert form.errors == {place: ["No."]}
