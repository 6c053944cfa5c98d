"""The real git, the command under test, and a server that speaks git over HTTP."""

import base64
import http.server
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

from django.core.management import call_command

from console.teams.callers import SYSTEM
from prompts_app.models import Prompt
from prompts_app.services.versions import save_version


def git(where: Path, *words: str) -> str:
    """Run the real git, with nobody's configuration."""
    env = {"PATH": "/usr/bin:/bin", "HOME": str(where), "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
    who = ["-c", "user.name=Ann Author", "-c", "user.email=ann@example.com", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *who, *words], cwd=where, env=env, capture_output=True, text=True)
    assert done.returncode == 0, f"git {' '.join(words)}: {done.stderr}"
    return done.stdout


def run(*words: str) -> str:
    said = StringIO()
    call_command("prompts", *words, stdout=said, no_color=True)
    return said.getvalue()


def save(slug: str, text: str, message: str = "") -> Prompt:
    prompt = head(slug)
    content = [{"role": "", "text": text}]
    save_version(actor=SYSTEM, prompt=prompt, content=content, message=message, parent=prompt.head)
    return head(slug)


def head(slug: str) -> Prompt:
    return Prompt.objects.select_related("head").get(slug=slug, deleted_at=None)


class _Backend(http.server.BaseHTTPRequestHandler):
    """Hands requests to `git http-backend`; asks for a password when the server has one."""

    server: "GitServer"

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, body: bytes) -> None:
        self.server.seen.append(f"{self.command} {self.path}")
        wanted = "Basic " + base64.b64encode(f"git:{self.server.password}".encode()).decode()
        if self.server.redirect:
            self.send_response(302)
            self.send_header("Location", self.server.redirect)
            self.end_headers()
            return
        if self.server.password and self.headers.get("Authorization") != wanted:
            self.send_error(401)
            return
        path, _, query = self.path.partition("?")
        env = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "REMOTE_USER": "git",
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=env, capture_output=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        self.send_response(int(fields.pop("Status", "200 OK").split()[0]))
        for name, value in {**fields, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


class GitServer(http.server.ThreadingHTTPServer):
    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Backend)
        self.root, self.password, self.redirect = root, "", ""
        self.seen: list[str] = []

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def git_server(root: Path) -> Iterator[GitServer]:
    server = GitServer(root)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
