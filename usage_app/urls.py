from django.urls import URLPattern, URLResolver, path

from usage_app.views import alert_rules, audit, chain, quotas

app_name = "usage"
urlpatterns: list[URLPattern | URLResolver] = [
    # Quotas
    path("quotas/", quotas.quotas, name="quotas"),
    path("quotas/new/", quotas.set_quota, name="set_quota"),
    path("quotas/<uuid:public_id>/change/", quotas.change_quota, name="change_quota"),
    path("quotas/<uuid:public_id>/end-users/", quotas.quota_end_users, name="quota_end_users"),
    path("quotas/<uuid:public_id>/remove/", quotas.remove_quota, name="remove_quota"),
    path("quotas/<uuid:public_id>/increase/", quotas.increase_quota, name="increase_quota"),
    path("quotas/increases/<uuid:increase_id>/end/", quotas.end_increase, name="end_increase"),
    # Alert rules: the installation's, or a team's
    path("settings/alerts/rules/", alert_rules.rules, name="alert_rules"),
    path("settings/alerts/rules/new/", alert_rules.new_rule, name="new_alert_rule"),
    path("teams/<slug:slug>/alerts/rules/", alert_rules.team_rules, name="team_alert_rules"),
    path("teams/<slug:slug>/alerts/rules/new/", alert_rules.new_team_rule, name="new_team_alert_rule"),
    path("alerts/rules/<uuid:rule_id>/change/", alert_rules.change_rule, name="change_alert_rule"),
    path("alerts/rules/<uuid:rule_id>/remove/", alert_rules.remove_rule, name="remove_alert_rule"),
    # The audit log
    path("audit/", audit.audit, name="audit"),
    path("audit/tail/", audit.tail, name="audit_tail"),
    path("audit/export/", audit.audit_export, name="audit_export"),
    path("audit/chain/", chain.chain, name="chain"),
    path("audit/chain/verify/", chain.verify, name="verify_chain"),
    path("audit/chain/head/", chain.download_head, name="chain_head"),
    path("audit/<str:reference>/", audit.audit_record, name="audit_record"),
    path("audit/<str:reference>/content/", audit.audit_content, name="audit_content"),
    path("audit/<str:reference>/pictures/<str:kind>/<int:number>/", audit.audit_picture, name="audit_picture"),
    path("audit/<str:reference>/rate/", audit.rate, name="rate"),
]
