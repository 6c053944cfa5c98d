"""Django's way from a query to SQL without three steps whose outcome is known. The SQL is the same, to the letter.

A page asks a dozen questions, and putting one into words takes longer than most take PostgreSQL. Django works out the
columns of a model anew each time, and makes and hashes a reference to each of them wherever rows are in order.
"""

from collections.abc import Iterator
from typing import Any, cast

from django.db.backends.postgresql import compiler
from django.db.backends.postgresql.compiler import (
    SQLAggregateCompiler,
    SQLDeleteCompiler,
    SQLInsertCompiler,
    SQLUpdateCompiler,
)
from django.db.models.expressions import Col

__all__ = ["SQLAggregateCompiler", "SQLCompiler", "SQLDeleteCompiler", "SQLInsertCompiler", "SQLUpdateCompiler"]

_ALL_FIELDS: tuple[frozenset[str], bool] = (frozenset(), True)


class SQLCompiler(compiler.SQLCompiler):
    def compile(self, node: Any) -> Any:
        """Write a column, of which there are most, in one step."""
        if type(node) is Col and node.alias:
            name, column = self.quote_name_unless_alias, cast(str, node.target.column)
            return f"{name(node.alias)}.{name(column)}", ()
        return super().compile(node)

    def get_select(self, with_col_aliases: bool = False) -> Any:
        """Keep the columns of a model that is asked for as it is."""
        query = self.query
        options = query.get_meta()
        if (
            options is None
            or not query.default_cols
            or with_col_aliases
            or query.select_related
            or query.selected is not None
            or query.deferred_loading != _ALL_FIELDS
            or query.extra_select
            or query.annotation_select
            or query.external_aliases
            or options.parents
            or query.get_initial_alias() != options.db_table
        ):
            return super().get_select(with_col_aliases)
        # Beside the model's other options, as what is made of a model for a step of a migration ends with it.
        if (columns := vars(options).get("_columns_of_all")) is None:
            columns = vars(options)["_columns_of_all"] = super().get_select()[0]
        return list(columns), {"model": query.model, "select_fields": list(range(len(columns)))}, {}

    def _order_by_pairs(self) -> Iterator[Any]:  # type: ignore[override]
        """Look through what is selected only where the order may name a part of it: an expression, or an alias."""
        query, select = self.query, self.select
        options = query.get_meta()
        usual = options.ordering or () if options and query.default_ordering else ()
        if (
            select
            and not query.combinator
            and all(type(name) is str for name in (*query.extra_order_by, *query.order_by, *usual))
            and not any(alias for _, _, alias in select)
        ):
            self.select = None
        try:
            yield from cast(Iterator[Any], super()._order_by_pairs())
        finally:
            self.select = select
