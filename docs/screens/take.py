"""Take the README's pictures anew, of a console that `manage.py demo` just filled: `take.py SIGN_IN_LINK`."""

import os
import shutil
import sys
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).parent


def take(page: Page, at: str) -> None:
    def shoot(name: str, path: str = "", wait_for: str = "main") -> None:
        if path:
            page.goto(at + path)
        page.locator(wait_for).first.wait_for()
        page.mouse.move(0, 0)
        page.wait_for_timeout(1_500)  # charts are drawn, and what was pressed has come to rest
        page.screenshot(path=HERE / f"{name}.png")

    shoot("overview", "/")
    page.goto(f"{at}/audit/?team=support&type=chat")
    page.locator("tbody tr a").first.click()
    shoot("audit", wait_for="text=Show input and output")
    shoot("quotas", "/quotas/")
    shoot("models", "/models/aliases/support-chat/")
    shoot("prompt", "/prompts/support/live-chat-answer/-/compare/?a=4&b=5")
    page.goto(f"{at}/knowledge/")
    page.locator("main a", has_text="Support").first.click()
    page.get_by_label("A question, as a customer would ask it").fill("How long can I return a jacket?")
    page.get_by_role("button", name="Search", exact=True).click()
    shoot("knowledge", wait_for="text=passages, best first")
    shoot("evaluations", "/evaluations/")
    shoot("keys", "/keys/")
    page.goto(f"{at}/approvals/")
    page.locator("main a[href*='/runs/']").first.click()
    shoot("run", wait_for="text=Ask about this run")
    page.goto(f"{at}/widgets/")
    page.locator("main a", has_text="Help corner").first.click()
    shoot("widget", wait_for="iframe")
    shoot("touchpoints", "/touchpoints/")


def main(link: str) -> None:
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    there = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    address = urlsplit(link)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=there, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        page = browser.new_page(viewport={"width": 1440, "height": 900}, color_scheme="light")
        page.goto(link)
        if page.url == link:  # the link asks whether it is you
            page.locator("main button").first.click()
            page.wait_for_url(lambda url: url != link)
        take(page, f"{address.scheme}://{address.netloc}")
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
