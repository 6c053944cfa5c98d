"""SQL of the log, by what it is for."""

from console.audit.sql.records import Row, append, append_payloads, epoch, hold_epoch, move_epoch

__all__ = ["Row", "append", "append_payloads", "epoch", "hold_epoch", "move_epoch"]
