"""Celery: wakes the work PostgreSQL holds. Queues are lanes."""

import os
from typing import Any

from celery import Celery
from celery.signals import celeryd_init
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
# Django's checks are made by `migrate` and at the start of `make run`. Made once more by each worker they would load
# every page and form: half of its start, and 30 MiB for as long as it lives.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

for _scheme in ("redis", "rediss"):
    TRANSPORT_ALIASES[_scheme] = "console.core.broker:Transport"  # loaded with the first connection

app = Celery("facet")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@celeryd_init.connect  # type: ignore[untyped-decorator]
def be_patient(conf: Any, **_: Any) -> None:
    """Let a worker wait for work: its reads block longer than any page may, and still notice a dead broker."""
    conf.broker_transport_options = {"socket_connect_timeout": 5, "socket_timeout": 15}
