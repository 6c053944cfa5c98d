"""Checks before a label moves, for labels whose tests must pass.

The library cannot run tests itself: that needs calls, and those live above. Whoever can registers a gate when the
process starts (`AppConfig.ready`).
"""

from collections.abc import Callable

from prompts_app.models import PromptVersion

# Given a version and the label it should get, return what is against it, a sentence each; nothing when it may pass.
Gate = Callable[[PromptVersion, str], list[str]]
GATES: list[Gate] = []


def objections(version: PromptVersion, label: str) -> list[str]:
    """Return what all gates say. Without any gate nobody can say that tests are green, so nobody passes."""
    if not GATES:
        return ["Nothing in this installation can run a prompt's tests."]
    return [sentence for gate in GATES for sentence in gate(version, label)]
