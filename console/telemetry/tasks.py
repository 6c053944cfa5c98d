"""Background work of telemetry: a thin wrapper, safe to run twice, late or never."""

from celery import shared_task

from console.telemetry.traces import export


@shared_task(name="telemetry.export_traces")
def export_traces_task() -> None:
    export.export()
