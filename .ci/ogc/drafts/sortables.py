"""Draft of OGC API Features part 8, class Sortables (OGC 24-030 §6, annex A.1)."""

from documents import SCHEMA, items_path, json_of, media, names, valid_schema
from part5.queryables import header
from part5.schemas import FORMATS
from suite import demand

CLASS = "http://www.opengis.net/spec/ogcapi-features-8/1.0/conf/sortables"


def run(api):
    for name in names(api):
        api.test(f"/conf/sortables/get-sortables-uris[{name}]", header, api, name, "sortables")
        api.test(f"/conf/sortables/get-sortables[{name}]", document, api, name)
        api.test(f"/req/sortables/defaultSortOrder-definition[{name}]", default_order, api, name)


def document(api, name):
    """An object of JSON Schema at its own address, with a type or a geometry for each property, and nothing else where it says anything of this."""
    path = f"/collections/{name}/sortables"
    answer = api.get(path, SCHEMA)
    schema = answer.json()
    demand(media(answer) == SCHEMA, f"{path} is {media(answer)}")
    drafts = [f"https://json-schema.org/draft/{d}/schema" for d in ("2019-09", "2020-12")]
    demand(schema["$schema"] in drafts and schema["type"] == "object", f"$schema is {schema['$schema']}, type {schema['type']}")
    demand(schema["$id"] == api.root + path, f"$id is {schema['$id']}")
    demand(isinstance(schema["properties"], dict), "there are no properties")
    demand(schema["properties"] or not any("type" in p for p in api.schema(name)["properties"].values()), "nothing is sortable")
    for key, p in schema["properties"].items():
        geometry = str(p.get("format", "")).removeprefix("geometry-") in FORMATS
        demand("type" in p or geometry and "$ref" not in p, f"{key} is {p}")
    valid_schema(schema)
    demand(schema.get("additionalProperties", False) is False, f"additionalProperties is {schema['additionalProperties']}")


def default_order(api, name):
    """defaultSortOrder, where the collection has it, names sortables, and the items are in that order."""
    order = json_of(api, f"/collections/{name}").get("defaultSortOrder")
    if order is None:
        return
    known = api.document(f"/collections/{name}/sortables", SCHEMA)["properties"]
    demand(isinstance(order, list) and all(k.lstrip("+-") in known for k in order), f"defaultSortOrder is {order}")
    plain = [f["id"] for f in api.get(items_path(name), limit=500).json()["features"]]
    demand(plain == [f["id"] for f in api.items(name, limit=500, sortby=",".join(order))["features"]], f"the items are not in the order {order}")
