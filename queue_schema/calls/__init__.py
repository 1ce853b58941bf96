"""One typed Python call for each SQL function of schema `fleet`, grouped by who may call it.

`agents` for the node daemon, `clients` for the API, `chores` for the scheduler, `admin` for people on the server host;
`schedules` for what comes by the clock, which the API makes and the scheduler ticks; `oncall` for brakes and bulk;
`questions` for why, when and what fits.
Each call is one statement and so, on an autocommit connection, one transaction; each may be repeated safely.
"""
