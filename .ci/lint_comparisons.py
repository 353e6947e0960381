# noqa: INP001 - a script
"""Finds secrets compared by `==`, `!=`, `in` or `not in`: their time tells how much was right.

`hmac.compare_digest` compares secrets. What counts as one is told by its name, or that of a call that gives it: see
SECRET. Not found, because no time depends on a secret: a comparison with a literal, and of a length. What bears such
a name, but compares nothing that a stranger could guess at, says so on its line: `# compares no guess: why`.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGES = "order_entry_project", "consumers", "routing", "orders"
SECRET = re.compile(
    r"(^|_)(passwords?|passphrase|secrets?|tokens?|signatures?|hmac|mac|api_key|hexdigest)($|_)",
    re.IGNORECASE,
)
ALLOWED = re.compile(r"# compares no guess: \w+")
OPERATORS = ast.Eq | ast.NotEq | ast.In | ast.NotIn


def findings(source: str) -> Iterator[tuple[int, str]]:
    """Line number and text of each comparison at fault."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Compare):
            continue
        text = lines[node.lineno - 1 : node.end_lineno]
        if _compares_secrets(node) and not any(map(ALLOWED.search, text)):
            yield node.lineno, text[0].strip()


def _compares_secrets(node: ast.Compare) -> bool:
    operands = [node.left, *node.comparators]
    if not any(isinstance(operator, OPERATORS) for operator in node.ops) or any(map(_is_literal, operands)):
        return False
    return any(SECRET.search(name) for operand in operands for name in _names(operand))


def _is_literal(operand: ast.expr) -> bool:
    if isinstance(operand, ast.Tuple | ast.List | ast.Set):
        return all(map(_is_literal, operand.elts))
    return isinstance(operand, ast.Constant)


def _names(operand: ast.expr) -> Iterator[str]:
    """What an operand is called, and what is called to get it; not what that is given."""
    match operand:
        case ast.Name(id=name):
            yield name
        case ast.Attribute(value=value, attr=name):
            yield name
            yield from _names(value)
        case ast.Subscript(value=value, slice=key):
            yield from _names(value)
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield key.value
        case ast.Call(func=called):
            yield from _names(called)
        case ast.Await(value=value) | ast.NamedExpr(value=value):
            yield from _names(value)


def main() -> int:
    faults = [
        f"{path}:{line}: a secret is compared by time that tells; expected hmac.compare_digest: {text}"
        for package in PACKAGES
        for path in sorted(Path(package).rglob("*.py"))
        for line, text in findings(path.read_text(encoding="utf-8"))
    ]
    print("\n".join(faults) or "Secrets are compared by hmac.compare_digest alone.")  # noqa: T201 - its answer
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
