"""The frame every page sits in: navigation by rights, the team in scope, the demo's banner, the person's menu."""

import re
from typing import Any

import pytest
from django.test import Client, override_settings

from console.pages.navigation import ITEMS
from console.teams.actors import SYSTEM
from console.teams.models import Team
from prompts_app.services.reviews import request_review
from tests import make
from tests.conftest import Cast


def nav(html: str) -> list[str]:
    return re.findall(r'<a class="nav-link"[^>]*href="([^"]+)"', html)


def test_it_shows_operators_everything(client: Client, cast: Cast) -> None:
    client.force_login(cast.operator)
    assert nav(client.get("/profile/").text) == [item.url for item in ITEMS]


def test_it_counts_what_waits_for_the_reader_only_where_anything_waits(
    client: Client, cast: Cast, django_assert_max_num_queries: Any
) -> None:
    client.force_login(cast.alice)
    client.get("/docs/")
    with django_assert_max_num_queries(7) as quiet:
        assert "nav-count" not in client.get("/docs/").text
    for team, shown_count in ((cast.team_b, 0), (cast.team_a, 1)):
        prompt = make.make_prompt(team)
        request_review(
            actor=SYSTEM,
            prompt=prompt,
            version=make.save(prompt, "another text"),
            label="production",
            reason="clearer",
            seen_revision=1,
        )
        with django_assert_max_num_queries(len(quiet) + 1):
            shown = client.get("/docs/").text
        assert shown.count('"nav-count"') == shown_count
    assert 'Prompts<span class="nav-count">1<' in shown


def test_what_begins_on_a_page_of_one_team_begins_in_that_team(client: Client, cast: Cast) -> None:
    client.force_login(cast.operator)
    make.make_prompt(cast.team_b)
    for path in ("prompts/", "tools/", "tools/queues/", "tools/servers/", "knowledge/", "agents/"):
        for team in ("team-a", "team-b"):
            begun = re.findall(
                r'<a class="(?:btn|kind)"[^>]* href="([^"]*/new/[^"]*)"', client.get(f"/{path}?team={team}").text
            )
            assert begun and all(f"team={team}" in url for url in begun), (path, begun)
    assert '<option value="team-b" selected>' in client.get("/prompts/new/?team=team-b").text


def test_it_shows_members_what_they_may_open(client: Client, cast: Cast) -> None:
    client.force_login(cast.bob)
    shown = nav(client.get("/profile/").text)
    assert shown == [
        "/",
        "/approvals/",
        "/chat/",
        "/playground/",
        "/prompts/",
        "/agents/",
        "/tools/",
        "/knowledge/",
        "/evaluations/",
        "/models/",
        "/runs/",
        "/batches/",
        "/lanes/",
        "/widgets/",
        "/touchpoints/",
        "/costs/",
        "/quotas/",
        "/teams/",
        "/docs/",
    ]
    for url in shown:
        assert client.get(url).status_code == 200


def test_it_marks_the_page_one_is_on(client: Client, cast: Cast) -> None:
    client.force_login(cast.bob)
    assert re.search(r'href="/docs/" aria-current="page"', client.get("/docs/").text)


def test_it_keeps_the_team_in_scope_on_every_link(client: Client, cast: Cast) -> None:
    client.force_login(cast.alice)
    html = client.get("/docs/?team=team-a").text
    assert all(url.endswith("?team=team-a") for url in nav(html))
    assert "All teams</a>" in html


def test_it_ignores_a_scope_that_is_not_ones_own(client: Client, cast: Cast) -> None:
    client.force_login(cast.alice)
    html = client.get("/profile/?team=team-b").text
    assert "team-b" not in html
    assert "Team B" not in html


def test_it_names_the_demo(client: Client, cast: Cast) -> None:
    client.force_login(cast.alice)
    assert "are a demo" not in client.get("/profile/").text
    Team.objects.filter(pk=cast.team_a.pk).update(is_demo=True)
    assert "are a demo" in client.get("/profile/").text
    other = make.make_team("Real", owner=cast.alice)
    assert "are a demo" not in client.get(f"/profile/?team={other.slug}").text


def test_it_carries_the_installations_name(client: Client, cast: Cast) -> None:
    client.force_login(cast.alice)
    with override_settings(INSTALLATION_NAME="Larkfield AI"):
        html = client.get("/profile/").text
    assert "<title>Profile · Larkfield AI</title>" in html


def test_it_signs_out_by_post_only(client: Client, cast: Cast) -> None:
    client.force_login(cast.alice)
    assert client.get("/accounts/logout/").status_code == 200
    assert client.get("/profile/").status_code == 200
    assert client.post("/accounts/logout/").status_code == 302
    assert client.get("/profile/").status_code == 302


def test_it_switches_letters_off_with_the_profile(client: Client, cast: Cast) -> None:
    client.force_login(cast.alice)
    assert "data-shortcuts" in client.get("/profile/").text
    response = client.post("/profile/", {"name": "Alice A."}, follow=True)
    assert "Your profile is saved." in response.text
    assert "data-shortcuts" not in response.text
    cast.alice.refresh_from_db()
    assert (cast.alice.name, cast.alice.shortcuts_enabled) == ("Alice A.", False)


def test_it_records_a_changed_profile_once(client: Client, cast: Cast) -> None:
    from console.audit.models import AuditEvent

    before = AuditEvent.objects.filter(action="user.changed").count()
    client.force_login(cast.alice)
    for _ in range(2):
        client.post("/profile/", {"name": "Alice A.", "shortcuts_enabled": "on"})
    assert AuditEvent.objects.filter(action="user.changed").count() == before + 1


def test_it_refuses_a_name_that_is_too_long(client: Client, cast: Cast) -> None:
    client.force_login(cast.alice)
    response = client.post("/profile/", {"name": "x" * 121})
    assert response.status_code == 422
    assert 'aria-invalid="true"' in response.text


@pytest.mark.parametrize("teams", [1, 12])
def test_it_asks_a_fixed_number_of_questions(
    client: Client, cast: Cast, teams: int, django_assert_max_num_queries
) -> None:
    for _ in range(teams):
        make.make_team(owner=cast.alice)
    client.force_login(cast.alice)
    client.get("/profile/")
    with django_assert_max_num_queries(8):
        client.get("/profile/")
