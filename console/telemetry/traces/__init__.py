"""The log as OpenTelemetry traces: read behind the calls, told in GenAI conventions, sent to a collector."""
