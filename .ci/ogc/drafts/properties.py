"""Draft of OGC API Features part 6, class Property Selection (OGC 24-019 §6): the parameter, and what it leaves out of an answer."""

from abstract import same
from documents import form_parameter, items_path, refused, representatives, some
from suite import demand, link

CLASS = "http://www.opengis.net/spec/ogcapi-features-6/1.0/conf/properties"
FG = "application/fg+json"


def run(api):
    for name in representatives(api)[:2]:
        for parameter in ("properties", "exclude-properties"):
            api.test(f"/req/properties/parameter[{name}, {parameter}]", definition, api, items_path(name), parameter)
        api.test(f"/req/properties/parameter[{name}, skipGeometry]", skip_definition, api, items_path(name))
    for name in representatives(api):
        api.test(f"/req/properties/response[{name}, all]", all_properties, api, name)
        for case, chosen in selections(api, name):
            api.test(f"/req/properties/response[{name}, {case}]", selected, api, name, chosen)
            api.test(f"/req/properties/response[{name}, {case}, left out]", excluded, api, name, chosen)
        api.test(f"/req/properties/response[{name}, skipGeometry]", without_geometry, api, name)
        for value in ("", "yes", "2"):
            refused(api, f"/req/properties/parameter[{name}, skipGeometry={value}]", items_path(name), f"skipGeometry={value}", skipGeometry=value)
        api.test(f"/req/properties/response[{name}, links]", links_keep, api, name)
        api.test(f"/req/properties/response[{name}, filter]", filter_of_others, api, name)
        api.test(f"/req/properties/response[{name}, JSON-FG]", json_fg, api, name)
        api.test(f"/per/properties/unknown-properties[{name}]", unknown, api, name)


def returnables(api, name):
    """Properties that features have, in the order of the schema."""
    return [n for n, p in api.schema(name)["properties"].items() if "type" in p]


def selections(api, name):
    found = returnables(api, name)
    if found:
        yield "first", found[:1]
        yield "last", found[-1:]
    if len(found) > 2:
        yield "several", found[::2]
        yield "several, backwards", found[::-2]
        yield "every", found


def definition(api, path, parameter):
    """A list of texts, not exploded; an enum, if any, names the properties of the resource."""
    schema = form_parameter(api, path, parameter, explode=False)
    demand(schema["type"] == "array" and schema["items"]["type"] == "string", f"{parameter} at {path} is {schema}")
    known = set(api.schema(path.split("/")[2])["properties"])
    demand(set(schema["items"].get("enum", [])) <= known, f"{parameter} at {path} allows {schema['items'].get('enum')}")


def skip_definition(api, path):
    """A truth value, false when nothing is said (proposals/property-selection, whose example writes skipGeometry)."""
    schema = form_parameter(api, path, "skipGeometry")
    demand(schema["type"] == "boolean" and schema.get("default") is False, f"skipGeometry at {path} is {schema}")


def is_reduced(full, reduced, keep):
    """The features are the same but for properties: those kept, with their values."""
    same([f["id"] for f in reduced], [f["id"] for f in full], "features")
    for before, after in zip(full, reduced, strict=True):
        expected = {k: v for k, v in before["properties"].items() if k in keep}
        demand(after["properties"] == expected, f"feature {after['id']} has {str(after['properties'])[:200]}, expected {str(expected)[:200]}")
        demand(after["geometry"] == before["geometry"], f"feature {after['id']} has another geometry")


def all_properties(api, name):
    """Without the parameter features have all properties that the schema says (those without value may be absent)."""
    found = set().union(*(f["properties"] for f in api.every(name)))
    values = {k for f in api.every(name) for k, v in f["properties"].items() if v is not None}
    demand(found <= set(returnables(api, name)), f"beyond the schema: {sorted(found - set(returnables(api, name)))}")
    demand(values <= found, f"properties are {sorted(found)}")


def selected(api, name, chosen):
    full = api.items(name, limit=30)
    is_reduced(full["features"], api.items(name, limit=30, properties=",".join(chosen))["features"], chosen)


def excluded(api, name, chosen):
    full = api.items(name, limit=30)
    keep = set(returnables(api, name)) - set(chosen)
    is_reduced(full["features"], api.items(name, limit=30, exclude_properties=",".join(chosen))["features"], keep)


def without_geometry(api, name):
    """skipGeometry=true gives null, false the geometry."""
    full = api.items(name, limit=30)["features"]
    for f, g in zip(api.items(name, limit=30, skipGeometry="true")["features"], full, strict=True):
        demand(f["id"] == g["id"] and f["geometry"] is None, f"feature {f['id']} has a geometry")
        demand(f["properties"] == g["properties"], f"feature {f['id']} has other properties")
    demand(api.items(name, limit=30, skipGeometry="false")["features"] == full, "skipGeometry=false is not the same as nothing")


def links_keep(api, name):
    """next keeps the choice."""
    chosen = returnables(api, name)[:1]
    if chosen:
        page = api.items(name, limit=1, properties=chosen[0], skipGeometry="true")
        follow = link(page["links"], "next")
        for f in api.get(follow["href"]).json()["features"] if follow else []:
            demand(set(f["properties"]) <= set(chosen) and f["geometry"] is None, f"feature {f['id']} of the next page has {sorted(f['properties'])}")


def filter_of_others(api, name):
    """What is left out of the answer may still be filtered and sorted by."""
    found = returnables(api, name)
    if len(found) > 1:
        query = {"filter": f'"{found[0]}" IS NOT NULL', "sortby": found[0]}
        full = api.ids(name, **query)
        chosen = api.items(name, limit=10_000, properties=found[1], skipGeometry="true", **query)["features"]
        demand([f["id"] for f in chosen] == full, "other features, or another order")
        demand(all(set(f["properties"]) <= {found[1]} for f in chosen), f"more than {found[1]} is in the answer")


def json_fg(api, name):
    """The choice holds in other formats as well."""
    chosen = returnables(api, name)[:1]
    if chosen:
        page = api.get(items_path(name), FG, limit=20, properties=chosen[0], skipGeometry="true").json()
        for f in some(page["features"], 5):
            demand(set(f["properties"]) <= set(chosen), f"feature {f['id']} has {sorted(f['properties'])}")
            demand(f.get("geometry") is None and f.get("place") is None, f"feature {f['id']} has a geometry")


def unknown(api, name):
    """Names that are unknown are refused, or left out of account."""
    for parameter in ("properties", "exclude_properties"):
        answer = api.get(items_path(name), expect=(200, 400), limit=1, **{parameter: "no_such_property"})
        if answer.status == 200 and parameter == "properties":
            demand(not answer.json()["features"][0]["properties"], "an unknown property brings others")
