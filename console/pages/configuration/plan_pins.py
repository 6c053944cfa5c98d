"""The part of a plan about pins: canary, shadow, fallbacks, parameters, lane."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from console.catalog.models import Alias, ModelVersion, Pin, Trouble
from console.catalog.services import pins
from console.catalog.services.pins.draft import share_of
from console.pages.configuration.forms import Entry
from console.pages.configuration.steps import FieldChange, Ref
from console.teams.callers import Actor

# The prefetches of an alias that `state_of` reads.
AROUND = (
    "pins__model_version__provider",
    "pins__canary_version__provider",
    "pins__shadow_version__provider",
    "pins__fallbacks__model_version__provider",
)


@dataclass
class Around:
    """What has to change around one pin: the fields that differ, and the verbs that do it, in order."""

    environment: str
    fields: list[FieldChange] = field(default_factory=list)
    verbs: list[Callable[[], pins.Verb]] = field(default_factory=list)
    needs: set[Ref] = field(default_factory=set)

    def run(self, *, actor: Actor, alias: Alias, reason: str, revision: int) -> None:
        """Carry the changes out. `revision` is what the pin has unless somebody changed it since the plan was made."""
        for seen, verb in enumerate(self.verbs, start=revision):
            pins.change_pin(
                actor=actor,
                alias=alias,
                environment=self.environment,
                verb=verb(),
                reason=reason,
                seen_revision=seen,
            )


def state_of(pin: Pin | None) -> dict[str, Any]:
    """Return what surrounds a pin, as a file says it; for none, what a new one has."""
    if pin is None:
        return {"canary": None, "shadow": None, "fallbacks": [], "parameters": {}, "max_parameters": {}, "lane": ""}
    return {
        "canary": share_of(pin.canary_version, pin.canary_percent),
        "shadow": share_of(pin.shadow_version, pin.shadow_percent),
        "fallbacks": [
            {"model": str(step.model_version), "on": list(step.on), "tries": step.tries}
            for step in pin.fallbacks.all()
            if step.model_version_id != pin.model_version_id  # as a move of before could leave it: no file may say that
        ],
        "parameters": pin.default_parameters,
        "max_parameters": pin.max_parameters,
        "lane": pin.lane,
    }


def wanted_of(entry: Entry) -> dict[str, Any]:
    """Return what the file says of a pin; what it lacks a half of is a problem already, and left out."""
    wanted: dict[str, Any] = {}
    for name in ("canary", "shadow"):
        share = entry.get(name)
        if entry.has(name) and share is None:
            wanted[name] = None
        elif share is not None and share.has("model") and share.has("percent"):
            wanted[name] = {"model": share["model"], "percent": share["percent"]}
    if entry.has("fallbacks"):
        wanted["fallbacks"] = [
            {
                "model": step["model"],
                "on": [t for t in Trouble.values if t in step.get("on", Trouble.values)],
                "tries": step.get("tries", 1),
            }
            for step in entry["fallbacks"]
            if step.has("model")
        ]
    for name in ("parameters", "max_parameters"):
        if entry.has(name):
            wanted[name] = dict(entry[name].values)
    if entry.has("lane"):
        wanted["lane"] = entry["lane"]
    return wanted


def models_in(wanted: dict[str, Any]) -> list[str]:
    shares = [wanted[name]["model"] for name in ("canary", "shadow") if wanted.get(name)]
    return shares + [step["model"] for step in wanted.get("fallbacks", [])]


def around(entry: Entry, environment: str, pin: Pin | None, *, moves: bool) -> Around:
    """Compare what a file says around a pin with what is there. With `moves` the pin is moved first."""
    had, wanted = state_of(pin), wanted_of(entry)
    now = had | wanted
    made = Around(environment, needs={("model", name) for name in models_in(wanted)})
    changed = [name for name, value in wanted.items() if had[name] != value]
    made.fields = [
        FieldChange(f"{environment} {name}", _described(name, had), _described(name, now)) for name in changed
    ]
    if {"parameters", "max_parameters"} & set(changed):
        made.verbs.append(lambda: pins.SetParameters(now["parameters"], now["max_parameters"]))
    if "lane" in changed:
        made.verbs.append(lambda: pins.SetLane(now["lane"]))
    if "fallbacks" in changed:
        made.verbs.append(lambda: pins.SetFallbacks(tuple(_step(step) for step in now["fallbacks"])))
    if "shadow" in changed:
        made.verbs.append(lambda: _shadow(now["shadow"]))
    if "canary" in changed and now["canary"] is None:
        if not moves:  # a move ends it
            made.verbs.append(pins.EndCanary)
    elif "canary" in changed:
        made.verbs.append(lambda: pins.SetCanary(_version(now["canary"]["model"]), now["canary"]["percent"]))
    return made


def _described(name: str, state: dict[str, Any]) -> str:
    """Return one of the fields in a few words."""
    value = state[name]
    if not value:
        return "none"
    if name in {"canary", "shadow"}:
        return f"{value['percent']} % {value['model']}"
    if name == "fallbacks":
        return ", ".join(f"{step['model']} on {'/'.join(step['on'])} x{step['tries']}" for step in value)
    return ", ".join(f"{key} {one}" for key, one in value.items()) if isinstance(value, dict) else str(value)


def _version(name: str) -> ModelVersion:
    provider, _, model = name.partition("/")
    return ModelVersion.objects.select_related("provider").get(provider__slug=provider, name=model)


def _shadow(share: dict[str, Any] | None) -> pins.SetShadow:
    return pins.SetShadow(_version(share["model"]), share["percent"]) if share else pins.SetShadow(None)


def _step(step: dict[str, Any]) -> pins.Step:
    return pins.Step(_version(step["model"]), tuple(step["on"]), step["tries"])
