"""Plain SQL of the log, by what it is for."""

from console.audit.sql.lines import Row, append, count_flood, epoch, move_epoch

__all__ = ["Row", "append", "count_flood", "epoch", "move_epoch"]
