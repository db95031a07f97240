#!/usr/bin/env python3
"""A walk over all pages of a collection while others edit it: every page must show the moment of the first one.

    hromada --data DIR serve --listen 127.0.0.1:8080 &
    benches/walk.py http://127.0.0.1:8080 parcels TOKEN [EDITS-A-SECOND]

Takes the first page, then all features as they are, then begins to edit (moves, deletes and adds features) and follows the walk to
its end. Prints how many features and edits there were and whether the walk gave exactly what was there; exit code 1 if not.
"""
import http.client
import json
import random
import sys
import threading
import time
import urllib.parse

base, collection, token = sys.argv[1:4]
rate = float(sys.argv[4]) if len(sys.argv) > 4 else 50.0
host = urllib.parse.urlsplit(base)
items = f"/collections/{collection}/items"


def connection():
    return http.client.HTTPConnection(host.hostname, host.port, timeout=60)


def ask(link, method, path, body=None):
    headers = {"Accept": "application/geo+json", "Content-Type": "application/geo+json"}
    if method != "GET":
        headers["Authorization"] = f"Bearer {token}"
    link.request(method, path, json.dumps(body) if body is not None else None, headers)
    answer = link.getresponse()
    data = answer.read()
    if answer.status >= 400:
        raise SystemExit(f"{method} {path}: {answer.status} {data[:500]!r}")
    return json.loads(data) if data else None


def pages(link, page):
    """The features of a page and of all after it, as texts by their order."""
    while True:
        for feature in page["features"]:
            yield feature["id"], json.dumps(feature, sort_keys=True)
        following = [l["href"] for l in page["links"] if l["rel"] == "next"]
        if not following:
            return
        split = urllib.parse.urlsplit(following[0])
        page = ask(link, "GET", f"{split.path}?{split.query}")


def edit(ids, done, counts):
    try:
        edits(ids, done, counts)
    except SystemExit as refused:
        counts["refused"] = refused


def edits(ids, done, counts):
    dice = random.Random(1)
    link = connection()
    begun = time.monotonic()
    left = list(ids)
    while not done.is_set():
        time.sleep(max(0.0, begun + counts["edits"] / rate - time.monotonic()))
        kind = dice.random()
        n = dice.randrange(len(left))
        path = f"{items}/{urllib.parse.quote(str(left[n]))}"
        if kind < 0.2:
            ask(link, "DELETE", path)
            left[n] = left[-1]
            left.pop()
        else:
            feature = ask(link, "GET", path)
            feature = {"type": "Feature", "properties": feature["properties"], "geometry": moved(feature["geometry"], dice)}
            if kind < 0.8:
                ask(link, "PUT", path, feature)
            else:
                for name, value in feature["properties"].items():
                    if value == left[n]:
                        feature["properties"][name] = f"new {counts['edits']}" if isinstance(value, str) else time.time_ns() // 1000
                ask(link, "POST", items, feature)
        counts["edits"] += 1
    counts["seconds"] = time.monotonic() - begun


def moved(geometry, dice):
    by = dice.uniform(-0.001, 0.001)

    def shift(c):
        return [c[0] + by, *c[1:]] if isinstance(c[0], (int, float)) else [shift(part) for part in c]

    return {"type": geometry["type"], "coordinates": shift(geometry["coordinates"])}


def main():
    link = connection()
    first = ask(link, "GET", f"{items}?limit=1000")
    expected = list(pages(link, ask(link, "GET", f"{items}?limit=10000")))
    counts, done = {"edits": 0}, threading.Event()
    editor = threading.Thread(target=edit, args=([i for i, _ in expected], done, counts))
    editor.start()
    time.sleep(0.5)
    since = time.monotonic()
    walked = list(pages(link, first))
    took = time.monotonic() - since
    done.set()
    editor.join()
    if "refused" in counts:
        raise counts["refused"]
    same = walked == expected and first["numberMatched"] == len(expected)
    print(
        f"{len(walked)} features in {took:.1f} s during {counts['edits']} edits ({counts['edits'] / counts['seconds']:.0f} a second): "
        + ("exactly the snapshot" if same else "NOT the snapshot")
    )
    sys.exit(0 if same else 1)


main()
