"""OGC 19-079r2 §7, conformance class Queryables as Query Parameters: `/collections/{id}/items?name=value`."""

from urllib.parse import quote

from abstract import refuses, same
from cql import agrees, both, middle, op, prop, scalars, table, text
from suite import demand

CLASS = "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/queryables-query-parameters"
SIMPLE = ("string", "date", "date-time", "number", "integer", "boolean")
# Values with what an address, a list or a pattern could be mistaken in.
AWKWARD = " ,+&%=#'\"/?;*_\\`ʼ’і"
# Members of a schema that say nothing about which values are valid.
NOTES = {"title", "description", "x-ogc-role", "x-ogc-unit", "x-ogc-propertySeq", "x-ogc-unitLang"}


def parameters_of(api, name):
    operation = api.openapi["paths"][f"/collections/{name}/items"]
    found = {}
    for parameter in operation.get("parameters", []) + operation["get"].get("parameters", []):
        if "$ref" in parameter:
            parameter = api.openapi["components"]["parameters"][parameter["$ref"].rpartition("/")[2]]
        found[parameter["name"]] = parameter
    return found


def definitions(api, name):
    """A: for each queryable with a simple value a query parameter of the same schema."""
    parameters = parameters_of(api, name)
    for key in table(api, name).of(*SIMPLE):
        definition(api, name, key, parameters.get(key))


def definition(api, name, key, parameter):
    demand(parameter, f"there is no parameter {key}")
    demand(parameter["in"] == "query" and not parameter.get("required"), f"{key}: {parameter}")
    demand(parameter.get("style", "form") == "form" and parameter.get("explode") is False, f"{key}: {parameter}")
    own, other = simple(table(api, name).queryables[key]), simple(parameter["schema"])
    demand(own == other, f"{key}: the queryable is {str(own)[:300]}, the parameter {str(other)[:300]}")


def simple(schema):
    """A schema without what is for people, and its known values as OpenAPI 3.0 has them, which lacks `const`."""
    if not isinstance(schema, dict):
        return schema
    out = {k: v for k, v in schema.items() if k not in NOTES}
    if "anyOf" in out:
        parts = [simple(part) for part in out["anyOf"]]
        known = [part["const"] for part in parts if "const" in part]
        others = [part for part in parts if "const" not in part]
        out["anyOf"] = ([{"type": schema["type"], "enum": known}] if known else []) + others
    return out


def as_parameter(api, name, /, **pairs):
    """A page by parameters that are named like properties."""
    query = "&".join(f"{quote(k)}={quote(written(v), safe='')}" for k, v in pairs.items())
    page = api.get(f"/collections/{name}/items?limit=10000&skipGeometry=true&{query}").json()
    demand(page["numberMatched"] == len(page["features"]), f"{query}: numberMatched is {page['numberMatched']}, there are {len(page['features'])}")
    return [f["id"] for f in page["features"]]


def written(value):
    return str(value).lower() if isinstance(value, bool) else value if isinstance(value, str) else repr(value)


def equals(api, name, key, value):
    """B: only the features that have the value, and all of them; a filter says the same."""
    rows = table(api, name)
    ids = as_parameter(api, name, **{key: value})
    same(ids, [f["id"] for f in rows.features if f["properties"][key] == value], f"{name}: {key}={value}")
    same(ids, agrees(api, name, op("=", prop(key), rows.literal(key, value))), f"{name}: {key}={value} and the filter")


def combined(api, name, one, other):
    """B: several parameters are connected by AND."""
    rows = table(api, name)
    feature = next(f for f in rows.features if f["properties"][one] is not None and f["properties"][other] is not None)
    pairs = {k: feature["properties"][k] for k in (one, other)}
    expected = [f["id"] for f in rows.features if all(f["properties"][k] == v for k, v in pairs.items())]
    same(as_parameter(api, name, **pairs), expected, f"{name}: {pairs}")


def with_filter(api, name, key):
    """A parameter beside a filter: both have to hold."""
    rows = table(api, name)
    value = max(rows.values(key), key=lambda v: sum(f["properties"][key] == v for f in rows.features))
    first = rows.of("string", "integer", "number")[0]
    condition = op(">", prop(first), middle(rows.values(first)))
    expected = agrees(api, name, both(op("=", prop(key), rows.literal(key, value)), condition))
    page = api.items(name, limit=10_000, filter=text(condition), **{key: written(value)})
    same([f["id"] for f in page["features"]], expected, f"{name}: {key}={value} and {text(condition)}")


def no_value(api, name, key):
    """A value that is not of the schema's type is refused."""
    refuses(api, f"/collections/{name}/items", f"{key}=abc", **{key: "abc"})


def run(api):
    for name in (c["id"] for c in api.collections):
        api.test(f"/req/queryables-query-parameters/parameters-A[{name}]", definitions, api, name)
    for name, key, rows in scalars(api):
        values = rows.values(key)
        wanted = {v: None for v in (values and [values[0], middle(values)] or ["nothing"] * (rows.kind(key) == "string"))}
        wanted.update({v: None for v in [v for v in values if isinstance(v, str) and any(c in v for c in AWKWARD)][:2]})
        for value in wanted:
            api.test(f"/req/queryables-query-parameters/parameters-B[{name}, {key}={value}]", equals, api, name, key, value)
        if rows.kind(key) != "string":
            api.test(f"/req/queryables-query-parameters/parameters-B[{name}, {key}=abc]", no_value, api, name, key)
    for name, one, other in (("settlements", "place", "parent"), ("hydrants", "HYDRANT_COLOR", "GATE"), ("wards", "Ward", "created_date")):
        api.test(f"/req/queryables-query-parameters/parameters-B[{name}, {one} and {other}]", combined, api, name, one, other)
    for name, key in (("settlements", "place"), ("zoning", "ZONE_TYPE"), ("hydrants", "GATE"), ("zoning", "last_edited_date")):
        api.test(f"/req/queryables-query-parameters/parameters-B[{name}, {key} and filter]", with_filter, api, name, key)
