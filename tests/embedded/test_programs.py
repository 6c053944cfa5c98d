"""The configuration file of supervisord says what runs, and gives way to real servers."""

import configparser
import os
import shlex
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
import supervisor.loggers as loggers
from django.core.exceptions import ImproperlyConfigured
from supervisor.states import ProcessStates

from console.api.background import worker
from console.embedded import boot, copies, model, postgres, programs, supervise, web


@pytest.fixture
def installation(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # where the ports of a long DATA_DIR are written down
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


def test_the_built_in_model_leaves_cores_to_the_console() -> None:
    assert [model.threads(cores) for cores in (1, 2, 3, 4, 8, 64)] == [1, 1, 1, 2, 4, 4]


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
    grace = supervise._GRACE_SECONDS + worker._LAST_WORDS_SECONDS  # for calls to end, and for saying that they did not
    assert grace <= min(seconds for name, seconds in waits.items() if name.startswith(("web", "worker")))


def test_it_cuts_short_what_has_not_stopped_when_time_is_nearly_up(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []

    def process(name: str, state: int) -> Any:
        return SimpleNamespace(config=SimpleNamespace(name=name), state=state, delay=99, signal=told.append)

    at = SimpleNamespace(monotonic=lambda: 1000.0)
    monkeypatch.setattr(supervise, "time", at)
    database, model = process("postgres", ProcessStates.STOPPING), process("model", ProcessStates.STOPPING)
    stopped = process("web", ProcessStates.STOPPED)
    watch = supervise.Watch(SimpleNamespace())
    watch.process_groups = {"data": SimpleNamespace(processes={"postgres": database, "model": model, "web": stopped})}
    watch._stopping(None)
    for seconds, quits, delay in ((3.5, 0, 99), (4.0, 1, 99), (4.5, 1, 0)):
        at.monotonic = lambda seconds=seconds: 1000.0 + seconds
        watch.ordered_stop_groups_phase_1()
        assert told == [signal.SIGQUIT] * quits, "once PostgreSQL is told to leave the rest to its log"
        assert (database.delay, model.delay, stopped.delay) == (delay, delay, 99), "then everything is killed"


def test_it_gives_each_lane_one_worker(installation: Any) -> None:
    for lane in ("interactive", "standard", "batch"):
        words = programs.worker_command(lane)
        assert words[words.index("--queues") + 1] == lane


def test_the_web_process_has_room_for_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web.resource, "getrlimit", lambda what: (1024, 524_288))
    told = Mock()
    monkeypatch.setattr(web.resource, "setrlimit", told)
    web.raise_limit_of_files()
    told.assert_called_once_with(web.resource.RLIMIT_NOFILE, (65_536, 524_288))


def test_a_model_whose_library_is_missing_says_so_on_the_terminal(monkeypatch, tmp_path, capsys) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)  # importing it fails, as without libgomp.so.1
    with pytest.raises(SystemExit, match="apt install libgomp1") as stopped:
        model.serve(0)
    log = tmp_path / "model.log"
    log.write_text(f"Traceback\n{stopped.value}\n")
    config = SimpleNamespace(name="model", stdout_logfile=str(log))
    event = SimpleNamespace(process=SimpleNamespace(config=config, delay=0, backoff=1))
    supervise.Watch(SimpleNamespace())._stumbled(event)
    assert "\n  The built-in model cannot be loaded: " in capsys.readouterr().out


def test_workers_and_beat_write_no_banner_into_a_log_of_json(installation: Any) -> None:
    for words in (programs.worker_command("batch"), programs.beat_command()):
        assert "--quiet" in words[: words.index("--app")]


def test_logs_that_cannot_be_written_stop_nothing(monkeypatch, tmp_path, capsys) -> None:
    for of, name in ((loggers.Handler, "handleError"), (loggers.RotatingFileHandler, "doRollover")):
        monkeypatch.setattr(of, name, getattr(of, name))  # as they were, afterwards
    supervise.go_on_without_logs()

    folder = tmp_path / "logs"
    folder.mkdir()
    handler = loggers.RotatingFileHandler(str(folder / "web.log"), maxBytes=10, backupCount=1)
    monkeypatch.setattr("sys.stderr", None)  # a terminal that takes nothing either

    def says(line: bytes) -> None:
        handler.emit(loggers.LogRecord(loggers.LevelsByName.INFO, line))

    on_disk, full = handler.stream, Path("/dev/full").open("ab")  # noqa: SIM115  (closed below, with what it cannot write)
    handler.stream = full
    says(b"lost\n")
    handler.stream = on_disk
    with suppress(OSError):
        full.close()
    says(b"a\n")
    folder.rename(tmp_path / "away")
    says(b"turns over\n")
    says(b"lost\n")
    (tmp_path / "away").rename(folder)
    says(b"lost\n")  # it finds the log closed, opens it and turns it over
    says(b"b\n")
    handler.close()
    assert (folder / "web.log.1").read_bytes() == b"a\nturns over\n"
    assert (folder / "web.log").read_bytes() == b"b\n"
    assert capsys.readouterr().out == "Logs cannot be written (No space left on device); what runs goes on without.\n"


def test_it_says_once_that_what_begins_runs_code_of_before_an_upgrade(monkeypatch, tmp_path, capsys) -> None:
    monkeypatch.setattr(copies, "_is_loaded", True)
    assert copies.__file__ in copies._own_files() and pytest.__file__ not in copies._own_files()
    file = tmp_path / "views.py"
    file.touch()
    monkeypatch.setattr(copies, "_read", copies._changes([str(file)]))
    watch = supervise.Watch(SimpleNamespace())
    watch.shares = True

    def begins() -> str:
        watch._starting(
            SimpleNamespace(process=SimpleNamespace(group=SimpleNamespace(config=SimpleNamespace(name="app"))))
        )
        return capsys.readouterr().out

    assert not begins()
    os.utime(file, ns=(1, 1))
    assert begins().startswith("The code has changed since this start") and not begins()
    assert copies.is_overtaken()
    file.unlink()
    assert copies.is_overtaken()


def test_a_start_without_postgresql_ends_with_a_sentence(installation: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def not_in_time(*_: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(boot.postgres, "wait_until_ready", not_in_time)
    with pytest.raises(SystemExit, match=r"^PostgreSQL did not start within 120 s; logs/postgres\.log says why\.$"):
        boot.wait_for_database()


def test_it_refuses_data_that_somebody_else_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Started as root in a person's folder it gave PostgreSQL's user the sockets, and that person could not start."""
    data, sockets = tmp_path / "postgres", tmp_path / "run"
    for folder in (data, sockets):
        folder.mkdir()
    (data / "PG_VERSION").touch()
    monkeypatch.setattr(os, "geteuid", lambda: 4_242)
    with pytest.raises(
        ImproperlyConfigured, match=r"postgres was begun by .*, and PostgreSQL would read it as user 4242"
    ):
        postgres.prepare(data, sockets)
    assert sockets.stat().st_uid == os.getuid(), "nothing was given away"


def test_it_keeps_sockets_nowhere_that_somebody_else_may_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder for a long DATA_DIR stands under /tmp by a name that anybody can work out."""
    ours, open_to_all, leads_away = tmp_path / "ours", tmp_path / "open", tmp_path / "away"
    ours.mkdir(mode=0o700)
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    leads_away.symlink_to(ours)
    postgres.check_sockets(ours)
    for folder in (open_to_all, leads_away):
        with pytest.raises(ImproperlyConfigured, match="may be written by"):
            postgres.check_sockets(folder)
    monkeypatch.setattr(os, "geteuid", lambda: 4_242)
    with pytest.raises(ImproperlyConfigured, match="shorter path"):
        postgres.check_sockets(ours)
