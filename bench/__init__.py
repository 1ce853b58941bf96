"""Measurements anyone can repeat: `make bench`. Never part of the tests: machines are noisy."""
