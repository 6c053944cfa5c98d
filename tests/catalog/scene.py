"""An alias with both pins and versions to move to, for tests of everything that can be done to a pin."""

from typing import Any

from console.catalog.models import Alias, ModelVersion, Pin, PinMove, PinProposal
from console.catalog.services import pins
from console.teams.models import User
from tests import make


class Scene:
    """support-chat means `old` in production and `new` in sandbox; `spare` is a third version."""

    def __init__(self, operator: User) -> None:
        self.actor = make.actor_for(operator)
        self.old: ModelVersion = make.make_model("old-1")
        self.new: ModelVersion = make.make_model("new-2")
        self.spare: ModelVersion = make.make_model("spare-3")
        self.alias: Alias = make.make_alias("support-chat", production=self.old, sandbox=self.new)

    @property
    def pin(self) -> Pin:
        return Pin.objects.select_related("model_version__provider", "canary_version", "shadow_version").get(
            alias=self.alias, environment="production"
        )

    def change(self, verb: pins.Verb, **more: Any) -> Pin:
        fields = {"actor": self.actor, "reason": "Because", "seen_revision": self.pin.revision} | more
        return pins.change_pin(alias=self.alias, environment="production", verb=verb, **fields)

    def ask(self, verb: pins.Verb, **more: Any) -> Pin | PinProposal:
        fields = {"actor": self.actor, "reason": "Because", "seen_revision": self.pin.revision} | more
        return pins.ask_for_change(alias=self.alias, environment="production", verb=verb, **fields)

    def history(self) -> list[str]:
        return [move.said for move in PinMove.objects.order_by("moved_at", "id")]
