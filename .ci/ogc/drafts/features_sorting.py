"""Draft of OGC API Features part 8, class Features Sorting (OGC 24-030 §8, annex A.3)."""

from abstract import same
from documents import extent_of, items_path, light, meeting, names, numbers, operation, parameter, representatives
from drafts.sorting import check, sortables
from part5.returnables_and_receivables import linked
from suite import demand

CLASS = "http://www.opengis.net/spec/ogcapi-features-8/1.0/conf/features-sorting"


def run(api):
    for name in names(api):
        api.test(f"/conf/features-sorting/get-collection[{name}]", linked, api, name, "sortables")
        api.test(f"/req/features-sorting/get-sortables-op[{name}]", operation, api, f"/collections/{name}/sortables")
        api.test(f"/req/features-sorting/sortby-param[{name}]", parameter, api, items_path(name), "sortby")
    for name in representatives(api):
        for case, query in filters(api, name):
            api.test(f"/req/features-sorting/response[{name}, {case}]", sorted_and_filtered, api, name, case, query)


def filters(api, name):
    west, south, east, north = extent_of(api.every(name))
    yield "bbox", {"bbox": numbers((west, south, (west + east) / 2, (south + north) / 2))}
    yield "head", {"limit": 7}
    yield "geometries", {"skipGeometry": "false", "limit": 50}


def sorted_and_filtered(api, name, case, query):
    """sortby does not change which features are found, and the head of the order is that of the whole."""
    for key in sortables(api, name)[:2]:
        got = api.items(name, **{"limit": 10_000, "sortby": f"-{key}", "skipGeometry": "true", **query})["features"]
        check(api, name, got, [f"-{key}"])
        if case == "bbox":
            same([f["id"] for f in got], meeting(api, name, [float(n) for n in query["bbox"].split(",")]), f"bbox and sortby=-{key}")
        else:
            whole = light(api, name, sortby=f"-{key}")
            demand([f["id"] for f in got] == whole[:len(got)], f"sortby=-{key} with {case} is another order")
