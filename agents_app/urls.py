"""Addresses of agents."""

from django.urls import path

from agents_app.views import approvals, editing, granting, hooks, moving, reading, runs, settings, starting, triggers

app_name = "agents"
urlpatterns = [
    path("agents/", reading.agents, name="agents"),
    path("agents/new/", editing.new_agent, name="new_agent"),
    path("agents/<slug:slug>/", reading.agent, name="agent"),
    path("agents/<slug:slug>/versions/<int:number>/", reading.version, name="version"),
    path("agents/<slug:slug>/compare/", reading.compare, name="compare"),
    path("agents/<slug:slug>/where-used/", reading.where_used, name="where_used"),
    path("agents/<slug:slug>/edit/", editing.edit, name="edit"),
    path("agents/<slug:slug>/publish/", moving.publish, name="publish"),
    path("agents/<slug:slug>/versions/<int:number>/roll-back/", moving.roll_back, name="roll_back"),
    path("agents/<slug:slug>/settings/", settings.settings, name="settings"),
    path("agents/<slug:slug>/remove/", settings.remove, name="remove"),
    path("agents/<slug:slug>/grants/new/", granting.choose_tool, name="choose_tool"),
    path("agents/<slug:slug>/grants/<slug:tool>/", granting.grant, name="grant"),
    path("agents/<slug:slug>/grants/<slug:tool>/withdraw/", granting.withdraw, name="withdraw_grant"),
    path("agents/<slug:slug>/limits/", granting.limits, name="limits"),
    path("agents/<slug:slug>/run/", starting.start, name="start_run"),
    path("agents/<slug:slug>/triggers/", triggers.triggers, name="triggers"),
    path("agents/<slug:slug>/triggers/new/<slug:kind>/", triggers.new_trigger, name="new_trigger"),
    path("agents/<slug:slug>/triggers/<uuid:trigger_id>/switch/", triggers.switch_trigger, name="switch_trigger"),
    path("agents/<slug:slug>/triggers/<uuid:trigger_id>/renew/", triggers.renew_trigger, name="renew_trigger"),
    path("agents/<slug:slug>/triggers/<uuid:trigger_id>/delete/", triggers.delete_trigger, name="delete_trigger"),
    path("hooks/<uuid:trigger_id>/", hooks.deliver, name="deliver"),
    path("runs/", runs.runs, name="runs"),
    path("runs/<slug:run_id>/", runs.run, name="run"),
    path("runs/<slug:run_id>/cancel/", runs.cancel_run, name="cancel_run"),
    path("runs/<slug:run_id>/again/", runs.run_again, name="run_again"),
    path("runs/<slug:run_id>/ask/", runs.ask, name="ask_run"),
    path("runs/<slug:run_id>/compare/", runs.compare, name="compare_runs"),
    path("approvals/", approvals.approvals, name="approvals"),
    path("approvals/<uuid:approval_id>/", approvals.approval, name="approval"),
    path("approvals/<uuid:approval_id>/decide/", approvals.decide, name="decide"),
    path("approvals/<uuid:approval_id>/extend/", approvals.extend, name="extend"),
]
