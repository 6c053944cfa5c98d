"""Tables of tests (cases, runs, schedules, baselines, incidents), of datasets and of replays."""

from console.evals.models.replays import Dataset, DatasetItem, Replay, ReplayResult
from console.evals.models.schedules import Baseline, Incident, Round, Schedule
from console.evals.models.tests import TestCase, TestResult, TestRun
from console.evals.models.work import GOING_ON, Outcome, Work, named_model

__all__ = [
    "GOING_ON",
    "Baseline",
    "Dataset",
    "DatasetItem",
    "Incident",
    "Outcome",
    "Replay",
    "ReplayResult",
    "Round",
    "Schedule",
    "TestCase",
    "TestResult",
    "TestRun",
    "Work",
    "named_model",
]
