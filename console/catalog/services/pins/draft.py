"""A pin with a change applied in memory: to be saved, or shown in a proposal."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from console.catalog.models import Alias, ModelVersion, Pin, PinMove
from console.core.errors import BadInput, Overtaken
from console.core.races import hold
from console.teams.models import Environment


class Step(NamedTuple):
    """One step of a fallback chain: the version to try next, after which troubles, how often."""

    version: ModelVersion
    on: tuple[str, ...] = ("error", "timeout", "busy", "unreachable")
    tries: int = 1


@dataclass
class Draft:
    """The pin, locked where there is one, and its chain. `before` is how it was found."""

    pin: Pin
    is_new: bool
    fallbacks: list[Step]
    before: dict[str, Any] = field(default_factory=dict)
    from_version: ModelVersion | None = None

    @property
    def name(self) -> str:
        return f"{self.pin.alias.name} in {self.pin.environment}"

    def state(self) -> dict[str, Any]:
        """Return everything a pin says, the way history and log keep it."""
        pin = self.pin
        return {
            "model": str(pin.model_version) if pin.model_version_id else None,
            "canary": share_of(pin.canary_version, pin.canary_percent),
            "shadow": share_of(pin.shadow_version, pin.shadow_percent),
            "fallbacks": [{"model": str(s.version), "on": list(s.on), "tries": s.tries} for s in self.fallbacks],
            "default_parameters": pin.default_parameters,
            "max_parameters": pin.max_parameters,
            "lane": pin.lane,
        }


def share_of(version: ModelVersion | None, percent: int) -> dict[str, Any] | None:
    return {"model": str(version), "percent": percent} if version is not None else None


def stale(alias: Alias, environment: str) -> Overtaken:
    """Return the refusal of a form that saw an older pin, saying who changed what since."""
    last = (
        PinMove.objects.filter(pin__alias=alias, pin__environment=environment)
        .select_related("to_version__provider")
        .order_by("-moved_at", "-id")
        .first()
    )
    if last is None:
        return Overtaken(f"{alias.name} is not pinned in {environment} any more; look again before you decide.")
    what = f"moved {alias.name} in {environment} to {last.to_version}"
    if last.from_version_id == last.to_version_id:
        what = f"changed {alias.name} in {environment} ({last.said})"
    return Overtaken(
        f"{last.moved_by_name} {what} at {last.moved_at:%H:%M:%S} UTC ({last.reason}). Look again before you decide."
    )


def open_draft(alias: Alias, environment: str, seen_revision: int) -> Draft:
    """Return the pin as it is now, held until commit; Overtaken when it is not what the caller saw."""
    if environment not in Environment.values:
        raise BadInput(f"{environment!r} is not an environment; choose production or sandbox.", param="environment")
    pin = (
        Pin.objects.select_for_update(no_key=True, of=("self",))
        .select_related("alias", "model_version__provider", "canary_version__provider", "shadow_version__provider")
        .filter(alias=alias, environment=environment)
        .first()
    )
    if (pin.revision if pin else 0) != seen_revision:
        raise stale(alias, environment)
    if pin is None:
        draft = Draft(Pin(alias=alias, environment=environment), is_new=True, fallbacks=[])
    else:
        chain = pin.fallbacks.select_related("model_version__provider")
        draft = Draft(pin, is_new=False, fallbacks=[Step(f.model_version, tuple(f.on), f.tries) for f in chain])
        draft.from_version = pin.model_version
    draft.before = draft.state()
    return draft


def usable(to: ModelVersion, param: str) -> ModelVersion:
    """Return the version as it is now, locked, so that it cannot be retired while a pin begins to use it."""
    to = hold(to, "provider")
    if to.retired_at is not None:
        raise BadInput(f"{to} is retired; choose another version.", param=param)
    if not to.provider.is_enabled:
        raise BadInput(f"{to.provider.name} is disabled; enable it or choose another version.", param=param)
    return to
