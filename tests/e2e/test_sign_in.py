"""Coming in with the keyboard alone: password, second thoughts, passkey; and by single sign-on."""

import re
from typing import Any

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
    address = page.url

    # Whoever is wrong learns that, and not who exists.
    said = []
    for email in (people.alice.email, "nobody@example.com"):
        page.fill("#id_login", email)
        page.fill("#id_password", "wrong wrong wrong")
        page.click("main button:has-text('Sign in') >> nth=0")
        said.append(page.locator("[role=alert]").inner_text())
        page.goto(address)
    assert said[0] == said[1] != ""

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
    page.goto("/profile/")
    expect(page).to_have_url(re.compile("/accounts/login/"))


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
    page.goto("/accounts/2fa/webauthn/")
    expect(page.locator("tbody")).to_contain_text("My laptop")
    expect(page.locator("tbody")).to_contain_text("Passkey")
    page.goto("/accounts/2fa/webauthn/add/")
    page.check("[name=passwordless]")
    page.click("#passkey-button")
    expect(page.locator("#toasts [role=alert]")).to_contain_text("among yours already")
    page.context.clear_cookies()
    page.goto("/accounts/login/")
    page.click("#passkey-button")
    expect(page).to_have_url("/")
    page.goto("/profile/")
    expect(page.locator("h1")).to_have_text("Profile")


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


def test_it_comes_in_by_single_sign_on_on_another_site(page_as: OpenPage, people: Cast, settings: Any) -> None:
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
