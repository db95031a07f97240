"""OGC API Features part 5 / Common part 3, class Advanced property roles (OGC 23-058r2 §8, annex A.2); in drafts its name was core-roles-features."""

from abstract import same
from documents import names, sizes, spatial, temporal, times, with_role
from suite import demand

CLASS = "http://www.opengis.net/spec/ogcapi-common-3/1.0/conf/advanced-property-roles"
INSTANT, BEGIN, END, INTERVAL = "primary-instant", "primary-interval-start", "primary-interval-end", "primary-interval"


def run(api):
    for name in names(api):
        schema = api.schema(name)
        of_roles(api, name, schema, "")
        api.test(f"/conf/advanced-property-roles/role-primary-geometry[{name}, in the data]", geometry_in_data, api, name)
        if time_property(schema):
            api.test(f"/conf/advanced-property-roles/role-primary-temporal[{name}, JSON-FG]", time_in_data, api, name)
            api.test(f"/conf/advanced-property-roles/role-primary-temporal[{name}, datetime]", datetime_uses, api, name)


def of_roles(api, name, schema, detail):
    api.test(f"/conf/advanced-property-roles/role-primary-geometry[{name}{detail}]", primary_geometry, schema)
    api.test(f"/conf/advanced-property-roles/role-primary-temporal[{name}{detail}]", primary_temporal, schema)
    api.test(f"/conf/advanced-property-roles/role-type[{name}{detail}]", role_type, schema)


def primary_geometry(schema):
    """At most one, of a format geometry-…; without one the schema has one spatial property at most."""
    found = with_role(schema, "primary-geometry")
    demand(len(found) <= 1, f"primary-geometry are {sorted(found)}")
    for name, p in found.items():
        right = "type" not in p and "$ref" not in p and str(p.get("format")).startswith("geometry-")
        demand(right, f"{name} is primary-geometry and has {sorted({'type', '$ref'} & set(p)) or p.get('format')}")
    demand(found or len(spatial(schema)) <= 1, f"which of {sorted(spatial(schema))} is the primary geometry?")


def primary_temporal(schema):
    """One instant, or an interval by its ends of one granularity, or by itself."""
    by = {role: with_role(schema, role) for role in (INSTANT, BEGIN, END, INTERVAL)}
    demand(all(len(p) <= 1 for p in by.values()), f"a role comes twice: {by}")
    kinds = [bool(by[INSTANT]), bool(by[BEGIN] or by[END]), bool(by[INTERVAL])]
    demand(sum(kinds) <= 1, f"roles that exclude each other: {[r for r, p in by.items() if p]}")
    for role in (INSTANT, BEGIN, END):
        for name, p in by[role].items():
            demand(p.get("type") == "string" and p.get("format") in ("date", "date-time"), f"{name} is {role} and {p}")
    for name, p in by[INTERVAL].items():
        text = p.get("type") == "string" and p.get("format") == "interval-iso8601"
        demand(text or p.get("type") == "array" and p.get("format") == "interval-array", f"{name} is {INTERVAL} and {p}")
    ends = [p["format"] for role in (BEGIN, END) for p in by[role].values()]
    demand(len(set(ends)) <= 1, f"begin and end are {ends}")


def role_type(schema):
    found = with_role(schema, "type")
    demand(len(found) <= 1, f"the role type have {sorted(found)}")
    demand(all(p.get("type") == "string" for p in found.values()), f"{found} is no text")


def geometry_in_data(api, name):
    """Where there are geometries the schema has the property that they are."""
    page = api.items(name, limit=100)["features"]
    demand(spatial(api.schema(name)) or not any(f["geometry"] for f in page), "features have a geometry that the schema has not")


def time_property(schema):
    """The property that is the primary instant: the one of the role, or the only temporal one (/req/…/role-primary-instant B and C)."""
    found = with_role(schema, INSTANT)
    others = [r for r in (BEGIN, END, INTERVAL) if with_role(schema, r)]
    found = found or (temporal(schema) if len(temporal(schema)) == 1 and not others else {})
    return next(iter(found), None)


def time_in_data(api, name):
    """JSON-FG gives the primary instant as the time of the feature."""
    key = time_property(api.schema(name))
    page = {f["id"]: f["properties"].get(key) for f in api.items(name, limit=200)["features"]}
    for identifier, value in page.items():
        time = times(api, name)[identifier]
        demand(bool(value) == bool(time), f"feature {identifier} has {key} {value!r} and the time {time}")


def datetime_uses(api, name):
    """The primary instant is the temporal geometry that datetime looks at (OGC 17-069r4 §7.15.4)."""
    key = time_property(api.schema(name))
    values = [(f["id"], f["properties"].get(key)) for f in api.items(name, limit=10_000, properties=key, skipGeometry="true")["features"]]
    known = sorted(v[:10] for _, v in values if v)
    if known and sizes(api)[name]:
        middle = known[len(known) // 2]
        found = api.items(name, limit=10_000, properties=key, skipGeometry="true", datetime=f"../{middle}T23:59:59Z")["features"]
        shown = {i for i, _ in values}
        got = [f["id"] for f in found if f["id"] in shown or sizes(api)[name] <= 10_000]
        same(got, [i for i, v in values if not v or v[:10] <= middle], f"datetime=../{middle}T23:59:59Z by {key}")
