"""OGC API Features part 11 (OGC 26-018, draft), class JSON: how a transaction and its answer are written."""

from abstract import item
from documents import media
from edits import (TRANSACTIONS, TX, a_text, chosen, counts, delete, everything, fresh, ids_of, insert, items, made, on, on_all, refused, replace, several,
                   stored, texts, transact, update)
from part11.transactions import with_two
from suite import JSON, demand

CLASS = "http://www.opengis.net/spec/ogcapi-features-11/1.0/conf/json-transactions"
MARK = "позначка для фільтра"


def run(api):
    on_all(api, "/req/json/transaction[titles]", several(api), titles)
    on_all(api, "/req/json/transaction[order of the members]", several(api), order)
    for semantic in ("atomic", "batch", None):
        on_all(api, f"/req/json/response[{semantic}]", several(api), response, semantic)
    for name in chosen(api):
        on(api, f"/req/json/transaction[{name}, add]", name, one_value, "add")
        on(api, f"/req/json/transaction[{name}, modify]", name, one_value, "modify")
        on(api, f"/req/json/transaction[{name}, delete]", name, unset)
        on(api, f"/req/json/transaction[{name}, all three]", name, all_three)
        for title, of in FILTERS.items():
            on(api, f"/req/json/transaction[{name}, filter, {title}]", name, by_filter, of)
        on(api, f"/req/json/transaction[{name}, filter of nothing]", name, filter_of_nothing)
        on(api, f"/req/json/transaction[{name}, no filter]", name, no_filter)
        for title, action in INCOMPLETE.items():
            on(api, f"/req/json/transaction[{name}, {title}]", name, incomplete, action)


def titles(api):
    """A transaction and its actions may have an id, a title and a description."""
    name = several(api)[0]
    words = {"id": "перша", "title": "Рішення", "description": "рішення № 12"}
    counts(transact(api, {**words, **insert(name, fresh(api, name))}, more=words), totalInserted=1)


def order(api):
    """Members of an object have no order."""
    name = several(api)[0]
    action = dict(reversed(insert(name, fresh(api, name)).items()))
    body = {"transaction": [action], "semantic": "atomic"}
    answer = transact(api, *body["transaction"], more={"semantic": "atomic"})
    counts(answer, totalInserted=1)
    for identifier in ids_of(api, answer):
        counts(transact(api, dict(reversed(delete(name, [identifier]).items()))), totalDeleted=1)


def response(api, semantic):
    """Of the schema: the semantic, whole numbers, addresses, exceptions."""
    name = several(api)[0]
    ids, _ = with_two(api, name)
    bad = [delete(name, ["999999999"])] if semantic == "batch" else []
    answer = transact(api, update(name, ids[:1], {a_text(api, name): "x"}), insert(name, fresh(api, name, 5)), delete(name, ids[1:]), *bad, semantic=semantic)
    demand(media(answer) in (JSON, TX), f"it is {media(answer)}")
    document = answer.json()
    demand(document["semantic"] == (semantic or "atomic"), f"the semantic is {document['semantic']}")
    for key, value in document["summary"].items():
        demand(key in ("totalInserted", "totalUpdated", "totalReplaced", "totalDeleted"), f"the summary has {key}")
        demand(isinstance(value, int) and not isinstance(value, bool), f"{key} is {value!r}")
    for key in ("insertResults", "updateResults", "replaceResults", "deleteResults"):
        for url in document.get(key, []):
            begins = (api.root + items(name) + "/", items(name) + "/")
            demand(isinstance(url, str) and url.startswith(begins), f"{key} has {url!r}")
    demand(isinstance(document.get("exceptions", []), list), f"exceptions is {document.get('exceptions')!r}")
    demand(bool(document.get("exceptions")) == bool(bad), f"exceptions are {document.get('exceptions')}")


def one_value(api, name, how):
    """A value by name; what is not named stays."""
    identifier, body = made(api, name)
    key = a_text(api, name)
    _, before = stored(api, name, identifier)
    for value in ("значення", "", None):
        counts(transact(api, update(name, [identifier], {key: value}, how=how)), totalUpdated=1)
        _, got = stored(api, name, identifier)
        demand(got["properties"] == {**before["properties"], key: value}, f"the properties are {got['properties']}")
        demand(got["geometry"] == before["geometry"], "the geometry is another")


def unset(api, name):
    identifier, _ = made(api, name)
    names = texts(api, name)
    _, before = stored(api, name, identifier)
    counts(transact(api, update(name, [identifier], unset=names)), totalUpdated=1)
    _, got = stored(api, name, identifier)
    demand(got["properties"] == {**before["properties"], **dict.fromkeys(names)}, f"the properties are {got['properties']}")


def all_three(api, name):
    identifier, _ = made(api, name)
    first, last = texts(api, name)[0], texts(api, name)[-1]
    _, before = stored(api, name, identifier)
    action = update(name, [identifier], {first: "змінено"}, unset=[last])
    action["properties"]["add"] = [{"name": "geometry", "value": None}]
    counts(transact(api, action), totalUpdated=1)
    _, got = stored(api, name, identifier)
    demand(got["geometry"] is None, "the geometry stayed")
    demand(got["properties"] == {**before["properties"], first: "змінено", last: None}, f"the properties are {got['properties']}")


# The marked features by a filter, as QGIS and people would write it.
FILTERS = {
    "ids": lambda key, ids: {"filter": {"ids": list(map(str, ids))}},
    "ids as they are": lambda key, ids: {"filter": {"ids": ids}},
    "CQL2 as JSON": lambda key, ids: {"filter": {"op": "=", "args": [{"property": key}, MARK]}},
    "CQL2 as JSON, named": lambda key, ids: {"filter": {"op": "=", "args": [{"property": key}, MARK]}, "filter-lang": "cql2-json"},
    "CQL2 as text": lambda key, ids: {"filter": f"\"{key}\" = '{MARK}'", "filter-lang": "cql2-text"},
    "CQL2 as text, its CRS": lambda key, ids: {"filter": f"\"{key}\" = '{MARK}'", "filter-lang": "cql2-text",
                                               "filter-crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84"},
}


def by_filter(api, name, of):
    """What the filter selects is changed, replaced, deleted, and nothing else."""
    ids, bodies = with_two(api, name)
    other, _ = made(api, name, 5)
    key = a_text(api, name)
    counts(transact(api, update(name, ids, {key: MARK})), totalUpdated=2)
    counts(transact(api, {**update(name, [], {"geometry": None}), **of(key, ids)}), totalUpdated=2)
    found = [stored(api, name, i)[1]["geometry"] is None for i in (*ids, other)]
    demand(found == [True, True, False], f"without a geometry are {found}")
    counts(transact(api, {**delete(name, []), **of(key, ids)}), totalDeleted=2)
    for identifier in ids:
        api.get(item(name, identifier), expect=(404, 410))
    api.get(item(name, other))


def filter_of_nothing(api, name):
    """A filter that selects nothing changes nothing, and is no failure."""
    before = everything(api, name)
    nothing = {"filter": {"op": "=", "args": [{"property": a_text(api, name)}, MARK]}}
    counts(transact(api, {**update(name, [], {a_text(api, name): "x"}), **nothing}, {**delete(name, []), **nothing}))
    demand(everything(api, name) == before, "something changed")


def no_filter(api, name):
    """Without a filter an action would be of the whole collection: that has to be said."""
    before = everything(api, name)
    for action in (update(name, [], {a_text(api, name): "x"}), delete(name, []), replace(name, [], fresh(api, name))):
        del action["filter"]
        refused(api, "POST", TRANSACTIONS, {"transaction": [action]}, kind=TX)
    demand(everything(api, name) == before, "refused, and something changed")


# What is no action.
INCOMPLETE = {
    "update without properties": lambda api, n, i: {"action": "update", "collection": n, "filter": {"ids": [i]}},
    "replace without a feature": lambda api, n, i: {"action": "replace", "collection": n, "filter": {"ids": [i]}, "properties": {}},
    "update of no name": lambda api, n, i: {"action": "update", "collection": n, "filter": {"ids": [i]}, "properties": {"modify": [{"value": 1}]}},
    "update that is no list": lambda api, n, i: {"action": "update", "collection": n, "filter": {"ids": [i]}, "properties": {"modify": {"name": "x"}}},
    "ids that are no list": lambda api, n, i: {**delete(n, []), "filter": {"ids": i}},
    "ids that are objects": lambda api, n, i: {**delete(n, []), "filter": {"ids": [{"id": i}]}},
    "a filter that is a number": lambda api, n, i: {**delete(n, []), "filter": 1},
    "a filter of nothing": lambda api, n, i: {**delete(n, []), "filter": {}},
    "an unknown language": lambda api, n, i: {**delete(n, []), "filter": "TRUE", "filter-lang": "sql"},
    "an unknown CRS": lambda api, n, i: {**delete(n, []), "filter": f"{a_text(api, n)} = 'x'", "filter-lang": "cql2-text", "filter-crs": "nonsense"},
    "items that are no list": lambda api, n, i: {"action": "insert", "collection": n, "items": fresh(api, n)},
    "a collection that is a number": lambda api, n, i: {**delete(n, [i]), "collection": 1},
}


def incomplete(api, name, action):
    identifier, _ = made(api, name)
    before = everything(api, name)
    refused(api, "POST", TRANSACTIONS, {"transaction": [action(api, name, str(identifier))]}, kind=TX)
    demand(everything(api, name) == before, "refused, and something changed")
