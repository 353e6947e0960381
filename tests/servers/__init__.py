"""Real servers for the tests: private to a run, started on first use, ended with it however it ends.

`plugin` names the run's folder and starts the `keeper`, one process that starts each server when a test
asks for it (`asking`) and ends them all when the run's pipe to it closes.
"""
