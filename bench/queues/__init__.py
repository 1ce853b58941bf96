"""The queues that are measured beside each other, each behind the same face (`base.Queue`)."""
