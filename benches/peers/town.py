"""The town that all are asked about: parcels without gaps or overlaps, buildings, water pipes, complaints.

A grid of street blocks around 24.71 E, 48.92 N. A block has 10 x 2 lots and three street polygons (along, across, the crossing); neighbours
share every vertex. Cells are small in the centre and large at the rim, each edge of the lattice has up to six vertices pushed sideways.
The same number and seed give the same bytes.
"""
import datetime, os
import numpy as np

LON, LAT = 24.71, 48.92
METRES_X, METRES_Y = 111320 * np.cos(np.radians(LAT)), 111132.0
# Lots of a block; a street's column and row follow.
COLUMNS, ROWS = 10, 2
LAYERS = ("parcels", "buildings", "water", "complaints")
PURPOSES = ["02.01", "02.03", "02.05", "03.07", "03.15", "01.03", "07.02", "11.02"]
OWNERS = ["private", "communal", "state"]
CATEGORIES = ["water", "road", "waste", "light", "noise", "heating", "tree", "other"]
FIRST_DAY = datetime.datetime(2023, 1, 1)


def place(x, y):
    return "[%.7f,%.7f]" % (LON + x / METRES_X, LAT + y / METRES_Y)


def places(x, y):
    return [place(a, b) for a, b in zip(x.ravel().tolist(), y.ravel().tolist())]


class Lattice:
    """Nodes and edges that lots are made of; the order in which chance is asked is part of the town."""
    def __init__(self, parcels, seed):
        self.chance = np.random.default_rng(seed)
        blocks = parcels / (COLUMNS * ROWS + 3)
        self.across = max(2, round(np.sqrt(blocks * .38)))
        self.along = max(2, int(np.ceil(blocks / self.across)))
        line_x, line_y = self.axis(self.across, COLUMNS, 15, 11), self.axis(self.along, ROWS, 26, 13)
        self.nx, self.ny = len(line_x) - 1, len(line_y) - 1
        x, y = np.meshgrid(line_x, line_y)
        before_x, before_y = np.diff(line_x, prepend=line_x[0] - 9), np.diff(line_y, prepend=line_y[0] - 9)
        cell_x = np.minimum(np.append(np.diff(line_x), 9), before_x)
        cell_y = np.minimum(np.append(np.diff(line_y), 9), before_y)
        push = .07 * np.minimum(cell_x, cell_y[:, None])
        # Jittered nodes, bent streets.
        x = x + self.chance.uniform(-.15, .15, x.shape) * cell_x + 60 * np.sin(y / 900)
        y = y + self.chance.uniform(-.15, .15, y.shape) * cell_y[:, None] + 45 * np.sin(line_x / 1100)
        self.x, self.y = x, y
        self.nodes = places(x, y)
        self.rows = self.edges(x[:, :-1], y[:, :-1], x[:, 1:], y[:, 1:], push[:, :-1])
        self.columns = self.edges(x[:-1], y[:-1], x[1:], y[1:], push[:-1])

    def axis(self, blocks, lots, size, street):
        """Where the lines of the lattice are along one axis, in metres from the centre."""
        widths = np.concatenate([self.chance.uniform(.75, 1.35, (blocks, lots)) * size, np.full((blocks, 1), street)], axis=1)
        # Small lots in the centre, fields at the rim.
        widths[:, :lots] *= 1 + 3 * np.abs(np.linspace(-1, 1, blocks))[:, None] ** 3
        lines = np.concatenate([[0], np.cumsum(widths.ravel())])
        return lines - lines[-1] / 2

    def edges(self, x0, y0, x1, y1, push):
        """The vertices between the ends of each edge, as texts."""
        shape = x0.shape
        counts = self.chance.choice([0, 1, 2, 3, 6], size=shape, p=[.34, .26, .2, .13, .07]).ravel()
        x0, y0, x1, y1 = (a.ravel() for a in (x0, y0, x1, y1))
        push = np.broadcast_to(push, shape).ravel()
        edge = np.repeat(np.arange(counts.size), counts)
        first = np.cumsum(counts) - counts
        part = (np.arange(edge.size) - first[edge] + 1) / (counts[edge] + 1)
        aside = self.chance.uniform(-1, 1, edge.size) * push[edge]
        run_x, run_y = x1 - x0, y1 - y0
        length = np.hypot(run_x, run_y)
        px = x0[edge] + run_x[edge] * part - run_y[edge] / length[edge] * aside
        py = y0[edge] + run_y[edge] * part + run_x[edge] / length[edge] * aside
        texts = places(px, py)
        return [texts[a:a + n] for a, n in zip(first.tolist(), counts.tolist())]

    def ring(self, i0, i1, j0, j1):
        """The border of a rectangle of cells, counter-clockwise, ends exclusive."""
        width, out = self.nx + 1, []
        for i in range(i0, i1):
            out.append(self.nodes[j0 * width + i])
            out += self.rows[j0 * self.nx + i]
        for j in range(j0, j1):
            out.append(self.nodes[j * width + i1])
            out += self.columns[j * width + i1]
        for i in range(i1, i0, -1):
            out.append(self.nodes[j1 * width + i])
            out += self.rows[j1 * self.nx + i - 1][::-1]
        for j in range(j1, j0, -1):
            out.append(self.nodes[j * width + i0])
            out += self.columns[(j - 1) * width + i0][::-1]
        return out + out[:1]

    def area(self, i0, i1, j0, j1):
        """In square metres, that of the four corners: good to some per cent."""
        a, b, c, d = (j0, i0), (j0, i1), (j1, i1), (j1, i0)
        return abs((self.x[c] - self.x[a]) * (self.y[d] - self.y[b]) - (self.x[d] - self.x[b]) * (self.y[c] - self.y[a])) / 2

    def within(self, i, j, u, v):
        """A place in a cell, u and v from 0 to 1."""
        weights = ((1 - u) * (1 - v), u * (1 - v), u * v, (1 - u) * v)
        corners = ((j, i), (j, i + 1), (j + 1, i + 1), (j + 1, i))
        return place(sum(w * self.x[c] for w, c in zip(weights, corners)), sum(w * self.y[c] for w, c in zip(weights, corners)))


class Files:
    def __init__(self, folder):
        self.files = {layer: open(os.path.join(folder, f"{layer}.geojsonl"), "w") for layer in LAYERS}
        self.counts = dict.fromkeys(LAYERS, 0)

    def add(self, layer, kind, coordinates, properties):
        self.counts[layer] += 1
        self.files[layer].write('{"type":"Feature","properties":{"id":%d,%s},"geometry":{"type":"%s","coordinates":%s}}\n'
                                % (self.counts[layer], properties, kind, coordinates))

    def close(self):
        for file in self.files.values():
            file.close()


def write(parcels, folder, seed=1):
    """Writes FOLDER/LAYER.geojsonl; {layer: number of features}."""
    lattice, files, in_quarter = Lattice(parcels, seed), Files(folder), {}

    def parcel(block_i, block_j, box, purpose, owner):
        # A cadastral quarter is 3 x 3 blocks.
        quarter = (block_j // 3) * ((lattice.across + 2) // 3) + block_i // 3
        number = in_quarter[quarter] = in_quarter.get(quarter, 0) + 1
        cadnum = "2610100000:%02d:%03d:%04d" % (quarter // 400 + 1, quarter % 400 + 1, number)
        files.add("parcels", "Polygon", "[[" + ",".join(lattice.ring(*box)) + "]]",
                  '"cadnum":"%s","area_m2":%.1f,"purpose":"%s","owner_type":"%s"' % (cadnum, lattice.area(*box), purpose, owner))

    for block_j in range(lattice.along):
        for block_i in range(lattice.across):
            i0, j0 = block_i * (COLUMNS + 1), block_j * (ROWS + 1)
            dice = lattice.chance.random((ROWS, COLUMNS, 8)).tolist()
            for row in range(ROWS):
                for column in range(COLUMNS):
                    i, j, d = i0 + column, j0 + row, dice[row][column]
                    parcel(block_i, block_j, (i, i + 1, j, j + 1), PURPOSES[int(d[0] ** 2 * 8)], OWNERS[int(d[1] ** 2 * 3)])
                    on_lot(lattice, files, i, j, row, d)
            street, cross = j0 + ROWS, i0 + COLUMNS
            parcel(block_i, block_j, (i0, cross, street, street + 1), "12.04", "communal")
            parcel(block_i, block_j, (cross, cross + 1, j0, street), "12.04", "communal")
            parcel(block_i, block_j, (cross, cross + 1, street, street + 1), "12.04", "communal")
            d = dice[0][0]
            files.add("water", "LineString", "[" + ",".join(lattice.within(i, street, .5, .5) for i in range(i0, cross + 1)) + "]",
                      '"kind":"main","diameter_mm":%d,"material":"%s","year":%d'
                      % ([100, 150, 200, 300][int(d[0] * 4)], ["PE", "steel", "cast iron"][int(d[1] * 3)], 1950 + int(d[2] * 75)))
    files.close()
    return files.counts


def on_lot(lattice, files, i, j, row, d):
    """The building, the service pipe to the street and the complaint of a lot, by its dice."""
    if d[2] < .7:
        u0, u1, v0, v1 = .18 + .1 * d[3], .82 - .2 * d[4], .2 + .1 * d[5], .8 - .2 * d[6]
        corners = [(u0, v0), (u1, v0), (u1, v1), (u0, v1)] if d[7] < .5 else \
                  [(u0, v0), (u1, v0), (u1, .5), (.5, .5), (.5, v1), (u0, v1)]
        ring = [lattice.within(i, j, *corner) for corner in corners]
        files.add("buildings", "Polygon", "[[" + ",".join(ring + ring[:1]) + "]]", '"floors":%d,"year":%d,"use":"%s"'
                  % (1 + int(d[3] ** 4 * 12), 1930 + int(d[4] * 95), "residential" if d[5] < .8 else "public"))
    if d[6] < .5:
        is_last = row == ROWS - 1
        street = min(j + ROWS - row if is_last else j, lattice.ny - 1)
        line = [lattice.within(i, j, .5, .5), lattice.within(i, j, .45, .2 if row == 0 else .9), lattice.within(i, street, .5, .5 if is_last else 0)]
        files.add("water", "LineString", "[" + ",".join(line) + "]", '"kind":"service","diameter_mm":%d,"material":"PE","year":%d'
                  % (25 if d[0] < .7 else 32, 1970 + int(d[1] * 55)))
    if d[4] < .1:
        at = FIRST_DAY + datetime.timedelta(minutes=int(d[5] * 1.5e6))
        files.add("complaints", "Point", lattice.within(i, j, d[0], d[1]), '"category":"%s","created":"%sZ","status":"%s"'
                  % (CATEGORIES[int(d[2] * 8)], at.isoformat(), "open" if d[7] < .3 else "closed"))
