"""OGC API Features part 5 / Common part 3, class Queryables (OGC 23-058r2 §11, annex A.5), and what part 3 wants of queryables as parameters."""

from abstract import refuses
from documents import JSON, REL, items_path, link_header, names, parameters, representatives, resolve
from part5.returnables_and_receivables import both_declared, resource
from suite import GEOJSON, demand

CLASS = "http://www.opengis.net/spec/ogcapi-common-3/1.0/conf/queryables"
SAME = ("type", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern")


def run(api):
    api.test("/conf/queryables/get-conformance", both_declared, api, CLASS)
    for name in names(api):
        resource(api, "queryables", name, "queryables")
        api.test(f"/conf/queryables/op-and-response[{name}, unknown]", unknown, api, name)
        api.test(f"/conf/queryables/op-and-response[{name}, known to the schema]", known, api, name)
        # OGC 19-079r2 §6.2.2, /req/queryables/queryables-link: in a Link header of the resource that is filtered.
        api.test(f"/conf/queryables/queryables-link[{name}, items]", header, api, name, "queryables")
        # OGC 19-079r2 §7.2, /req/queryables-query-parameters/parameters: with the same schema.
        api.test(f"/conf/queryables-query-parameters/parameters[{name}, all]", all_are_parameters, api, name)
        api.test(f"/conf/queryables-query-parameters/parameters[{name}, schema]", same_schema, api, name)
    for name in representatives(api):
        api.test(f"/conf/queryables/op-and-response[{name}, each in a filter]", usable, api, name)


def unknown(api, name):
    """With additionalProperties false a property that is not declared is refused in a filter, else it is null."""
    query = {"filter": '"no_such_property" IS NULL', "filter_lang": "cql2-text"}
    if api.queryables(name).get("additionalProperties") is False:
        refuses(api, items_path(name), "a filter of a property that is no queryable", **query)
    else:
        found = api.items(name, limit=1, **query)
        demand(found["numberMatched"] == api.items(name, limit=1)["numberMatched"], "a property that is not there is not null")


def known(api, name):
    """A queryable that is a property of the schema too has there the same type, format and geometry."""
    for key, p in api.queryables(name)["properties"].items():
        other = api.schema(name)["properties"].get(key)
        for what in (*SAME, "enum", "oneOf"):
            mine, theirs = p.get(what), (other or p).get(what)
            demand(mine == theirs, f"{what} of {key} is {str(mine)[:80]}, in the schema {str(theirs)[:80]}")


def usable(api, name):
    """What is declared may be named in a filter."""
    for key in api.queryables(name)["properties"]:
        quoted = key.replace('"', '""')
        api.items(name, limit=1, filter=f'"{quoted}" IS NULL', filter_lang="cql2-text")


def header(api, name, kind):
    """HEAD and GET of the items have a Link header to the resource."""
    wanted = f"{api.root}/collections/{name}/{kind}"
    for method in ("HEAD", "GET"):
        answer = api.ask(f"{items_path(name)}?limit=1", GEOJSON, method=method)
        demand(answer.status == 200, f"{method} answers {answer.status}")
        found = [a for a, rel, _ in link_header(answer) if rel in (REL + kind, f"[ogc-rel:{kind}]")]
        demand(any(a.partition("?")[0] == wanted for a in found), f"{method} {items_path(name)} has no Link header {REL}{kind}")
        demand(api.get(found[0], f"application/schema+json, {JSON};q=0.5").json()["$id"] == wanted, f"the link leads to {found[0]}")


def all_are_parameters(api, name):
    """Each queryable of a simple value is a parameter of the items."""
    simple = {n for n, p in api.queryables(name)["properties"].items() if p.get("type") in ("string", "number", "integer", "boolean")}
    given = {n for n, place in parameters(api, items_path(name)) if place == "query"}
    demand(simple <= given, f"no parameters: {sorted(simple - given)}")


def values_of(schema):
    """The values that a schema allows by enum or by constants, None where it names none."""
    if "enum" in schema:
        return schema["enum"]
    for key in ("oneOf", "anyOf"):
        if key in schema:
            return [v for s in schema[key] for v in ([s["const"]] if "const" in s else s.get("enum", []))]
    return None


def same_schema(api, name):
    """The parameter has the schema of the queryable; constants may stand as enum, for OpenAPI 3.0 has no const."""
    given = parameters(api, items_path(name))
    wrong = []
    for key, p in api.queryables(name)["properties"].items():
        found = given.get((key, "query"))
        if "type" not in p or found is None:
            continue
        schema = resolve(api.openapi, found["schema"])
        if any(p.get(k) != schema.get(k) for k in SAME):
            wrong.append(f"{key} is {({k: schema.get(k) for k in SAME if k in p or k in schema})}")
        elif values_of(p) != values_of(schema):
            wrong.append(f"{key} allows {str(values_of(schema))[:60]}, the queryable {str(values_of(p))[:60]}")
    demand(not wrong, "; ".join(wrong))
