"""Addresses of a prompt's tests, below its own, and of all schedules."""

from django.urls import path

from console.evals.views import cases, evaluations, runs, schedules
from prompts_app import urls as library  # noqa: F401  (registers the converter)

app_name = "evals"
_TESTS = "prompts/<prompt:slug>/-/tests/"
_ONE = f"{_TESTS}schedules/<uuid:schedule_id>/"
urlpatterns = [
    path("evaluations/", evaluations.evaluations, name="evaluations"),
    path("evaluations/words/", evaluations.cron_words, name="cron_words"),
    path(_TESTS, runs.tests, name="tests"),
    path(f"{_TESTS}new/", cases.new_case, name="new_case"),
    path(f"{_TESTS}cases/<uuid:case_id>/", cases.edit_case, name="edit_case"),
    path(f"{_TESTS}cases/<uuid:case_id>/delete/", cases.delete_case, name="delete_case"),
    path(f"{_TESTS}run/", runs.start, name="start_run"),
    path(f"{_TESTS}runs/<uuid:run_id>/", runs.run, name="run"),
    path(f"{_TESTS}runs/<uuid:run_id>/stop/", runs.stop, name="stop_run"),
    path(f"{_TESTS}schedules/new/", schedules.new_schedule, name="new_schedule"),
    path(_ONE, schedules.schedule, name="schedule"),
    path(f"{_ONE}change/", schedules.change_schedule, name="change_schedule"),
    path(f"{_ONE}run/", schedules.run_schedule, name="run_schedule"),
    path(f"{_ONE}pause/", schedules.pause_schedule, name="pause_schedule"),
    path(f"{_ONE}resume/", schedules.resume_schedule, name="resume_schedule"),
    path(f"{_ONE}delete/", schedules.delete_schedule, name="delete_schedule"),
    path(f"{_ONE}baseline/", schedules.take_baseline, name="take_baseline"),
    path(f"{_ONE}incidents/<uuid:incident_id>/close/", schedules.close_incident, name="close_incident"),
]
