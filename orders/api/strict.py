"""Bodies of requests that say nothing this service would not read."""

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


class Reason(StrictSerializer):
    reason = serializers.CharField(max_length=1000, help_text="why; stands on record with the caller's name")
