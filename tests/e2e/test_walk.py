"""Every page of the navigation, as an operator and as a member: whole, reachable, calm at both widths."""

import pytest
from playwright.sync_api import Page

from console.pages.navigation import ITEMS, Item
from console.teams.access import rights_of
from console.teams.callers import SYSTEM, Caller
from console.teams.models import User
from tests.conftest import Cast
from tests.e2e.conftest import NARROW, WIDE, OpenPage, check_width, look_for_barriers, shoot

pytestmark = pytest.mark.e2e

OWN_PAGES = ["/profile/", "/accounts/2fa/", "/accounts/2fa/totp/activate/", "/accounts/2fa/webauthn/",
             "/accounts/2fa/webauthn/add/", "/accounts/password/change/", "/accounts/email/", "/accounts/sessions/",
             "/docs/api/", "/palette/?q=a"]  # fmt: skip
OPEN_PAGES = ["/accounts/login/", "/accounts/password/reset/", "/accounts/password/reset/done/", "/accounts/inactive/"]


@pytest.fixture
def people(committed_db: None) -> Cast:
    return Cast()


def _walk(
    page: Page, path: str, name: str, *, frame: bool = False, axe: tuple[tuple[int, int], ...] = (WIDE, NARROW)
) -> None:
    """Look at a page at both widths, wide in the light theme and narrow in the dark one; axe at those it is asked to.

    The frame around it is the same everywhere: once is enough.
    """
    response = page.goto(path)
    assert response is not None and response.ok, f"{path} answered {response and response.status}"
    assert page.locator("h1").count() == 1 and not page.title().startswith("·")
    barriers = look_for_barriers(page, frame=frame) if WIDE in axe else []
    check_width(page)
    shoot(page, f"{name}-{WIDE[0]}")
    page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    check_width(page)
    if NARROW in axe:
        page.evaluate("document.documentElement.classList.toggle('dark')")
        barriers += [f"on a phone, dark: {one}" for one in look_for_barriers(page, frame=frame)]
    assert not barriers, f"{page.url}\n" + "\n".join(barriers)
    shoot(page, f"{name}-{NARROW[0]}")
    page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})


def _open_to(user: User, item: Item) -> bool:
    return item.is_open_to(Caller(actor=SYSTEM, is_operator=user.is_operator, user=user, rights=rights_of(user)))


@pytest.mark.parametrize("who", ["operator", "bob"])
def test_it_walks_the_navigation(page_as: OpenPage, people: Cast, who: str) -> None:
    user = getattr(people, who)
    page = page_as(user)
    # The operator has walked here before, and what one does not see is no barrier.
    axe = () if who == "bob" else (WIDE, NARROW)
    for place, item in enumerate([item for item in ITEMS if _open_to(user, item)]):
        _walk(page, item.url, f"{who}-{item.name}", frame=place == 0, axe=axe)
        current = page.locator("#nav [aria-current=page]")
        assert current.inner_text().strip() == item.label


def test_it_walks_a_persons_own_pages(page_as: OpenPage, people: Cast) -> None:
    page = page_as(people.alice)
    for path in OWN_PAGES:
        # The reference has five thousand elements of a few kinds: once is enough for axe.
        _walk(
            page,
            path,
            "own" + path.partition("?")[0].replace("/", "-"),
            axe=(NARROW,) if path == "/docs/api/" else (WIDE, NARROW),
        )


def test_it_walks_the_pages_before_the_door(page_as: OpenPage, people: Cast) -> None:
    page = page_as()
    for path in OPEN_PAGES:
        _walk(page, path, "open" + path.replace("/", "-"), frame=True)
