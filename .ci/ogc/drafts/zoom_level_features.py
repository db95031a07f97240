"""Draft of OGC API Features part 7, class Geometry Simplification (Features) (OGC 24-020 §7): of features and of one feature."""

from documents import form_parameter, items_path, one, one_path, representatives, vertices
from drafts.zoom_level import LEVELS
from suite import demand, link

CLASS = "http://www.opengis.net/spec/ogcapi-features-7/1.0/conf/zoom-level-features"


def run(api):
    for name in representatives(api):
        for path in (items_path(name), one_path(name)):
            api.test(f"/req/zoom-level-features/request[{path}]", form_parameter, api, path, "zoom-level", False)
    for name in representatives(api):
        largest = max(api.every(name)[:200], key=lambda f: len(vertices(f["geometry"])))
        for level in LEVELS[1::2]:
            api.test(f"/req/zoom-level-features/request[{name}, feature, {level}]", same_in_both, api, name, largest, level)
        api.test(f"/req/zoom-level-features/request[{name}, crs]", in_another_system, api, name, largest)
        api.test(f"/req/zoom-level-features/request[{name}, links]", links_keep, api, name)


def same_in_both(api, name, feature, level):
    """One feature is simplified as it is among others."""
    alone = one(api, name, feature["id"], zoom_level=level)
    page = {f["id"]: f for f in api.items(name, limit=200, zoom_level=level)["features"]}
    demand(alone["geometry"] == page[feature["id"]]["geometry"], f"feature {feature['id']} is simplified in another way among others")
    demand(alone["properties"] == feature["properties"], "properties differ")


def in_another_system(api, name, feature):
    """crs and zoom-level go together: the same vertices stay."""
    code = "http://www.opengis.net/def/crs/EPSG/0/3857"
    plain, other = one(api, name, feature["id"], zoom_level="8"), one(api, name, feature["id"], zoom_level="8", crs=code)
    demand(len(vertices(plain["geometry"])) == len(vertices(other["geometry"])), "other vertices in EPSG:3857")


def links_keep(api, name):
    """next keeps the zoom."""
    follow = link(api.items(name, limit=1, zoom_level="3")["links"], "next")
    if follow:
        wanted = api.items(name, limit=2, zoom_level="3")["features"][1]
        demand(api.get(follow["href"]).json()["features"][0]["geometry"] == wanted["geometry"], "the next page is of another zoom")
