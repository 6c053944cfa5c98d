"""URLs of the chat."""

from django.urls import path

from console.chat.views import conversations, messages, visits, widget_preview, widget_questions, widgets

app_name = "chat"
urlpatterns = [
    path("chat/", conversations.chat, name="chat"),
    path("chat/start/", conversations.start, name="start"),
    path("chat/<uuid:conversation_id>/", conversations.conversation, name="conversation"),
    path("chat/<uuid:conversation_id>/send/", messages.send, name="send"),
    path("chat/<uuid:conversation_id>/rename/", conversations.rename, name="rename"),
    path("chat/<uuid:conversation_id>/pin/", conversations.pin, name="pin"),
    path("chat/<uuid:conversation_id>/archive/", conversations.archive, name="archive"),
    path("chat/<uuid:conversation_id>/share/", conversations.share, name="share"),
    path("chat/<uuid:conversation_id>/export.md", conversations.export, {"kind": "md"}, name="export_markdown"),
    path("chat/<uuid:conversation_id>/export.json", conversations.export, {"kind": "json"}, name="export_json"),
    path("chat/<uuid:conversation_id>/delete/", conversations.delete, name="delete"),
    path("chat/records/<str:reference>/", visits.of_record, name="of_record"),
    path("chat/messages/<uuid:message_id>/", messages.message, name="message"),
    path("chat/messages/<uuid:message_id>/files/<int:place>/", messages.file, name="file"),
    path("chat/messages/<uuid:message_id>/stream/", messages.stream, name="stream"),
    path("chat/messages/<uuid:message_id>/edit/", messages.edit, name="edit"),
    path("chat/messages/<uuid:message_id>/again/", messages.again, name="again"),
    path("chat/messages/<uuid:message_id>/branch/", messages.branch, name="branch"),
    path("chat/messages/<uuid:message_id>/feedback/", messages.feedback, name="feedback"),
    path("chat/messages/<uuid:message_id>/stop/", messages.stop, name="stop"),
    path("widgets/", widgets.widgets, name="widgets"),
    path("widgets/new/", widgets.new_widget, name="new_widget"),
    path("widgets/preview/", widget_preview.preview, name="widget_preview"),
    path("widgets/<uuid:widget_id>/", widgets.widget, name="widget"),
    path("widgets/<uuid:widget_id>/enable/", widgets.enable, name="enable_widget"),
    path("widgets/<uuid:widget_id>/delete/", widget_questions.delete, name="delete_widget"),
    path("widgets/<uuid:widget_id>/secret/", widget_questions.make_secret, name="make_widget_secret"),
    path("widgets/<uuid:widget_id>/secret/forget/", widget_questions.forget_secret, name="forget_widget_secret"),
    path("widgets/<uuid:widget_id>/conversations/", visits.visits, name="visits"),
    path("widgets/<uuid:widget_id>/conversations/<uuid:conversation_id>/", visits.visit, name="visit"),
    path(
        "widgets/<uuid:widget_id>/conversations/<uuid:conversation_id>/take-over/", visits.take_over, name="take_over"
    ),
    path("widgets/<uuid:widget_id>/conversations/<uuid:conversation_id>/answer/", visits.answer, name="answer_visitor"),
    path(
        "widgets/<uuid:widget_id>/conversations/<uuid:conversation_id>/give-back/", visits.give_back, name="give_back"
    ),
]
