"""Conformance class Basic Spatial Operators: what drafts of OGC 21-065 called Basic Spatial Functions, with three expressions fewer (annex A)."""

from abstract import same
from cql import agrees, box, op, point, prop, refused_both, table

CLASS = "http://www.opengis.net/spec/cql2/1.0/conf/basic-spatial-operators"


def s_intersects(api, name):
    """A box of the whole world holds every feature, a point what it meets, and a point outside the world is an error."""
    geometry = prop(table(api, name).geometry)
    world = agrees(api, name, op("s_intersects", geometry, box(-180, -90, 180, 90)))
    same(world, [f["id"] for f in api.every(name) if f["geometry"]], f"{name}: the whole world")
    agrees(api, name, op("s_intersects", geometry, point(7.02, 49.92)))


def invalid(api, name):
    refused_both(api, name, op("s_intersects", prop(table(api, name).geometry), point(90, 180)))


def run(api):
    for name in (c["id"] for c in api.collections if c["id"] != "parcels"):
        api.test(f"/conf/basic-spatial-operators/s_intersects[{name}]", s_intersects, api, name)
        api.test(f"/conf/basic-spatial-operators/s_intersects[{name}, invalid]", invalid, api, name)
