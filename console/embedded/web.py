"""The web process. Under `make run` it loads the site while PostgreSQL starts, and serves once the tables are there."""

import os
import resource
import sys
import time
from contextlib import suppress

import uvicorn
from django.conf import settings

from console.core.preload import loading

# Of connections and files: a stream takes two, and where nobody asks for more a process may often have 1,024.
_MOST_OPEN = 65_536


def raise_limit_of_files() -> None:
    """Let this process have as many connections open as the system allows it to ask for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_OPEN if hard == resource.RLIM_INFINITY else min(hard, _MOST_OPEN)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):  # a system whose own limit is lower than what it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _is_supervised() -> bool:
    return "SUPERVISOR_ENABLED" in os.environ


def _load() -> None:
    """Import what a request needs, before there is one."""
    from django.urls import get_resolver

    import console.asgi  # noqa: F401

    get_resolver().url_patterns  # noqa: B018


def _wait_until_prepared() -> None:
    from console.embedded.boot import prepared

    while not prepared().exists():
        time.sleep(0.02)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
    raise_limit_of_files()
    reload = "--reload" in sys.argv[1:]
    if not reload and settings.WEB_PROCESSES == 1:
        with loading():
            _load()
    (settings.DATA_DIR / "static").mkdir(parents=True, exist_ok=True)
    if _is_supervised():
        _wait_until_prepared()
    uvicorn.run(
        "console.asgi:application",
        host=settings.BIND_ADDRESS,
        port=settings.PORT,
        workers=settings.WEB_PROCESSES if not reload else None,
        reload=reload,
        reload_dirs=[str(settings.BASE_DIR / name) for name in ("console", "prompts_app", "usage_app", "agents_app")]
        if reload
        else None,
        loop="uvloop",
        http="console.api.v1.server:Http",
        lifespan="on",
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=settings.STOP_SECONDS,
    )


if __name__ == "__main__":
    main()
