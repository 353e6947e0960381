"""What requests may say, and nothing that this service would not read."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class StrictSerializer(serializers.Serializer[Any]):
    """A misspelt name is refused, not passed over."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := sorted(set(data) - set(self.fields))):
            expected = ", ".join(self.fields)
            raise serializers.ValidationError(
                {name: [f"no such field; there are {expected}"] for name in unknown}
            )
        return super().to_internal_value(data)


class NameField(serializers.CharField):
    """A name as those of an order are: printable, no white space around it. `format: name` in the document."""

    def __init__(self, *, max_length: int, **kwargs: Any) -> None:
        super().__init__(max_length=max_length, trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        text = str(super().to_internal_value(data))
        if not text.isprintable() or text != text.strip():
            raise serializers.ValidationError("expected printable characters without white space around them")
        return text


class ReasonField(serializers.RegexField):
    def __init__(self) -> None:
        super().__init__(
            r"^[^\x00]*[^\s\x00][^\x00]*$",
            max_length=1000,
            min_length=1,
            trim_whitespace=False,
            help_text="why; stands on record with the caller's name",
            error_messages={"invalid": "expected text that says something"},
        )


class Reason(StrictSerializer):
    reason = ReasonField()
