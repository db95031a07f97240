"""OGC API Features part 5 / Common part 3, class Returnables and Receivables (OGC 23-058r2 §10, annex A.4)."""

from documents import MANY, REL, SCHEMA, SHAPES, fault, json_of, media, names, one, sizes, some, spatial, with_role
from part5.advanced_property_roles import of_roles
from part5.schemas import CLASS as SCHEMAS
from part5.schemas import of_schemas
from suite import demand

CLASS = "http://www.opengis.net/spec/ogcapi-common-3/1.0/conf/returnables-and-receivables"


def run(api):
    api.test("/conf/returnables-and-receivables/get-conformance", both_declared, api, CLASS)
    for name in names(api):
        api.test(f"/conf/returnables-and-receivables/link[{name}]", linked, api, name, "schema")
        api.test(f"/conf/returnables-and-receivables/op-and-response[{name}]", response, api, name, "schema")
        if sizes(api)[name] <= MANY:
            api.test(f"/conf/returnables-and-receivables/response-1[{name}, items]", valid_features, api, name, api.every(name))
            api.test(f"/conf/returnables-and-receivables/response-1[{name}, no value]", absent_values, api, name, api.every(name))
        single = [one(api, name, f["id"]) for f in some(api.items(name, limit=20)["features"], 2)]
        api.test(f"/conf/returnables-and-receivables/response-1[{name}, feature]", valid_features, api, name, single)
        api.test(f"/conf/returnables-and-receivables/response-1[{name}, nothing else]", nothing_else, api, name)


def both_declared(api, own):
    """The class is declared together with Schemas, of the same standard."""
    declared = json_of(api, "/conformance")["conformsTo"]
    missing = [c for c in (SCHEMAS, own) if c not in declared]
    demand(not missing, f"not declared: {missing}")


def linked(api, name, kind):
    """The collection links to the resource, alone and in the list, at the address /collections/{id}/{kind}."""
    listed = next(c for c in json_of(api, "/collections")["collections"] if c["id"] == name)
    for where, c in (("the list", listed), ("the collection", json_of(api, f"/collections/{name}"))):
        found = [l["href"] for l in c["links"] if l["rel"] in (REL + kind, f"[ogc-rel:{kind}]")]
        demand(found, f"{where} has no link {REL}{kind}")
        demand(f"{api.root}/collections/{name}/{kind}" in found, f"{where} links to {found}")


def response(api, name, kind):
    """200 as application/schema+json, when asked for and when nothing is asked for of JSON."""
    for accept in (SCHEMA, "application/schema+json, application/json;q=0.9"):
        answer = api.get(f"/collections/{name}/{kind}", accept)
        demand(media(answer) == SCHEMA, f"with Accept {accept} it is {media(answer)}")


def valid_features(api, name, features):
    """Each value is valid by the schema of its property; the identifier by that of the role id, the geometry by its format."""
    schema = api.schema(name)
    identifier = next(iter(with_role(schema, "id").values()), {})
    shape = next(iter((with_role(schema, "primary-geometry") or spatial(schema)).values()), None)
    for f in features:
        problems = [fault(f["id"], {k: v for k, v in identifier.items() if k in ("type", "enum", "pattern", "format")}, "the identifier")]
        for key, value in f["properties"].items():
            known = schema["properties"].get(key)
            if value is not None and known and not known.get("writeOnly"):
                problems.append(fault(value, known, key))
        if f["geometry"] is not None and shape:
            kind = f["geometry"]["type"]
            problems.append("" if kind in SHAPES[shape["format"].removeprefix("geometry-")] else f"a {kind} is not of {shape['format']}")
        found = [p for p in problems if p]
        demand(not found, f"feature {f['id']}: {found}")


def absent_values(api, name, features):
    """A property without value is left out, or null is of its schema; nothing that is required is left out."""
    schema = api.schema(name)
    wrong = {}
    for f in features:
        for key, value in f["properties"].items():
            if value is None and fault(None, schema["properties"].get(key, {}), key):
                wrong.setdefault(key, f["id"])
        lacking = set(schema.get("required", [])) - set(f["properties"]) - set(spatial(schema)) - set(with_role(schema, "id"))
        demand(not lacking, f"feature {f['id']} lacks {sorted(lacking)}")
    demand(not wrong, f"null is no value of the schema, and stands in {len(wrong)} properties: {list(wrong.items())[:4]}")


def nothing_else(api, name):
    """With additionalProperties false there are no properties but those of the schema, and none that is only written."""
    schema = api.schema(name)
    demand(schema.get("additionalProperties", True) in (True, False), f"additionalProperties is {schema['additionalProperties']}")
    if schema.get("additionalProperties") is False:
        for f in api.items(name, limit=1000)["features"]:
            odd = {k for k in f["properties"] if k not in schema["properties"] or schema["properties"][k].get("writeOnly")}
            demand(not odd, f"feature {f['id']} has {sorted(odd)}")


def resource(api, group, name, kind):
    """What queryables and sortables have in common with the schema."""
    api.test(f"/conf/{group}/link[{name}]", linked, api, name, kind)
    api.test(f"/conf/{group}/op-and-response[{name}]", response, api, name, kind)
    of_schemas(api, kind, name, kind)
    if kind == "queryables":
        of_roles(api, name, api.document(f"/collections/{name}/{kind}", SCHEMA), f", {kind}")
