"""The `argosy` command: the SDK for people at a shell."""
