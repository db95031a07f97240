"""Draft of OGC API Features part 6, class Property Selection (Features) (OGC 24-019 §7): also of a single feature."""

from documents import form_parameter, items_path, one, one_path, representatives, some
from drafts.properties import definition, returnables, selections, skip_definition
from suite import demand

CLASS = "http://www.opengis.net/spec/ogcapi-features-6/1.0/conf/properties-features"


def run(api):
    for name in representatives(api):
        for parameter in ("properties", "exclude-properties"):
            api.test(f"/req/properties-features/request[{name}, feature, {parameter}]", definition, api, one_path(name), parameter)
        api.test(f"/req/properties-features/request[{name}, feature, skipGeometry]", skip_definition, api, one_path(name))
        api.test(f"/req/properties-features/request[{name}, items]", form_parameter, api, items_path(name), "properties", False)
    for name in representatives(api):
        for f in some(api.every(name), 2):
            for case, chosen in [*selections(api, name)][:3]:
                api.test(f"/req/properties-features/request[{name}, {f['id']}, {case}]", selected, api, name, f, chosen)
            api.test(f"/req/properties-features/request[{name}, {f['id']}, left out]", excluded, api, name, f)
            api.test(f"/req/properties-features/request[{name}, {f['id']}, skipGeometry]", without_geometry, api, name, f)


def is_feature(got, feature, keep, geometry):
    demand(got["id"] == feature["id"], f"this is feature {got['id']}")
    expected = {k: v for k, v in feature["properties"].items() if k in keep}
    demand(got["properties"] == expected, f"properties are {str(got['properties'])[:200]}, expected {str(expected)[:200]}")
    demand(got["geometry"] == geometry, "the geometry is another")


def selected(api, name, feature, chosen):
    is_feature(one(api, name, feature["id"], properties=",".join(chosen)), feature, chosen, feature["geometry"])


def excluded(api, name, feature):
    left_out = returnables(api, name)[:1]
    if left_out:
        keep = set(returnables(api, name)) - set(left_out)
        is_feature(one(api, name, feature["id"], exclude_properties=",".join(left_out)), feature, keep, feature["geometry"])


def without_geometry(api, name, feature):
    is_feature(one(api, name, feature["id"], skipGeometry="true"), feature, feature["properties"], None)
