"""OGC 21-065r2 §7.7, annex A, conformance class Spatial Functions: the relations of the nine-intersection model, decided here by GEOS."""

from abstract import same
from cql import Unsure, agrees, all_refused, box, combinations, line, multi, no, nothing, op, point, prop, reads, rectangle, refused, refused_both
from cql import table, test_data, text
from cql import SPATIAL
from places import all_positions, box_of
from suite import demand

CLASS = "http://www.opengis.net/spec/cql2/1.0/conf/spatial-functions"
HERE = "/conf/spatial-functions"
DATA = ("settlements", "zoning", "zoning-overlays", "wards", "drainage", "streets")
WORLD = (box(-180, -90, 180, 90), rectangle(-180, -90, 180, 90))
LINE, POINT, POINTS = line((7, 50), (10, 51)), point(7.02, 49.92), multi(point(7, 50), point(10, 51))
# Relations whose abstract tests give nothing for a type of geometry are left out for it.
LINEAR = {"drainage", "streets"}


def relate(api, name, relation, geometry):
    return op(relation, prop(table(api, name).geometry), geometry)


def sample(api, name, relation):
    """The expressions of the abstract test of the relation, and what it says of their results."""
    geometries = {"s_intersects": (*WORLD, LINE, POINT), "s_disjoint": (*WORLD, LINE, POINT), "s_equals": (WORLD[1], LINE, POINT),
        "s_touches": (*WORLD, LINE)}
    geometries |= {"s_crosses": (*WORLD, LINE), "s_within": (*WORLD, LINE, POINTS), "s_contains": (*WORLD, LINE, POINTS),
        "s_overlaps": (POINTS, LINE, WORLD[1])}
    found = [set(agrees(api, name, relate(api, name, relation, g))) for g in geometries[relation]]
    if relation == "s_intersects":
        demand(found[0] == found[1] == {f["id"] for f in api.every(name) if f["geometry"]}, f"{name}: the whole world holds not everything")
    if relation == "s_disjoint":
        demand(not found[0] and not found[1], f"{name}: a feature is disjoint from the whole world")
        for geometry, ids in zip((LINE, POINT), found[2:]):
            demand(not ids & set(agrees(api, name, relate(api, name, "s_intersects", geometry))), f"{name}: disjoint and not")
    if relation in ("s_within", "s_contains", "s_equals"):
        demand(found[0] == found[1], f"{name}: the first two results differ")
    if relation == "s_contains":
        for geometry, ids in zip(geometries[relation], found):
            demand(not ids & set(agrees(api, name, relate(api, name, "s_within", geometry))), f"{name}: contains and within")


def shapes(api, name):
    west, south, east, north = box_of(next(c for c in api.collections if c["id"] == name))
    at = lambda s, t: (west + (east - west) * s, south + (north - south) * t)
    yield "box", box(*at(0.2, 0.3), *at(0.7, 0.8))
    if name not in ("settlements", "streets"):
        yield "line", line(at(0, 0.1), at(0.6, 0.5), at(1, 1))
        yield "two polygons", multi(rectangle(*at(0, 0), *at(0.45, 0.6)), rectangle(*at(0.5, 0.2), *at(1, 1)))


def own(api, name):
    """Geometries of the collection itself, with which features share corners and edges."""
    rows = table(api, name)
    found = 0
    for feature in rows.features[1 :: max(1, len(rows.features) // 9)]:
        try:
            rows.shape(feature)
        except Unsure:
            continue
        positions = [list(p[:2]) for p in all_positions(feature["geometry"])]
        # A filter in an address is 8 KiB at most.
        if len(positions) > 120 or positions[:1] == positions[1:2] or found == 2:
            continue
        found += 1
        yield f"feature {feature['id']}", feature["geometry"]
        yield f"corner of {feature['id']}", point(*positions[0])
        if len(positions) > 2:
            yield f"edge of {feature['id']}", line(*positions[:2])


def decided(api, name, relation, geometry):
    """GEOS says the same, and so it does of the negation."""
    ids = agrees(api, name, relate(api, name, relation, geometry))
    without = agrees(api, name, no(relate(api, name, relation, geometry)))
    same(ids + without, [f["id"] for f in api.every(name)], f"{name}: {relation} and NOT")


def definitions(api, name, geometry):
    """§7.7: the table of definitions, as sets. EQUALS is WITHIN and CONTAINS; what touches, crosses, overlaps or lies within also meets."""
    found = {r: set(agrees(api, name, relate(api, name, r, geometry))) for r in SPATIAL}
    valid = set()
    rows = table(api, name)
    for feature in rows.features:
        try:
            rows.shape(feature)
            valid.add(feature["id"])
        except Unsure:
            pass
    found = {r: ids & valid for r, ids in found.items()}
    demand(found["s_intersects"] | found["s_disjoint"] == valid and not found["s_intersects"] & found["s_disjoint"],
        "INTERSECTS is not the contrary of DISJOINT")
    demand(found["s_equals"] == found["s_within"] & found["s_contains"], "EQUALS is not WITHIN and CONTAINS")
    for relation in ("s_touches", "s_crosses", "s_overlaps", "s_within", "s_contains"):
        demand(found[relation] <= found["s_intersects"], f"{relation} without S_INTERSECTS")
    for one, other in (("s_touches", "s_crosses"), ("s_touches", "s_overlaps"), ("s_crosses", "s_overlaps"), ("s_within", "s_overlaps"),
        ("s_touches", "s_within")):
        demand(not found[one] & found[other], f"{one} and {other} at once")


def neighbours(api, name):
    """A feature equals itself alone, and features that share an edge with it touch it."""
    rows = table(api, name)
    for feature in rows.features[1:12:3]:
        geometry = feature["geometry"]
        if len(list(all_positions(geometry))) < 120:
            same(agrees(api, name, op("s_equals", prop(rows.geometry), geometry)), [feature["id"]], f"{name}: what equals {feature['id']}")
            demand(feature["id"] not in agrees(api, name, op("s_touches", prop(rows.geometry), geometry)), f"{name}: {feature['id']} touches itself")


def run(api):
    for name in DATA:
        for relation in SPATIAL:
            if relation != "s_crosses" or name in LINEAR:
                api.test(f"{HERE}/{relation}[{name}]", sample, api, name, relation)
            for label, geometry in shapes(api, name):
                api.test(f"{HERE}/{relation}[{name}, {label}]", decided, api, name, relation, geometry)
        for label, geometry in own(api, name):
            api.test(f"/req/spatial-functions/spatial-functions[{name}, {label}]", definitions, api, name, geometry)
        for relation in ("s_intersects", "s_disjoint"):
            api.test(f"{HERE}/{relation}[{name}, POINT(90 180) is invalid]", refused_both, api, name, relate(api, name, relation, point(90, 180)))
    for name in ("wards", "zoning", "settlements"):
        api.test(f"{HERE}/s_equals[{name}, itself]", neighbours, api, name)
    test_data(api, "spatial-functions")
    for name in ("zoning", "drainage"):
        predicates = [relate(api, name, r, g) for r in SPATIAL for _, g in shapes(api, name)]
        combinations(api, HERE, name, predicates)
    for relation in SPATIAL:
        broken = [f"{relation.upper()}({arguments})" for arguments in ("geom", "geom,POINT(24 48),1", "name,POINT(24 48)", "geom,'a'")]
        api.test(f"/req/spatial-functions/spatial-functions[{relation}, refused]", all_refused, api, "settlements", broken)
        node = relate(api, "settlements", relation, box(24, 48, 25, 49))
        api.test(f"/req/spatial-functions/spatial-functions[{relation}, in any case]", reads, api, "settlements", text(node).lower(), node)
    for filter in ("S_BEYOND(geom,POINT(24 48))", "S_DWITHIN(geom,POINT(24 48),10)", "S_COVERS(geom,POINT(24 48))", "S_RELATE(geom,POINT(24 48))"):
        api.test(f"/req/spatial-functions/spatial-functions[{filter}]", refused, api, "settlements", filter)
    api.test("/req/spatial-functions/spatial-functions[nothing is within nothing]", nothing, api, "settlements",
        relate(api, "settlements", "s_within", POINT))
