"""The HTTP face of the fleet: submissions in, states and files out.

Keeps nothing that matters in memory; writes only through `queue_schema.calls`, reads through `queue_schema.reads`.
"""
