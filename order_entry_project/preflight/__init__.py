"""`manage.py preflight`: whether this deployment has all it needs, and what to do where it has not.

A file for each neighbour; `checks` lists them, `run` runs each on a thread of its own within a time limit. Nothing
is changed anywhere but for a short-lived record that is written to each store and removed again.
"""
