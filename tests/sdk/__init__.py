"""The SDK and the CLI against a real API."""
