"""Seeded schedules of faults over the real verbs, and a checker that proves from the history that nothing went wrong."""
