"""Checks before an alias points at a version in production, for aliases whose tests must pass.

The catalog cannot run tests: that needs prompts and calls, and those live above. Whoever can registers a gate when the
process starts (`AppConfig.ready`).
"""

from collections.abc import Callable

from console.catalog.models import Alias, ModelVersion

# Given an alias and the version it should mean, return what is against it, a sentence each; nothing when it may.
Gate = Callable[[Alias, ModelVersion], list[str]]
GATES: list[Gate] = []


def objections(alias: Alias, version: ModelVersion) -> list[str]:
    """Return what all gates say. Without any gate nobody can say that tests hold, so nothing passes."""
    if not GATES:
        return ["Nothing in this installation can run tests."]
    return [sentence for gate in GATES for sentence in gate(alias, version)]
