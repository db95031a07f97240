"""OGC 19-079r2 §6, annex A, conformance class Queryables: what filters may name."""

import re

from abstract import same
from cql import refused, selects, table
from suite import JSON, demand, link

CLASS = "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/queryables"
REL = "http://www.opengis.net/def/rel/ogc/1.0/queryables"
SCHEMA = "https://json-schema.org/draft/2020-12/schema"
SIMPLE = ("point", "multipoint", "linestring", "multilinestring", "polygon", "multipolygon", "geometrycollection")
TYPES = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list}
# What a format of §6.2 E allows in the data, where it is not the one type of its name.
WIDER = {
    "geometry-any": set(SIMPLE),
    "geometry-point-or-multipoint": {"point", "multipoint"},
    "geometry-linestring-or-multilinestring": {"linestring", "multilinestring"},
    "geometry-polygon-or-multipolygon": {"polygon", "multipolygon"},
}


def spatial(schema):
    return schema.get("format", "").startswith("geometry") or "$ref" in schema or "x-ogc-role" in schema


def properties(api, name):
    return api.queryables(name)["properties"]


def get_queryables(api, name):
    """200 as application/schema+json, of JSON Schema 2020-12, with the address of the resource and at least one property."""
    answer = api.get(f"/collections/{name}/queryables", "application/schema+json")
    kind = answer.headers.get("Content-Type", "").partition(";")[0]
    demand(kind == "application/schema+json", f"the answer is {kind}")
    schema = answer.json()
    demand(schema.get("$schema") == SCHEMA, f"$schema is {schema.get('$schema')}")
    demand(schema.get("type") == "object", f"type is {schema.get('type')}")
    demand(isinstance(schema.get("properties"), dict) and schema["properties"], "there are no properties")


def without_parameters(api, name):
    """`$id` is the address without query parameters, whatever the request has."""
    for path in ("queryables", "queryables?lang=en", "queryables?lang=uk"):
        got = api.get(f"/collections/{name}/{path}", "application/schema+json").json().get("$id")
        demand(got == f"{api.root}/collections/{name}/queryables", f"$id of {path} is {got}")


def types(api, name):
    """C: each property that is not spatial has a type."""
    without = [k for k, s in properties(api, name).items() if not spatial(s) and s.get("type") not in TYPES]
    demand(not without, f"without a type: {without}")


def no_ref(api, name):
    """D: a spatial property has neither `type` nor `$ref`."""
    wrong = {k: sorted({"type", "$ref"} & set(s)) for k, s in properties(api, name).items() if spatial(s) and {"type", "$ref"} & set(s)}
    demand(not wrong, f"spatial properties with members that they shall not have: {wrong}")


def geometry_format(api, name):
    """E: a spatial property has one of the formats, and the features are of its types."""
    found = {f["geometry"]["type"].lower() for f in api.every(name) if f["geometry"]}
    formats = [s.get("format", "") for s in properties(api, name).values() if spatial(s)]
    demand(formats, "there is no spatial property")
    for value in formats:
        allowed = WIDER.get(value) or {value.removeprefix("geometry-")} & set(SIMPLE)
        demand(allowed, f"format {value!r} is none of the standard's")
        demand(found <= allowed, f"the format is {value}, the features are {sorted(found)}")


def temporal_format(api, name):
    """F: a property whose values are all dates or times is a string with the format of these."""
    rows = table(api, name)
    for key, schema in properties(api, name).items():
        values = [] if spatial(schema) else rows.values(key)
        for pattern, value in ((r"\d{4}-\d\d-\d\d", "date"), (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*", "date-time")):
            if values and all(isinstance(v, str) and re.fullmatch(pattern, v) for v in values):
                demand((schema.get("type"), schema.get("format")) == ("string", value), f"{key} holds {values[0]}, its schema is {schema}")


def values_fit(api, name):
    """The features' values are of the types, and among the values, that the queryables name."""
    for key, schema in properties(api, name).items():
        for value in [] if spatial(schema) else table(api, name).values(key):
            demand(isinstance(value, TYPES[schema["type"]]) and (schema["type"] == "boolean") == isinstance(value, bool),
                f"{key}: {value!r} is no {schema['type']}")
            allowed = schema.get("enum") or [s.get("const") for s in schema.get("oneOf", [])]
            demand(not allowed or value in allowed, f"{key}: {value!r} is not among the values of the schema")


def undeclared(api, name):
    """G: with `additionalProperties` false a name that is not declared is refused, else it is NULL."""
    if api.queryables(name).get("additionalProperties", True) is False:
        refused(api, name, "this_is_not_a_queryable IS NULL")
    else:
        same(selects(api, name, "this_is_not_a_queryable IS NULL"), [f["id"] for f in api.every(name)], "a name that is not declared")


def collection_link(api, name):
    """/req/queryables/queryables-link: the collection links its queryables, with their media type."""
    found = link(api.get(f"/collections/{name}", JSON).json()["links"], REL)
    demand(found, f"no link {REL}")
    demand(found["href"].partition("?")[0] == f"{api.root}/collections/{name}/queryables", f"the link leads to {found['href']}")
    demand(found.get("type") in (None, "application/schema+json"), f"the link is of type {found.get('type')}")
    api.get(found["href"], "application/schema+json")


def titles(api, name):
    """/rec/queryables/queryables-schema A: each property has a title for people."""
    without = [k for k, s in properties(api, name).items() if not s.get("title")]
    demand(not without, f"without a title: {without}")


def run(api):
    for name in (c["id"] for c in api.collections):
        api.test(f"/conf/queryables/get-queryables[{name}]", get_queryables, api, name)
        api.test(f"/conf/queryables/get-queryables[{name}, $id]", without_parameters, api, name)
        api.test(f"/conf/queryables/queryables-link[{name}]", collection_link, api, name)
        api.test(f"/req/queryables/get-queryables-response-C[{name}]", types, api, name)
        api.test(f"/req/queryables/get-queryables-response-D[{name}]", no_ref, api, name)
        api.test(f"/req/queryables/get-queryables-response-E[{name}]", geometry_format, api, name)
        api.test(f"/req/queryables/get-queryables-response-F[{name}]", temporal_format, api, name)
        api.test(f"/req/queryables/get-queryables-response-G[{name}]", undeclared, api, name)
        api.test(f"/rec/queryables/queryables-schema[{name}]", titles, api, name)
        api.test(f"/rec/queryables/queryables-schema[{name}, values]", values_fit, api, name)
    api.test("/req/queryables/get-queryables-op[no such collection]", api.get, "/collections/nothing-of-this-name/queryables",
        "application/schema+json", 404)
