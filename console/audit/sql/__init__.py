"""Plain SQL of the log, by what it is for."""

from console.audit.sql.lines import Row, append, epoch, move_epoch

__all__ = ["Row", "append", "epoch", "move_epoch"]
