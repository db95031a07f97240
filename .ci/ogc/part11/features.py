"""OGC API Features part 11 (OGC 26-018, draft), class Features: GeoJSON, its systems of coordinates, and the schema."""

from documents import SCHEMA, collection, media, valid_schema
from edits import (TRANSACTIONS, TX, a_text, alike, chosen, counts, everything, free_id, fresh, id_property, ids_of, insert, made, model, moved, nearby, on,
                   refused, replace, same_geometry, slack, stored, transact, update)
from part2.crs import UNKNOWN
from part4.features import EPSG_4326
from suite import CRS84, demand

CLASS = "http://www.opengis.net/spec/ogcapi-features-11/1.0/conf/features"


def run(api):
    for name in chosen(api):
        api.test(f"/req/features/validation[{name}, schema]", schema, api, name)
        on(api, f"/req/features/geojson[{name}]", name, geojson)
        on(api, f"/req/features/geojson-geom[{name}]", name, geometry)
        on(api, f"/req/features/schema-B[{name}]", name, valid)
        on(api, f"/req/features/schema-C[{name}]", name, unknown_property)
        on(api, f"/req/features/validation-C[{name}]", name, not_valid)
        on(api, f"/req/features/validation-C[{name}, where]", name, where)
        on(api, f"/req/features/validation-C[{name}, id]", name, other_id)
        for code in collection(api, name)["crs"]:
            on(api, f"/req/features/content-crs-header[{name}, {code}]", name, there_and_back, code)
        on(api, f"/req/features/content-crs-header[{name}, latitude first]", name, latitude_first)
        on(api, f"/req/features/content-crs-header[{name}, none]", name, no_header)
        for unknown in UNKNOWN:
            on(api, f"/req/features/content-crs-header[{name}, {unknown!r}]", name, unknown_crs, unknown)


def schema(api, name):
    answer = api.get(f"/collections/{name}/schema", SCHEMA)
    demand(media(answer) == SCHEMA, f"the schema is {media(answer)}")
    valid_schema(answer.json())


def geojson(api, name):
    """Features as the server itself gives them can be inserted: what is not of a new feature (id, links) is left aside."""
    like = {**model(api, name), "links": [{"href": "https://example.org", "rel": "self"}], "bbox": [0, 0, 1, 1]}
    if id_property(api, name):
        like["properties"][id_property(api, name)] = like["id"] = free_id(api, name)
    answer = transact(api, insert(name, like))
    counts(answer, totalInserted=1)
    alike(like, stored(api, name, ids_of(api, answer)[0])[1], "the new feature", slack(api, name))


def geometry(api, name):
    """The member geometry is the property of the role primary-geometry, in each action."""
    body = fresh(api, name)
    wanted = nearby(body["geometry"])
    identifier = ids_of(api, transact(api, insert(name, {**body, "geometry": None})))[0]
    for action, expected in (
        (update(name, [identifier], {"geometry": body["geometry"]}), body["geometry"]),
        (update(name, [identifier], unset=["geometry"]), None),
        (update(name, [identifier], {"geometry": wanted}, how="add"), wanted),
        (update(name, [identifier], {"geometry": None}), None),
        (replace(name, [identifier], {**body, "geometry": wanted}), wanted),
        (replace(name, [identifier], {**body, "geometry": None}), None),
    ):
        transact(api, action)
        same_geometry(expected, stored(api, name, identifier)[1]["geometry"], str(action["action"]), slack(api, name))


def valid(api, name):
    bodies = [fresh(api, name, n, at=n) for n in range(5)]
    answer = transact(api, insert(name, *bodies))
    for identifier, body in zip(ids_of(api, answer), bodies):
        alike(body, stored(api, name, identifier)[1], f"feature {identifier}", slack(api, name))


def spoiled(api, name, identifier, change):
    """Actions of which each writes a value that is not valid; and where that stands in the action."""
    body = {**fresh(api, name), "properties": {**fresh(api, name)["properties"], **change}}
    return [insert(name, body), update(name, [identifier], change), update(name, [identifier], change, how="add"), replace(name, [identifier], body)]


def unknown_property(api, name):
    closed = api.schema(name).get("additionalProperties") is False
    identifier, _ = made(api, name)
    before = everything(api, name)
    for action in spoiled(api, name, identifier, {"nothing of this name": 1}):
        if closed:
            refused(api, "POST", TRANSACTIONS, {"transaction": [action]}, kind=TX)
        else:
            transact(api, action)
    demand(not closed or everything(api, name) == before, "refused, and something changed")


def not_valid(api, name):
    identifier, _ = made(api, name)
    before = everything(api, name)
    for value in (1.5, True):
        for action in spoiled(api, name, identifier, {a_text(api, name): value}):
            refused(api, "POST", TRANSACTIONS, {"transaction": [action]}, kind=TX)
    for wrong in ({"type": "Point"}, {"type": "Dot", "coordinates": [1, 2]}, "POINT(1 2)", {"type": "Point", "coordinates": [1, "2"]}):
        for action in (
            insert(name, {**fresh(api, name), "geometry": wrong}),
            update(name, [identifier], {"geometry": wrong}),
            replace(name, [identifier], {**fresh(api, name), "geometry": wrong}),
        ):
            refused(api, "POST", TRANSACTIONS, {"transaction": [action]}, kind=TX)
    demand(everything(api, name) == before, "refused, and something changed")


def where(api, name):
    """What is wrong with a value is told with its place in the body: a JSON Pointer (RFC 6901) that leads somewhere there."""
    identifier, _ = made(api, name)
    for action in spoiled(api, name, identifier, {a_text(api, name): 1.5}):
        body = {"transaction": [action]}
        answer = refused(api, "POST", TRANSACTIONS, body, kind=TX)
        for error in answer.json().get("errors", []):
            found = body
            for part in error["pointer"].split("/")[1:]:
                key = part.replace("~1", "/").replace("~0", "~")
                found = (found.get(key, ...) if isinstance(found, dict) else found[int(key)] if isinstance(found, list) and key.isdigit() else ...)
                demand(found is not ..., f"{action['action']}: the body has no {error['pointer']}")


def other_id(api, name):
    """The id of a feature is not changed: it is refused, or ignored."""
    identifier, body = made(api, name)
    other, key = free_id(api, name, 5), id_property(api, name)
    content = {**body, "id": other}
    if key:
        content["properties"] = {**body["properties"], key: other}
        refused(api, "POST", TRANSACTIONS, {"transaction": [update(name, [identifier], {key: other})]}, kind=TX)
        refused(api, "POST", TRANSACTIONS, {"transaction": [replace(name, [identifier], content)]}, kind=TX)
    else:
        transact(api, replace(name, [identifier], content), expect=(200, 400, 409, 422))
    demand(stored(api, name, identifier)[1]["id"] == identifier, "the feature has another id")
    demand(other not in everything(api, name), "a feature came")


def there_and_back(api, name, code):
    """The header is of all geometries of the transaction."""
    like = model(api, name)
    shown = api.get(f"/collections/{name}/items?limit=1", crs=code).json()["features"][0]["geometry"]
    first, _ = made(api, name, 1)
    second, _ = made(api, name, 2)
    transact(api, update(name, [first], {"geometry": None}), replace(name, [second], {**fresh(api, name), "geometry": None, **keep(api, name, second)}))
    actions = [
        insert(name, {**fresh(api, name, 3), "geometry": shown}),
        update(name, [first], {"geometry": shown}),
        replace(name, [second], {**fresh(api, name), "geometry": shown, **keep(api, name, second)}),
    ]
    answer = transact(api, *actions, Content_Crs=f"<{code}>")
    for identifier in (*ids_of(api, answer), first, second):
        same_geometry(like["geometry"], stored(api, name, identifier)[1]["geometry"], f"{identifier} in CRS84", 1e-8)


def keep(api, name, identifier):
    """The properties of a feature for its replacement."""
    return {"properties": stored(api, name, identifier)[1]["properties"]}


def latitude_first(api, name):
    geometry = nearby(model(api, name)["geometry"])
    turned = moved(geometry, lambda p: [p[1], p[0]])
    answer = transact(api, insert(name, {**fresh(api, name), "geometry": turned}), Content_Crs=f"<{EPSG_4326}>")
    same_geometry(geometry, stored(api, name, ids_of(api, answer)[0])[1]["geometry"], "EPSG:4326", max(slack(api, name), 1e-9))


def no_header(api, name):
    """Without the header it is CRS84, as with its name."""
    wanted = nearby(model(api, name)["geometry"])
    for sent in ({}, {"Content_Crs": f"<{CRS84}>"}):
        answer = transact(api, insert(name, {**fresh(api, name), "geometry": wanted}), **sent)
        same_geometry(wanted, stored(api, name, ids_of(api, answer)[0])[1]["geometry"], str(sent), slack(api, name))


def unknown_crs(api, name, code):
    before = everything(api, name)
    refused(api, "POST", TRANSACTIONS, {"transaction": [insert(name, fresh(api, name))]}, kind=TX, Content_Crs=code)
    demand(everything(api, name) == before, "refused, and something changed")
