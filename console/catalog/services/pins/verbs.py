"""The changes of a pin. Each changes a draft or refuses; permissions are checked elsewhere."""

import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from django.db.models import F

from console.audit import actions
from console.audit.actions import Action
from console.catalog.models import Change, ModelVersion, Pin, Trouble
from console.catalog.parameters import check_parameters
from console.catalog.services.pins.draft import Draft, Step, usable
from console.core.clock import now
from console.core.errors import BadInput
from console.core.lanes import Lane

MOST_FALLBACKS, MOST_TRIES = 5, 5


class Verb(ABC):
    """One change of a pin. `is_way_back`: it returns to what was agreed on before, so it never waits for anybody."""

    change: ClassVar[Change]
    action: ClassVar[Action]
    is_way_back: ClassVar[bool] = False

    @abstractmethod
    def apply(self, draft: Draft) -> None:
        """Change the draft; BadInput when it cannot be done."""

    def arguments(self) -> dict[str, Any]:
        """Return what a proposal keeps; `restore` makes the verb of it again."""
        return {}

    @classmethod
    def restore(cls, arguments: Mapping[str, Any]) -> Self:
        return cls()


def _version(identifier: object) -> ModelVersion:
    found = ModelVersion.objects.select_related("provider").filter(pk=str(identifier)).first()
    if found is None:
        raise BadInput("The model version this was about is gone.", param="to")
    return found


def _pinned(draft: Draft) -> Pin:
    if draft.is_new:
        raise BadInput(f"{draft.name} is not pinned yet; pin it first.")
    return draft.pin


def _end_canary(pin: Pin) -> None:
    pin.canary_version, pin.canary_percent, pin.canary_since = None, 0, None


def _end_shadow(pin: Pin) -> None:
    pin.shadow_version, pin.shadow_percent = None, 0


def version_before(pin: Pin) -> ModelVersion | None:
    """Return what the pin meant before it last meant something else: where a roll-back goes."""
    last = (
        pin.moves.exclude(from_version=F("to_version"))
        .select_related("from_version__provider")
        .order_by("-moved_at", "-id")
        .first()
    )
    return last.from_version if last else None


@dataclass(frozen=True)
class Move(Verb):
    """Make the alias mean another version. A canary ends with what it was compared with; a shadow, when it is it.

    A fallback that is it goes from the chain: what has just failed is not asked again.
    """

    change, action = Change.MOVED, actions.PIN_MOVED
    to: ModelVersion

    def apply(self, draft: Draft) -> None:
        to = usable(self.to, "to")
        if draft.pin.model_version_id == to.pk:
            raise BadInput(f"{draft.pin.alias.name} means {to} in {draft.pin.environment} already.", param="to")
        draft.pin.model_version = to
        _end_canary(draft.pin)
        if draft.pin.shadow_version_id == to.pk:
            _end_shadow(draft.pin)
        draft.fallbacks = [step for step in draft.fallbacks if step.version.pk != to.pk]

    def arguments(self) -> dict[str, Any]:
        return {"to": str(self.to.pk)}

    @classmethod
    def restore(cls, arguments: Mapping[str, Any]) -> Self:
        return cls(_version(arguments["to"]))


@dataclass(frozen=True)
class RollBack(Verb):
    """Make the alias mean again what it meant before. A canary ends."""

    change, action, is_way_back = Change.ROLLED_BACK, actions.PIN_ROLLED_BACK, True

    def apply(self, draft: Draft) -> None:
        to = version_before(draft.pin)
        if to is None:
            raise BadInput(f"{draft.pin} has not been moved yet, so there is nothing to roll back to.")
        Move(to).apply(draft)


@dataclass(frozen=True)
class SetCanary(Verb):
    """Give a share of the callers another version, the same callers call after call."""

    change, action = Change.CANARY, actions.CANARY_SET
    version: ModelVersion
    percent: int

    def apply(self, draft: Draft) -> None:
        pin = _pinned(draft)
        if not 1 <= self.percent <= 100:
            raise BadInput(f"{self.percent} % is no share; write 1 to 100.", param="percent")
        version = usable(self.version, "version")
        if version.pk == pin.model_version_id:
            raise BadInput(f"{draft.name} means {version} already; a canary tries another version.", param="version")
        if pin.canary_version_id != version.pk:
            pin.canary_since = now()
        pin.canary_version, pin.canary_percent = version, self.percent

    def arguments(self) -> dict[str, Any]:
        return {"version": str(self.version.pk), "percent": self.percent}

    @classmethod
    def restore(cls, arguments: Mapping[str, Any]) -> Self:
        return cls(_version(arguments["version"]), int(arguments["percent"]))


@dataclass(frozen=True)
class PromoteCanary(Verb):
    """Make the alias mean the canary's version for everybody."""

    change, action = Change.PROMOTED, actions.CANARY_PROMOTED

    def apply(self, draft: Draft) -> None:
        canary = _pinned(draft).canary_version
        if canary is None:
            raise BadInput(f"{draft.name} has no canary to promote.")
        Move(canary).apply(draft)


@dataclass(frozen=True)
class EndCanary(Verb):
    """Give everybody the pinned version again."""

    change, action, is_way_back = Change.CANARY_ENDED, actions.CANARY_ENDED, True

    def apply(self, draft: Draft) -> None:
        if _pinned(draft).canary_version is None:
            raise BadInput(f"{draft.name} has no canary to end.")
        _end_canary(draft.pin)


@dataclass(frozen=True)
class SetShadow(Verb):
    """Copy a share of the calls to another version, whose answers are kept and returned to nobody. No version: none."""

    change, action = Change.SHADOW, actions.PIN_CHANGED
    version: ModelVersion | None
    percent: int = 0

    def apply(self, draft: Draft) -> None:
        pin = _pinned(draft)
        if self.version is None:
            _end_shadow(pin)
            return
        if not 1 <= self.percent <= 100:
            raise BadInput(f"{self.percent} % is no share; write 1 to 100.", param="percent")
        version = usable(self.version, "version")
        if version.pk == pin.model_version_id:
            raise BadInput(f"{draft.name} means {version} already; a shadow is another version.", param="version")
        pin.shadow_version, pin.shadow_percent = version, self.percent

    def arguments(self) -> dict[str, Any]:
        return {"version": str(self.version.pk) if self.version else None, "percent": self.percent}

    @classmethod
    def restore(cls, arguments: Mapping[str, Any]) -> Self:
        version = _version(arguments["version"]) if arguments["version"] else None
        return cls(version, int(arguments["percent"]))


@dataclass(frozen=True)
class SetFallbacks(Verb):
    """Say what is tried next when the pinned version does not answer, in order."""

    change, action = Change.FALLBACKS, actions.PIN_CHANGED
    steps: tuple[Step, ...]

    def apply(self, draft: Draft) -> None:
        pin = _pinned(draft)
        if len(self.steps) > MOST_FALLBACKS:
            raise BadInput(f"A chain has up to {MOST_FALLBACKS} steps; this has {len(self.steps)}.", param="fallbacks")
        chosen: dict[uuid.UUID, Step] = {}
        for step in sorted(self.steps, key=lambda step: step.version.pk):  # one order of locks for all
            version = usable(step.version, "fallbacks")
            if version.pk == pin.model_version_id or version.pk in chosen:
                raise BadInput(f"{version} would be tried twice; name each version once.", param="fallbacks")
            chosen[version.pk] = Step(version, _troubles(step), _tries(step))
        draft.fallbacks = [chosen[step.version.pk] for step in self.steps]

    def arguments(self) -> dict[str, Any]:
        return {"steps": [{"version": str(s.version.pk), "on": list(s.on), "tries": s.tries} for s in self.steps]}

    @classmethod
    def restore(cls, arguments: Mapping[str, Any]) -> Self:
        return cls(tuple(Step(_version(s["version"]), tuple(s["on"]), s["tries"]) for s in arguments["steps"]))


def _troubles(step: Step) -> tuple[str, ...]:
    unknown = [trouble for trouble in step.on if trouble not in Trouble.values]
    if unknown:
        raise BadInput(f"{unknown[0]!r} is no trouble; choose from {', '.join(Trouble.values)}.", param="fallbacks")
    if not step.on:
        raise BadInput(f"Say after which trouble {step.version} is tried.", param="fallbacks")
    return tuple(trouble for trouble in Trouble.values if trouble in step.on)


def _tries(step: Step) -> int:
    if not 1 <= step.tries <= MOST_TRIES:
        raise BadInput(f"{step.version} can be tried 1 to {MOST_TRIES} times, not {step.tries}.", param="fallbacks")
    return step.tries


@dataclass(frozen=True)
class SetParameters(Verb):
    """Say what a call is sent with when it does not say itself, and the most it may ask for."""

    change, action = Change.PARAMETERS, actions.PIN_CHANGED
    default: dict[str, Any] = field(default_factory=dict)
    most: dict[str, Any] = field(default_factory=dict)

    def apply(self, draft: Draft) -> None:
        pin = _pinned(draft)
        check_parameters(self.default, self.most)
        pin.default_parameters, pin.max_parameters = dict(self.default), dict(self.most)

    def arguments(self) -> dict[str, Any]:
        return {"default": self.default, "most": self.most}

    @classmethod
    def restore(cls, arguments: Mapping[str, Any]) -> Self:
        return cls(arguments["default"], arguments["most"])


@dataclass(frozen=True)
class SetLane(Verb):
    """Say which lane is the fastest this alias gives; "" leaves it to the caller."""

    change, action = Change.LANE, actions.PIN_CHANGED
    lane: str

    def apply(self, draft: Draft) -> None:
        pin = _pinned(draft)
        if self.lane and self.lane not in Lane.values:
            raise BadInput(f"{self.lane!r} is not a lane; choose {', '.join(Lane.values)}.", param="lane")
        pin.lane = self.lane

    def arguments(self) -> dict[str, Any]:
        return {"lane": self.lane}

    @classmethod
    def restore(cls, arguments: Mapping[str, Any]) -> Self:
        return cls(arguments["lane"])


VERBS: dict[str, type[Verb]] = {
    verb.change.value: verb
    for verb in (
        Move,
        RollBack,
        SetCanary,
        PromoteCanary,
        EndCanary,
        SetShadow,
        SetFallbacks,
        SetParameters,
        SetLane,
    )  # fmt: skip
}
