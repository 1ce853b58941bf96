"""Measurements anyone can repeat: `make bench`, `python -m bench PART ...`. No test asserts them: machines are noisy.

`parts` are what is measured, `queues` who is measured, `results` what came of it. Everything runs on one server
(`server`) whose settings are written down with the results, the sides in turn (`rounds`), and only ratios of medians
of such rounds are given names. Imports the contract and the tests' terse verbs; no program imports this.
"""
