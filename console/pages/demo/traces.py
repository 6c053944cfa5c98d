"""The runs of the demo's agents, all invented."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Asked:
    """A person was asked about a call. Without `by` the call still waits."""

    by: str = ""
    after_s: int = 0
    is_approved: bool = True
    message: str = ""


@dataclass(frozen=True, slots=True)
class MadeCall:
    tool: str
    arguments: dict[str, Any]
    result: str = ""
    took_s: float = 0.4
    asked: Asked | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """The model's answer and the calls it asked for. `trouble` is a failed attempt: no answer came."""

    says: str
    calls: tuple[MadeCall, ...] = ()
    tokens: tuple[int, int] = (1_200, 90)
    took_s: float = 2.1
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    by: str
    text: str
    answer: str


@dataclass(frozen=True, slots=True)
class Trace:
    agent: str
    by: str
    minutes_ago: float
    trigger: str
    trigger_name: str
    message: str
    turns: tuple[Turn, ...]
    questions: tuple[Question, ...] = field(default=())


_JONAS, _INES, _MEI = "jonas.weber@demo.example", "ines.okafor@demo.example", "mei.tanaka@demo.example"
_DAY = 24 * 60


def _look(service: str, figure: str, logs: str, metrics: str, says: str) -> Turn:
    return Turn(
        says,
        (
            MadeCall("read_logs", {"service": service, "minutes": 30}, logs, 1.3),
            MadeCall("query_metrics", {"service": service, "figure": figure}, metrics, 0.6),
        ),
    )


def _restart(service: str, says: str, asked: Asked, result: str = "") -> Turn:
    call = MadeCall("restart_service", {"service": service, "region": "eu-1", "drain": True}, result, 8.2, asked)
    return Turn(says, (call,), (2_900, 140), 4.4)


_CHECKOUT_LOGS = (
    "14:09:12 checkout-worker-3 ERROR ConnectionResetError: pool exhausted (size 20, waiting 61)\n"
    "14:09:12 checkout-worker-3 exited with code 1, no restart policy matched\n"
    "14:10:40 checkout-worker-5 ERROR ConnectionResetError: pool exhausted (size 20, waiting 77)\n"
    "14:11:02 checkout-worker-5 exited with code 1, no restart policy matched"
)
_DEPTH = '{"queue_depth": [140, 390, 1210, 2960], "every_minutes": 4}'

TRACES = (
    Trace(
        "demo-log-watcher",
        _JONAS,
        11,
        "webhook",
        "Alertmanager",
        "Checkout queue is growing: 2,960 jobs wait, 140 twelve minutes ago.",
        (
            _look("checkout-worker", "queue_depth", _CHECKOUT_LOGS, _DEPTH, "I read the log and the queue's depth."),
            _restart(
                "checkout-worker",
                "Queue depth went from 140 to 2,960 in 12 minutes. Workers stopped after ConnectionResetError at "
                "14:09 and nothing restarts them. The runbook says: drain, restart, watch for five minutes.",
                Asked(),
            ),
        ),
        (
            Question(
                _INES,
                "Why restart instead of scaling up?",
                "Because the workers are gone, not slow: [2] shows them exit after the pool was exhausted, and "
                "[3] that the queue only grows since. More replicas would start with the same broken pool.",
            ),
        ),
    ),
    Trace(
        "demo-log-watcher",
        _JONAS,
        1 * _DAY + 95,
        "webhook",
        "Alertmanager",
        "mail-worker: no mail sent for 20 minutes.",
        (
            _look(
                "mail-worker",
                "errors",
                "09:02:10 mail-worker-1 WARNING lost connection to relay, waiting\n(no further lines)",
                '{"errors": [0, 0, 0, 0], "every_minutes": 5}',
                "No errors, and no mail. I look at the log.",
            ),
            _restart(
                "mail-worker",
                "The only worker waits for a connection that is gone, since 09:02. A restart makes a new one.",
                Asked(_INES, 160),
                '{"restarted": "mail-worker-1", "drained": 0, "healthy": true}',
            ),
            Turn("Restarted mail-worker after Ines Okafor agreed; it sends again. Watch the relay.", (), (3_300, 60)),
        ),
    ),
    Trace(
        "demo-log-watcher",
        _JONAS,
        2 * _DAY + 400,
        "webhook",
        "Alertmanager",
        "checkout-worker: memory at 91 % in eu-1.",
        (
            _look(
                "checkout-worker",
                "memory",
                "22:14:00 checkout-worker-2 INFO nightly export began (1.2 GB)",
                '{"memory": [62, 80, 91, 90], "every_minutes": 5}',
                "I compare memory with what the service does.",
            ),
            _restart(
                "checkout-worker",
                "Memory is at 91 %. A drained restart frees it.",
                Asked(_JONAS, 75, is_approved=False, message="That is the nightly export; it ends by itself."),
            ),
            Turn("Not restarted: the nightly export needs the memory and ends by itself.", (), (3_100, 48)),
        ),
    ),
    Trace(
        "demo-log-watcher",
        _JONAS,
        3 * _DAY + 30,
        "webhook",
        "Alertmanager",
        "node-7: disk at 81 %.",
        (
            _look(
                "node-7",
                "errors",
                "(nothing in the last 30 minutes)",
                '{"errors": [0, 0, 0, 0], "every_minutes": 5}',
                "I look for a cause.",
            ),
            Turn("Nothing to do tonight: it grows 0.2 % a day, and there are weeks before it fills.", (), (2_400, 52)),
        ),
    ),
    Trace(
        "demo-campaign-planner",
        _INES,
        5 * _DAY + 380,
        "console",
        "",
        "Plan a page about offline mode for field technicians.",
        (
            Turn(
                "",
                tokens=(0, 0),
                took_s=0.9,
                trouble="The provider answered 502 Bad Gateway, three times.",
            ),
        ),
    ),
    Trace(
        "demo-campaign-planner",
        _INES,
        2 * _DAY + 130,
        "console",
        "",
        "Plan a page about offline mode for field technicians.",
        (
            Turn(
                "Three sections: what works offline, how it syncs, what to tell customers. I have each written.",
                (
                    MadeCall(
                        "write_section",
                        {"message": "What works without a signal. 60 words, for field technicians."},
                        "No signal in the basement? Keep working. The app holds your jobs, photos and signatures.",
                        3.9,
                    ),
                    MadeCall(
                        "write_section",
                        {"message": "How it syncs afterwards. 60 words, for field technicians."},
                        "Back on the street, everything is sent by itself. Nothing to press, nothing to remember.",
                        3.6,
                    ),
                    MadeCall(
                        "write_section",
                        {"message": "What to tell customers. 60 words, for field technicians."},
                        "Signatures count from the moment they are given, not from the moment they are sent.",
                        3.8,
                    ),
                ),
                (1_900, 160),
                4.8,
            ),
            Turn(
                "I store the sections as drafts.",
                tuple(
                    MadeCall("store_draft", {"title": f"Offline mode, {part}", "text": "(the section)"}, saved, 0.5)
                    for part, saved in (
                        ("what works", '{"draft": "d-211"}'),
                        ("how it syncs", '{"draft": "d-212"}'),
                        ("what to tell", '{"draft": "d-213"}'),
                    )
                ),
                (3_400, 190),
                5.1,
            ),
            Turn("Drafts d-211 to d-213 wait for an editor. Nothing is published.", (), (3_800, 40)),
        ),
    ),
)
