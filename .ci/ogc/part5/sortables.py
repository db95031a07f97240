"""OGC API Features part 5 / Common part 3, class Sortables (OGC 23-058r2 §12, annex A.6)."""

from abstract import refuses
from documents import SCHEMA, items_path, names, representatives, spatial
from part5.returnables_and_receivables import both_declared, resource
from suite import demand

CLASS = "http://www.opengis.net/spec/ogcapi-common-3/1.0/conf/sortables"


def run(api):
    api.test("/conf/sortables/get-conformance", both_declared, api, CLASS)
    for name in names(api):
        resource(api, "sortables", name, "sortables")
        api.test(f"/conf/sortables/op-and-response[{name}, types]", simple, sortables(api, name))
        api.test(f"/conf/sortables/op-and-response[{name}, unknown]", unknown, api, name)
    for name in representatives(api):
        api.test(f"/conf/sortables/op-and-response[{name}, each in sortby]", usable, api, name)


def sortables(api, name):
    return api.document(f"/collections/{name}/sortables", SCHEMA)


def simple(schema):
    """Each has a type, and it is neither object nor array; none is spatial."""
    for name, p in schema["properties"].items():
        demand(p.get("type") in ("string", "number", "integer", "boolean"), f"{name} is of type {p.get('type')}")
    demand(not spatial(schema), f"spatial: {sorted(spatial(schema))}")


def usable(api, name):
    """What is declared may be named in sortby."""
    for key in sortables(api, name)["properties"]:
        api.items(name, limit=1, sortby=key)


def unknown(api, name):
    """With additionalProperties false a property that is not declared is refused, else it is null and sorts nothing."""
    if sortables(api, name).get("additionalProperties") is False:
        refuses(api, items_path(name), "sortby of a property that is no sortable", sortby="no_such_property")
        for key in spatial(api.schema(name)):
            refuses(api, items_path(name), "sortby of a geometry", sortby=key)
    else:
        api.items(name, limit=1, sortby="no_such_property")
