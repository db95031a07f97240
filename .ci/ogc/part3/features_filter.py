"""OGC 19-079r2 §9, annex A, conformance class Features Filter: `filter` at `/collections/{id}/items`, beside the other parameters."""

from abstract import refuses, same
from cql import agrees, box, both, expected, is_null, line, no, op, prop, selects, table, text
from places import box_of
from suite import CRS84, demand

CLASS = "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/features-filter"
DATA = (("settlements", "place", "village"), ("hydrants", "HYDRANT_COLOR", "BLUE"), ("streets", "Street_Type", "Ave"), ("zoning", "ZONE_TYPE", "OS"))
WRONG = {
    "filter": ["THIS IS NOT A FILTER", "", " ", "{geom} IS", "(", ")", "TRUE)", "(TRUE", "TRUE FALSE", "AND", "NOT", "{geom}", "'a'", "1", "TRUE AND",
        "= 1"],
    "filter-lang": ["", "sql", "CQL2", "cql2-xml", "ecql"],
    "filter-crs": ["", "nothing", "http://www.opengis.net/def/crs/OGC/0/does_not_exist", "http://www.opengis.net/def/crs/EPSG/0/1", "EPSG:0"],
}


def wrong(api, name, parameter, value, beside):
    """/req/features-filter/response E: 400 for a value that is not valid, with or without a filter that is."""
    value = value.replace("{geom}", table(api, name).geometry)
    refuses(api, f"/collections/{name}/items", f"{parameter}={value}", **{parameter: value, **beside})


def half(api, name):
    west, south, east, north = box_of(next(c for c in api.collections if c["id"] == name))
    return [west, south, (west + east) / 2, (south + north) / 2]


def with_bbox(api, name, condition):
    """C and D: a feature is in the answer when the filter and the box both hold, and the box is that of S_INTERSECTS."""
    corner = half(api, name)
    wanted = agrees(api, name, both(condition, op("s_intersects", prop("geom"), box(*corner))))
    alone = agrees(api, name, condition)
    demand(0 < len(wanted) < len(alone), f"the box leaves {len(wanted)} of {len(alone)}: nothing is tested")
    got = agrees(api, name, both(condition, op("s_intersects", prop("geom"), box(*corner))), bbox=",".join(map(repr, corner)))
    same(got, wanted, f"{name}: the filter with its box once more as bbox")
    page = api.items(name, limit=10_000, filter=text(condition), bbox=",".join(map(repr, corner)))
    same([f["id"] for f in page["features"]], wanted, f"{name}: {text(condition)} and bbox")


def with_all(api, name, key, value):
    """C: filter, box, a property's value and a time together; the collection has no time, so any datetime holds."""
    corner = half(api, name)
    condition = op("s_intersects", prop("geom"), box(*corner))
    wanted = agrees(api, name, both(condition, op("=", prop(key), value), no(is_null("geom"))))
    parameters = {key: value, "bbox": ",".join(map(repr, corner)), "datetime": "2020-01-01/.."}
    page = api.items(name, limit=10_000, filter=f"NOT {table(api, name).geometry} IS NULL", **parameters)
    same([f["id"] for f in page["features"]], wanted, f"{name}: all parameters together")


def pages(api, name, condition, limit):
    """The links next keep the filter: every feature of the answer comes once, and the number of matches stays."""
    (yes, _), got = expected(api, name, condition), []
    page = api.items(name, limit=limit, filter=text(condition), skipGeometry="true")
    while True:
        demand(page["numberMatched"] == len(yes), f"numberMatched is {page['numberMatched']}, expected {len(yes)}")
        demand(len(page["features"]) <= limit, f"{len(page['features'])} features for limit={limit}")
        got += [f["id"] for f in page["features"]]
        url = next((l["href"] for l in page["links"] if l["rel"] == "next"), None)
        if url is None:
            break
        page = api.get(url).json()
    same(got, yes, f"{name}: {text(condition)} in pages of {limit}")


def in_another_crs(api, name, condition, crs):
    """`crs` is of the answer alone: the filter's geometry stays in CRS84, and the selection the same."""
    wanted = agrees(api, name, condition)
    page = api.items(name, limit=10_000, filter=text(condition), crs=crs)
    same([f["id"] for f in page["features"]], wanted, f"{name}: with crs={crs}")


def self_link(api, name, condition):
    """The link self of the answer leads to the same features."""
    page = api.items(name, limit=10_000, filter=text(condition))
    again = api.get(next(l["href"] for l in page["links"] if l["rel"] == "self")).json()
    same([f["id"] for f in again["features"]], [f["id"] for f in page["features"]], f"{name}: {text(condition)} by its link self")


def alone(api, name):
    """`filter-lang` and `filter-crs` with nothing to read or place are no condition."""
    everything = [f["id"] for f in api.every(name)]
    page = api.items(name, limit=10_000, filter_lang="cql2-json", filter_crs=CRS84)
    same([f["id"] for f in page["features"]], everything, f"{name}: without a filter")


def run(api):
    for parameter, values in WRONG.items():
        for value in values:
            beside = {} if parameter == "filter" else {"filter": "TRUE"}
            for with_it in [beside, {}] if beside else [beside]:
                label = f"{parameter}={value}" + ("" if parameter == "filter" else " beside a filter" if with_it else " alone")
                api.test(f"/req/features-filter/response-E[{label}]", wrong, api, "settlements", parameter, value, with_it)
    for name, key, value in DATA:
        condition = op("=", prop(key), value)
        api.test(f"/req/features-filter/response-C[{name}, bbox]", with_bbox, api, name, condition)
        api.test(f"/req/features-filter/response-C[{name}, NOT, bbox]", with_bbox, api, name, no(condition))
        api.test(f"/req/features-filter/response-C[{name}, all parameters]", with_all, api, name, key, value)
        api.test(f"/conf/features-filter/filter-on-items[{name}, link self]", self_link, api, name, condition)
    for name, key, value in DATA:
        for limit in (30, 100):
            api.test(f"/conf/features-filter/filter-on-items[{name}, pages of {limit}]", pages, api, name, op("=", prop(key), value), limit)
    api.test("/conf/features-filter/filter-on-items[parcels, pages of 2000]", pages, api, "parcels", op(">", prop("year_built"), 1900), 2000)
    west, south, east, north = half(api, "settlements")
    cross = op("s_intersects", prop("geom"), line((west, south), (east, north)))
    for crs in next(c for c in api.collections if c["id"] == "settlements")["crs"][:5]:
        api.test(f"/conf/features-filter/filter-on-items[settlements, crs={crs}]", in_another_crs, api, "settlements", cross, crs)
    for name in ("settlements", "wards", "easements"):
        api.test(f"/conf/features-filter/filter-on-items[{name}, no filter]", alone, api, name)
    nowhere = "/collections/nothing-of-this-name/items?filter=TRUE"
    api.test("/conf/features-filter/filter-on-items[no such collection]", refuses, api, nowhere, "no such collection", 404)
    api.test("/conf/features-filter/filter-on-items[streets, parts of two]", selects_parts, api)


def selects_parts(api):
    """A filter's answer is that of its two halves together, and their common part is in neither twice."""
    one, other = op("=", prop("Street_Type"), "Ave"), op("=", prop("ZIP_Left"), "02139")
    parts = set(selects(api, "streets", text(one))) | set(selects(api, "streets", text(other)))
    same(selects(api, "streets", f"{text(one)} OR {text(other)}"), list(parts), "streets: OR")
