"""Every page of the navigation, as an operator and as a member: whole, reachable, calm at both widths."""

import pytest

from console.pages.navigation import ITEMS, Item
from console.teams.access import rights_of
from console.teams.callers import SYSTEM, Caller
from console.teams.models import User
from tests import make
from tests.conftest import Cast
from tests.e2e.conftest import NARROW, WIDE, OpenPage, look_at

pytestmark = pytest.mark.e2e

OWN_PAGES = ["/profile/", "/accounts/2fa/", "/accounts/2fa/totp/activate/", "/accounts/2fa/webauthn/",
             "/accounts/2fa/webauthn/add/", "/accounts/password/change/", "/accounts/email/", "/accounts/sessions/",
             "/docs/api/", "/palette/?q=a", "/teams/team-a/alerts/", "/touchpoints/signals/"]  # fmt: skip
OPEN_PAGES = ["/accounts/login/", "/accounts/password/reset/", "/accounts/password/reset/done/", "/accounts/inactive/"]


def _make_long_names() -> None:
    """What people name things in some languages, so that no list breaks under it."""
    team = make.make_team("Kundenbetreuung und Rueckerstattungen Nordwest")
    agent = make.make_agent(
        team,
        "rueckerstattungen-nordwest-assistentin-der-nacht",
        prompt=make.make_prompt(team, "kundenbetreuung/rueckerstattungen-nordwest/assistentin-der-nacht"),
        name="Rueckerstattungsassistentin Nordwest fuer die Nacht und das Wochenende",
        description="Sie antwortet, wenn sonst niemand da ist. " * 5,
    )
    alias = make.make_alias("rueckerstattungen-nordwest-antworten-der-nacht")
    alias.teams.add(team)
    make.make_run(agent, make.make_member(team), "kundenbetreuung-rueckerstattungen-nordwest: OutOfMemory " * 5)
    make.make_key(team, "Was in der Nacht und am Wochenende das Gateway ruft, ohne dass jemand da ist")
    make.make_tool(team, "rueckerstattungen_nordwest_nachschlagen")
    make.make_widget(team, agent, name="Rueckerstattungen auf der Seite der Aussenstellen im Nordwesten")


def _open_to(user: User, item: Item) -> bool:
    return item.is_open_to(Caller(actor=SYSTEM, is_operator=user.is_operator, user=user, rights=rights_of(user)))


@pytest.mark.parametrize("who", ["operator", "bob"])
def test_it_walks_the_navigation(page_as: OpenPage, people: Cast, who: str) -> None:
    user = getattr(people, who)
    page = page_as(user)
    if who == "operator":
        _make_long_names()
    # The operator has walked here before, and what one does not see is no barrier.
    axe = () if who == "bob" else (WIDE, NARROW)
    for place, item in enumerate([item for item in ITEMS if _open_to(user, item)]):
        look_at(page, item.url, f"{who}-{item.name}", current=item.label, frame=place == 0, axe=axe)


def test_it_walks_a_persons_own_pages(page_as: OpenPage, people: Cast) -> None:
    page = page_as(people.alice)
    make.make_delivery(make.make_channel(people.team_a, name="Kundenbetreuung und Rueckerstattungen Nordwest"))
    for path in OWN_PAGES:
        look_at(page, path, "own" + path.partition("?")[0].replace("/", "-"))


def test_it_walks_the_pages_before_the_door(page_as: OpenPage, people: Cast) -> None:
    page = page_as()
    for path in OPEN_PAGES:
        look_at(page, path, "open" + path.replace("/", "-"), frame=True)
