"""Who sees, uses and builds which agents."""

import pytest
from django.core.exceptions import PermissionDenied

from agents_app.access import agent_for, agents_for
from agents_app.errors import UnknownAgent
from console.teams.callers import Caller
from console.teams.models import Role
from console.teams.rights import rights_of
from tests import make


def caller(user):
    from console.teams.actors import Actor

    rights = {} if user.is_superuser else rights_of(user)
    return Caller(Actor("user", user.pk, str(user)), is_operator=user.is_superuser, user=user, rights=rights)


def test_the_audience_decides(cast):
    auditor = make.make_member(cast.team_b, role=Role.AUDITOR)
    make.make_agent(cast.team_a, "own")
    make.make_agent(cast.team_a, "shared", audience="teams", shared_with=[cast.team_b])
    make.make_agent(cast.team_a, "all", audience="organisation")
    make.make_agent(cast.team_a, "draft", is_live=False, audience="organisation")

    def slugs(user, to):
        return {agent.slug for agent in agents_for(caller(user), to)}

    every = {"own", "shared", "all", "draft"}
    for user, to, expected in (
        (cast.alice, "edit", every),
        (cast.alice, "use", every - {"draft"}),
        (cast.bob, "view", every),
        (cast.bob, "edit", set()),
        (cast.charlie, "view", {"shared", "all", "draft"}),
        (cast.charlie, "use", {"shared", "all"}),
        (cast.charlie, "edit", set()),
        (auditor, "view", set()),
        (cast.operator, "edit", every),
    ):
        assert slugs(user, to) == expected, (user, to)
    assert agent_for(caller(cast.charlie), "shared", to="use").slug == "shared"
    with pytest.raises(UnknownAgent):
        agent_for(caller(cast.charlie), "own")
    with pytest.raises(UnknownAgent):
        agent_for(caller(cast.alice), "own\x00")
    with pytest.raises(PermissionDenied):
        agent_for(caller(cast.charlie), "shared", to="edit")
    with pytest.raises(PermissionDenied):
        agent_for(caller(cast.alice), "draft", to="use")


def test_it_tells_builders_which_agents_cannot_answer(cast, django_assert_num_queries):
    from agents_app.queries.broken_agents import unready
    from console.catalog.models import Pin
    from prompts_app.models import Label

    fine, unpinned = make.make_agent(cast.team_a, "fine"), make.make_agent(cast.team_a, "unpinned", alias="other")
    unlabelled = make.make_agent(cast.team_a, "unlabelled")
    Pin.objects.filter(alias__name="other").delete()
    Label.objects.filter(prompt__slug="unlabelled/instructions").delete()
    with django_assert_num_queries(5):
        found = dict(unready([cast.team_a]))
    assert fine not in found and set(found) == {unpinned, unlabelled}
    assert "not pinned in production" in found[unpinned] and "no label production" in found[unlabelled]
    assert unready([]) == []
