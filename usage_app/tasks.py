"""Celery tasks of usage: thin wrappers that may run twice, late or never."""

from celery import shared_task

from usage_app.services import alert_rules, alerts, pruning, roll_up


@shared_task(name="usage.roll_up")
def roll_up_task() -> None:
    roll_up.roll_up()


@shared_task(name="usage.check_alerts")
def check_alerts_task() -> None:
    alerts.check_alerts()


@shared_task(name="usage.check_alert_rules")
def check_alert_rules_task() -> None:
    alert_rules.check_rules()


@shared_task(name="usage.prune")
def prune_task() -> None:
    pruning.prune()
