"""What tests share: a server, databases cloned from a migrated template, a clock, and terse verbs."""
