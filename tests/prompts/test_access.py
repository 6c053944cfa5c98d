"""Whose prompts somebody sees and may change, and who is named as their user."""

import datetime as dt
import uuid

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client

from console.teams.actors import SYSTEM, Actor
from console.teams.callers import Caller
from console.teams.models import User
from console.teams.rights import rights_of
from prompts_app import access, where_used
from prompts_app.errors import StillUsed, UnknownPrompt
from prompts_app.models import Prompt, PromptKeyUse, PromptUse
from prompts_app.queries import required
from prompts_app.services import prompts
from tests import make
from tests.conftest import Cast


def caller(user: User) -> Caller:
    return Caller(Actor("user", user.pk, str(user)), user.is_operator, user, rights=rights_of(user))


def test_it_shows_own_and_shared_prompts_and_nobody_elses(cast: Cast) -> None:
    make.make_prompt(cast.team_a, "mine", "x")
    make.make_prompt(cast.team_b, "secret/plan", "x")
    make.make_prompt(cast.team_b, "shared/tone", "x", visibility="organisation")
    gone = make.make_prompt(cast.team_a, "gone", "x", live=None)
    prompts.delete_prompt(actor=SYSTEM, prompt=gone)
    bob, alice, olga = caller(cast.bob), caller(cast.alice), caller(cast.operator)
    nobody = Caller(Actor("anonymous", None, "Nobody"))
    for who, right, found in (
        (bob, "view_team", ["mine", "shared/tone"]),
        (bob, "build", []),
        (alice, "build", ["mine"]),
        (olga, "view_team", ["mine", "secret/plan", "shared/tone"]),
        (nobody, "view_team", []),
    ):
        assert list(access.prompts_for(who, right).order_by("slug").values_list("slug", flat=True)) == found
    for slug in ("secret/plan", "no/such", "gone", "a\x00b"):
        with pytest.raises(UnknownPrompt) as caught:
            access.prompt_for(bob, slug, to="edit")
        assert caught.value.message.startswith(f"There is no prompt {slug.replace(chr(0), '?')!r}, or ")
    assert access.prompt_for(bob, "shared/tone").team == cast.team_b
    for who, slug, to in ((alice, "shared/tone", "edit"), (bob, "mine", "publish"), (bob, "mine", "review")):
        with pytest.raises(PermissionDenied, match="Your role in Team"):
            access.prompt_for(who, slug, to=to)
    assert access.prompt_for(alice, "mine", to="rule").slug == "mine"


def test_only_who_may_binds_other_teams(cast: Cast) -> None:
    prompt = make.make_prompt(cast.team_a, "style", "x", kind="partial", visibility="organisation")
    both, alice = [cast.team_a, cast.team_b], caller(cast.alice)
    access.check_may_require(alice, prompt, is_required=True, covers=[cast.team_a])
    access.check_may_require(caller(cast.operator), prompt, is_required=True, covers=[])
    for teams in ([], both):
        with pytest.raises(PermissionDenied, match="Only operators"):
            access.check_may_require(alice, prompt, is_required=True, covers=teams)
    prompts.change_prompt(actor=SYSTEM, prompt=prompt, is_required=True, covers=both)
    prompt.refresh_from_db()
    access.check_may_require(alice, prompt, is_required=True, covers=[cast.team_b])
    for is_required, teams in ((False, both), (None, [cast.team_a]), (None, [])):
        with pytest.raises(PermissionDenied, match="Only operators"):
            access.check_may_require(alice, prompt, is_required=is_required, covers=teams)


def test_it_says_who_uses_a_prompt_and_names_no_other_teams_in_a_refusal(cast: Cast) -> None:
    tone = make.make_prompt(cast.team_b, "tone", "x", kind="partial", visibility="organisation")
    make.make_prompt(cast.team_a, "hidden-plan", "{{> tone}}")
    make.make_prompt(cast.team_b, "near", "{{> tone}}")
    PromptUse.objects.create(prompt=tone, day=dt.date.today(), surface="api", number=1, calls=1200)
    uses = where_used.uses_of(tone)
    assert [(use.kind, use.name, use.holds) for use in uses] == [
        ("prompt", "hidden-plan", True),
        ("prompt", "near", True),
        ("calls", "api", True),
    ]
    assert uses[-1].detail.startswith("1,200 calls in 30 days")
    PromptUse.objects.update(calls=1)
    assert where_used.uses_of(tone)[-1].detail.startswith("1 call in 30 days")
    with pytest.raises(StillUsed) as caught:
        prompts.delete_prompt(actor=SYSTEM, prompt=tone)
    assert caught.value.message == (
        "tone is in use: prompt near, calls api and 1 of other teams. Take its labels off first to see who misses it."
    )


def test_where_used_shows_no_names_of_other_teams(cast: Cast) -> None:
    tone = make.make_prompt(cast.team_b, "tone", "x", kind="partial", visibility="organisation")
    make.make_prompt(cast.team_a, "mine", "{{> tone}}")
    make.make_prompt(cast.team_b, "their-plan", "{{> tone}}")
    for team, key in ((cast.team_a, "fk_live_…ours"), (cast.team_b, "fk_live_…them")):
        PromptKeyUse.objects.create(
            prompt=tone, day=dt.date.today(), key_id=uuid.uuid4(), key=key, team_id=team.pk, team=team.name, calls=3
        )
    named = make.make_key(cast.team_a, name="Help app")[0]
    of = {"key_id": named.pk, "key": "fk_live_…help", "team_id": cast.team_a.pk, "team": "Team A"}
    PromptKeyUse.objects.create(prompt=tone, day=dt.date.today(), calls=1, **of)
    client = Client()
    for user, path in ((cast.bob, "where-used"), (cast.alice, "where-used")):
        client.force_login(user)
        page = client.get(f"/prompts/tone/-/{path}/").content.decode()
        assert "…ours" in page and "mine" in page and "of teams you do not belong to" in page
        assert "…them" not in page and "their-plan" not in page
        assert (f'href="/keys/{named.pk}/">Help app</a>' in page) == (user == cast.alice), "a member may open no key"
        assert "Help app" in page and "fk_live_…help: 1 call in 30 days" in page
    api = client.get("/api/prompts/tone/-/where-used/").json()
    assert {use["name"] for use in api["data"]} == {"mine", "fk_live_…ours", "Help app"} and api["hidden"] == 2


def test_it_follows_partials_through_partials(cast: Cast) -> None:
    style = make.make_prompt(cast.team_a, "style", "kind", kind="partial")
    make.make_prompt(cast.team_a, "wrap", "{{> style}}", kind="partial")
    make.make_prompt(cast.team_a, "outer", "{{> wrap}}", kind="partial")
    top = make.make_prompt(cast.team_a, "top", "{{> outer}}")
    both = make.make_prompt(cast.team_a, "both", "{{> outer}} {{> style}}")
    make.make_prompt(cast.team_a, "other", "x")
    uses = {use.name: (use.holds, use.detail) for use in where_used.including_prompts(style)}
    assert uses == {
        "wrap": (True, "partial"),
        "both": (True, "text"),
        "outer": (False, "partial, through wrap"),
        "top": (False, "text, through wrap"),
    }
    prompts.change_prompt(actor=SYSTEM, prompt=style, is_required=True, covers=[cast.team_a])
    style.refresh_from_db()
    reach = required.reach(style, access.prompts_for(caller(cast.bob)))
    assert [p.slug for p in reach.including] == ["both", "outer", "top", "wrap"]
    assert [p.slug for p in reach.missing] == ["other"]
    for prompt in (top, both):
        prompt.refresh_from_db()
        assert [state.is_included for state in required.state(prompt)] == [True]
    assert [state.is_included for state in required.state(Prompt.objects.get(slug="other"))] == [False]
