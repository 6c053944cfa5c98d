"""The processes of `make run`, as a configuration file of supervisord."""

import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings

from console.embedded import ports, postgres, valkey
from console.embedded.defaults import socket_folder

# Nothing gives up: what cannot start is tried again, at most this many seconds later (see supervise.py).
_RETRIES = 1_000_000
# Stopping everything fits into five seconds: first the programs, all at once, then the data stores. Streams and calls
# in the background get one of them (see supervise.py) and then say that they were cut off; programs are killed after
# three. Tasks that are cut off are done again, since they may run twice. PostgreSQL gets what is left: it may have a
# checkpoint to write.
STOP_SECONDS = 3
# Quiet, since its banner is plain text between the lines of a log that is JSON.
_CELERY = ("-m", "celery", "--quiet", "--app", "console.celery")


@dataclass(frozen=True, slots=True)
class Program:
    """One supervised process. `group` is the order of stopping: `app` goes before `data`, which it calls."""

    name: str
    command: list[str]
    group: str = "app"
    options: dict[str, str] = field(default_factory=dict)

    def section(self) -> str:
        command = shlex.join(self.command).replace("%", "%%")
        logs = str(settings.DATA_DIR / "logs" / f"{self.name}.log").replace("%", "%%")
        options = {
            "command": command,
            "directory": str(settings.BASE_DIR).replace("%", "%%"),
            "autorestart": "true",
            "startsecs": "1",
            "startretries": str(_RETRIES),
            "stopwaitsecs": str(STOP_SECONDS),
            "stopasgroup": "true",
            "killasgroup": "true",
            "redirect_stderr": "true",
            "stdout_logfile": logs,
            "stdout_logfile_maxbytes": "10MB",
            "stdout_logfile_backups": "3",
            "stdout_events_enabled": "true",
            **self.options,
        }
        return f"[program:{self.name}]\n" + "".join(f"{key} = {value}\n" for key, value in options.items())


def _python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]


def _postgres(data_dir: Path) -> Program:
    user = postgres.system_user()
    options = {
        "directory": "/",
        "stopsignal": "INT",  # a fast shutdown: sessions are ended, nothing is lost
        "stopwaitsecs": "10",  # the supervisor's own deadline is earlier
        "stopasgroup": "false",
        "killasgroup": "false",
        **({"user": user} if user else {}),
    }
    return Program("postgres", postgres.command(data_dir / "postgres", socket_folder(data_dir)), "data", options)


def worker_command(lane: str) -> list[str]:
    """Return the command line of one lane's worker: one process, a few threads, since its work is waiting."""
    return _python(
        *(*_CELERY, "worker", "--queues", lane, "--hostname", f"{lane}@%h"),
        *("--pool", "threads", "--concurrency", str(settings.WORKER_THREADS)),
        *("--without-gossip", "--without-mingle", "--loglevel", "INFO"),
    )


def beat_command() -> list[str]:
    """Return the command line of beat, which sends what is due. There is one in all."""
    return _python(
        *(*_CELERY, "beat", "--pidfile=", "--loglevel", "INFO"),
        *("--schedule", settings.CELERY_BEAT_SCHEDULE_FILENAME),
    )


def programs(*, dev: bool = False) -> list[Program]:
    """Return what this installation runs, by its settings."""
    data_dir: Path = settings.DATA_DIR
    found: list[Program] = []
    if settings.HAS_EMBEDDED_POSTGRES:
        found.append(_postgres(data_dir))
    if settings.HAS_EMBEDDED_VALKEY:
        found.append(Program("valkey", valkey.command(data_dir), "data"))
    found.append(
        Program("boot", _python("-m", "console.embedded.boot"), options={"autorestart": "false", "startsecs": "0"})
    )
    web = _python("-m", "console.embedded.web", *(["--reload"] if dev else []))
    found.append(Program("web", web))
    if settings.BUILTIN_MODEL:
        for name in ("model", "embeddings"):
            port = str(ports.choose(socket_folder(data_dir), name))
            options = {"autostart": "false", "stdout_events_enabled": "false"}
            found.append(Program(name, _python("-m", f"console.embedded.{name}", port), "data", options))
    later = {"autostart": "false"}  # the boot step starts them, once the site answers
    found.extend(Program(f"worker-{lane}", worker_command(lane), options=later) for lane in settings.LANES)
    found.append(Program("beat", beat_command(), options=later))
    return found


def control_socket() -> Path:
    return socket_folder(settings.DATA_DIR) / "supervisor.sock"


def configuration(found: list[Program]) -> str:
    """Return the text of supervisord.conf."""
    data_dir = str(settings.DATA_DIR).replace("%", "%%")
    control = str(control_socket()).replace("%", "%%")
    sections = [
        "; Written at every start of `make run`; changes here are lost.\n",
        f"[supervisord]\nnodaemon = true\nsilent = true\nlogfile = {data_dir}/logs/supervisor.log\n"
        f"logfile_maxbytes = 10MB\nlogfile_backups = 3\npidfile = {data_dir}/run/supervisor.pid\n"
        f"childlogdir = {data_dir}/logs\n",
        f"[unix_http_server]\nfile = {control}\nchmod = 0700\n",
        "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n",
        f"[supervisorctl]\nserverurl = unix://{control}\n",
        *(program.section() for program in found),
    ]
    for priority, group in enumerate(("data", "app"), start=1):
        if names := [program.name for program in found if program.group == group]:
            sections.append(f"[group:{group}]\nprograms = {','.join(names)}\npriority = {priority}\n")
    return "\n".join(sections)
