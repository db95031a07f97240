"""OGC API Features part 11 (OGC 26-018, draft), class Atomic Semantics: all actions, or none."""

from abstract import item
from edits import (GEOJSON, TX, a_text, alike, chosen, counts, declared, delete, everything, fresh, insert, items, made, nearby, on, on_all,
                   refused, replace, several, stored, tag, transact, update, write)
from part11.transactions import with_two
from suite import demand

SPEC = "http://www.opengis.net/spec/ogcapi-features-11/1.0/conf/"
CLASS = SPEC + "atomic-semantics"
NOBODY = "999999999"


def run(api):
    # The draft has two names for it, one in its clause 2 and one in the requirement.
    api.test("/req/transactions/atomic", declared, api, SPEC + "transactions", SPEC + "atomic-transactions")
    for name in chosen(api):
        for title, bad in BAD.items():
            for at in ("first", "last"):
                on(api, f"/req/transactions/atomic[{name}, {title}, {at}]", name, none, bad, at)
        on(api, f"/req/transactions/atomic[{name}, by default]", name, by_default)
        on(api, f"/req/transactions/atomic[{name}, all that is wrong]", name, all_that_is_wrong)
        on(api, f"/req/transactions/atomic[{name}, a collection of features]", name, of_features)
        on(api, f"/req/transactions/atomic[{name}, the same feature]", name, in_order)
        on(api, f"/req/transactions/atomic[{name}, deleted twice]", name, twice)
        on(api, f"/req/transactions/atomic[{name}, if-match]", name, if_match)
    on_all(api, "/req/transactions/atomic[several collections]", several(api), over_collections)
    on_all(api, "/req/transactions/atomic[a thousand]", several(api)[:1], a_thousand)


# Actions that can't be done, by the API, the collection and a feature of it.
BAD = {
    "update of no feature": lambda api, n, i: update(n, [NOBODY], {a_text(api, n): "x"}),
    "update of one and of no feature": lambda api, n, i: update(n, [i, NOBODY], {a_text(api, n): "x"}),
    "replace of no feature": lambda api, n, i: replace(n, [NOBODY], fresh(api, n)),
    "delete of no feature": lambda api, n, i: delete(n, [NOBODY]),
    "delete of one and of no feature": lambda api, n, i: delete(n, [i, NOBODY]),
    "unknown property": lambda api, n, i: update(n, [i], {"nothing of this name": 1}),
    "wrong value": lambda api, n, i: update(n, [i], {a_text(api, n): 1.5}),
    "insert of no feature": lambda api, n, i: insert(n, fresh(api, n), {"type": "Fixture"}),
    "insert of an unknown property": lambda api, n, i: insert(n, fresh(api, n), {**fresh(api, n, 1), "properties": {"nothing of this name": 1}}),
    "no such collection": lambda api, n, i: delete("nothing-of-this-name", [i]),
    "no such action": lambda api, n, i: {"action": "upsert", "collection": n},
    "a filter that can't be read": lambda api, n, i: {"action": "delete", "collection": n, "filter": "NOT A FILTER", "filter-lang": "cql2-text"},
}


def good(api, name, ids, body):
    """Actions that could be done, of each kind."""
    return [insert(name, fresh(api, name, 8)), update(name, ids[:1], {a_text(api, name): "не буде"}), replace(name, ids[1:2], body), delete(name, ids[2:])]


def three(api, name):
    ids, bodies = with_two(api, name)
    return [*ids, made(api, name, 2)[0]], {**bodies[1], "geometry": None}


def none(api, name, bad, at):
    """One action fails: a clear no, and none of the others is done."""
    ids, body = three(api, name)
    before = everything(api, name)
    tags = [tag(stored(api, name, i)[0], str(i)) for i in ids]
    actions = good(api, name, ids, body)
    actions.insert(0 if at == "first" else len(actions), bad(api, name, ids[0]))
    answer = refused(api, "POST", "/transactions", {"semantic": "atomic", "transaction": actions}, kind=TX)
    demand("insertResults" not in answer.json() and "summary" not in answer.json(), "the answer says that something was done")
    demand(everything(api, name) == before, "the transaction failed, and something changed")
    demand([tag(stored(api, name, i)[0], str(i)) for i in ids] == tags, "the transaction failed, and a tag changed")


def by_default(api, name):
    """What names no semantic is atomic."""
    ids, body = three(api, name)
    before = everything(api, name)
    refused(api, "POST", "/transactions", {"transaction": [*good(api, name, ids, body), delete(name, [NOBODY])]}, kind=TX)
    demand(everything(api, name) == before, "the transaction failed, and something changed")


def all_that_is_wrong(api, name):
    """Each failing action is named, by its place in the body."""
    ids, _ = with_two(api, name)
    key = a_text(api, name)
    wrong = [update(name, ids[:1], {"nothing of this name": 1}), update(name, ids[:1], {key: "x"}), update(name, ids[1:], {key: 1.5})]
    answer = refused(api, "POST", "/transactions", {"transaction": wrong}, kind=TX)
    places = [e.get("pointer", "") for e in answer.json().get("errors", [])]
    demand({p.split("/")[2] for p in places if p.startswith("/transaction/")} == {"0", "2"}, f"wrong are /transaction/0 and /2, told are {places}")


def of_features(api, name):
    """A FeatureCollection at the items: all of it or nothing."""
    before = everything(api, name)
    features = [fresh(api, name, n, at=n) for n in range(3)]
    spoiled = {**features[2], "properties": {**features[2]["properties"], "nothing of this name": 1}}
    refused(api, "POST", items(name), {"type": "FeatureCollection", "features": [*features[:2], spoiled]})
    demand(everything(api, name) == before, "it failed, and something changed")
    answer = write(api, "POST", items(name), {"type": "FeatureCollection", "features": features}, GEOJSON, (200, 201))
    demand(len(everything(api, name)) == len(before) + 3, f"{answer.status}, and not three features came")


def in_order(api, name):
    """Actions are done in their order: of two changes of a feature the later stays."""
    identifier, body = made(api, name)
    key = a_text(api, name)
    answer = transact(api, update(name, [identifier], {key: "раз"}), update(name, [identifier], {key: "два"}), update(name, [identifier], {"geometry": None}))
    counts(answer, totalUpdated=3)
    body["properties"][key] = "два"
    alike({**body, "geometry": None}, stored(api, name, identifier)[1], "after three changes")


def twice(api, name):
    """What an earlier action has deleted is not there for a later one."""
    identifier, _ = made(api, name)
    before = everything(api, name)
    refused(api, "POST", "/transactions", {"transaction": [delete(name, [identifier]), delete(name, [identifier])]}, kind=TX)
    demand(everything(api, name) == before, "the transaction failed, and something changed")
    api.get(item(name, identifier))


def if_match(api, name):
    """Tags of an action are of its features, in their order; one that is overtaken fails all."""
    ids, _ = with_two(api, name)
    key = a_text(api, name)
    tags = [tag(stored(api, name, i)[0], str(i)) for i in ids]
    before = everything(api, name)
    for wrong in (['"0"', tags[1]], [tags[0], '"0"'], tags[::-1]):
        spoiled = {**update(name, ids, {key: "x"}), "if-match": wrong}
        refused(api, "POST", "/transactions", {"transaction": [insert(name, fresh(api, name, 8)), spoiled]}, (412,), kind=TX)
        demand(everything(api, name) == before, "the transaction failed, and something changed")
    counts(transact(api, {**update(name, ids, {key: "x"}), "if-match": tags}), totalUpdated=2)


def over_collections(api):
    """A failure in one collection leaves the others as they were."""
    names = several(api)
    before = [everything(api, n) for n in names]
    actions = [insert(n, fresh(api, n)) for n in names]
    refused(api, "POST", "/transactions", {"transaction": [*actions, delete(names[-1], [NOBODY])]}, kind=TX)
    demand([everything(api, n) for n in names] == before, "the transaction failed, and something changed")
    counts(transact(api, *actions), totalInserted=len(names))


def a_thousand(api):
    name = several(api)[0]
    body = fresh(api, name)
    before, key = everything(api, name), next((k for k, p in api.schema(name)["properties"].items() if p.get("x-ogc-role") == "id"), None)
    start = max((i for i in before if isinstance(i, int)), default=0) + 5001
    features = [{**body, "geometry": nearby(body["geometry"]), "properties": {**body["properties"], **({key: start + i} if key else {})}} for i in range(1000)]
    refused(api, "POST", "/transactions", {"transaction": [insert(name, *features), delete(name, [NOBODY])]}, kind=TX)
    demand(everything(api, name) == before, "the transaction failed, and something changed")
    answer = transact(api, insert(name, *features))
    counts(answer, totalInserted=1000)
    ids = [i for i in everything(api, name) if i not in before]
    counts(transact(api, delete(name, ids)), totalDeleted=1000)
