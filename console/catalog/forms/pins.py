"""Forms of pins, one for each change."""

from typing import Any, ClassVar

from django import forms

from console.catalog.forms.base import VersionField
from console.catalog.models import ModelVersion, Pin, Trouble
from console.catalog.parameters import KNOWN
from console.catalog.queries import choices
from console.catalog.services import pins
from console.core.lanes import Lane


class PinForm(forms.Form):
    """What every change of a pin asks: why, and on which state it was decided."""

    title: ClassVar[str]  # with {alias} and {environment}
    action: ClassVar[str]
    here: ClassVar[str] = ""  # what its page is called, where the button does not say it
    done: ClassVar[str]  # what the toast says
    is_wide: ClassVar[bool] = False

    reason = forms.CharField(
        max_length=500,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="Shown in the history, for example: cheaper, and passes the same tests.",
    )
    seen_revision = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    def __init__(
        self, *args: Any, pin: Pin | None = None, initial: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        self.pin = pin
        known = {"seen_revision": pin.revision if pin else 0} | (self.initial_of(pin) if pin else {})
        super().__init__(*args, **(kwargs | {"initial": known | (initial or {})}))
        for field in self.fields.values():
            if isinstance(field, VersionField):
                field.queryset = self.versions()
                field.beside = pin.model_version if pin else None

    def versions(self) -> Any:
        """Return what may be chosen: everything in use but what the pin means already."""
        found = choices()
        return found.exclude(pk=self.pin.model_version_id) if self.pin else found

    def initial_of(self, pin: Pin) -> dict[str, Any]:
        return {}

    def verb(self) -> pins.Verb:
        raise NotImplementedError


class MoveForm(PinForm):
    title, action = "Move {alias} in {environment}", "Move pin"
    done = "{alias} means another version in {environment} now."
    to = VersionField(ModelVersion.objects.none(), label="Model version", empty_label="Choose a version")
    field_order = ("to", "reason")

    def versions(self) -> Any:
        return choices()

    def verb(self) -> pins.Verb:
        return pins.Move(self.cleaned_data["to"])


class RollBackForm(PinForm):
    title, action, done = "Roll {alias} back in {environment}", "Roll back", "Rolled {alias} back in {environment}."

    def initial_of(self, pin: Pin) -> dict[str, Any]:
        return {"reason": f"Back from {pin.model_version}."}  # who is in a hurry need not type

    def verb(self) -> pins.Verb:
        return pins.RollBack()


def _percent(initial: int, help_text: str, *, required: bool = True) -> forms.IntegerField:
    return forms.IntegerField(
        min_value=1, max_value=100, initial=initial, required=required, label="Share, in percent", help_text=help_text
    )


class CanaryForm(PinForm):
    here = "Canary"
    title, action, done = "Canary of {alias} in {environment}", "Set canary", "Set the canary of {alias}."
    version = VersionField(ModelVersion.objects.none(), label="Model version", empty_label="Choose a version")
    percent = _percent(10, "Share of callers; the same callers each time.")
    field_order = ("version", "percent", "reason")

    def initial_of(self, pin: Pin) -> dict[str, Any]:
        if pin.canary_version_id is None:
            return {}
        return {"version": pin.canary_version_id, "percent": pin.canary_percent}

    def verb(self) -> pins.Verb:
        return pins.SetCanary(self.cleaned_data["version"], self.cleaned_data["percent"])


class PromoteCanaryForm(PinForm):
    title, action = "Promote the canary of {alias} in {environment}", "Promote canary"
    done = "{alias} means what its canary was in {environment} now."

    def verb(self) -> pins.Verb:
        return pins.PromoteCanary()


class EndCanaryForm(PinForm):
    title, action, done = "End the canary of {alias} in {environment}", "End canary", "Ended the canary of {alias}."

    def verb(self) -> pins.Verb:
        return pins.EndCanary()


class ShadowForm(PinForm):
    here = "Shadow copies"
    title, action = "Shadow copies of {alias} in {environment}", "Save shadow copies"
    done = "Changed the shadow copies of {alias}."
    version = VersionField(
        ModelVersion.objects.none(), label="Copied to", required=False, empty_label="Nothing is copied"
    )
    percent = _percent(
        5, "Share of the calls of teams that have a quota for shadow copies. Each copy costs a call.", required=False
    )
    field_order = ("version", "percent", "reason")

    def initial_of(self, pin: Pin) -> dict[str, Any]:
        if pin.shadow_version_id is None:
            return {}
        return {"version": pin.shadow_version_id, "percent": pin.shadow_percent}

    def verb(self) -> pins.Verb:
        return pins.SetShadow(self.cleaned_data["version"], self.cleaned_data["percent"] or 0)


class LaneForm(PinForm):
    here = "Lane"
    title, action, done = "Lane of {alias} in {environment}", "Save lane", "Changed the lane of {alias}."
    lane = forms.ChoiceField(
        choices=[("", "No limit"), *Lane.choices],
        required=False,
        label="Fastest lane",
        help_text="Calls never get a faster lane, whatever their key allows.",
    )
    field_order = ("lane", "reason")

    def initial_of(self, pin: Pin) -> dict[str, Any]:
        return {"lane": pin.lane}

    def verb(self) -> pins.Verb:
        return pins.SetLane(self.cleaned_data["lane"])


class FallbacksForm(PinForm):
    """A chain of up to five steps; two empty ones wait after those there are. A step without a version goes."""

    here, is_wide = "Fallbacks", True
    title, action, done = "Fallbacks of {alias} in {environment}", "Save chain", "Changed the fallbacks of {alias}."

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chain = list(self.pin.fallbacks.all()) if self.pin else []
        self.length = min(pins.MOST_FALLBACKS, len(chain) + 2)
        for n in range(1, self.length + 1):
            step = chain[n - 1] if n <= len(chain) else None
            self._add_step(n, step.model_version_id if step else None, step.on if step else Trouble.values, step)
        self.order_fields([*(name for name in self.fields if name not in {"reason", "seen_revision"}), "reason"])

    def _add_step(self, n: int, version: object, on: Any, step: Any) -> None:
        field = VersionField(
            self.versions(), required=False, label=f"{n}. Then try", empty_label="Nothing", initial=version
        )
        field.beside = self.pin.model_version if self.pin else None
        self.fields[f"version_{n}"] = field
        self.fields[f"on_{n}"] = forms.MultipleChoiceField(
            choices=Trouble.choices,
            required=False,
            initial=list(on),
            widget=forms.CheckboxSelectMultiple,
            label=f"After ({n})",
        )
        self.fields[f"tries_{n}"] = forms.IntegerField(
            min_value=1, max_value=pins.MOST_TRIES, initial=step.tries if step else 1, label=f"Tries ({n})"
        )

    def verb(self) -> pins.Verb:
        given = self.cleaned_data
        return pins.SetFallbacks(
            tuple(
                pins.Step(given[f"version_{n}"], tuple(given[f"on_{n}"]), given[f"tries_{n}"])
                for n in range(1, self.length + 1)
                if given[f"version_{n}"]
            )
        )


class ParametersForm(PinForm):
    """For each parameter a default and, where it has one, a most."""

    here, is_wide = "Parameters", True
    template_name = "catalog/_parameters.html"
    title, action = "Parameters of {alias} in {environment}", "Save parameters"
    done = "Changed the parameters of {alias}."

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        pin = self.pin or Pin()
        for name, known in KNOWN.items():
            default, most = pin.default_parameters.get(name), pin.max_parameters.get(name)
            if known.choices:
                options = [("", "As requested"), *((choice, choice) for choice in known.choices)]
                self.fields[f"default_{name}"] = forms.ChoiceField(choices=options, required=False, initial=default)
            else:
                self.fields[f"default_{name}"] = self._number(name, default)
            self.fields[f"default_{name}"].label = f"{name}, default"
            if known.is_bounded:
                self.fields[f"most_{name}"] = self._number(name, most)
                self.fields[f"most_{name}"].label = f"{name}, at most"
        self.order_fields([*(name for name in self.fields if name not in {"reason", "seen_revision"}), "reason"])

    def _number(self, name: str, value: object) -> forms.Field:
        known = KNOWN[name]
        kind = forms.IntegerField if known.is_whole else forms.FloatField
        return kind(min_value=known.low, max_value=known.high, required=False, initial=value)  # type: ignore[arg-type]

    def _given(self, prefix: str) -> dict[str, Any]:
        given = {name: self.cleaned_data.get(f"{prefix}_{name}") for name in KNOWN}
        return {name: value for name, value in given.items() if value not in (None, "")}

    def rows(self) -> list[tuple[str, Any, Any]]:
        """Return name, default and most as bound fields, for the table on the page."""
        return [
            (name, self[f"default_{name}"], self[f"most_{name}"] if known.is_bounded else None)
            for name, known in KNOWN.items()
        ]

    def verb(self) -> pins.Verb:
        return pins.SetParameters(self._given("default"), self._given("most"))
