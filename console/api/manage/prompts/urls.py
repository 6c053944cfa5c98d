"""URLs of the library. Prompt names contain slashes, so what is below a prompt comes after `/-/`, and first here."""

from django.urls import path, re_path

from console.api.manage.prompts import git, labels, langfuse, library, reviews, schedules, tests, versions

_BELOW = "prompts/<path:slug>/-/"
_SCHEDULE = f"{_BELOW}tests/schedules/<uuid:pk>/"

urlpatterns = [
    path("prompts/", library.Prompts.as_view(), name="prompts"),
    path("prompts/git/", git.Git.as_view(), name="prompts_git"),
    path("prompts/git/test/", git.GitTest.as_view(), name="test_prompts_git"),
    path("prompts/git/sync/", git.GitSyncNow.as_view(), name="sync_prompts_git"),
    path("prompts/git/syncs/", git.GitSyncs.as_view(), name="prompts_git_syncs"),
    path("prompts/import/", langfuse.Import.as_view(), name="import_prompts"),
    path("prompts/rules/", labels.Rules.as_view(), name="label_rules"),
    path("prompts/reviews/", reviews.AllReviews.as_view(), name="reviews"),
    path(f"{_BELOW}versions/", versions.Versions.as_view(), name="prompt_versions"),
    path(f"{_BELOW}versions/<int:number>/", versions.OneVersion.as_view(), name="prompt_version"),
    path(f"{_BELOW}compare/", versions.Compare.as_view(), name="compare_prompt_versions"),
    path(f"{_BELOW}draft/", versions.Draft.as_view(), name="prompt_draft"),
    path(f"{_BELOW}labels/", labels.Labels.as_view(), name="prompt_labels"),
    path(f"{_BELOW}labels/<str:label>/", labels.OneLabel.as_view(), name="prompt_label"),
    path(f"{_BELOW}labels/<str:label>/roll-back/", labels.RollBack.as_view(), name="roll_back_prompt"),
    path(f"{_BELOW}moves/", labels.Moves.as_view(), name="prompt_moves"),
    path(f"{_BELOW}reviews/", reviews.Reviews.as_view(), name="prompt_reviews"),
    path(f"{_BELOW}reviews/<uuid:pk>/", reviews.OneReview.as_view(), name="prompt_review"),
    path(f"{_BELOW}reviews/<uuid:pk>/comments/", reviews.Comments.as_view(), name="review_comments"),
    path(f"{_BELOW}reviews/<uuid:pk>/decide/", reviews.Decision.as_view(), name="decide_review"),
    path(f"{_BELOW}reviews/<uuid:pk>/take-back/", reviews.TakingBack.as_view(), name="take_back_review"),
    path(f"{_BELOW}reviews/<uuid:pk>/withdraw/", reviews.Withdrawal.as_view(), name="withdraw_review"),
    path(f"{_BELOW}waivers/", reviews.Waivers.as_view(), name="prompt_waivers"),
    path(f"{_BELOW}waivers/<uuid:pk>/", reviews.OneWaiver.as_view(), name="prompt_waiver"),
    path(f"{_BELOW}tests/cases/", tests.Cases.as_view(), name="test_cases"),
    path(f"{_BELOW}tests/cases/<uuid:pk>/", tests.OneCase.as_view(), name="test_case"),
    path(f"{_BELOW}tests/cases/<uuid:pk>/check/", tests.CheckAnswer.as_view(), name="check_answer"),
    path(f"{_BELOW}tests/runs/", tests.Runs.as_view(), name="test_runs"),
    path(f"{_BELOW}tests/runs/<uuid:pk>/", tests.OneRun.as_view(), name="test_run"),
    path(f"{_BELOW}tests/runs/<uuid:pk>/results/", tests.Results.as_view(), name="test_results"),
    path(f"{_BELOW}tests/runs/<uuid:pk>/stop/", tests.Stop.as_view(), name="stop_test_run"),
    path(f"{_BELOW}tests/schedules/", schedules.Schedules.as_view(), name="test_schedules"),
    path(_SCHEDULE, schedules.OneSchedule.as_view(), name="test_schedule"),
    path(f"{_SCHEDULE}run/", schedules.RunNow.as_view(), name="run_test_schedule"),
    path(f"{_SCHEDULE}pause/", schedules.Pause.as_view(), name="pause_test_schedule"),
    path(f"{_SCHEDULE}resume/", schedules.Resume.as_view(), name="resume_test_schedule"),
    path(f"{_SCHEDULE}rounds/", schedules.Rounds.as_view(), name="test_rounds"),
    path(f"{_SCHEDULE}baselines/", schedules.Baselines.as_view(), name="test_baselines"),
    path(f"{_SCHEDULE}incidents/", schedules.Incidents.as_view(), name="drift_incidents"),
    path(f"{_SCHEDULE}close/", schedules.CloseIncident.as_view(), name="close_drift_incident"),
    path("evaluations/", schedules.Evaluations.as_view(), name="evaluations"),
    path(f"{_BELOW}where-used/", library.WhereUsed.as_view(), name="prompt_where_used"),
    path(f"{_BELOW}figures/", library.Figures.as_view(), name="prompt_figures"),
    path(f"{_BELOW}render/", library.RenderBelow.as_view(), name="render_prompt"),
    re_path(r"^prompts/(?P<slug>(?:(?!/-/).)+)/render/?$", library.RenderByPath.as_view(), name="render_by_path"),
    path("prompts/<path:slug>/", library.OnePrompt.as_view(), name="prompt"),
]
