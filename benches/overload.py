#!/usr/bin/env python3
"""What others notice while 200 connections ask for tiles that have to be cut: /health/live, and a tile that is at hand.

  benches/overload.py HROMADA DATA [--collection parcels] [--seconds 20] [--connections 200] [--zoom 12]

DATA is a folder with a large collection. Each request is for another tile, coding or choice of properties, so nothing of it is at hand. Prints
how many tiles came and how many were refused with 503 and Retry-After, how long the two others took (median, p99, slowest), and the memory of
the server. Server and clients share the machine: on two processors clients take a good part of them.
"""
import argparse
import http.client
import itertools
import json
import math
import os
import random
import socket
import statistics
import subprocess
import threading
import time
import urllib.request


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("data")
    parser.add_argument("--collection", default="parcels")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--connections", type=int, default=200)
    parser.add_argument("--zoom", type=int, default=12)
    args = parser.parse_args()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen([args.program, "--data", args.data, "serve", "--listen", f"127.0.0.1:{port}"],
                              env={**os.environ, "RUST_LOG": "error"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        measure(args, port, server.pid)
    finally:
        server.terminate()
        server.wait()


def wait_for(port):
    for _ in range(600):
        try:
            if urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=2).status == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit("the server is not ready after a minute")


def measure(args, port, pid):
    about = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/tiles/{args.collection}"))
    paths = requests(args, about)
    x, y = tile(16, [(a + b) / 2 for a, b in zip(about["bounds"][:2], about["bounds"][2:])])
    hot = f"/tiles/{args.collection}/16/{x}/{y}"
    quiet = ask(port, {"health": "/health/live", "hot tile": hot}, time.monotonic() + 2, pid)
    counts = {"cut": 0, "refused": 0, "refused without Retry-After": 0, "other": 0}
    lock, end = threading.Lock(), time.monotonic() + args.seconds
    threads = [threading.Thread(target=load, args=(port, paths, end, counts, lock)) for _ in range(args.connections)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    loaded = ask(port, {"health": "/health/live", "hot tile": hot}, end, pid)
    for thread in threads:
        thread.join()
    print(f"{args.connections} connections, zoom {args.zoom}, {args.seconds:.0f} s: {counts}")
    for when, (times, most) in (("before", quiet), ("under load", loaded)):
        print(f"{when}: {most:.0f} MB")
        for name, taken in times.items():
            taken.sort()
            print(f"  {name}: {len(taken)} answers, median {statistics.median(taken):.1f} ms, "
                  f"p99 {taken[int(len(taken) * .99)]:.1f} ms, slowest {taken[-1]:.1f} ms")


def requests(args, about):
    """Paths and codings, each once, in an order of no meaning."""
    west, south, east, north = about["bounds"]
    (left, bottom), (right, top) = tile(args.zoom, (west, south)), tile(args.zoom, (east, north))
    names = list(about["vector_layers"][0]["fields"])[:8]
    chosen = [",".join(some) for n in range(len(names) + 1) for some in itertools.combinations(names, n)]
    places = [(x, y) for x in range(left, right + 1) for y in range(top, bottom + 1)]
    every = [(f"/tiles/{args.collection}/{args.zoom}/{x}/{y}?properties={names}", coding)
             for (x, y), names, coding in itertools.product(places, chosen, ("identity", "gzip", "zstd"))]
    random.Random(1).shuffle(every)
    print(f"{len(every)} different tiles to ask for")
    return itertools.cycle(every)


def tile(zoom, point):
    sine = math.sin(math.radians(point[1]))
    side = 1 << zoom
    return int((point[0] + 180) / 360 * side), int((.5 - math.log((1 + sine) / (1 - sine)) / (4 * math.pi)) * side)


def ask(port, paths, end, pid):
    times, most = {name: [] for name in paths}, 0
    connections = {name: http.client.HTTPConnection("127.0.0.1", port, timeout=30) for name in paths}
    while time.monotonic() < end:
        for name, path in paths.items():
            began = time.perf_counter()
            connections[name].request("GET", path, headers={"Accept-Encoding": "gzip"})
            answer = connections[name].getresponse()
            answer.read()
            assert answer.status == 200, (name, answer.status)
            times[name].append((time.perf_counter() - began) * 1000)
        with open(f"/proc/{pid}/statm") as statm:
            most = max(most, int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6)
        time.sleep(0.01)
    return times, most


def load(port, paths, end, counts, lock):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    while time.monotonic() < end:
        with lock:
            path, coding = next(paths)
        kind = "other"
        try:
            connection.request("GET", path, headers={"Accept-Encoding": coding})
            answer = connection.getresponse()
            answer.read()
            if answer.status in (200, 204):
                kind = "cut"
            elif answer.status == 503:
                kind = "refused" if answer.getheader("Retry-After") else "refused without Retry-After"
                # As a map does that is told to come later, if rather soon.
                time.sleep(0.1)
        except (OSError, http.client.HTTPException):
            connection.close()
        with lock:
            counts[kind] += 1


main()
