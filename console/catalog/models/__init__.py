"""Which models there are, what they cost, and what a name means today."""

from console.catalog.models.aliases import Alias
from console.catalog.models.pins import Change, Decision, Pin, PinFallback, PinMove, PinProposal, Trouble
from console.catalog.models.providers import Provider, ProviderIncident
from console.catalog.models.versions import AMOUNTS, PARTS, Amounts, Capability, ModelVersion, Price, ShutdownNotice

__all__ = [
    "AMOUNTS",
    "PARTS",
    "Amounts",
    "Alias",
    "Capability",
    "Change",
    "Decision",
    "ModelVersion",
    "Pin",
    "PinFallback",
    "PinMove",
    "PinProposal",
    "Price",
    "Provider",
    "ProviderIncident",
    "ShutdownNotice",
    "Trouble",
]
