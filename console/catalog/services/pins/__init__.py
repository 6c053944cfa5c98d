"""Change pins, with a reason and a history; propose changes where two people have to agree."""

from console.catalog.services.pins.change import SecondPersonNeeded, change_pin, move_pin, roll_back_pin
from console.catalog.services.pins.draft import Step
from console.catalog.services.pins.gate import TestsNeeded
from console.catalog.services.pins.proposals import (
    approve_proposal,
    ask_for_change,
    ask_to_lift_rule,
    reject_proposal,
)
from console.catalog.services.pins.verbs import (
    MOST_FALLBACKS,
    MOST_TRIES,
    EndCanary,
    Move,
    PromoteCanary,
    RollBack,
    SetCanary,
    SetFallbacks,
    SetLane,
    SetParameters,
    SetShadow,
    Verb,
    version_before,
)

__all__ = [
    "MOST_FALLBACKS",
    "MOST_TRIES",
    "EndCanary",
    "Move",
    "PromoteCanary",
    "RollBack",
    "SecondPersonNeeded",
    "SetCanary",
    "SetFallbacks",
    "SetLane",
    "SetParameters",
    "SetShadow",
    "Step",
    "TestsNeeded",
    "Verb",
    "approve_proposal",
    "ask_for_change",
    "ask_to_lift_rule",
    "change_pin",
    "move_pin",
    "reject_proposal",
    "roll_back_pin",
    "version_before",
]
