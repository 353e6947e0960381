"""Django's command line, but for what must work while the configuration does not."""

from __future__ import annotations

from django.conf import settings
from django.core.management import ManagementUtility

from order_entry_project.config import ConfigError, load


class CommandLine(ManagementUtility):
    """`version` and `--version`, which otherwise are Django's own, and `preflight` need no usable configuration."""

    def execute(self) -> None:
        match self.argv[1:2]:
            case ["version" | "--version"]:
                from order_entry_project.management.commands import version

                settings.configure()  # Django's defaults: they ask nothing of ours
                version.Command().run_from_argv(self.argv)
            case ["preflight"] if not _loads():
                settings.configure()
                from order_entry_project.management.commands import preflight

                preflight.Command().run_from_argv(self.argv)
            case _:
                super().execute()


def _loads() -> bool:
    try:
        load()
    except ConfigError:
        return False
    return True
