"""CQL2 for the tests: a filter is the value that OGC 21-065r2 writes as JSON; it is printed as text, and decided here feature by feature.

What comes out is `True`, `False`, or `None` where the standard says NULL (§6.2, table of AND and OR).
"""

import functools
import json
import math
import operator
import pathlib
import re
import unicodedata
from datetime import date, datetime

from abstract import refuses, same
from osgeo import gdal, ogr
from suite import Failed, demand

GEOMETRIES = {"Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon", "GeometryCollection"}
COMPARISONS = ("=", "<>", ">", "<", ">=", "<=")
ARITHMETIC = ("+", "-", "*", "/", "%", "div", "^")
KEYWORDS = {"and", "or", "not", "is", "null", "in", "between", "like", "true", "false", "date", "timestamp", "interval", "point", "div", "bbox",
    "casei"}
SPATIAL = {f"s_{n.lower()}": n for n in ("Intersects", "Equals", "Disjoint", "Touches", "Within", "Overlaps", "Crosses", "Contains")}
# The literals of the abstract tests for each type of queryable.
SAMPLES = {
    "string": "foo",
    "boolean": True,
    "number": 3.14,
    "integer": 1,
    "date-time": {"timestamp": "2022-04-14T14:48:46Z"},
    "date": {"date": "2022-04-14"},
}


# Nodes.


def op(name, *args):
    return {"op": name, "args": list(args)}


def prop(name):
    return {"property": name}


def both(*parts):
    return op("and", *parts)


def either(*parts):
    return op("or", *parts)


def no(part):
    return op("not", part)


def is_null(name):
    return op("isNull", prop(name))


def day(text):
    return {"date": text}


def moment(text):
    return {"timestamp": text}


def span(start, end):
    return {"interval": [start, end]}


def box(*numbers):
    return {"bbox": list(numbers)}


def point(x, y):
    return {"type": "Point", "coordinates": [x, y]}


def line(*positions):
    return {"type": "LineString", "coordinates": [list(p) for p in positions]}


def polygon(*rings):
    return {"type": "Polygon", "coordinates": [[list(p) for p in ring] for ring in rings]}


def rectangle(west, south, east, north):
    return polygon([(west, south), (east, south), (east, north), (west, north), (west, south)])


def multi(*parts):
    return {"type": "Multi" + parts[0]["type"], "coordinates": [p["coordinates"] for p in parts]}


def collection(*parts):
    return {"type": "GeometryCollection", "geometries": list(parts)}


# Text.


def quoted(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def name_text(name):
    return f'"{name}"' if name.lower() in KEYWORDS or not re.fullmatch(r"[^\W\d][\w.:]*", name) else name


def wkt(geometry):
    if "geometries" in geometry:
        return f"GEOMETRYCOLLECTION({','.join(wkt(g) for g in geometry['geometries'])})"
    position = lambda p: " ".join(map(repr, p))
    inner = lambda c: position(c) if isinstance(c[0], (int, float)) else "(" + ",".join(inner(p) for p in c) + ")"
    body = inner(geometry["coordinates"])
    return geometry["type"].upper() + (f"({body})" if geometry["type"] == "Point" else body)


def text(node):
    """The filter in the grammar of OGC 21-065r2 annex B."""
    if isinstance(node, bool):
        return str(node).upper()
    if isinstance(node, str):
        return quoted(node)
    if isinstance(node, (int, float)):
        return repr(node)
    if isinstance(node, list):
        return f"({', '.join(map(text, node))})"
    if "property" in node:
        return name_text(node["property"])
    if "date" in node:
        return f"DATE('{node['date']}')"
    if "timestamp" in node:
        return f"TIMESTAMP('{node['timestamp']}')"
    if "interval" in node:
        return f"INTERVAL({','.join(map(text, node['interval']))})"
    if node.get("type") in GEOMETRIES:
        return wkt(node)
    if "bbox" in node:
        return f"BBOX({','.join(map(repr, node['bbox']))})"
    return operation_text(node["op"], node["args"])


def operation_text(name, args, negated=""):
    if name in ("and", "or"):
        return f" {name.upper()} ".join(f"({text(a)})" for a in args)
    if name == "not":
        inner = args[0]
        if isinstance(inner, dict) and inner.get("op") in ("like", "between", "in", "isNull"):
            return operation_text(inner["op"], inner["args"], "NOT ")
        return f"NOT ({text(inner)})"
    parts = [text(a) for a in args]
    if name in COMPARISONS:
        return f"{parts[0]} {name} {parts[1]}"
    if name in ARITHMETIC:
        return f"({parts[0]} {name} {parts[1]})"
    if name == "like":
        return f"{parts[0]} {negated}LIKE {parts[1]}"
    if name == "between":
        return f"{parts[0]} {negated}BETWEEN {parts[1]} AND {parts[2]}"
    if name == "in":
        return f"{parts[0]} {negated}IN {parts[1]}"
    if name == "isNull":
        return f"{parts[0]} IS {negated}NULL"
    standard = name in ("casei", "accenti") or name[:2] in ("s_", "t_", "a_")
    return f"{name.upper() if standard else name}({', '.join(parts)})"


# Values.


def instant(value):
    return datetime.fromisoformat(value.replace("Z", "+00:00")) if "T" in value else date.fromisoformat(value)


def like(pattern):
    """`%` any characters, `_` one, after a backslash itself (/req/advanced-comparison-operators/like-predicate)."""
    out, escaped = "", False
    for c in pattern:
        if escaped or c not in "\\%_":
            out, escaped = out + re.escape(c), False
        elif c == "\\":
            escaped = True
        else:
            out += ".*" if c == "%" else "."
    return re.compile(out, re.DOTALL)


# Letters with a stroke have no decomposition; of these only the one of the standard's own test is looked for.
STROKES = str.maketrans("øØ", "oO")


def without_accents(value):
    # Whether Й is an И with an accent, or a letter of its own, the standard does not say.
    if any("\u0400" < c < "\u0530" and unicodedata.decomposition(c) for c in value):
        raise Unsure
    marks = unicodedata.normalize("NFD", value)
    return unicodedata.normalize("NFC", "".join(c for c in marks if not unicodedata.combining(c))).translate(STROKES)


def fold(value):
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", value).casefold())


def calculate(name, a, b):
    if name in ("/", "%", "div") and b == 0:
        return None
    if name == "+":
        return a + b
    if name == "-":
        return a - b
    if name == "*":
        return a * b
    if name == "/":
        return a / b
    if name == "%":
        return math.fmod(a, b)
    return math.trunc(a / b) if name == "div" else a**b


FUNCTIONS = {
    "upper": str.upper,
    "lower": str.lower,
    "trim": str.strip,
    "char_length": len,
    "concat": lambda *parts: "".join(parts),
    "substr": lambda s, start, length=None: s[start - 1 :][:length],
    "abs": abs,
    "floor": math.floor,
    "ceil": math.ceil,
    "round": lambda n: math.copysign(math.floor(abs(n) + 0.5), n),
    "sqrt": math.sqrt,
    "min": min,
    "max": max,
    "year": lambda t: t.year,
    "month": lambda t: t.month,
    "day": lambda t: t.day,
}


# W3C OWL-Time, as the tables of OGC 21-065r2 §7.8 refer to; a and b are starts and ends.
TEMPORAL = {
    "t_after": lambda a, b: a[0] > b[1],
    "t_before": lambda a, b: a[1] < b[0],
    "t_disjoint": lambda a, b: a[0] > b[1] or a[1] < b[0],
    "t_equals": lambda a, b: a == b,
    "t_intersects": lambda a, b: a[0] <= b[1] and a[1] >= b[0],
    "t_contains": lambda a, b: a[0] < b[0] and a[1] > b[1],
    "t_during": lambda a, b: a[0] > b[0] and a[1] < b[1],
    "t_finishedBy": lambda a, b: a[0] < b[0] and a[1] == b[1],
    "t_finishes": lambda a, b: a[0] > b[0] and a[1] == b[1],
    "t_meets": lambda a, b: a[1] == b[0],
    "t_metBy": lambda a, b: a[0] == b[1],
    "t_overlappedBy": lambda a, b: b[0] < a[0] < b[1] < a[1],
    "t_overlaps": lambda a, b: a[0] < b[0] < a[1] < b[1],
    "t_startedBy": lambda a, b: a[0] == b[0] and a[1] > b[1],
    "t_starts": lambda a, b: a[0] == b[0] and a[1] < b[1],
}
INTERVALS_ONLY = [name for name in TEMPORAL if name not in ("t_after", "t_before", "t_disjoint", "t_equals", "t_intersects")]

ARRAYS = {
    "a_equals": lambda a, b: a == b,
    "a_contains": lambda a, b: a >= b,
    "a_containedBy": lambda a, b: a <= b,
    "a_overlaps": lambda a, b: bool(a & b),
}


class Unsure(Exception):
    """What the standard leaves open for this feature: it may be in the answer or not."""


def ends(value):
    start, end = value if isinstance(value, tuple) else (value, value)
    if start is None or end is None:
        return None
    # `..` on either side is endless: it compares with nothing but as the least or the greatest.
    return (Edge(start, -1), Edge(end, 1))


@functools.total_ordering
class Edge:
    """An end of an interval; `..` lies before or after everything else."""

    def __init__(self, value, side):
        self.key = (side, "") if value == ".." else (0, value)

    def __eq__(self, other):
        return self.key == other.key

    def __lt__(self, other):
        return self.key < other.key


class Shape:
    """A geometry with its envelope, by which most relations are decided."""

    def __init__(self, geometry):
        self.geometry = geometry
        self.envelope = geometry.GetEnvelope()
        # GDAL prints what is not valid.
        gdal.PushErrorHandler("CPLQuietErrorHandler")
        self.valid = geometry.IsValid()
        gdal.PopErrorHandler()

    def relates(self, relation, other):
        a, b = self.envelope, other.envelope
        if a[0] > b[1] or b[0] > a[1] or a[2] > b[3] or b[2] > a[3]:
            return relation == "Disjoint"
        return getattr(self.geometry, relation)(other.geometry)


class Table:
    """The features of a collection, with values of the types that its queryables name."""

    def __init__(self, api, name):
        self.name = name
        self.queryables = api.queryables(name)["properties"]
        self.features = api.every(name)
        self.geometry = next((k for k, s in self.queryables.items() if s.get("format", "").startswith("geometry")), None)
        self.shapes, self.decided, self.instants = {}, {}, {}
        # What pages of identifiers are asked for, so that they stay small.
        width = lambda key: sum(len(str(f["properties"].get(key))) for f in self.features[:100])
        self.shortest = min((k for k in self.queryables if k != self.geometry), key=width, default=None)

    def kind(self, name):
        schema = self.queryables[name]
        return schema["format"] if schema.get("format") in ("date", "date-time") else schema.get("type")

    def of(self, *kinds):
        return [name for name in self.queryables if name != self.geometry and self.kind(name) in kinds]

    def values(self, name):
        """Values in their order, each once, without NULL."""
        return sorted({f["properties"][name] for f in self.features if f["properties"].get(name) is not None})

    def literal(self, name, value):
        kind = self.kind(name)
        return {"date": day, "date-time": moment}.get(kind, lambda v: v)(value)

    def column(self, name):
        """What gives a property's value of a feature, dates and times as such."""
        if self.kind(name) not in ("date", "date-time"):
            return lambda feature: feature["properties"].get(name)
        if name not in self.instants:
            given = {f["id"]: f["properties"].get(name) for f in self.features}
            self.instants[name] = {i: v and instant(v) for i, v in given.items()}
        return lambda feature: self.instants[name][feature["id"]]

    def shape(self, feature):
        key = feature["id"]
        if key not in self.shapes:
            self.shapes[key] = feature["geometry"] and Shape(ogr.CreateGeometryFromJson(json.dumps(feature["geometry"])))
        if self.shapes[key] and not self.shapes[key].valid:
            raise Unsure
        return self.shapes[key]


def table(api, name):
    key = (name, "table")
    if key not in api.documents:
        api.documents[key] = Table(api, name)
    return api.documents[key]


def literal_shape(node):
    if node.get("type") not in GEOMETRIES:
        half = len(node["bbox"]) // 2
        low, high = node["bbox"][:half][:2], node["bbox"][half:][:2]
        halves = [(low[0], high[0])] if low[0] <= high[0] else [(low[0], 180), (-180, high[0])]
        parts = [rectangle(west, low[1], east, high[1]) for west, east in halves]
        node = parts[0] if len(parts) == 1 else multi(*parts)
    return Shape(ogr.CreateGeometryFromJson(json.dumps(node)))


def reader(node, rows):
    """What gives the value of an expression for a feature."""
    if isinstance(node, (bool, str, int, float)):
        return lambda feature: node
    if isinstance(node, list):
        parts = [reader(n, rows) for n in node]
        return lambda feature: [part(feature) for part in parts]
    if "property" in node:
        return rows.shape if node["property"] == rows.geometry else rows.column(node["property"])
    if "interval" in node:
        parts = [reader(v, rows) if not isinstance(v,
            str) else (lambda value: lambda feature: value)(v if v == ".." else instant(v)) for v in node["interval"]]
        return lambda feature: tuple(part(feature) for part in parts)
    if "op" in node:
        return operation(node["op"], node["args"], rows)
    constant = instant(node.get("date") or node["timestamp"]) if "date" in node or "timestamp" in node else literal_shape(node)
    return lambda feature: constant


def conjunction(values):
    return False if False in values else None if None in values else True


def disjunction(values):
    return True if True in values else None if None in values else False


def operation(name, args, rows):
    if name == "isNull" and args[0] == {"property": rows.geometry}:
        return lambda feature: feature["geometry"] is None
    if name == "in":
        return reader(either(*(op("=", args[0], item) for item in args[1])), rows)
    parts = [reader(a, rows) for a in args]
    if name in LOGICAL:
        return lambda feature: LOGICAL[name]([part(feature) for part in parts])
    function = meaning(name)

    def value(feature):
        values = [part(feature) for part in parts]
        return None if None in values else function(*values)

    return value


# Operators that are not simply NULL when one of their operands is.
LOGICAL = {
    "and": conjunction,
    "or": disjunction,
    "not": lambda values: None if values[0] is None else not values[0],
    "isNull": lambda values: values[0] is None,
    "coalesce": lambda values: next((v for v in values if v is not None), None),
}


def meaning(name):
    if name in COMPARISONS:
        return {"=": operator.eq, "<>": operator.ne, ">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le}[name]
    if name == "between":
        return lambda value, low, high: low <= value <= high
    if name == "like":
        patterns = functools.cache(like)
        return lambda value, pattern: patterns(pattern).fullmatch(value) is not None
    if name in SPATIAL:
        return lambda a, b: a.relates(SPATIAL[name], b)
    if name in TEMPORAL:
        return lambda a, b: None if (a := ends(a)) is None or (b := ends(b)) is None else TEMPORAL[name](a, b)
    if name in ARRAYS:
        return lambda a, b: None if None in a or None in b else ARRAYS[name](set(a), set(b))
    if name in ARITHMETIC:
        return lambda a, b: calculate(name, a, b)
    return {"casei": fold, "accenti": without_accents, **FUNCTIONS}[name]


# Requests.


def expected(api, name, node):
    """Identifiers of the features that the filter is TRUE for, and of those that the standard leaves open."""
    rows, yes, open_ones = table(api, name), [], set()
    key = text(node)
    if key in rows.decided:
        return rows.decided[key]
    decide = reader(node, rows)
    for feature in rows.features:
        try:
            if decide(feature) is True:
                yes.append(feature["id"])
        except Unsure:
            open_ones.add(feature["id"])
    rows.decided[key] = yes, open_ones
    return yes, open_ones


def selects(api, name, filter, language="cql2-text", **parameters):
    """Identifiers that a filter selects, over all pages; as many as numberMatched says. The same request is made once."""
    key = (name, filter, language, *sorted(parameters.items()))
    if key not in api.documents:
        api.documents[key] = asked(api, name, filter, language, **parameters)
    return api.documents[key]


def asked(api, name, filter, language, **parameters):
    small = {"skipGeometry": "true", **({"properties": key} if (key := table(api, name).shortest) else {})}
    page = api.items(name, limit=10_000, filter=filter, filter_lang=language, **small, **parameters)
    ids = [f["id"] for f in page["features"]]
    matched = page["numberMatched"]
    while following := next((l["href"] for l in page["links"] if l["rel"] == "next"), None):
        page = api.get(following).json()
        ids += [f["id"] for f in page["features"]]
    demand(len(ids) == matched, f"{filter}: numberMatched is {matched}, the pages have {len(ids)} features")
    return ids


def written(node):
    return [("cql2-text", text(node)), ("cql2-json", json.dumps(node, ensure_ascii=False))]


def agrees(api, name, node, **parameters):
    """A filter, in text and in JSON, selects what is computed from the features; gives their identifiers."""
    yes, open_ones = expected(api, name, node)
    for language, filter in written(node):
        ids = selects(api, name, filter, language, **parameters)
        same([i for i in ids if i not in open_ones], [i for i in yes if i not in open_ones], f"{name}: {filter}")
    return ids


def reads(api, name, filter, node):
    """A text selects what the same filter as a tree stands for."""
    yes, open_ones = expected(api, name, node)
    ids = selects(api, name, filter)
    same([i for i in ids if i not in open_ones], [i for i in yes if i not in open_ones], f"{name}: {filter}")


def refused(api, name, filter, language="cql2-text", **parameters):
    """/req/features-filter/response E: a filter that is not valid is answered with 400."""
    filter = filter if isinstance(filter, str) else json.dumps(filter)
    refuses(api, f"/collections/{name}/items", filter, filter=filter, filter_lang=language, limit=1, **parameters)


def refused_both(api, name, node, **parameters):
    for language, filter in written(node):
        refused(api, name, filter, language, **parameters)


def each(body, cases):
    """Runs a body for each case, and says all those that fail."""
    wrong = []
    for case in cases:
        try:
            body(*case)
        except Failed as reason:
            wrong.append(f"{case[1:]}: {str(reason)[:200]}")
    demand(not wrong, f"{len(wrong)} of {len(cases)} cases: " + "; ".join(wrong[:8]))


def all_refused(api, name, filters, language="cql2-text"):
    each(refused, [(api, name, filter, language) for filter in filters])


def partition(api, name, predicate, unknown):
    """A, NOT A and NULL together are all features, and none twice: `unknown` says where the predicate is NULL."""
    yes = agrees(api, name, predicate)
    not_so = agrees(api, name, no(predicate))
    null = agrees(api, name, unknown)
    same(yes + not_so + null, [f["id"] for f in table(api, name).features], f"{name}: {text(predicate)}, NOT and NULL")


def combinations(api, label, name, predicates):
    """The abstract tests `logical`: four predicates in one expression, ten times."""
    api.test(f"{label}/logical[{name}]", ten, api, name, predicates)


def ten(api, name, predicates):
    count = len(predicates)
    for i in range(10):
        p1, p2, p3, p4 = (predicates[(i * step + shift) % count] for step, shift in ((1, 0), (3, 1), (5, 2), (7, 3)))
        agrees(api, name, either(both(no(p1), p2), both(p3, no(p4)), no(both(p1, p4))))


def everything(api, name, node):
    """A filter that is TRUE for every feature."""
    for language, filter in written(node) if not isinstance(node, str) else [("cql2-text", node)]:
        same(selects(api, name, filter, language), [f["id"] for f in table(api, name).features], filter)


def nothing(api, name, node):
    """A filter that is FALSE or NULL for every feature."""
    for language, filter in written(node) if not isinstance(node, str) else [("cql2-text", node)]:
        same(selects(api, name, filter, language), [], filter)


PREDICATES = pathlib.Path(__file__).parents[2] / "crates/server/tests/data/cql2/predicates.tsv"


def test_data(api, conformance_class):
    """/conf/.../test-data: the predicates of annex A and their counts, where the server has the data that they were made for."""
    here = {c["id"] for c in api.collections}
    for row in PREDICATES.read_text(encoding="utf-8").splitlines():
        if row.startswith("#"):
            continue
        which, name, predicate, count = row.split("\t")[:4]
        if which == conformance_class and name in here:
            api.test(f"/conf/{which}/test-data[{name}: {predicate}]", counts, api, name, predicate, int(count))


def counts(api, name, predicate, count):
    found = len(selects(api, name, predicate))
    demand(found == count, f"{predicate}: {found} features, expected {count}")


def middle(values):
    return values[len(values) // 2]


# Collections with every type of geometry and of property, and of the larger ones the properties that are tested; empty: all.
DATA = {
    "settlements": ("name", "name_en", "place", "population", "iso3166_2"),
    "zoning": ("ZONE_TYPE", "ZCODE", "PUD_TYPE", "created_date", "last_edited_date"),
    "zoning-overlays": ("Name", "Article", "Type", "created_date"),
    "wards": ("Sort", "TOTALPOP", "WardPrecinct", "Ward", "created_date"),
    "neighborhoods": ("NAME", "N_HOOD"),
    "drainage": (),
    "utility-poles": ("ELEV",),
    "hydrants": ("ROTATION", "INSTALLDATE", "HYDRANT_LOCATION", "HYDRANT_COLOR"),
    "streets": ("FromNode", "last_edited_date"),
    # The standard's own data, where it is: they have times and booleans.
    "ne_110m_populated_places_simple": ("name", "boolean", "date", "start"),
}


def scalars(api, *kinds):
    """Collections and their queryables of some types, the representative ones."""
    here = {c["id"] for c in api.collections}
    for name, keys in DATA.items():
        if name not in here:
            continue
        rows = table(api, name)
        for key in rows.of(*(kinds or ("string", "integer", "number", "boolean", "date", "date-time"))):
            if not keys or key in keys:
                yield name, key, rows
