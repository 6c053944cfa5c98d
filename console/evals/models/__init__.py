"""Tables of tests: cases and runs; schedules, baselines and incidents."""

from console.evals.models.schedules import Baseline, Incident, Round, Schedule
from console.evals.models.tests import TestCase, TestResult, TestRun
from console.evals.models.work import GOING_ON, Outcome, Work

__all__ = [
    "GOING_ON",
    "Baseline",
    "Incident",
    "Outcome",
    "Round",
    "Schedule",
    "TestCase",
    "TestResult",
    "TestRun",
    "Work",
]
