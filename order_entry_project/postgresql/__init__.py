"""Django's PostgreSQL backend, with credentials that may change and waits that end."""
