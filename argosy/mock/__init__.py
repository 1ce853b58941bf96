"""GPUs that are not there: a stand-in driver library, and a folder that says what it shows.

The agent is the one of a GPU host, over the real nvidia-ml-py; only the library below that is ours.
"""
