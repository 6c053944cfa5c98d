"""The files for production hold together: what compose starts exists, as the Dockerfile starts it."""

import ipaddress
import re
from typing import Any

import pytest
import yaml
from django.conf import settings

from console.embedded import role
from tests.live import ROOT
from tests.test_settings_documented import variables_read

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())
OURS = {name: service for name, service in COMPOSE["services"].items() if "build" in service}


def test_it_runs_every_part() -> None:
    assert {" ".join(service["command"]) for service in OURS.values()} == {
        "migrate",
        "web",
        "worker interactive",
        "worker standard",
        "worker batch",
        "beat",
    }


@pytest.mark.parametrize("name", OURS)
def test_it_knows_how_to_run(name: str) -> None:
    assert role.command(OURS[name]["command"])


def test_it_knows_every_command_its_steps_name() -> None:
    steps = (ROOT / "deploy/compose.yaml").read_text() + (ROOT / "docs/running.md").read_text()
    named = re.findall(r"compose\.yaml run --rm (\w+) (.+)", steps)
    assert named
    for service, words in named:
        assert service in OURS and role.command(words.split()), words


def test_systemd_starts_what_there_is() -> None:
    """The documented unit names a part by one word, and its time to stop is longer than that of a process."""
    text = (ROOT / "docs/running.md").read_text()
    [unit] = re.findall(r"```ini\n(\[Unit\].+?)```", text, re.S)
    [started] = re.findall(r"systemctl enable --now (.+)", text)
    parts = re.findall(r"facet@(\S+)", started)
    assert [role.command([part]) for part in parts] == [
        role.command(words) for words in (["web"], *(["worker", lane] for lane in settings.LANES), ["beat"])
    ]
    assert int(re.findall(r"TimeoutStopSec=(\d+)", unit)[0]) > settings.STOP_SECONDS


@pytest.mark.parametrize(
    "words", [[], ["worker"], ["worker", "express"], ["worker-express"], ["manage"], ["everything"]]
)
def test_it_says_what_it_can_run(words: list[str]) -> None:
    with pytest.raises(SystemExit, match="Say what to run|Name the lane"):
        role.command(words)


def test_it_gives_the_owner_to_migrations_alone() -> None:
    for name, service in OURS.items():
        assert ("database_owner_url" in service["secrets"]) == (name == "migrate"), name
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]


def test_every_variable_reaches_every_part() -> None:
    """What is set in compose.yaml wins over the file, so it may hide nothing the file says."""
    read, given = variables_read(), COMPOSE["x-facet"]["environment"]
    for name, service in OURS.items():
        assert service["env_file"] == [{"path": ".env", "required": False}], name
        assert given.items() <= service["environment"].items(), name
        for variable, value in service["environment"].items():
            if secret := variable.removesuffix("_FILE") if variable not in read else "":
                assert read[secret] == "env_secret" and value == f"/run/secrets/{secret.lower()}"
                assert secret.lower() in service["secrets"], name
            elif not str(value).startswith(f"${{{variable}:"):
                assert variable == "VALKEY_URL", f"{variable} of .env would not count"


def test_it_declares_what_it_uses() -> None:
    for service in COMPOSE["services"].values():
        assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"])
        named = {volume.partition(":")[0] for volume in service.get("volumes", [])}
        assert named <= set(COMPOSE["volumes"])
        assert set(service.get("depends_on", {})) <= set(COMPOSE["services"])


def test_the_image_has_what_runs_and_nothing_else() -> None:
    """By name, for builders that read no .dockerignore; `.env`, `secrets` and the history lie beside what is copied."""
    _, _, final = (ROOT / "deploy/Dockerfile").read_text().rpartition("\nFROM ")
    copied = {name for line in re.findall(r"^COPY (?!--from)(.+) \S+$", final, re.M) for name in line.split()}
    first, *rules = re.findall(r"^[^#\n].*$", (ROOT / ".dockerignore").read_text(), re.M)
    assert first == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == copied
    assert "**/.*" in rules[len(copied) :], "hidden files are left out again, after what is let in"
    assert all((ROOT / name).exists() for name in copied)
    read = set()
    for room in ("console", "prompts_app", "usage_app", "agents_app"):
        assert room in copied
        for path in (ROOT / room).rglob("*.py"):
            read.update(re.findall(r'BASE_DIR / "([\w.]+)"', path.read_text()))
    assert {"manage.py", "pyproject.toml", "templates"} <= read
    assert read - {"var"} <= copied, "the code reads what the image does not have"
    assert " openssh-client " in final, "prompts in git over ssh"


def test_the_database_is_ready_when_others_can_reach_it() -> None:
    """The image's first start has a server on the socket alone, which is stopped again."""
    words = COMPOSE["services"]["postgres"]["healthcheck"]["test"]
    assert words[words.index("-h") + 1] == "127.0.0.1"


def test_it_believes_the_proxy_on_its_own_machine_and_no_container() -> None:
    (network,) = COMPOSE["networks"]["default"]["ipam"]["config"]
    default = COMPOSE["x-facet"]["environment"]["TRUSTED_PROXIES"]
    assert default == f"${{TRUSTED_PROXIES:-{network['gateway']}}}"
    assert ipaddress.ip_address(network["gateway"]) in ipaddress.ip_network(network["subnet"])
    assert OURS["web"]["ports"] == ["127.0.0.1:8000:8000"]


def test_it_is_not_root() -> None:
    lines = (ROOT / "deploy/Dockerfile").read_text().splitlines()
    assert "USER 10001" in lines
    assert any(line.startswith("HEALTHCHECK") for line in lines)
