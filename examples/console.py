"""A running console, spoken to as people and programs do: /api/ as the operator, /v1/ with the team's key."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

ROOT = Path(__file__).resolve().parent.parent
_ANSWERS_WITHIN = 30.0


class Trouble(Exception):
    """The story cannot go on; the sentence says why and what to do."""


@dataclass
class Console:
    """What the quick start says of a console, and somebody signed in there."""

    url: str
    team: str
    key: str
    browser: httpx2.Client

    # As the operator --------------------------------------------------------------------------------------------------

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the management API; Trouble with its sentence when it refuses."""
        return self._read(self.browser.request(method, f"/api/{path}", json=body, headers=self._token()))

    def find(self, path: str) -> Any:
        """Return what is there, or None."""
        answer = self.browser.get(f"/api/{path}")
        return None if answer.status_code == 404 else self._read(answer)

    def _token(self) -> dict[str, str]:
        found = [cookie.value or "" for cookie in self.browser.cookies.jar if "facet-csrf" in cookie.name]
        return {"X-CSRFToken": found[-1] if found else "", "Referer": self.url}

    # As a program of the team -----------------------------------------------------------------------------------------

    def call(self, method: str, path: str, body: Any = None, *, wait: float = 0, **headers: str) -> Any:
        """Call /v1/ with the team's key."""
        given = {"Authorization": f"Bearer {self.key}", **headers}
        answer = httpx2.request(method, f"{self.url}/v1/{path}", json=body, headers=given, timeout=wait + 60)
        return self._read(answer)

    @staticmethod
    def _read(answer: httpx2.Response) -> Any:
        if answer.status_code >= 400:
            try:
                said = answer.json()["error"]["message"]
            except (ValueError, KeyError, TypeError):
                said = answer.text[:300]
            raise Trouble(f"{answer.request.method} {answer.request.url.path} answered {answer.status_code}: {said}")
        return answer.json() if answer.content else None


def find_console() -> Console:
    """Find the console of PORT and DATA_DIR, as `make run` was given them, and sign in as its operator."""
    port = os.environ.get("PORT") or "8000"
    address = os.environ.get("BASE_URL") or f"http://localhost:{port}"
    try:
        httpx2.get(f"{address}/health/ready", timeout=_ANSWERS_WITHIN).raise_for_status()
    except httpx2.HTTPError:
        raise Trouble(
            f"No console is ready at {address}.\n"
            "Start one with `make run` in another terminal; give this command the same PORT and DATA_DIR."
        ) from None
    command = [sys.executable, "manage.py", "quickstart", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Trouble(f"`manage.py quickstart` failed:\n{done.stderr.strip()[-500:]}")
    found = json.loads(done.stdout)
    if not found["keys"]["production"]:
        raise Trouble("The quick start's key was revoked, or its text is no longer kept; begin with a fresh DATA_DIR.")
    browser = _sign_in(found["url"], found["sign_in_url"])
    return Console(url=found["url"], team=found["team"], key=found["keys"]["production"], browser=browser)


def _sign_in(url: str, link: str) -> httpx2.Client:
    """Follow a one-time link, and press its button."""
    browser = httpx2.Client(base_url=url, timeout=_ANSWERS_WITHIN, follow_redirects=True)
    page = browser.get(link)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    if token is None:
        raise Trouble("The sign-in link did not open.")
    browser.post(link, data={"csrfmiddlewaretoken": token[1]}, headers={"Referer": url}).raise_for_status()
    return browser
