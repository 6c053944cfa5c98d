"""Coming in with the keyboard alone: password, second thoughts, passkey; and by single sign-on."""

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import Cast
from tests.e2e.conftest import OpenPage, Watch
from tests.make import PASSWORD
from tests.teams.identity_provider import IdentityProvider, of_app

pytestmark = pytest.mark.e2e


def _press_until(page: Page, key: str, selector: str, presses: int = 12) -> None:
    """Press a key until the focus is where the test wants it, as somebody without a mouse does."""
    for _ in range(presses):
        page.keyboard.press(key)
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{key} does not lead to {selector}")


def test_it_signs_in_and_out_with_the_keyboard(page_as: OpenPage, people: Cast) -> None:
    page = page_as()
    page.goto("/docs/?team=team-a")
    expect(page).to_have_url(re.compile("/accounts/login/"))
    _press_until(page, "Tab", "#id_login")
    page.keyboard.type(people.alice.email)
    _press_until(page, "Tab", "#id_password")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/docs/\?team=team-a$"))
    expect(page.locator("h1")).to_have_text("Quick start")

    page.focus("[popovertarget=user-menu]")
    page.keyboard.press("Enter")
    _press_until(page, "Tab", "#user-menu form button")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/accounts/login/"))
    assert "/accounts/login/" in page.request.get("/profile/").url


def test_it_adds_a_passkey_and_comes_in_with_it(page_as: OpenPage, people: Cast, watch: Watch) -> None:
    page = page_as(people.alice, new=True)
    devices = page.context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    devices.send(
        "WebAuthn.addVirtualAuthenticator",
        {"options": {**options, "isUserVerified": True, "automaticPresenceSimulation": True}},
    )
    page.goto("/accounts/2fa/webauthn/add/")
    page.fill("[name=name]", "My laptop")
    page.check("[name=passwordless]")
    page.click("#passkey-button")
    expect(page).not_to_have_url(re.compile("/add/"))
    listed = page.request.get("/accounts/2fa/webauthn/").text().partition("<tbody")[2]
    assert "My laptop" in listed and "Passkey" in listed
    page.goto("/accounts/2fa/webauthn/add/")
    page.check("[name=passwordless]")
    page.click("#passkey-button")
    expect(page.locator("#toasts [role=alert]")).to_contain_text("among yours already")
    page.context.clear_cookies()
    page.goto("/accounts/login/")
    page.click("#passkey-button")
    expect(page).to_have_url("/")
    assert urlsplit(page.request.get("/profile/").url).path == "/profile/"


def test_it_says_so_when_the_browser_knows_no_passkey(page_as: OpenPage, people: Cast) -> None:
    page = page_as(new=True)
    devices = page.context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    devices.send("WebAuthn.addVirtualAuthenticator", {"options": {**options, "isUserVerified": True}})
    page.goto("/accounts/login/")
    page.click("#passkey-button")
    expect(page.locator("#toasts [role=alert]")).to_contain_text("Nothing happened")
    expect(page.locator("#passkey-button")).not_to_have_attribute("aria-busy", "true")


def test_it_comes_in_by_single_sign_on_on_another_site(
    page_as: OpenPage, people: Cast, settings: Any, site: str
) -> None:
    settings.BASE_URL = site  # where the provider sends people back to
    provider = IdentityProvider().start()
    provider.person = {"sub": "7", "email": people.alice.email, "email_verified": True, "name": "Alice"}
    settings.SOCIALACCOUNT_PROVIDERS = of_app(provider.address)
    try:
        page = page_as(scripts=False)
        page.goto("/profile/")
        page.click("button:has-text('Continue with Directory')")
        expect(page.locator("h1")).to_have_text("Profile")
    finally:
        provider.stop()
