"""Writes clients/companion.proto and the numbers of its fields from the commands of the companion: `python -m scripts.make_proto`."""

import json
from pathlib import Path

from idp.api.transports.proto_schema import NUMBERS, Schema, text

TARGET = Path(__file__).parents[1] / "clients" / "companion.proto"


def written() -> tuple[str, str]:
    """(companion.proto, field_numbers.json). Numbers are only ever added."""
    schema = Schema(json.loads(NUMBERS.read_text()) if NUMBERS.exists() else {})
    lines = [f"{json.dumps(name)}: {json.dumps(schema.numbers[name])}" for name in sorted(schema.numbers)]
    return text(schema), "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    proto, numbers = written()
    TARGET.write_text(proto)
    NUMBERS.write_text(numbers)
