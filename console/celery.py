"""Celery: wakes the work PostgreSQL holds. Queues are lanes."""

import os
import warnings
from typing import Any

import django
from celery import Celery
from celery.signals import celeryd_after_setup, celeryd_init, import_modules, worker_process_init
from kombu.transport import TRANSPORT_ALIASES

from console.core.preload import loading

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
# Django's checks are made by `make check` and by `migrate`, those that ask the database at each start of `make run`.
# Made once more by each worker they would load every page and form: half of its start, and 30 MiB as long as it lives.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

for _scheme in ("redis", "rediss"):
    TRANSPORT_ALIASES[_scheme] = "console.core.broker:Transport"  # loaded with the first connection


@import_modules.connect  # type: ignore[untyped-decorator]
def load_the_site(**_: Any) -> None:
    """Load Django before Celery's own support for it does, which is connected below."""
    with loading():
        django.setup()


app = Celery("facet")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@celeryd_init.connect  # type: ignore[untyped-decorator]
def be_patient(conf: Any, **_: Any) -> None:
    """Let a worker wait for work: its reads block longer than any page may, and still notice a dead broker."""
    conf.broker_transport_options = {"socket_connect_timeout": 5, "socket_timeout": 15}


@celeryd_after_setup.connect  # type: ignore[untyped-decorator]
def say_no_more_than_once(**_: Any) -> None:
    """Leave out that tasks continue while the broker is away, of which Celery warns each time: ours may run twice.

    Not earlier, since Celery's own setup of logs has all its warnings said again.
    """
    warnings.filterwarnings("ignore", message=r"\s*In Celery 5\.1 we introduced an optional breaking change")


@worker_process_init.connect  # type: ignore[untyped-decorator]
def keep_no_connections(**_: Any) -> None:
    """Have each process of a pool of processes open connections as it needs them.

    Celery closes such a process's pool of connections after every task, also those that the gateway and the engine hold
    in threads of their own; what came with the fork has no threads to serve it.
    """
    from django.db import connections
    from django.db.backends.postgresql.base import DatabaseWrapper

    connections.settings["default"]["OPTIONS"]["pool"] = False
    DatabaseWrapper._connection_pools.clear()  # type: ignore[attr-defined]
