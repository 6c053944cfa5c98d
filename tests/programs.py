"""Who speaks to the management API in tests: a program with a key, or a person with a session."""

import json
from typing import Any

from django.test import Client

from console.teams.models import User
from tests.make import client_of


class Program:
    """Sends JSON below /api/ as one key or one person: `program("PATCH", "teams/team-a/", {"name": "A"})`."""

    def __init__(self, key: str = "", *, user: User | None = None, below: str = "") -> None:
        self._client = client_of(user) if user is not None else Client()
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._below = f"/api/{below}"

    def __call__(self, method: str, path: str = "", body: object = None) -> Any:
        data = json.dumps(body) if body is not None else ""
        return self._client.generic(
            method, f"{self._below}{path}", data, content_type="application/json", headers=self._headers
        )
