"""What the tests of documents and of Features part 1, 2, 5 and the drafts share: geometry, time, links, OpenAPI, JSON Schema."""

import json
import re
from datetime import date, datetime, timedelta, timezone
from urllib.parse import urljoin

from abstract import item, refuses
from osgeo import ogr
from places import positions
from suite import JSON, demand

SCHEMA = "application/schema+json"
HTML = "text/html"
REL = "http://www.opengis.net/def/rel/ogc/1.0/"
# Collections of more features are read once only, for pages.
MANY = 7_000


def names(api):
    return [c["id"] for c in api.collections]


def collection(api, name):
    return next(c for c in api.collections if c["id"] == name)


def sizes(api):
    """The number of features of each collection, by the server's own count."""
    if "sizes" not in api.documents:
        api.documents["sizes"] = {n: api.items(n, limit=1)["numberMatched"] for n in names(api)}
    return api.documents["sizes"]


def representatives(api):
    """Collections of which each has a type of geometry, property or identifier, or letters beyond ASCII, that those before have not."""
    if "representatives" not in api.documents:
        seen, chosen = set(), []
        for name in sorted(names(api), key=lambda n: sizes(api)[n]):
            if not 0 < sizes(api)[name] <= MANY:
                continue
            marks = {(p.get("type"), p.get("format")) for p in api.schema(name)["properties"].values()}
            head = api.items(name, limit=50)["features"]
            marks |= {("id", type(f["id"]).__name__) for f in head}
            if any(ord(c) > 127 for f in head for v in f["properties"].values() for c in str(v)):
                marks.add("letters")
            if marks - seen:
                seen |= marks
                chosen.append(name)
        api.documents["representatives"] = chosen
    return api.documents["representatives"]


def geometries(api, name):
    """Identifiers and geometries of GEOS, None where there is none."""
    key = (name, "geometries")
    if key not in api.documents:
        read = lambda g: ogr.CreateGeometryFromJson(json.dumps(g)) if g else None
        api.documents[key] = [(f["id"], read(f["geometry"])) for f in api.every(name)]
    return api.documents[key]


def meeting(api, name, box):
    """Identifiers of features that meet a box of longitudes and latitudes, or have no geometry; west may be greater than east."""
    west, south, east, north = box
    halves = [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]
    shapes = [((w, south, e, north), rectangle(w, south, e, north)) for w, e in halves]
    found = []
    for identifier, geometry in geometries(api, name):
        if geometry is None or any(touches(geometry, *s) for s in shapes):
            found.append(identifier)
    return found


def rectangle(west, south, east, north):
    if west == east and south == north:
        return ogr.CreateGeometryFromWkt(f"POINT({west!r} {south!r})")
    if west == east or south == north:
        return ogr.CreateGeometryFromWkt(f"LINESTRING({west!r} {south!r},{east!r} {north!r})")
    corners = [(west, south), (east, south), (east, north), (west, north), (west, south)]
    return ogr.CreateGeometryFromWkt("POLYGON((" + ",".join(f"{x!r} {y!r}" for x, y in corners) + "))")


def touches(geometry, box, shape):
    if geometry.IsEmpty():
        return False
    left, right, bottom, top = geometry.GetEnvelope()
    if left > box[2] or right < box[0] or bottom > box[3] or top < box[1]:
        return False
    return geometry.Intersects(shape)


def vertices(geometry):
    """All positions of a geometry of GeoJSON."""
    if geometry is None:
        return []
    if geometry["type"] == "GeometryCollection":
        return [p for g in geometry["geometries"] for p in vertices(g)]
    return list(positions(geometry["coordinates"]))


def extent_of(features):
    """The box of features as their coordinates have it."""
    points = [p for f in features for p in vertices(f["geometry"])]
    return [min(p[0] for p in points), min(p[1] for p in points), max(p[0] for p in points), max(p[1] for p in points)]


def numbers(box):
    return ",".join(map(repr, map(float, box)))


INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


def moment(text):
    """The begin and end of a date (a day of UTC) or of a date-time of RFC 3339, both included."""
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        begin = datetime.combine(date.fromisoformat(text), datetime.min.time(), timezone.utc)
        return begin, begin + timedelta(days=1) - timedelta(microseconds=1)
    match = INSTANT.fullmatch(text)
    demand(match, f"{text!r} is no date and no date-time of RFC 3339")
    day, clock, fraction, zone = match.groups()
    fraction = (fraction or ".").ljust(7, "0")[:7]
    at = datetime.fromisoformat(f"{day}T{clock}{fraction}{'+00:00' if zone in 'Zz' else zone}")
    return at, at


def times(api, name):
    """What each feature has as its time: two ends of which None is open, or None without time (JSON-FG, OGC 21-045r1 §7.8)."""
    key = (name, "times")
    if key not in api.documents:
        found, url = {}, f"/collections/{name}/items?limit=10000&f=jsonfg&skipGeometry=true"
        while url:
            page = api.get(url, "application/fg+json").json()
            found |= {f["id"]: time_of(f.get("time")) for f in page["features"]}
            url = next((l["href"] for l in page["links"] if l["rel"] == "next"), None)
        api.documents[key] = found
    return api.documents[key]


def time_of(time):
    if not time:
        return None
    if "interval" in time:
        begin, end = time["interval"]
        return (None if begin == ".." else moment(begin)[0]), (None if end == ".." else moment(end)[1])
    return moment(time.get("timestamp") or time["date"])


def timed(api):
    """Collections whose features have a time."""
    return [n for n in names(api) if 0 < sizes(api)[n] and any(f.get("time") for f in sample_of_fg(api, n))]


def sample_of_fg(api, name):
    return api.document(f"/collections/{name}/items?limit=200&f=jsonfg&skipGeometry=true", "application/fg+json")["features"]


def link_header(answer):
    """The links of the Link headers: lists of (address, relation, type)."""
    found = []
    for target, rest in re.findall(r"<([^>]*)>([^<]*)", ", ".join(answer.headers.get_all("Link") or [])):
        fields = dict(re.findall(r'(\w+)\s*=\s*"?([^";,]*)"?', rest))
        found += [(urljoin(answer.url, target), rel, fields.get("type")) for rel in fields.get("rel", "").split()]
    return found


def media(answer):
    return (answer.headers.get("Content-Type") or "").partition(";")[0].strip()


def resolve(document, value):
    """What a local reference of a document names."""
    while isinstance(value, dict) and "$ref" in value:
        reference = value["$ref"]
        demand(reference.startswith("#/"), f"{reference} is in another document")
        value = document
        for key in reference[2:].split("/"):
            value = value[key.replace("~1", "/").replace("~0", "~")]
    return value


def operation(api, path, method="get"):
    found = api.openapi["paths"].get(path)
    demand(found and method in found, f"the API definition has no {method.upper()} {path}")
    return found[method]


def parameters(api, path):
    """The parameters of GET of a path in the API definition, by name and place."""
    shared = api.openapi["paths"].get(path, {}).get("parameters", [])
    return {(p["name"], p["in"]): p for p in (resolve(api.openapi, p) for p in shared + operation(api, path).get("parameters", []))}


def parameter(api, path, name):
    found = parameters(api, path).get((name, "query"))
    demand(found, f"the API definition has no parameter {name} at {path}")
    return found


def form_parameter(api, path, name, explode=True):
    """A parameter of a query that is optional and of style form; lists are not exploded."""
    found = parameter(api, path, name)
    demand(not found.get("required"), f"{name} at {path} is required")
    demand(found.get("style", "form") == "form", f"{name} at {path} is of style {found.get('style')}")
    demand(explode or found.get("explode") is False, f"{name} at {path} is exploded")
    return found["schema"]


def items_path(name):
    return f"/collections/{name}/items"


def one_path(name):
    return f"/collections/{name}/items/{{featureId}}"


def one(api, name, identifier, **parameters):
    return api.get(item(name, identifier), **parameters).json()


def light(api, name, **parameters):
    """Identifiers of all that is found, without geometries, which would only take time."""
    return api.ids(name, skipGeometry="true", **parameters)


def some(features, count=3):
    """The first, the last and others between, evenly."""
    step = max(1, (len(features) - 1) // max(1, count - 1))
    return list({id(f): f for f in [*features[::step][:count], *features[-1:]]}.values())


def refused(api, test, path, what, status=400, **parameters):
    """A test that a request is refused."""
    api.test(test, lambda: refuses(api, path, what, status, **parameters))


# JSON Schema 2020-12: its keywords and the types that their values have, and an opinion of whether an instance is valid.
TYPES = {"null": type(None), "boolean": bool, "object": dict, "array": list, "number": (int, float), "integer": int, "string": str}
KEYWORDS = {
    **dict.fromkeys(("$schema", "$id", "$ref", "$anchor", "$comment", "$dynamicRef", "$dynamicAnchor"), str),
    **dict.fromkeys(("title", "description", "format", "pattern"), str),
    **dict.fromkeys(("contentEncoding", "contentMediaType"), str),
    **dict.fromkeys(("additionalProperties", "items", "not", "if", "then", "else", "contains", "propertyNames", "unevaluatedProperties"), "schema"),
    **dict.fromkeys(("unevaluatedItems", "contentSchema"), "schema"),
    **dict.fromkeys(("properties", "patternProperties", "$defs", "dependentSchemas"), "schemas"),
    **dict.fromkeys(("oneOf", "anyOf", "allOf", "prefixItems"), "list"),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains", "maxContains"), "count"),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), (int, float)),
    **dict.fromkeys(("readOnly", "writeOnly", "deprecated", "uniqueItems"), bool),
    **dict.fromkeys(("default", "const"), object),
    **dict.fromkeys(("enum", "examples"), list),
    "required": "strings", "type": "type", "$vocabulary": dict, "dependentRequired": dict,
}


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def valid_schema(schema, where="#"):
    """The schema is one of JSON Schema 2020-12; gives its keywords that are not of this."""
    demand(isinstance(schema, (dict, bool)), f"{where} is {schema!r}, no schema")
    others = set()
    if isinstance(schema, bool):
        return others
    for key, value in schema.items():
        kind, place = KEYWORDS.get(key), f"{where}/{key}"
        if kind is None:
            others.add(key)
        elif kind == "schema":
            others |= valid_schema(value, place)
        elif kind == "schemas":
            demand(isinstance(value, dict), f"{place} is no object")
            for name, part in value.items():
                others |= valid_schema(part, f"{place}/{name}")
        elif kind == "list":
            demand(isinstance(value, list) and value, f"{place} is no list with something in it")
            for i, part in enumerate(value):
                others |= valid_schema(part, f"{place}/{i}")
        elif kind == "count":
            demand(isinstance(value, int) and not isinstance(value, bool) and value >= 0, f"{place} is {value!r}")
        elif kind == "strings":
            demand(isinstance(value, list) and all(isinstance(v, str) for v in value) and len(set(value)) == len(value), f"{place} is {value!r}")
        elif kind == "type":
            given = value if isinstance(value, list) else [value]
            demand(given and all(isinstance(t, str) and t in TYPES for t in given) and len(set(given)) == len(given), f"{place} is {value!r}")
        elif kind == (int, float):
            demand(is_number(value), f"{place} is {value!r}")
        else:
            demand(isinstance(value, kind), f"{place} is {value!r}")
        if key == "pattern":
            demand(compiles(value), f"{place} {value!r} is no regular expression")
    return others


def compiles(pattern):
    try:
        return re.compile(pattern)
    except re.error:
        return False


FORMATS = {
    "date": lambda v: re.fullmatch(r"\d{4}-\d\d-\d\d", v) and date.fromisoformat(v),
    "date-time": lambda v: INSTANT.fullmatch(v) and moment(v),
    "uri": lambda v: re.match(r"[A-Za-z][A-Za-z0-9+.-]*:\S+$", v),
    "uuid": lambda v: re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", v),
}


def of_type(value, kind):
    if kind == "integer":
        return is_number(value) and value == int(value)
    return is_number(value) if kind == "number" else isinstance(value, TYPES[kind])


def equal(a, b):
    return a == b and isinstance(a, bool) == isinstance(b, bool)


def fault(value, schema, where=""):
    """What of a schema a value breaks, as text; empty when it is valid."""
    if isinstance(schema, bool):
        return "" if schema else f"{where or 'the value'} is not allowed"
    kinds = schema.get("type")
    said = f"{where or 'the value'} {json.dumps(value, ensure_ascii=False)[:80]}"
    if kinds is not None and not any(of_type(value, k) for k in (kinds if isinstance(kinds, list) else [kinds])):
        return f"{said} is not of type {kinds}"
    if "enum" in schema and not any(equal(value, e) for e in schema["enum"]):
        return f"{said} is not in enum"
    if "const" in schema and not equal(value, schema["const"]):
        return f"{said} is not {schema['const']!r}"
    for key, right in (("oneOf", lambda n: n == 1), ("anyOf", lambda n: n >= 1)):
        if key in schema and not right(sum(not fault(value, s, where) for s in schema[key])):
            return f"{said} does not fit {key}"
    for part in schema.get("allOf", []):
        if found := fault(value, part, where):
            return found
    if isinstance(value, str):
        return fault_of_string(value, schema, said)
    if is_number(value):
        return fault_of_number(value, schema, said)
    if isinstance(value, list):
        return fault_of_array(value, schema, said, where)
    return fault_of_object(value, schema, said, where) if isinstance(value, dict) else ""


def fault_of_string(value, schema, said):
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        return f"{said} is too short or too long"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        return f"{said} does not fit the pattern {schema['pattern']}"
    form = FORMATS.get(schema.get("format"))
    try:
        fits = form is None or form(value)
    except ValueError:
        fits = False
    return "" if fits else f"{said} is no {schema['format']}"


def fault_of_number(value, schema, said):
    over = value < schema.get("minimum", value) or value > schema.get("maximum", value)
    beyond = value <= schema.get("exclusiveMinimum", value - 1) or value >= schema.get("exclusiveMaximum", value + 1)
    step = schema.get("multipleOf")
    off = step and abs(value / step - round(value / step)) > 1e-9
    return f"{said} is out of range" if over or beyond or off else ""


def fault_of_array(value, schema, said, where):
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        return f"{said} has too few or too many items"
    return next((f for i, v in enumerate(value) if (f := fault(v, schema.get("items", True), f"{where}/{i}"))), "")


def fault_of_object(value, schema, said, where):
    missing = [n for n in schema.get("required", []) if n not in value]
    if missing:
        return f"{said} lacks {missing}"
    known = schema.get("properties", {})
    for name, part in value.items():
        if found := fault(part, known.get(name, schema.get("additionalProperties", True)), f"{where}/{name}"):
            return found
    return ""


def spatial(schema):
    """The spatial properties of a schema of OGC 23-058r2."""
    return {n: p for n, p in schema["properties"].items() if str(p.get("format", "")).startswith("geometry-") or "$ref" in p}


def temporal(schema):
    return {n: p for n, p in schema["properties"].items() if p.get("format") in ("date", "date-time")}


def with_role(schema, role):
    return {n: p for n, p in schema["properties"].items() if p.get("x-ogc-role") == role}


SHAPES = {
    "any": {"Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon", "GeometryCollection"},
    **{n.lower(): {n} for n in ("Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon", "GeometryCollection")},
    "point-or-multipoint": {"Point", "MultiPoint"},
    "linestring-or-multilinestring": {"LineString", "MultiLineString"},
    "polygon-or-multipolygon": {"Polygon", "MultiPolygon"},
}


def json_of(api, path):
    return api.document(path, JSON)
