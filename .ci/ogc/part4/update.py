"""OGC API Features part 4 / Common part 5 (OGC 20-002, draft), class Update: PATCH with a JSON merge patch (RFC 7396)."""

from abstract import item
from edits import (PATCH, a_text, alike, chosen, everything, free_id, listed, made, methods, model, nearby, on, refused, slack, stored, texts,
                   write)
from suite import GEOJSON, JSON, demand

CLASS = "http://www.opengis.net/spec/ogcapi-common-5/1.0/conf/update"


def run(api):
    for name in chosen(api):
        api.test(f"/conf/update/options[{name}]", options, api, item(name, model(api, name)["id"]))
        api.test(f"/conf/update/options[{name}, no feature]", options, api, item(name, "unknown_id"))
        for title, change in PARTS.items():
            on(api, f"/conf/update/update[{name}, {title}]", name, update, change)
        on(api, f"/conf/update/update[{name}, again]", name, again)
        on(api, f"/conf/update/update[{name}, no feature]", name, nobody)
        on(api, f"/conf/update/update-content-type[{name}]", name, no_content_type)
        on(api, f"/conf/update/update-content-type[{name}, of no patch]", name, wrong_content_type)
        on(api, f"/conf/update/update-rid[{name}]", name, other_id, True)
        on(api, f"/conf/update/update-rid[{name}, the same id]", name, other_id, False)
        for title, body in BROKEN.items():
            on(api, f"/req/update/patch-body[{name}, {title}]", name, broken, body)
        on(api, f"/req/update/methods[{name}, without an account]", name, unauthorised)


def options(api, path):
    answer = write(api, "OPTIONS", path, expect=200)
    demand("PATCH" in methods(answer), f"Allow is {methods(answer)}")
    demand(listed(answer, "Accept-Patch") == [PATCH], f"Accept-Patch is {listed(answer, 'Accept-Patch')}")


# What a patch says, by the feature, and names of properties of text.
PARTS = {
    "nothing": lambda feature, names: {},
    "nothing of properties": lambda feature, names: {"properties": {}},
    "one property": lambda feature, names: {"properties": {names[0]: "змінено"}},
    "two properties": lambda feature, names: {"properties": {names[0]: "", names[-1]: "\"'\\\u0007\U0001f600"}},
    "a property to null": lambda feature, names: {"properties": {names[0]: None}},
    "all properties to null": lambda feature, names: {"properties": {n: None for n in names}},
    "a property that had none": lambda feature, names: {"properties": {next((n for n in names if feature["properties"][n] is None), names[0]): "тепер є"}},
    "the geometry": lambda feature, names: {"geometry": nearby(feature["geometry"])},
    "no geometry": lambda feature, names: {"geometry": None},
    "the geometry it has": lambda feature, names: {"geometry": feature["geometry"]},
    "both": lambda feature, names: {"type": "Feature", "geometry": nearby(feature["geometry"]), "properties": {names[0]: "обидва"}},
}


def patched(feature, patch):
    """RFC 7396 for what is of a feature; coordinates are an array, which is replaced whole."""
    geometry = patch.get("geometry", feature["geometry"])
    return {"geometry": geometry, "properties": {**feature["properties"], **patch.get("properties", {})}}


def update(api, name, change):
    """The named parts are changed, all others as they were, to the last digit."""
    identifier, _ = made(api, name)
    _, before = stored(api, name, identifier)
    patch = change(before, texts(api, name))
    write(api, "PATCH", item(name, identifier), patch, PATCH, expect=(200, 204))
    _, after = stored(api, name, identifier)
    demand(after["id"] == identifier, f"the id is {after['id']}")
    alike(patched(before, patch), after, f"after {str(patch)[:80]}", slack(api, name) if patch.get("geometry") else 0.0)
    demand(list(after["properties"]) == list(before["properties"]), "the properties have another order")


def again(api, name):
    """The same patch once more changes nothing; the next one goes on from there."""
    identifier, _ = made(api, name)
    key = a_text(api, name)
    for value in ("раз", "раз", "два", None, None, "раз"):
        write(api, "PATCH", item(name, identifier), {"properties": {key: value}}, PATCH, expect=(200, 204))
        got = stored(api, name, identifier)[1]["properties"][key]
        demand(got == value, f"{key} is {got!r}, sent was {value!r}")


def nobody(api, name):
    before = everything(api, name)
    refused(api, "PATCH", item(name, free_id(api, name)), {"properties": {a_text(api, name): "x"}}, (404,), kind=PATCH)
    demand(everything(api, name) == before, "refused, and something changed")


def no_content_type(api, name):
    """400, by /req/update/patch-content-type."""
    identifier, _ = made(api, name)
    before = everything(api, name)
    answer = write(api, "PATCH", item(name, identifier), {"properties": {a_text(api, name): "x"}}, None)
    demand(answer.status in range(400, 500), f"PATCH without Content-Type answers {answer.status}")
    demand(everything(api, name) == before, f"{answer.status}, and something changed")
    demand(answer.status == 400, f"PATCH without Content-Type answers {answer.status}")


def wrong_content_type(api, name):
    """What is not listed in Accept-Patch is refused with the list (RFC 5789 §2.2)."""
    identifier, _ = made(api, name)
    before = everything(api, name)
    for kind in (GEOJSON, JSON, "application/json-patch+json", "text/plain"):
        refused(api, "PATCH", item(name, identifier), {"properties": {a_text(api, name): "x"}}, (415,), kind=kind)
    demand(everything(api, name) == before, "refused, and something changed")


def other_id(api, name, is_other):
    """The id of a body is ignored, or the patch refused."""
    identifier, _ = made(api, name)
    other = free_id(api, name, 5) if is_other else identifier
    before = everything(api, name)
    answer = write(api, "PATCH", item(name, identifier), {"id": other, "properties": {a_text(api, name): "x"}}, PATCH)
    if is_other and answer.status in range(400, 500):
        demand(everything(api, name) == before, f"{answer.status}, and something changed")
        return
    demand(answer.status in (200, 204), f"PATCH with an id answers {answer.status}: {answer.body[:200]!r}")
    _, got = stored(api, name, identifier)
    demand(got["id"] == identifier, f"the id is {got['id']}")
    demand(got["properties"][a_text(api, name)] == "x", "the rest of the patch was not done")
    if is_other:
        api.get(item(name, other), expect=404)


# What is no patch of a feature. An array or a text would replace the whole feature (RFC 7396 §2).
BROKEN = {
    "nothing": b"",
    "no JSON": b'{"properties":',
    "a list": b"[]",
    "null": b"null",
    "a text": b'"text"',
    "properties that are a list": b'{"properties":[]}',
    "no properties": b'{"properties":"none"}',
    "a geometry that is a text": b'{"geometry":"POINT(1 2)"}',
    "a geometry without a type": b'{"geometry":{"coordinates":[1,2]}}',
    "a geometry without coordinates": b'{"geometry":{"type":"Point"}}',
    "another type": b'{"type":"Fixture"}',
    "two documents": b"{}{}",
    "a property nobody knows": b'{"properties":{"nothing of this name":1}}',
    "a property nobody knows to null": b'{"properties":{"nothing of this name":null}}',
}


def broken(api, name, body):
    identifier, _ = made(api, name)
    before = everything(api, name)
    answer = write(api, "PATCH", item(name, identifier), body, PATCH)
    demand(everything(api, name) == before, f"{body!r} changed the feature")
    demand(answer.status in range(400, 500), f"PATCH of {body!r} answers {answer.status}")


def unauthorised(api, name):
    identifier, _ = made(api, name)
    before = everything(api, name)
    answer = api.ask(item(name, identifier), None, "PATCH", b'{"geometry":null}', {"Content-Type": PATCH})
    demand(answer.status in (401, 403, 405), f"PATCH without an account answers {answer.status}")
    demand(everything(api, name) == before, f"{answer.status}, and something changed")
