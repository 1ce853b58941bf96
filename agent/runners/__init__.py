"""Runner processes: started from a forkserver, spoken to over a socket, ended as a whole group.

`forkserver` starts them, `runner` is the agent's handle, `reading` what they say, `records` what a next life
of the agent needs to find them, `child` and `guard` the few lines that run on the other side.
"""
