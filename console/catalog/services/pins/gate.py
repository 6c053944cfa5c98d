"""Require the tests of an alias to pass before its production pin moves."""

from console.catalog import gates
from console.catalog.models import Alias
from console.catalog.services.pins.draft import Draft
from console.catalog.services.pins.verbs import SetCanary, Verb
from console.core.errors import Conflict
from console.teams.callers import Actor
from console.teams.models import Environment

EVERYBODY = 100


class TestsNeeded(Conflict):
    """The tests that are scheduled on the alias do not hold on the version it should mean, or have not been run."""

    code = "tests_needed"


def check_tests(actor: Actor, draft: Draft, verb: Verb) -> None:
    """Refuse a draft that makes an alias mean a version in production on which its tests do not hold.

    The way back never waits, nor does a first pin, which can be no worse than none; a canary tries a version out,
    unless it is everybody's. The installation itself (`manage.py apply`) is not held up: its files are reviewed where
    they are kept.
    """
    pin, before = draft.pin, draft.from_version
    if pin.environment != Environment.PRODUCTION or verb.is_way_back or actor.kind == "system":
        return
    is_for_all = isinstance(verb, SetCanary) and verb.percent == EVERYBODY
    meant = pin.canary_version if is_for_all else pin.model_version
    if before is None or meant is None or before.pk == meant.pk:
        return
    if not Alias.objects.filter(pk=pin.alias_id, needs_tests=True).exists():
        return
    if said := gates.objections(pin.alias, meant):
        raise TestsNeeded(f"{pin.alias.name} moves when its tests hold. {' '.join(said)}")
