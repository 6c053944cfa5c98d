"""Addresses of a prompt's tests, below its own."""

from django.urls import path

from console.evals.views import cases, runs
from prompts_app import urls as library  # noqa: F401  (registers the converter)

app_name = "evals"
_TESTS = "prompts/<prompt:slug>/-/tests/"
urlpatterns = [
    path(_TESTS, runs.tests, name="tests"),
    path(f"{_TESTS}new/", cases.new_case, name="new_case"),
    path(f"{_TESTS}cases/<uuid:case_id>/", cases.edit_case, name="edit_case"),
    path(f"{_TESTS}cases/<uuid:case_id>/delete/", cases.delete_case, name="delete_case"),
    path(f"{_TESTS}run/", runs.start, name="start_run"),
    path(f"{_TESTS}runs/<uuid:run_id>/", runs.run, name="run"),
    path(f"{_TESTS}runs/<uuid:run_id>/stop/", runs.stop, name="stop_run"),
]
