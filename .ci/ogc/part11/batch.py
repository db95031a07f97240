"""OGC API Features part 11 (OGC 26-018, draft), class Batch Semantics: each action by itself."""

from abstract import item
from edits import (a_text, chosen, counts, declared, delete, everything, fresh, ids_of, insert, on, on_all, replace, several, stored, tag, transact, update)
from part11.atomic import BAD, NOBODY, SPEC, three
from suite import demand

CLASS = SPEC + "batch-semantics"


def run(api):
    # The draft has two names for it, one in its clause 2 and one in the requirement.
    api.test("/req/transactions/batch", declared, api, SPEC + "transactions", SPEC + "batch-transactions")
    for name in chosen(api):
        for title, bad in BAD.items():
            on(api, f"/req/transactions/batch[{name}, {title}]", name, others, bad)
        on(api, f"/req/transactions/batch[{name}, an action whole]", name, action_whole)
        on(api, f"/req/transactions/batch[{name}, all fail]", name, all_fail)
        on(api, f"/req/transactions/batch[{name}, if-match]", name, if_match)
    on_all(api, "/req/transactions/batch[several collections]", several(api), over_collections)


def exceptions(answer, expected):
    """As many actions failed, and each is told with a code and a text (exception.yaml of Part 1)."""
    found = answer.json().get("exceptions", [])
    for one in found:
        demand(isinstance(one.get("code"), str) and one["code"], f"an exception without a code: {one}")
        demand(isinstance(one.get("description"), str) and one["description"], f"an exception without a description: {one}")
    places = [one.get("pointer", "").split("/")[2:3] for one in found]
    demand(len({str(p) for p in places}) == expected, f"{expected} actions failed, told are {found}")
    return [p[0] for p in places if p]


def others(api, name, bad):
    """One action in the middle fails: those before and behind it are done."""
    ids, body = three(api, name)
    aim, _ = with_one(api, name)
    key = a_text(api, name)
    actions = [update(name, ids[:1], {key: "все одно"}), bad(api, name, aim), replace(name, ids[1:2], body), delete(name, ids[2:])]
    actions.append(insert(name, fresh(api, name, 8)))
    answer = transact(api, *actions, semantic="batch")
    demand(answer.json()["semantic"] == "batch", f"the semantic is {answer.json()['semantic']}")
    demand(exceptions(answer, 1)[:1] == ["1"], f"what failed is the action 1, told is {answer.json()['exceptions']}")
    summary = answer.json()["summary"]
    demand((summary.get("totalReplaced"), summary.get("totalInserted", 0) >= 1) == (1, True), f"the summary is {summary}")
    demand(stored(api, name, ids[0])[1]["properties"][key] == "все одно", "the action before was not done")
    demand(stored(api, name, ids[1])[1]["geometry"] is None, "the action behind was not done")
    api.get(item(name, ids[2]), expect=(404, 410))


def with_one(api, name):
    body = fresh(api, name, 5)
    return ids_of(api, transact(api, insert(name, body)))[0], body


def action_whole(api, name):
    """An action that fails does nothing, also to those of its features that it could be done to."""
    aim, _ = with_one(api, name)
    own = tag(stored(api, name, aim)[0], "it")
    change = {a_text(api, name): "не буде"}
    for action in (update(name, [aim, NOBODY], change), delete(name, [NOBODY, aim]), replace(name, [aim, NOBODY], fresh(api, name, 5))):
        answer = transact(api, action, semantic="batch")
        exceptions(answer, 1)
        demand(tag(stored(api, name, aim)[0], "it") == own, f"{action['action']} failed for one feature, and was done to the other: {answer.body[:200]!r}")


def all_fail(api, name):
    """Nothing is done, and each is told; the transaction as such went well."""
    before = everything(api, name)
    answer = transact(api, delete(name, [NOBODY]), update(name, [NOBODY], {a_text(api, name): "x"}), semantic="batch")
    counts(answer)
    exceptions(answer, 2)
    demand(everything(api, name) == before, "all failed, and something changed")


def if_match(api, name):
    """A tag that is overtaken fails its action alone."""
    ids, _ = three(api, name)
    key = a_text(api, name)
    own = [tag(stored(api, name, i)[0], str(i)) for i in ids]
    actions = [{**update(name, ids[:1], {key: "x"}), "if-match": ['"0"']}, {**update(name, ids[1:2], {key: "x"}), "if-match": [own[1]]}]
    answer = transact(api, *actions, semantic="batch")
    counts(answer, totalUpdated=1)
    demand(exceptions(answer, 1) == ["0"], f"told is {answer.json()['exceptions']}")
    demand(tag(stored(api, name, ids[0])[0], "it") == own[0], "the tag was another, and it was changed")


def over_collections(api):
    names = several(api)
    actions = [a for n in names for a in (insert(n, fresh(api, n)), delete(n, [NOBODY]))]
    answer = transact(api, *actions, semantic="batch")
    counts(answer, totalInserted=len(names))
    exceptions(answer, len(names))
