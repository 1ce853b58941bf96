"""The node daemon: it measures its devices, claims jobs that fit, runs each in a process of its own, and settles.

Knows the vocabulary and the calls of `queue_schema` and the protocol of `workloads`; imports no torch,
no SQLAlchemy, no web framework.
"""

__version__ = "0.1.0"
