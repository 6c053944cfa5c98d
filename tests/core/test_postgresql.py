"""Our way from a query to SQL says what Django's says, of models of every app and questions of every kind."""

from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.db.backends.postgresql import compiler as of_django
from django.db.models import Count, Exists, F, Model, OuterRef, QuerySet, Value
from django.db.models.functions import Upper

from console.core.postgresql import compiler as ours

pytestmark = pytest.mark.django_db


def _questions(model: type[Model]) -> list[QuerySet[Any]]:
    rows = model._default_manager.all()
    fields = [field.name for field in model._meta.concrete_fields]
    relations = [field.name for field in model._meta.concrete_fields if field.is_relation]
    first, last = fields[0], fields[-1]
    return [
        rows,
        rows.order_by(),
        rows.order_by(last, f"-{first}", "pk", last),
        rows.order_by(*(f"{name}__pk" for name in relations), "?").reverse(),
        rows.filter(**{f"{name}__pk": None for name in relations}).order_by(last)[:3],
        rows.order_by(F(last).desc(nulls_last=True), Upper(last), "pk"),
        rows.annotate(shouted=Upper(last), one=Value(1)).order_by("shouted", "-one", "pk"),
        rows.select_related(*relations).order_by(*relations, "pk"),
        rows.only(last).order_by(first),
        rows.defer(last).order_by(last),
        rows.values(first, last).order_by(last, first),
        rows.values_list(F(last), named=True).order_by(last),
        rows.values(word=F(last)).annotate(many=Count("pk")).order_by("word", "-many", last),
        rows.distinct().order_by(last),
        rows.order_by(last).distinct(last),
        rows.filter(pk__in=rows.order_by(first).values("pk")[:2]).order_by(last),
        rows.filter(Exists(rows.filter(pk=OuterRef("pk")).order_by(last))).exclude(pk__in=rows).order_by(last),
        rows.order_by().union(rows.order_by(), all=True).order_by(last, "pk"),
        rows.values(first).union(rows.values(last)).order_by(first),
        rows.extra(select={"number": "1"}, order_by=["-number", first]),
        rows.extra(order_by=[f"{model._meta.db_table}.{model._meta.pk.column}"]),
        rows.none().order_by(last),
    ]


def _told(rows: QuerySet[Any]) -> list[Any]:
    compiler = rows.query.clone().get_compiler(connection=connection)
    try:
        told = compiler.as_sql()
    except Exception as error:  # as where a model has nothing that could be asked so
        return [type(error), str(error)]
    selected = [(one, alias) for one, _, alias in compiler.select]
    return [told, _rows_made(compiler.klass_info), compiler.annotation_col_map, selected]


def _rows_made(of: dict[str, Any] | None) -> Any:
    """Return what rows are made of which columns, without the functions that do it."""
    return of and (of["model"], of["select_fields"], [_rows_made(one) for one in of.get("related_klass_infos", ())])


def test_the_same_sql_is_said_of_every_question(monkeypatch: pytest.MonkeyPatch) -> None:
    assert connection.ops.compiler("SQLCompiler") is ours.SQLCompiler
    models = {model._meta.app_label: model for model in apps.get_models()}.values()
    questions = [rows for model in models for rows in _questions(model)]
    said = [_told(rows) for rows in questions]
    again = [_told(rows) for rows in questions]
    monkeypatch.setattr(connection.ops, "_cache", of_django)
    assert connection.ops.compiler("SQLCompiler") is of_django.SQLCompiler
    expected = [_told(rows) for rows in questions]
    assert sum(isinstance(one[0], tuple) for one in expected) > 0.9 * len(expected)
    for rows, here, once_more, there in zip(questions, said, again, expected, strict=True):
        assert here == there == once_more, rows.model
