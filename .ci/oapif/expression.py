"""Expressions of QGIS: the CQL2 text that QGIS makes of one, and the features for which it is true, found without CQL2.

An expression is a literal (None, bool, int, float, str, date, datetime) or a tuple: an operator in capitals or a sign, then its operands.
COLUMN has a name, INTERSECTS_BBOX a box west, south, east, north and INTERSECTS a position, both with x first whatever the CRS.
Sources named here are below src/providers/wfs/oapif of QGIS, as of 3.44 and 4.0.
"""

import re
from datetime import date, datetime, timezone
from decimal import Decimal
from urllib.parse import quote

from places import touches

# QgsOapifCql2TextExpressionCompiler::compileNode(): a whole-number division is written as a division, so it isn't here.
COMPARISONS = {"=", "<>", "<", "<=", ">", ">="}
ARITHMETIC = {"+", "-", "*", "/", "%", "^"}
LIKES = {"LIKE", "ILIKE", "NOT LIKE", "NOT ILIKE"}


class Untranslatable(Exception):
    """QGIS evaluates it on its own."""


def column(name):
    return ("COLUMN", name)


class Compiler:
    """qgsoapifcql2textexpressioncompiler.cpp. What the server declares decides what is compiled; the rest raises Untranslatable."""

    def __init__(self, queryables, likes, casei, spatial, inverted):
        self.queryables, self.likes, self.casei, self.spatial, self.inverted = queryables, likes, casei, spatial, inverted
        self.has_geometry = False

    def compile(self, node):
        if not isinstance(node, tuple):
            return self.literal(node)
        operator, *operands = node
        if operator == "AND":
            return self.conjunction(*operands)
        if operator == "COLUMN":
            return self.column(operands[0])
        if operator == "NOT":
            return f"(NOT ({self.compile(operands[0])}))"
        if operator == "-" and len(operands) == 1:
            return f"( - ({self.compile(operands[0])}))"
        if operator in ("BETWEEN", "NOT BETWEEN", "IN", "NOT IN", *LIKES) and not self.likes:
            raise Untranslatable
        if operator in ("BETWEEN", "NOT BETWEEN"):
            value, low, high = map(self.compile, operands)
            return f"{value} {operator} {low} AND {high}"
        if operator in ("IN", "NOT IN"):
            return f"{self.compile(operands[0])} {operator} ({','.join(map(self.compile, operands[1]))})"
        if operator in ("INTERSECTS_BBOX", "INTERSECTS"):
            return self.intersects(operator, operands[0])
        left, right = self.compile(operands[0]), self.right(*operands)
        if operator in ("ILIKE", "NOT ILIKE"):
            if not self.casei:
                raise Untranslatable
            return f"(CASEI({left}) {operator.replace('ILIKE', 'LIKE')} CASEI({right}))"
        return f"({left} {operator} {right})"

    def conjunction(self, left, right):
        """What one side can't say is left to QGIS: the server then gives more than asked for."""
        parts = []
        for side in (left, right):
            try:
                parts.append(self.compile(side))
            except Untranslatable:
                pass
        if not parts:
            raise Untranslatable
        return f"({parts[0]} AND {parts[1]})" if len(parts) == 2 else parts[0]

    def right(self, left, right):
        """A text beside a property of time is a time: the query builder writes them so."""
        if isinstance(right, str) and isinstance(left, tuple) and left[0] == "COLUMN":
            form = next((q["format"] for name, q in sorted(self.queryables.items()) if name.casefold() == left[1].casefold()), None)
            try:
                if form == "date-time":
                    return self.literal(datetime.fromisoformat(right.replace("Z", "+00:00")))
                if form == "date":
                    return self.literal(date.fromisoformat(right))
            except ValueError:
                pass
        return self.compile(right)

    def literal(self, value):
        """literalValue(): times in UTC with milliseconds, quotes and backslashes doubled."""
        if value is None:
            return "NULL"
        if isinstance(value, bool):
            return str(value).upper()
        if isinstance(value, datetime):
            utc = value.astimezone(timezone.utc)
            return f"TIMESTAMP('{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03}Z')"
        if isinstance(value, date):
            return f"DATE('{value}')"
        if isinstance(value, str):
            return "'" + value.replace("'", "''").replace("\\", "\\\\") + "'"
        return real(value) if isinstance(value, float) else str(value)

    def column(self, name):
        known = next((q for q in sorted(self.queryables) if q.casefold() == name.casefold()), None)
        if known is None:
            raise Untranslatable
        return quoted(known)

    def intersects(self, operator, places):
        """compileNodeFunction(): one box or one point; every other geometry is left to QGIS."""
        geometry = next((name for name, q in sorted(self.queryables.items()) if q["geometry"]), None)
        if geometry is None or not self.spatial:
            raise Untranslatable
        self.has_geometry = True
        numbers = list(map(number, places))
        if self.inverted:
            numbers = [numbers[i ^ 1] for i in range(len(numbers))]
        if operator == "INTERSECTS":
            return f"S_INTERSECTS({quoted(geometry)},POINT({' '.join(numbers)}))"
        return f"S_INTERSECTS({quoted(geometry)},BBOX({','.join(numbers)}))"


def quoted(name):
    """quotedIdentifier(): only where it has more than letters and digits, of any script, so `date` and `поверхів` come bare."""
    return name if all(c.isalpha() or c.isdigit() for c in name) else '"' + name.replace('"', '""') + '"'


def number(value):
    """qgsDoubleToString() of src/core/qgis.h."""
    text = f"{value:.17f}"
    return text.rstrip("0").rstrip(".")


def real(value):
    """QVariant::toString() of a double: no point where there is no fraction, and 1000000.0 is 1e+06."""
    exact = Decimal(repr(value)).normalize()
    first, *rest = map(str, exact.as_tuple().digits)
    if -4 <= exact.adjusted() < len(rest) + 6:
        return f"{exact:f}"
    return f"{'-' * exact.is_signed()}{first}{'.' * bool(rest)}{''.join(rest)}e{exact.adjusted():+03}"


def encoded(text):
    """QUrlQuery::toString(FullyEncoded), by getEncodedQueryParam() of qgsoapifshareddata.cpp: a plus sign stays one, blanks are %20.

    Qt takes a percent sign before two hexadecimal digits for an escape, if all in the text are so. No pattern here is.
    """
    return quote(text, safe="!$'()*+,;:@/?-._~")


def holds(node, feature):
    """Whether it is true for a feature with the properties and geometry as the server wrote them. None where that is unknown."""
    if not isinstance(node, tuple):
        return node
    operator, *operands = node
    if operator == "COLUMN":
        return next((v for name, v in feature["properties"].items() if name.casefold() == operands[0].casefold()), None)
    if operator in ("AND", "OR"):
        sides = [holds(side, feature) for side in operands]
        decisive = operator == "OR"
        return decisive if decisive in sides else None if None in sides else not decisive
    if operator == "INTERSECTS_BBOX":
        return feature["geometry"] and touches(feature["geometry"], *operands[0])
    if operator == "INTERSECTS":
        return feature["geometry"] and touches(feature["geometry"], *operands[0], *operands[0])
    if operator in ("IS", "IS NOT"):
        return (holds(operands[0], feature) == operands[1]) == (operator == "IS")
    if operator.startswith("NOT"):
        inner = holds((operator[4:], *operands) if operator != "NOT" else operands[0], feature)
        return None if inner is None else not inner
    if operator == "IN":
        return holds(nested("OR", [("=", operands[0], each) for each in operands[1]]), feature)
    if operator == "BETWEEN":
        return holds(("AND", (">=", operands[0], operands[1]), ("<=", operands[0], operands[2])), feature)
    values = [holds(operand, feature) for operand in operands]
    if None in values:
        return None
    if len(values) == 1:
        return -values[0]
    if operator in LIKES:
        return like(*values, operator == "ILIKE")
    left, right = same_kind(*values)
    return OPERATIONS[operator](left, right)


def nested(operator, nodes):
    """OR and AND have two sides."""
    return nodes[0] if len(nodes) == 1 else (operator, nodes[0], nested(operator, nodes[1:]))


OPERATIONS = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b if b else None,
    "%": lambda a, b: a % b if b else None,
    "^": lambda a, b: a**b,
}
assert set(OPERATIONS) == COMPARISONS | ARITHMETIC


def same_kind(left, right):
    """GeoJSON has times as text."""
    if isinstance(right, datetime) or (isinstance(right, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT.*", right)):
        return instant(left), instant(right)
    if isinstance(right, date) or isinstance(left, date):
        return str(left), str(right)
    return left, right


def instant(value):
    return value if isinstance(value, datetime) else datetime.fromisoformat(value.replace("Z", "+00:00"))


def like(value, pattern, ignores_case):
    if ignores_case:
        value, pattern = value.casefold(), pattern.casefold()
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    wild = {"%": ".*", "_": "."}
    expression = "".join(wild.get(part) or re.escape(part[-1]) for part in parts)
    return re.fullmatch(expression, value, re.DOTALL) is not None
