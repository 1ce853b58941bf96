"""What runs inside runner processes: the kinds of work, and the protocol the agent speaks with them.

The only home of torch and diffusers. Importing this package, or `workloads.protocol`, imports neither.
"""
