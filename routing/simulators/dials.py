"""How a simulated server misbehaves; can be turned while it runs."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

Rate = Annotated[float, Field(ge=0, le=1)]
Milliseconds = Annotated[float, Field(ge=0, le=600_000)]


class Dials(BaseModel):
    """Every answer takes `latency_ms` plus up to `jitter_ms`; the rates are shares of all requests."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    latency_ms: Milliseconds = 0.0
    jitter_ms: Milliseconds = 0.0

    @classmethod
    def rates(cls) -> tuple[str, ...]:
        """The dials that are rates, in the order they are drawn."""
        return tuple(name for name in cls.model_fields if name.endswith("_rate"))

    @model_validator(mode="after")
    def _rates_leave_room(self) -> Self:
        total = sum(getattr(self, name) for name in self.rates())
        if total > 1 + 1e-9:
            raise ValueError(f"the rates add up to {total:g}; expected at most 1")
        return self

    def draw(self, chance: float) -> str | None:
        """What befalls a request, given a number from 0 to below 1: the name of a rate, or None."""
        for name in self.rates():
            chance -= getattr(self, name)
            if chance < 0:
                return name
        return None

    def turned(self, changes: bytes) -> Self:
        """These dials with `changes`, a JSON object of some. Raises `ValueError` that says what is wrong."""
        try:
            given = type(self).model_validate_json(changes).model_dump(exclude_unset=True)
            return type(self).model_validate(self.model_dump() | given)
        except ValidationError as error:
            raise ValueError(explained(error)) from None


class RegistryDials(Dials):
    failure_rate: Rate = Field(0.0, description="answered 503")


class RouterDials(Dials):
    latency_ms: Milliseconds = 5.0
    failure_rate: Rate = Field(0.0, description="answered 503, nothing done")
    refusal_rate: Rate = Field(0.0, description="answered 422, and 422 again for the same key")
    hang_rate: Rate = Field(0.0, description="executed and never answered")
    garbage_rate: Rate = Field(0.0, description="answered 200 with nonsense, nothing done")
    drop_rate: Rate = Field(0.0, description="executed, then the line is dropped without an answer")


def explained(error: ValidationError) -> str:
    """All faults on one line, each with its dial."""
    return "; ".join(
        f"{'.'.join(map(str, fault['loc'])) or 'dials'}: {fault['msg'].removeprefix('Value error, ')}"
        for fault in error.errors()
    )
