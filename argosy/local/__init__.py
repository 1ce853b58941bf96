"""A whole fleet on one machine: what `argosy up` starts, watches and stops."""
