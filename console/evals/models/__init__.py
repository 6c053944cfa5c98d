"""Tables of tests: cases and runs; schedules, baselines and incidents."""

from console.evals.models.schedules import Baseline, Incident, Round, Schedule
from console.evals.models.tests import TestCase, TestResult, TestRun

__all__ = ["Baseline", "Incident", "Round", "Schedule", "TestCase", "TestResult", "TestRun"]
