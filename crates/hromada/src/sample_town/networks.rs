//! Streets and the networks under and above them: nodes where streets meet, links between them.

use std::io;

use super::ground::{self, Vertex};
use super::land::Land;
use super::number::Random;
use super::output::{Layer, Output};
use super::plan::{MAIN, Way};
use super::streets::Streets;

/// Longest straight piece of a line along a ring street in metres.
const STRAIGHT: f64 = 40.0;

/// A network, and how far it lies from the middle of a street, in metres.
struct Medium {
    links: Layer,
    nodes: Layer,
    letter: char,
    offset: f64,
}

const MEDIA: [Medium; 4] = [
    Medium {
        links: Layer::Water,
        nodes: Layer::WaterNodes,
        letter: 'W',
        offset: 2.2,
    },
    Medium {
        links: Layer::Sewer,
        nodes: Layer::SewerNodes,
        letter: 'S',
        offset: 0.5,
    },
    Medium {
        links: Layer::Gas,
        nodes: Layer::GasNodes,
        letter: 'G',
        offset: -2.6,
    },
    Medium {
        links: Layer::Power,
        nodes: Layer::PowerNodes,
        letter: 'P',
        offset: -4.8,
    },
];

impl Land {
    /// Whether ring street `r` and radial `i` of band `r` meet on dry land or a bridge.
    fn meets(&self, r: usize, i: usize) -> bool {
        self.plan.crossing(r, i) != Way::Water
    }

    /// Whether the ring street can be walked from radial `i` to the next one.
    fn along(&self, r: usize, i: usize) -> bool {
        self.meets(r, i) && self.meets(r, (i + 1) % self.plan.bands[r].sectors)
    }

    /// Whether the radial street can be walked outwards from ring `r` to the next one.
    fn outwards(&self, r: usize, i: usize) -> bool {
        r + 1 < self.plan.bands.len()
            && self.plan.radial(r, i) != Way::Water
            && self.meets(r, i)
            && self.meets(r + 1, i * self.plan.factor(r + 1))
    }

    fn junction(&self, r: usize, i: usize, offset: f64) -> Vertex {
        let rho = self.plan.bands[r].ring + offset;
        let i = i % self.plan.bands[r].sectors;
        self.ground.vertex(
            rho,
            self.plan.bearing(r, i) + offset / (std::f64::consts::TAU * rho),
        )
    }

    fn ring_line(&self, r: usize, i: usize, offset: f64) -> Vec<Vertex> {
        let rho = self.plan.bands[r].ring + offset;
        let span = self.plan.span(r, i);
        let pieces = (span * std::f64::consts::TAU * rho / STRAIGHT)
            .ceil()
            .max(1.0) as usize;
        let from = self.plan.bearing(r, i) + offset / (std::f64::consts::TAU * rho);
        let mut line = vec![self.junction(r, i, offset)];
        line.extend((1..pieces).map(|n| {
            self.ground
                .vertex(rho, from + span * n as f64 / pieces as f64)
        }));
        line.push(self.junction(r, i + 1, offset));
        line
    }

    /// Outwards to the next ring street, or to the edge of the town.
    fn radial_line(&self, r: usize, i: usize, offset: f64) -> Vec<Vertex> {
        let band = &self.plan.bands[r];
        let middle = (band.inner + band.outer) / 2.0;
        let at = |rho: f64| {
            self.ground.vertex(
                rho,
                self.plan.bearing(r, i) + offset / (std::f64::consts::TAU * rho),
            )
        };
        let end = if r + 1 < self.plan.bands.len() {
            self.junction(r + 1, i * self.plan.factor(r + 1), offset)
        } else {
            at(band.outer)
        };
        vec![self.junction(r, i, offset), at(middle), end]
    }
}

/// Writes the street segments of ring `r` and of the radials that start there.
pub(super) fn streets(
    out: &mut Output<'_>,
    land: &Land,
    names: &Streets,
    r: usize,
) -> io::Result<()> {
    let plan = &land.plan;
    let band = &plan.bands[r];
    let per_sector = band.sectors / MAIN;
    for i in 0..band.sectors {
        let mut random = Random::of(plan.seed, [8, r as u64, i as u64]);
        if land.along(r, i) {
            let name = names.ring(plan, r, i / per_sector);
            let bridge = plan.crossing(r, i) == Way::Bridge;
            segment(
                out,
                &name,
                band.ring_width,
                bridge,
                &land.ring_line(r, i, 0.0),
                &mut random,
            )?;
        }
        let last = r + 1 == plan.bands.len();
        let way = plan.radial(r, i);
        if way != Way::Water && (last || land.outwards(r, i)) {
            let name = names.radial(plan, r, i);
            segment(
                out,
                &name,
                plan.width(r, i),
                way == Way::Bridge,
                &land.radial_line(r, i, 0.0),
                &mut random,
            )?;
        }
    }
    Ok(())
}

fn segment(
    out: &mut Output<'_>,
    name: &str,
    width: f64,
    bridge: bool,
    line: &[Vertex],
    random: &mut Random,
) -> io::Result<()> {
    let (class, lanes, speed) = if width > 15.0 {
        ("main", 4, 50)
    } else {
        ("local", 2, 50)
    };
    let surface = if class == "main" || random.chance(0.7) {
        "asphalt"
    } else {
        random.pick(&["gravel", "paving"])
    };
    out.feature(Layer::Streets)
        .text("name", name)
        .text("class", class)
        .text("surface", surface)
        .integer("lanes", lanes)
        .integer("speed_limit", speed)
        .number("width_m", width)
        .text("structure", if bridge { "bridge" } else { "ground" })
        .number("length_m", ground::length(line))
        .line(line)
}

/// Writes nodes and links of all networks at ring `r`, and the links outwards from there.
pub(super) fn networks(out: &mut Output<'_>, land: &Land, r: usize) -> io::Result<()> {
    for medium in &MEDIA {
        for i in 0..land.plan.bands[r].sectors {
            if !land.meets(r, i) {
                continue;
            }
            let mut random = Random::of(land.plan.seed, [medium.letter as u64, r as u64, i as u64]);
            node(out, medium, land, r, i, &mut random)?;
            let id = |r: usize, i: usize| {
                format!("{}{r}-{}", medium.letter, i % land.plan.bands[r].sectors)
            };
            // All networks follow the streets; where two ways lead to a node, a tree network takes one.
            if land.along(r, i) && on_ring(medium, r, i) {
                link(
                    out,
                    medium,
                    [id(r, i), id(r, i + 1)],
                    r.is_multiple_of(5),
                    &land.ring_line(r, i, medium.offset),
                    &mut random,
                )?;
            }
            if land.outwards(r, i) {
                let main = i.is_multiple_of(land.plan.bands[r].sectors / MAIN);
                let end = id(r + 1, i * land.plan.factor(r + 1));
                link(
                    out,
                    medium,
                    [id(r, i), end],
                    main,
                    &land.radial_line(r, i, medium.offset),
                    &mut random,
                )?;
            }
        }
    }
    Ok(())
}

fn on_ring(medium: &Medium, r: usize, i: usize) -> bool {
    match medium.letter {
        'W' => true,
        'P' => r.is_multiple_of(2) || !i.is_multiple_of(2),
        _ => r.is_multiple_of(5) || !i.is_multiple_of(2),
    }
}

fn node(
    out: &mut Output<'_>,
    medium: &Medium,
    land: &Land,
    r: usize,
    i: usize,
    random: &mut Random,
) -> io::Result<()> {
    let kind = match medium.letter {
        'W' => random.pick(&["hydrant", "valve", "valve", "junction"]),
        'S' => random.pick(&["manhole", "manhole", "manhole", "inspection"]),
        'G' => random.pick(&["valve", "junction", "junction", "regulator"]),
        _ => random.pick(&["pole", "pole", "pole", "pole", "cabinet", "transformer"]),
    };
    out.feature(medium.nodes)
        .text("node_id", &format!("{}{r}-{i}", medium.letter))
        .text("kind", kind)
        .integer("installed", 1962 + random.below(63))
        .text("status", status(random))
        .point(land.junction(r, i, medium.offset))
}

fn link(
    out: &mut Output<'_>,
    medium: &Medium,
    [from, to]: [String; 2],
    main: bool,
    line: &[Vertex],
    random: &mut Random,
) -> io::Result<()> {
    let number = out.counts[medium.links as usize] + 1;
    let (material, diameter, depth): (&str, u64, f64) = match (medium.letter, main) {
        ('W', true) => (
            random.pick(&["cast iron", "ductile iron", "steel"]),
            random.pick(&[300, 400, 500]),
            2.0,
        ),
        ('W', false) => (
            random.pick(&["polyethylene", "cast iron", "steel"]),
            random.pick(&[100, 110, 160, 200]),
            1.7,
        ),
        ('S', true) => (
            random.pick(&["concrete", "reinforced concrete"]),
            random.pick(&[600, 800, 1000]),
            3.4,
        ),
        ('S', false) => (
            random.pick(&["ceramic", "PVC", "concrete"]),
            random.pick(&[200, 250, 300, 400]),
            2.4,
        ),
        ('G', true) => ("steel", random.pick(&[219, 273, 325]), 1.2),
        ('G', false) => (
            random.pick(&["polyethylene", "steel"]),
            random.pick(&[63, 90, 110]),
            1.0,
        ),
        (_, _) => (random.pick(&["aluminium", "copper"]), 0, 0.8),
    };
    let feature = out
        .feature(medium.links)
        .text("link_id", &format!("{}-{number}", medium.letter))
        .text("from_node", &from)
        .text("to_node", &to);
    let feature = match medium.letter {
        'P' => feature
            .text(
                "kind",
                if main {
                    "cable"
                } else {
                    random.pick(&["overhead", "overhead", "cable"])
                },
            )
            .integer("voltage", if main { 10_000 } else { 400 }),
        'G' => feature
            .text("pressure", if main { "medium" } else { "low" })
            .integer("diameter", diameter),
        'S' => feature
            .text(
                "kind",
                random.pick(&["sanitary", "sanitary", "storm", "combined"]),
            )
            .integer("diameter", diameter),
        _ => feature
            .text("kind", if main { "main" } else { "distribution" })
            .integer("diameter", diameter),
    };
    feature
        .text("material", material)
        .number("depth_m", depth + random.range(-0.3, 0.3))
        .integer("installed", 1962 + random.below(63))
        .text("status", status(random))
        .number("length_m", ground::length(line))
        .line(line)
}

fn status(random: &mut Random) -> &'static str {
    match random.unit() {
        u if u < 0.95 => "functional",
        u if u < 0.98 => "under repair",
        _ => "disused",
    }
}
