"""Reads of the audit log: the list, one record, its content in readable form, and the export."""
