"""The form of a schedule: a choice of intervals, or a cron expression."""

from typing import Any

from django import forms
from django.urls import reverse

from console.core.forms import MONO, seen_field
from console.core.schedules import LONGEST_CRON
from console.evals.models import Schedule
from prompts_app.models import Prompt

OWN = "own"
OFTEN = (
    ("0 3 * * *", "Every night, at 03:00"),
    ("0 3 * * 1", "Every Monday, at 03:00"),
    ("0 3 1 * *", "On the first of the month, at 03:00"),
    ("0 */6 * * *", "Every six hours"),
    (OWN, "By cron expression"),
)


class ScheduleForm(forms.Form):
    label = forms.ChoiceField(label="Version", help_text="The version this label points at when a run starts.")
    model = forms.CharField(
        max_length=200,
        label="Model",
        widget=forms.TextInput(attrs={**MONO, "list": "test-models"}),
        help_text="alias@environment, or an exact version as provider/name.",
    )
    often = forms.ChoiceField(label="How often", choices=OFTEN)
    cron = forms.CharField(
        max_length=LONGEST_CRON,
        required=False,
        label="Cron expression",
        widget=forms.TextInput(attrs={**MONO, "placeholder": "0 7 * * MON-FRI"}),
        help_text="Only used if chosen above.",
    )
    time_zone = forms.CharField(
        max_length=60, initial="UTC", widget=forms.TextInput(attrs=MONO), help_text="As Europe/Berlin."
    )
    tolerance = forms.IntegerField(
        min_value=0,
        max_value=100,
        initial=5,
        label="Tolerance, in points",
        help_text="Drift is reported when tests that passed in the baseline fail twice in a row and cost more than "
        "this "
        "many points of 100, or the score is that much lower twice in a row. 0: any test that fails twice.",
    )

    seen_revision = seen_field()

    def __init__(self, data: Any = None, *, prompt: Prompt, initial: Any = None) -> None:
        super().__init__(data, initial=initial)
        labels = list(prompt.labels.order_by("name").values_list("name", "version__number"))
        field = self.fields["label"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(name, f"{name}, now v{number}") for name, number in labels]
        self.has_labels = bool(labels)
        # What the expression means is said while it is typed.
        self.fields["cron"].widget.attrs |= {
            "hx-get": reverse("evals:cron_words"),
            "hx-trigger": "input changed delay:250ms, load",
            "hx-include": "[name=time_zone]",
            "hx-target": "#cron-words",
            "hx-swap": "outerHTML",
        }

    @classmethod
    def of(cls, schedule: Schedule, data: Any = None) -> "ScheduleForm":
        """Return the form filled with what a schedule is."""
        is_known = schedule.cron in dict(OFTEN)
        initial = {
            "label": schedule.label,
            "model": schedule.target,
            "often": schedule.cron if is_known else OWN,
            "cron": "" if is_known else schedule.cron,
            "time_zone": schedule.time_zone,
            "tolerance": schedule.tolerance,
            "seen_revision": schedule.revision,
        }
        return cls(data, prompt=schedule.prompt, initial=initial)

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("often") == OWN and not given.get("cron"):
            self.add_error("cron", "Write the expression, or choose another entry of How often.")
        return given

    def fields_of_schedule(self) -> dict[str, Any]:
        given = self.cleaned_data
        cron = given["cron"] if given["often"] == OWN else given["often"]
        return {name: given[name] for name in ("label", "model", "time_zone", "tolerance")} | {"cron": cron}
