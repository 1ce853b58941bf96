"""The chores that keep the fleet going: reap, promote, schedules, webhooks, upkeep; on procrastinate's periodic tasks.

procrastinate runs our chores; `fleet.jobs` runs users' GPU work. Any number of schedulers may run side by side and
each may be killed at any point: a chore is one call of one idempotent SQL function.
"""
