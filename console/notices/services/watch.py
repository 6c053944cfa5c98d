"""Notify of problems found by rooms below, which cannot send notices themselves."""

import hashlib

from console.audit.models import SealState
from console.core.clock import now
from console.notices.kinds import NoticeKind
from console.notices.services.notices import notify


def watch_seal() -> bool:
    """Tell operators that the log is not what was sealed: once a day as long as that is so."""
    state = SealState.objects.exclude(problem="").first()
    if state is None or state.problem_at is None:
        return False
    return notify(
        NoticeKind.SEAL,
        team=None,
        title="The audit log is not what was sealed",
        text=f"{state.problem}\n\nRun `manage.py verifyaudit` for the whole chain, and keep a copy of the database.",
        url="/audit/",
        facts={"type": "seal.broken", "problem": state.problem, "found_at": state.problem_at.isoformat()},
        key=f"{now().date().isoformat()}:{hashlib.sha256(state.problem.encode()).hexdigest()[:32]}",
    )
