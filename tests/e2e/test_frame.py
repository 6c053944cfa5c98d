"""What every page can do: palette, keyboard, theme, scope, toasts, and all of it that needs no script."""

import re

import pytest
from django.conf import settings
from playwright.sync_api import Route, expect

from console.core.clock import now
from console.teams.models import User
from tests.conftest import Cast
from tests.e2e.conftest import NARROW, OpenPage, Watch, check_axe, check_width, session_of
from tests.usage.rows import a_sum

pytestmark = pytest.mark.e2e

# A refusal of a piece is an error to the browser's console, too; here it is what the test asks for.
REFUSED = r"the server responded with a status of (401|403|404|429|503)|Response Status Error Code"

_PRESS_TWO = """() => {
  for (const name of ["quick", "slow"]) {
    const button = Object.assign(document.createElement("button"), {id: name});
    button.setAttribute("hx-post", `/${name}/`);
    button.setAttribute("hx-swap", "none");
    document.querySelector("main").append(button);
    htmx.process(button);
    button.click();
  }
}"""


def test_its_sidebar_is_narrow_in_a_narrow_window(page_as: OpenPage, people: Cast) -> None:
    page = page_as(people.alice, size=(1024, 768))
    page.goto("/docs/?team=team-a")
    page.mouse.move(600, 500)
    sidebar, item = page.locator("#nav"), page.locator("#nav").get_by_role("link", name="Audit log")
    expect(sidebar).to_have_css("width", "56px")

    # The menu of teams stands below its button.
    page.locator(".scope").click()
    button, menu = page.locator(".scope").bounding_box(), page.locator("#scope-menu").bounding_box()
    assert button and menu and abs(menu["x"] - button["x"]) < 24
    page.keyboard.press("Escape")

    # Pointed at or in focus it has its names, over a page that stays where it is.
    page.mouse.move(20, 300)
    expect(sidebar).to_have_css("width", "224px")
    page.mouse.move(600, 500)
    expect(sidebar).to_have_css("width", "56px")
    page.locator("#nav .brand").focus()
    expect(sidebar).to_have_css("width", "224px")
    assert page.evaluate("document.getElementById('main').getBoundingClientRect().left") == 56
    item.click()
    expect(page).to_have_url(re.compile(r"/audit/\?team=team-a$"))
    check_axe(page, frame=True)
    check_width(page)


def test_it_obeys_the_keyboard_unless_the_profile_says_otherwise(page_as: OpenPage, people: Cast) -> None:
    page = page_as(people.alice)
    page.goto("/docs/?team=team-a")

    # The palette jumps, within the scope; closed, it gives the focus back.
    page.focus(".jump")
    page.keyboard.press("Enter")
    expect(page.locator("#palette")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#palette")).to_be_hidden()
    expect(page.locator(".jump")).to_be_focused()
    page.keyboard.press("Control+k")
    field, options = page.get_by_role("combobox"), page.locator("#palette-list [role=option]")
    expect(field).to_be_focused()
    expect(options.first).to_have_attribute("aria-selected", "true")
    check_axe(page, frame=True)
    page.keyboard.press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    assert field.get_attribute("aria-activedescendant") == options.nth(1).get_attribute("id")
    page.keyboard.type("audit log")
    expect(options).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/audit/\?team=team-a$"))
    page.wait_for_load_state()  # its address is there before its scripts hear keys
    page.keyboard.press("Control+k")
    expect(options.first).to_have_attribute("aria-selected", "true")
    page.keyboard.type("quotas")
    page.keyboard.press("Enter")  # before the list for these words is there
    expect(page).to_have_url(re.compile(r"/quotas/\?team=team-a$"))

    # Safari gives what is pressed no focus: a dialog opened from a menu gives it to the menu's button all the same.
    page.goto("/profile/")
    page.evaluate("document.addEventListener('mousedown', (event) => event.preventDefault(), true)")
    page.locator("#nav [popovertarget=user-menu]").click()
    page.locator("#user-menu [data-open='#keys']").click()
    expect(page.locator("#keys > div")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#nav [popovertarget=user-menu]")).to_be_focused()

    # Two letters go somewhere; the keys are listed, and letters typed into a field are its own.
    page.goto("/profile/")
    page.keyboard.press("?")
    expect(page.locator("#keys > div")).to_be_visible()
    check_axe(page, frame=True)
    page.keyboard.press("Escape")
    page.focus("#id_name")
    page.keyboard.type("gq?t")
    expect(page.locator("#id_name")).to_have_value(re.compile("gq\\?t"))
    expect(page).to_have_url(re.compile("/profile/"))
    page.goto("/docs/")
    page.keyboard.press("g")
    page.keyboard.press("q")
    expect(page).to_have_url(re.compile("/quotas/$"))

    people.alice.shortcuts_enabled = False
    people.alice.save(update_fields=["shortcuts_enabled"])
    page.goto("/docs/")
    page.keyboard.press("g")
    page.keyboard.press("q")
    page.keyboard.press("t")
    page.keyboard.press("Control+k")
    expect(page.locator("#palette")).to_be_visible()
    expect(page).to_have_url(re.compile("/docs/"))
    assert "dark" not in (page.locator("html").get_attribute("class") or "")


def test_it_moves_through_rows_and_opens_one(page_as: OpenPage, people: Cast) -> None:
    page = page_as(people.operator)
    page.goto("/teams/")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(page.locator("tbody tr").first.locator("a").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/teams/team-a/"))
    page.goto("/people/")
    page.keyboard.press("/")
    page.keyboard.press("ArrowDown")
    expect(page.locator("tbody tr:has(a[href])").first.locator("a").first).to_be_focused()


def test_it_follows_the_system_and_remembers_the_choice(page_as: OpenPage, people: Cast) -> None:
    page = page_as(people.operator, theme="dark")
    page.goto("/admin/")
    expect(page.locator("html")).to_have_class(re.compile(r"\bdark\b"))
    assert page.evaluate("localStorage.getItem('theme')") is None
    page.evaluate("localStorage.setItem('theme', 'auto')")  # as Django's own script does
    page.goto("/docs/")
    expect(page.locator("html")).to_have_class(re.compile(r"\bdark\b"))
    page.click(".topbar [data-theme-toggle]")
    expect(page.locator("html")).not_to_have_class(re.compile(r"\bdark\b"))
    page.goto("/profile/")
    expect(page.locator("html")).not_to_have_class(re.compile(r"\bdark\b"))


def test_charts_are_lettered_in_the_consoles_font_when_it_comes_after_them(page_as: OpenPage, people: Cast) -> None:
    a_sum(people.team_a, now())
    page = page_as(people.alice, new=True)  # whose browser has not read the font before
    held: list[Route] = []
    page.route("**/geist.woff2*", lambda route: held.append(route))
    page.goto("/", wait_until="domcontentloaded")
    drawn = page.locator("time-chart canvas").first
    letters = drawn.evaluate("(canvas) => canvas.toDataURL()")
    held.pop().continue_()
    page.wait_for_function("(was) => document.querySelector('time-chart canvas').toDataURL() !== was", arg=letters)


def test_it_opens_the_navigation_on_a_phone(page_as: OpenPage, people: Cast) -> None:
    page = page_as(people.alice, size=NARROW)
    page.goto("/docs/")
    expect(page.locator("#nav")).to_be_hidden()
    page.click("[popovertarget=nav]")
    expect(page.locator("#nav")).to_be_visible()
    check_width(page)
    page.click("#nav >> text=API keys")
    expect(page).to_have_url(re.compile("/keys/"))
    page.goto("/keys/")
    last = page.locator(".filters .filter").last
    # Browsers bring a part into sight that is out of it, but none that begins at the edge.
    last.evaluate("(part) => part.closest('.filters').scrollBy(part.getBoundingClientRect().left - innerWidth + 20, 0)")
    assert last.evaluate("(part) => part.getBoundingClientRect().right > innerWidth")
    last.focus()
    assert last.evaluate("(part) => part.getBoundingClientRect().right <= innerWidth")


def test_it_keeps_the_page_when_a_piece_is_refused_or_the_session_is_gone(
    page_as: OpenPage, people: Cast, watch: Watch
) -> None:
    watch.expects(f"{REFUSED}|ERR_INTERNET_DISCONNECTED|htmx:")
    page = page_as(people.alice)
    page.goto("/teams/team-a/")
    more = page.get_by_role("button", name="More actions")
    more.press("Enter")
    more.press("ArrowDown")
    expect(page.locator("#more-actions a").first).to_be_focused()
    page.get_by_role("link", name="Archive").press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    page.context.set_offline(True)
    for _ in range(2):  # said anew, not once more, and not behind the dialog
        dialog.get_by_role("button", name="Archive").click()
        expect(dialog.get_by_role("alert")).to_contain_text("look whether it was done before you try again")
        expect(page.get_by_role("alert")).to_have_count(1)
    page.context.set_offline(False)
    page.keyboard.press("Escape")
    expect(more).to_be_focused()

    page.goto("/profile/")
    page.fill("#id_name", "Half a name")
    page.evaluate("htmx.ajax('GET', '/settings/', {target: '#main'})")
    toast = page.locator("#toasts [role=alert]")
    expect(toast).to_contain_text("Only operators of this installation can do that.")
    expect(toast).to_have_count(1)
    expect(page.locator("h1")).to_have_text("Profile")
    toast.get_by_role("button", name="Close").click()
    expect(toast).to_have_count(0)

    # Of two requests at once each has its own button.
    page.route("**/quick/", lambda route: route.fulfill(status=204))
    page.route("**/slow/", lambda route: None)
    page.evaluate(_PRESS_TWO)
    expect(page.locator("#slow")).to_have_attribute("aria-busy", "true")
    expect(page.locator("#quick")).not_to_have_attribute("aria-busy", "true")

    page.context.clear_cookies()
    page.evaluate("htmx.ajax('GET', '/docs/', {target: '#main'})")
    expect(page.locator("#signed-out > div")).to_be_visible()
    page.click("#signed-out [data-close]")

    # A plain form would take what is typed with it, and one that signed in again in another tab has an old token.
    page.click("text=Save changes")
    expect(page.locator("#signed-out > div")).to_be_visible()

    def sign_in_elsewhere(user: User) -> None:
        home = page.url.removesuffix("profile/")
        page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session_of(user), "url": home}])

    sign_in_elsewhere(people.alice)
    page.evaluate("dispatchEvent(new Event('focus'))")
    expect(page.locator("#signed-out > div")).to_be_hidden()
    page.click("text=Save changes")
    expect(page.locator("#toasts [role=status]")).to_contain_text("Your profile is saved.")
    expect(page.locator("#id_name")).to_have_value("Half a name")

    # What one person wrote is not sent in the name of another who signed in in the same browser.
    sign_in_elsewhere(people.bob)
    page.evaluate("htmx.ajax('GET', '/settings/', {target: '#main'})")
    expect(toast).to_contain_text("Only operators")
    page.click("text=Save changes")
    expect(toast.filter(has_text="Somebody else is signed in here by now.")).to_be_visible()
    people.bob.refresh_from_db()
    assert people.bob.name != "Half a name"


def test_it_says_what_was_done_and_forgets_it(page_as: OpenPage, people: Cast) -> None:
    page = page_as(people.alice, new=True)
    page.clock.install()
    page.goto("/profile/")
    page.click("text=Save changes")
    expect(page.locator("#toasts [role=status]")).to_contain_text("Your profile is saved.")
    page.clock.run_for(6000)
    expect(page.locator("#toasts .toast-card")).to_have_count(0)


def test_a_button_outside_its_form_can_be_pressed_again_too(page_as: OpenPage, people: Cast) -> None:
    page = page_as(people.alice)
    page.goto("/accounts/email/")
    page.route("**/accounts/email/", lambda route: route.fulfill(status=204))  # no page comes
    page.fill("#id_email", "new@example.com")
    button = page.get_by_role("button", name="Change address")
    button.click()
    expect(button).to_have_attribute("aria-busy", "true")
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow'))")
    expect(button).not_to_have_attribute("aria-busy", "true")


def test_it_works_without_scripts(page_as: OpenPage, people: Cast) -> None:
    page = page_as(people.alice, scripts=False)
    page.goto("/docs/")
    expect(page.locator("[data-theme-toggle]").first).to_be_hidden()
    page.click(".topbar [popovertarget=scope-menu]")
    page.click("#scope-menu >> text=Team A")
    expect(page).to_have_url(re.compile(r"/docs/\?team=team-a$"))
    page.click("label[for=tab-python]")
    expect(page.locator("#code-python")).to_be_visible()
    page.click(".jump")
    page.fill("main [name=q]", "kim")
    page.keyboard.press("Enter")
    page.click("main .palette-item >> text=kim")
    expect(page).to_have_url(re.compile("/keys/"))


def test_it_reads_well_where_something_is_missing(page_as: OpenPage, people: Cast, watch: Watch) -> None:
    watch.expects(REFUSED)
    page = page_as(people.bob)
    for path in ("/nowhere/", "/settings/"):
        page.goto(path)
        check_axe(page, frame=True)
        check_width(page)
