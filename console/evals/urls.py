"""Addresses of a prompt's tests, below its own, of all schedules, and of datasets and replays."""

from django.urls import path

from console.evals.views import cases, datasets, evaluations, replays, runs, schedules
from prompts_app import urls as library  # noqa: F401  (registers the converter)

app_name = "evals"
_TESTS = "prompts/<prompt:slug>/-/tests/"
_ONE = f"{_TESTS}schedules/<uuid:schedule_id>/"
_DATASET = "evaluations/datasets/<uuid:dataset_id>/"
_REPLAY = "evaluations/replays/<uuid:replay_id>/"
urlpatterns = [
    path("evaluations/", evaluations.evaluations, name="evaluations"),
    path("evaluations/words/", evaluations.cron_words, name="cron_words"),
    path("evaluations/datasets/", datasets.datasets, name="datasets"),
    path("evaluations/datasets/new/", datasets.new_dataset, name="new_dataset"),
    path("evaluations/datasets/sample/", datasets.sample_dataset, name="sample_dataset"),
    path(_DATASET, datasets.dataset, name="dataset"),
    path(f"{_DATASET}items/<int:place>/", datasets.item, name="item"),
    path(f"{_DATASET}examples.jsonl", datasets.export, name="export_dataset"),
    path(f"{_DATASET}delete/", datasets.delete_dataset, name="delete_dataset"),
    path("evaluations/replays/", replays.replays, name="replays"),
    path("evaluations/replays/new/", replays.new_replay, name="new_replay"),
    path(_REPLAY, replays.replay, name="replay"),
    path(f"{_REPLAY}items/<int:place>/", replays.result, name="result"),
    path(f"{_REPLAY}retry/", replays.retry_replay, name="retry_replay"),
    path(f"{_REPLAY}stop/", replays.stop_replay, name="stop_replay"),
    path(f"{_REPLAY}delete/", replays.delete_replay, name="delete_replay"),
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
