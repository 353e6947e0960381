"""What is logged, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from order_entry_project.config.values import Section


class Logs(Section):
    folder: Path | None = Field(
        None,
        description="Existing folder of order_entry.log, router_calls.log and sql_errors.log; null: none of them, "
        "SQL errors are on the console.",
    )
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least level of the console."
    )
    console: Literal["auto", "text", "json"] = Field(
        "auto", description="Lines on the console; auto: text on a terminal, else JSON."
    )

    @field_validator("folder")
    @classmethod
    def _is_there(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_dir():
            raise ValueError("expected an existing folder")
        return value
