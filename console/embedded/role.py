"""One part of a production installation: `python -m console.embedded.role web | worker LANE | beat | migrate`.

The same command lines `make run` supervises, for containers and service managers that supervise by themselves; and
`manage COMMAND…`, so that a container of the same image runs any command of `manage.py`.
"""

import os
import sys

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from console.embedded.programs import beat_command, worker_command

USAGE = "Say what to run: web, worker LANE, beat, migrate, or manage and a command of manage.py."


def command(arguments: list[str]) -> list[str]:
    """Return the command line of one part. `worker-LANE` is for where a part is named by one word, as in systemd."""
    if arguments and arguments[0].startswith("worker-"):
        arguments = ["worker", arguments[0].removeprefix("worker-"), *arguments[1:]]
    match arguments:
        case ["web"]:
            return [sys.executable, "-m", "console.embedded.web"]
        case ["worker", lane] if lane in settings.LANES:
            return worker_command(lane)
        case ["worker", *_]:
            raise SystemExit(f"Name the lane of the worker: {', '.join(settings.LANES)}.")
        case ["beat"]:
            return beat_command()
        case ["migrate"]:
            return [sys.executable, str(settings.BASE_DIR / "manage.py"), "migrate", "--no-input", "--wait", "60"]
        case ["manage", _, *_]:
            return [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments[1:]]
    raise SystemExit(USAGE)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
    try:
        settings.DATA_DIR  # noqa: B018  (loads them)
    except ImproperlyConfigured as error:
        raise SystemExit(str(error)) from None
    words = command(sys.argv[1:])
    os.execv(words[0], words)  # noqa: S606  (words of our own)


if __name__ == "__main__":
    main()
