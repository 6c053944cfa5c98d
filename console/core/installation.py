"""The settings of this installation and their variables, without secrets."""

import platform
import tomllib
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlsplit

import django
from django.conf import settings

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Fact:
    """One setting as it is now, and the variable that sets it."""

    label: str
    value: str
    variable: str = ""


def facts() -> list[tuple[str, list[Fact]]]:
    """Return the settings people ask for, by what they are about. Secrets are not among them."""
    return [
        (
            "Installation",
            [
                Fact("Name", settings.INSTALLATION_NAME, "INSTALLATION_NAME"),
                Fact("Mode", settings.MODE, "FACET_MODE"),
                Fact("Address", settings.BASE_URL, "BASE_URL"),
                Fact("Allowed hosts", ", ".join(dict.fromkeys(settings.ALLOWED_HOSTS)), "ALLOWED_HOSTS"),
                Fact("Currency", settings.CURRENCY, "CURRENCY"),
                Fact("Data", str(settings.DATA_DIR), "DATA_DIR"),
                Fact(
                    "Version", f"Facet {own_version()}, Django {django.__version__}, Python {platform.python_version()}"
                ),
            ],
        ),
        (
            "Components",
            [
                Fact("PostgreSQL", _where(settings.DATABASE_URL), "DATABASE_URL"),
                Fact("Valkey", _where(settings.VALKEY_URL), "VALKEY_URL"),
                Fact(
                    "Built-in models",
                    "On, small, for trying things out" if settings.BUILTIN_MODEL else "Off",
                    "BUILTIN_MODEL",
                ),
                Fact("Mail", settings.EMAIL_HOST or "Written to files in the data folder", "EMAIL_HOST"),
                Fact("Single sign-on", settings.OIDC_SERVER_URL or "Off", "OIDC_SERVER_URL"),
                Fact("Trusted proxies", ", ".join(settings.TRUSTED_PROXIES) or "None", "TRUSTED_PROXIES"),
                Fact(
                    "Private networks allowed for providers",
                    ", ".join(settings.PRIVATE_NETWORKS_ALLOWED) or "None",
                    "PRIVATE_NETWORKS_ALLOWED",
                ),
                Fact(
                    "Private networks allowed for tools",
                    ", ".join(settings.PRIVATE_NETWORKS_ALLOWED_FOR_TOOLS) or "None",
                    "PRIVATE_NETWORKS_ALLOWED_FOR_TOOLS",
                ),
            ],
        ),
        (
            "Retention",
            [
                Fact("Log records", _days(settings.AUDIT_KEEP_DAYS), "AUDIT_KEEP_DAYS"),
                Fact("Inputs and outputs", _days(settings.AUDIT_CONTENT_KEEP_DAYS), "AUDIT_CONTENT_KEEP_DAYS"),
                Fact("Size limit per input or output", _size(settings.AUDIT_CONTENT_BYTES), "AUDIT_CONTENT_BYTES"),
                Fact(
                    "Size limit for images per input or output",
                    _size(settings.AUDIT_PICTURE_BYTES),
                    "AUDIT_PICTURE_BYTES",
                ),
                Fact("Redacted fields", ", ".join(settings.AUDIT_REDACT_FIELDS), "AUDIT_REDACT_FIELDS"),
            ],
        ),
        (
            "Limits per call",
            [
                Fact("Request body", _size(settings.GATEWAY_BODY_BYTES), "GATEWAY_BODY_BYTES"),
                Fact("Response body", _size(settings.GATEWAY_ANSWER_BYTES), "GATEWAY_ANSWER_BYTES"),
                Fact(
                    "Default output tokens",
                    f"{settings.GATEWAY_MAX_OUTPUT_TOKENS:,}",
                    "GATEWAY_MAX_OUTPUT_TOKENS",
                ),
                Fact("Connect timeout", _seconds(settings.GATEWAY_CONNECT_SECONDS), "GATEWAY_CONNECT_SECONDS"),
                Fact("Idle timeout", _seconds(settings.GATEWAY_SILENCE_SECONDS), "GATEWAY_SILENCE_SECONDS"),
                Fact("Timeout of an answer", _seconds(settings.GATEWAY_TOTAL_SECONDS), "GATEWAY_TOTAL_SECONDS"),
                Fact("Timeout of a stream", _seconds(settings.GATEWAY_STREAM_SECONDS), "GATEWAY_STREAM_SECONDS"),
            ],
        ),
        (
            "Metrics and traces",
            [
                Fact("Token for metrics", "Set" if settings.METRICS_TOKEN else "None", "METRICS_TOKEN"),
                Fact("Max time series of calls", f"{settings.METRICS_MOST_SERIES:,}", "METRICS_MOST_SERIES"),
                Fact(
                    "Trace collector",
                    _where(settings.OTEL_EXPORTER_OTLP_ENDPOINT) if settings.OTEL_EXPORTER_OTLP_ENDPOINT else "None",
                    "OTEL_EXPORTER_OTLP_ENDPOINT",
                ),
                Fact("Service name in traces", settings.OTEL_SERVICE_NAME, "OTEL_SERVICE_NAME"),
            ],
        ),
        (
            "Signing in",
            [
                Fact("Idle session timeout", _seconds(settings.SESSION_IDLE_SECONDS), "SESSION_IDLE_SECONDS"),
                Fact("Maximum session length", _seconds(settings.SESSION_COOKIE_AGE), "SESSION_MAX_SECONDS"),
                Fact("Secure cookies", "Yes" if settings.BEHIND_TLS else "No, the address is http", "BASE_URL"),
            ],
        ),
    ]


def own_version() -> str:
    try:
        return version("facet")
    except PackageNotFoundError:  # run from a checkout, not installed
        with (settings.BASE_DIR / "pyproject.toml").open("rb") as file:
            return str(tomllib.load(file)["project"]["version"])


def _where(url: str) -> str:
    """Return which server a URL names, without its user and password."""
    parts = urlsplit(url)
    if not parts.hostname:
        return "Built-in"
    return f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname


def _days(count: int) -> str:
    return f"{count:,} days"


def _size(count: int) -> str:
    return f"{count / _MIB:g} MiB" if count >= _MIB else f"{count / 1024:g} KiB"


def _seconds(count: int) -> str:
    for unit, length in (("days", 86_400), ("hours", 3600), ("min", 60)):
        if count >= length * 2 and count % length == 0:
            return f"{count // length} {unit}"
    return f"{count} s"
