"""The HTTP API, served by a real uvicorn over a real database."""
