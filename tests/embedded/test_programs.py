"""The configuration file of supervisord says what runs, and gives way to real servers."""

import configparser
import shlex
from pathlib import Path
from typing import Any

import pytest

from console.embedded import programs


@pytest.fixture
def installation(settings: Any, tmp_path: Path) -> Any:
    settings.DATA_DIR = tmp_path / "data 100%"
    (settings.DATA_DIR / "run").mkdir(parents=True)
    settings.HAS_EMBEDDED_POSTGRES = settings.HAS_EMBEDDED_VALKEY = settings.BUILTIN_MODEL = True
    return settings


def parsed(text: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(inline_comment_prefixes=(" ;",))
    parser.read_string(text)
    return parser


def test_it_runs_everything(installation: Any) -> None:
    conf = parsed(programs.configuration(programs.programs()))
    assert conf["group:data"]["programs"] == "postgres,valkey,model,embeddings"
    assert conf["group:app"]["programs"] == "boot,web,worker-interactive,worker-standard,worker-batch,beat"
    assert int(conf["group:data"]["priority"]) < int(conf["group:app"]["priority"]), "what is called stops last"


def test_it_gives_way_to_real_servers(installation: Any) -> None:
    installation.HAS_EMBEDDED_POSTGRES = installation.HAS_EMBEDDED_VALKEY = installation.BUILTIN_MODEL = False
    conf = parsed(programs.configuration(programs.programs()))
    assert "group:data" not in conf
    assert conf["group:app"]["programs"] == "boot,web,worker-interactive,worker-standard,worker-batch,beat"


def test_it_keeps_odd_folders_whole(installation: Any) -> None:
    conf = parsed(programs.configuration(programs.programs()))
    words = shlex.split(conf["program:valkey"]["command"].replace("%%", "%"))
    assert str(installation.DATA_DIR / "valkey") in words


def test_it_listens_on_sockets_only(installation: Any) -> None:
    conf = parsed(programs.configuration(programs.programs()))
    words = shlex.split(conf["program:valkey"]["command"].replace("%%", "%"))
    assert words[words.index("--port") + 1] == "0"
    assert words[words.index("--maxmemory-policy") + 1] == "noeviction"
    assert "listen_addresses=" in shlex.split(conf["program:postgres"]["command"].replace("%%", "%"))


def test_it_writes_no_secret(installation: Any) -> None:
    text = programs.configuration(programs.programs())
    for secret in (installation.SECRET_KEY, *installation.ENCRYPTION_KEYS):
        assert secret not in text


def test_it_restarts_what_dies_and_runs_the_boot_step_once(installation: Any) -> None:
    conf = parsed(programs.configuration(programs.programs()))
    for section in conf.sections():
        if section.startswith("program:"):
            assert conf[section]["autorestart"] == ("false" if section == "program:boot" else "true"), section
            assert conf[section]["stdout_logfile_maxbytes"] == "10MB"


def test_it_stops_within_five_seconds_at_worst_before_the_database(installation: Any) -> None:
    waits = {p.name: int(p.options.get("stopwaitsecs", programs.STOP_SECONDS)) for p in programs.programs()}
    assert max(seconds for name, seconds in waits.items() if name != "postgres") <= 3


def test_it_gives_each_lane_one_worker(installation: Any) -> None:
    for lane in ("interactive", "standard", "batch"):
        words = programs.worker_command(lane)
        assert words[words.index("--queues") + 1] == lane
