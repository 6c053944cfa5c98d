"""Hold a change of a production pin against the tests of its alias, where the alias asks for that."""

from console.catalog import gates
from console.catalog.models import Alias
from console.catalog.services.pins.draft import Draft
from console.catalog.services.pins.verbs import Verb
from console.core.errors import Conflict
from console.teams.callers import Actor
from console.teams.models import Environment


class TestsNeeded(Conflict):
    """The tests that are scheduled on the alias do not hold on the version it should mean, or have not been run."""

    code = "tests_needed"


def check_tests(actor: Actor, draft: Draft, verb: Verb) -> None:
    """Refuse a draft that makes an alias mean a version in production on which its tests do not hold.

    The way back never waits, nor does a first pin, which can be no worse than none; a canary tries a version out. The
    installation itself (`manage.py apply`) is not held up: its files are reviewed where they are kept.
    """
    pin, before = draft.pin, draft.from_version
    if pin.environment != Environment.PRODUCTION or verb.is_way_back or actor.kind == "system":
        return
    if before is None or before.pk == pin.model_version_id:
        return
    if not Alias.objects.filter(pk=pin.alias_id, needs_tests=True).exists():
        return
    if said := gates.objections(pin.alias, pin.model_version):
        raise TestsNeeded(f"{pin.alias.name} moves when its tests hold. {' '.join(said)}")
