#!/usr/bin/env python3
"""Django's command line for order-entry."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "order_entry_project.settings")
    try:
        from order_entry_project.command_line import CommandLine
    except ImportError as error:
        sys.exit(f"{error}. Run `make install`, then `.venv/bin/python manage.py …`.")
    CommandLine(sys.argv).execute()


if __name__ == "__main__":
    main()
