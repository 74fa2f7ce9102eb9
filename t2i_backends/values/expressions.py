"""Arithmetic that a flow states as text (``ComfyMathExpression``), computed without ever running it as code.

Numbers, the names of its values, ``+ - * / // % **``, comparisons, ``and or not``, ``x if y else z``, some functions.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from imagewright.errors import BadInput

LONGEST = 1000
"""Characters of an expression."""
_MOST_POWER, _LARGEST = 4000, 1e300
_REMEDY = "write numbers, a to z, + - * / // % ** and min, max, round, floor, ceil, sqrt…"


def _add_up(*values: Any) -> float:
    return float(sum(values[0])) if len(values) == 1 and isinstance(values[0], list) else sum(values)


def _power(base: float, exponent: float) -> float:
    if abs(exponent) > _MOST_POWER or (abs(base) > 1 and abs(exponent) * math.log10(abs(base)) > math.log10(_LARGEST)):
        raise OverflowError("too large")
    found = base**exponent
    if isinstance(found, complex):
        raise ValueError("no real number")
    return found  # type: ignore[no-any-return]


_OPERATORS: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: _power, ast.USub: operator.neg,
    ast.UAdd: operator.pos, ast.Not: operator.not_, ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt,
    ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
}  # fmt: skip
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "sum": _add_up, "min": min, "max": max, "abs": abs, "round": round, "pow": _power, "sqrt": math.sqrt,
    "ceil": math.ceil, "floor": math.floor, "log": math.log, "log2": math.log2, "log10": math.log10, "sin": math.sin,
    "cos": math.cos, "tan": math.tan, "int": int, "float": float,
}  # fmt: skip


def find_fault(text: object) -> str:
    """Why ``text`` is no expression that is computed here, in words; empty for one that is."""
    try:
        _parse(text)
    except BadInput as error:
        return str(error)
    return ""


def compute(text: str, values: Mapping[str, float]) -> float:
    """The value of an expression over ``values``, which are also one list called ``values``.

    Raises:
        BadInput: it is none, names an absent value, or has no finite value.
    """
    tree = _parse(text)
    try:
        found = _value(tree, {**values, "values": list(values.values())})
        whole = float(found)
    except KeyError as error:
        raise BadInput(f"the expression {text[:60]!r} needs a value {error.args[0]}", "link or set it") from None
    except (ArithmeticError, ValueError, TypeError, IndexError) as error:
        said = str(error)[:80] or type(error).__name__
        raise BadInput(f"the expression {text[:60]!r} cannot be computed: {said}", "correct it in the flow") from None
    if not math.isfinite(whole):
        raise BadInput(f"the expression {text[:60]!r} has no finite value", "correct it in the flow")
    return found  # type: ignore[no-any-return]


def _parse(text: object) -> ast.expr:
    if not isinstance(text, str) or not text.strip() or len(text) > LONGEST:
        raise BadInput(f"an expression is a text of up to {LONGEST} characters", _REMEDY)
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        _insist(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise BadInput(f"{text[:60]!r} is no expression", _REMEDY) from None
    return tree


def _insist(tree: ast.expr) -> None:
    """Raise ``ValueError`` for anything but what is computed."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            known = node.id in FUNCTIONS or node.id == "values" or (len(node.id) == 1 and "a" <= node.id <= "z")
        elif isinstance(node, ast.Constant):
            known = isinstance(node.value, (int, float))
        elif isinstance(node, ast.Call):
            known = isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS and not node.keywords
        else:
            known = isinstance(node, (*_OPERATORS, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.And, ast.Or, ast.Compare,
                                      ast.IfExp, ast.Subscript, ast.Load))  # fmt: skip
        if not known:
            raise ValueError(type(node).__name__)


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant():
            return node.value
        case ast.Name():
            return names[node.id]
        case ast.UnaryOp():
            return _OPERATORS[type(node.op)](_value(node.operand, names))
        case ast.BinOp():
            return _bounded(_OPERATORS[type(node.op)](_value(node.left, names), _value(node.right, names)))
        case ast.BoolOp():
            return _decide(node, names)
        case ast.Compare():
            return _compare(node, names)
        case ast.IfExp():
            return _value(node.body if _value(node.test, names) else node.orelse, names)
        case ast.Subscript():
            return _value(node.value, names)[_value(node.slice, names)]
        case ast.Call(func=ast.Name(id=name)):
            return _bounded(FUNCTIONS[name](*(_value(each, names) for each in node.args)))
    raise ValueError(type(node).__name__)


def _bounded(value: Any) -> Any:
    """``value``, unless it is a number so large that computing on with it would take long."""
    if isinstance(value, int) and abs(value) > _LARGEST:
        raise OverflowError("too large")
    return value


def _decide(node: ast.BoolOp, names: Mapping[str, Any]) -> Any:
    stops = isinstance(node.op, ast.Or)
    found: Any = None
    for each in node.values:
        found = _value(each, names)
        if bool(found) == stops:
            break
    return found


def _compare(node: ast.Compare, names: Mapping[str, Any]) -> bool:
    left = _value(node.left, names)
    for sign, right_node in zip(node.ops, node.comparators, strict=True):
        right = _value(right_node, names)
        if not _OPERATORS[type(sign)](left, right):
            return False
        left = right
    return True
