"""OGC API Features, part 2, as ets-ogcapi-features10 tests it, and the order of the axes, which it does not."""

import re
from urllib.parse import quote

from places import box_of, same_places, to_crs
from suite import CRS84, CRS84H, GEOJSON, demand, get, link, with_query


def crs_of(suite, collection):
    """Discovery, crs and bbox-crs of one collection."""
    name = collection["id"]
    crs = collection.get("crs") or []
    for code in crs:
        valid = re.fullmatch(r"https?://[^\s]+|urn:ogc:def:crs:[^\s]+|#/crs", code)
        suite.test(f"DiscoveryCollectionsCrsUri.verifyCollectionsCrsUri[{name}, {code}]", demand, valid, f"{code} is no URI")
    message = f"{CRS84} is not in {crs}"
    suite.test(f"DiscoveryCollectionsDefaultCrs.containsDefaultCrs[{name}]", demand, {CRS84, CRS84H} & set(crs), message)
    alone = suite.test(f"DiscoveryCollectionDefaultCrs.retrieval[{name}]", lambda: get(f"{suite.server()}/collections/{name}").json())
    own = (alone or {}).get("crs") or []
    suite.test(f"DiscoveryCollectionDefaultCrs.containsDefaultCrs[{name}]", demand, {CRS84, CRS84H} & set(own), f"crs is {own}")
    storage = (alone or {}).get("storageCrs")
    suite.test(f"DiscoveryCollectionStorageCrs.inList[{name}]", demand, storage is None or storage in own, f"storageCrs {storage} is not in {own}")

    url = link(collection["links"], "items", GEOJSON)["href"]
    ten = with_query(url, limit=10)
    default = suite.test(f"FeaturesCrsParameterDefault.retrieval[{name}]", get, ten, GEOJSON)
    if default is None:
        return
    suite.test(f"FeaturesCrsParameterDefault.verifyHeader[{name}]", crs_header, default, CRS84)
    document = default.json()
    feature = f"{url}/{quote(str(document['features'][0]['id']), safe='')}" if document["features"] else None
    if feature:
        suite.test(f"FeatureCrsParameterDefault.verifyHeader[{name}]", lambda: crs_header(get(feature, GEOJSON), CRS84))
    unsupported = "http://www.opengis.net/def/crs/0/unsupported"
    suite.test(f"FeaturesCrsParameterInvalid.verify[{name}]", get, with_query(ten, crs=unsupported), GEOJSON, 400)
    if feature:
        suite.test(f"FeatureCrsParameterInvalid.verify[{name}]", get, with_query(feature, crs=unsupported), GEOJSON, 400)
    box = box_of(collection)
    text = ",".join(map(repr, map(float, box)))
    suite.test(f"BBoxCrsParameterInvalid.verify[{name}]", get, with_query(ten, bbox=text, **{"bbox-crs": unsupported}), GEOJSON, 400)
    inside_default = suite.test(f"BBoxCrsParameterDefault.retrieval[{name}]", lambda: get(with_query(ten, bbox=text), GEOJSON).json())
    for code in [c for c in crs if c != "#/crs"][:20]:
        answer = suite.test(f"FeaturesCrsParameter.verify[{name}, {code}]", lambda: crs_header(get(with_query(ten, crs=code), GEOJSON), code))
        if feature:
            suite.test(f"FeatureCrsParameter.verify[{name}, {code}]", lambda: crs_header(get(with_query(feature, crs=code), GEOJSON), code))
        if answer:
            # Not in OGC's suite, which reads no coordinate: the axes are in the order of the authority.
            suite.test(f"AxisOrder.verify[{name}, {code}]", same_places, document, answer.json(), code)

        def bbox_crs():
            corners = to_crs([(x, y) for x in (box[0], (box[0] + box[2]) / 2, box[2]) for y in (box[1], (box[1] + box[3]) / 2, box[3])], code)
            low = [min(c[i] for c in corners) for i in (0, 1)]
            high = [max(c[i] for c in corners) for i in (0, 1)]
            other = get(with_query(ten, bbox=",".join(map(repr, low + high)), **{"bbox-crs": code}), GEOJSON).json()
            demand(other["features"] or not inside_default["features"], "nothing in the collection's own extent")
            extra = {f["id"] for f in other["features"]} - {f["id"] for f in inside_default["features"]}
            demand(not extra, f"the box in {code} gives features {sorted(map(str, extra))} that the same box in degrees does not")

        suite.test(f"BBoxCrsParameter.verifyBboxCrsParameter[{name}, {code}]", bbox_crs)


def crs_header(answer, code):
    header = answer.headers.get("Content-Crs")
    demand(header == f"<{code}>", f"{answer.url} has Content-Crs {header!r}, expected <{code}>")
    return answer
