"""A small OpenID Connect provider on loopback: signs whoever is told, and checks what a real one would."""

import base64
import hashlib
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

import jwt

CLIENT, SECRET = "facet", "a secret/of:the+client%"


def of_app(address: str) -> dict[str, Any]:
    """Return what the settings say when single sign-on is set up with the provider at this address."""
    app = {
        "provider_id": "oidc",
        "name": "Directory",
        "client_id": CLIENT,
        "secret": SECRET,
        "settings": {"server_url": address, "oauth_pkce_enabled": True},
    }
    return {"openid_connect": {"APPS": [app]}}


@dataclass
class IdentityProvider:
    """Answers the four addresses of the protocol. `person` is who just signed in; `token_says` bends its tokens."""

    person: dict[str, Any] = field(default_factory=dict)
    token_says: dict[str, Any] = field(default_factory=dict)
    is_away: bool = False  # or answers as if it were
    says: dict[str, Any] = field(default_factory=dict)  # by path: what it answers instead
    holds_codes_to_their_browser: bool = True  # by PKCE, which not every provider looks at
    leads_to: str = ""  # where its token's address redirects
    asked: list[str] = field(default_factory=list)  # request lines, as they came
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)
    _server: ThreadingHTTPServer | None = None

    def start(self) -> "IdentityProvider":
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.asked.append(self.requestline)
                if self.path.startswith("/authorize?"):
                    return self._lead(provider.back(f"{provider.address}{self.path}"), 302)
                self._say(provider.get(self.path, self.headers.get("Authorization", "")))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                basic = self.headers.get("Authorization", "")
                provider.asked.append(self.requestline)
                if provider.leads_to:
                    return self._lead(f"{provider.leads_to}{self.path}", 307)
                self._say(provider.token({name: values[0] for name, values in parse_qs(body).items()}, basic))

            def _lead(self, address: str, status: int) -> None:
                self.send_response(status)
                self.send_header("Location", address)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def _say(self, said: tuple[int, Any]) -> None:
                instead = provider.says.get(self.path, said[1])
                body = (instead() if callable(instead) else json.dumps(instead)).encode()
                self.send_response(said[0])
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def stop(self) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    @property
    def address(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.server_port}"

    def approve(self, authorize: str) -> dict[str, str]:
        """Do what the person does at the provider; return what the browser brings back."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(authorize).query).items()}
        assert authorize.startswith(f"{self.address}/authorize?") and asked["client_id"] == CLIENT
        assert asked["response_type"] == "code" and asked["code_challenge_method"] == "S256"
        code = f"code-{len(self._codes)}"
        self._codes[code] = asked
        return {"code": code, "state": asked["state"]}

    def back(self, authorize: str) -> str:
        """Return where the browser of somebody who is signed in at the provider already is sent back to."""
        [there] = parse_qs(urlsplit(authorize).query)["redirect_uri"]
        return f"{there}?{urlencode(self.approve(authorize))}"

    def get(self, path: str, authorization: str) -> tuple[int, Any]:
        if self.is_away:
            return 503, {}
        if path == "/.well-known/openid-configuration":
            return 200, {
                "issuer": self.address,
                "authorization_endpoint": f"{self.address}/authorize",
                "token_endpoint": f"{self.address}/token",
                "userinfo_endpoint": f"{self.address}/userinfo",
                "jwks_uri": f"{self.address}/keys",
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
            }
        if path == "/userinfo" and authorization == "Bearer access":
            return 200, self.person
        return 404, {}

    def _client(self, form: dict[str, str], basic: str) -> tuple[str, ...]:
        if not basic:
            return form["client_id"], form["client_secret"]
        return tuple(map(unquote_plus, base64.b64decode(basic.removeprefix("Basic ")).decode().split(":", 1)))

    def token(self, form: dict[str, str], basic: str) -> tuple[int, Any]:
        asked = self._codes.pop(form["code"], None)
        said = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode().rstrip("=")
        if (
            asked is None
            or self._client(form, basic) != (CLIENT, SECRET)
            or form["redirect_uri"] != asked["redirect_uri"]
            or (self.holds_codes_to_their_browser and said != asked["code_challenge"])
        ):
            return 400, {"error": "invalid_grant"}
        claims = {"iss": self.address, "aud": CLIENT, "iat": time.time(), "exp": time.time() + 60, **self.person}
        claims |= {name: asked[name] for name in ("nonce",) if name in asked} | self.token_says
        return 200, {
            "access_token": "access",
            "token_type": "Bearer",
            "id_token": jwt.encode(claims, "a key of the provider, which is long enough", algorithm="HS256"),
        }
