//! What stands in the register for a parcel, and the houses and addresses on it.

use std::io;

use super::block::Kind;
use super::ground::{self, Metres, Vertex};
use super::number::Random;
use super::output::{Layer, Output};

/// A parcel about to be written.
pub(super) struct Parcel<'a> {
    /// Cadastral number.
    pub(super) number: &'a str,
    pub(super) ring: &'a [Vertex],
    pub(super) purpose: &'a str,
    /// Of the street that it is or fronts.
    pub(super) street: Option<&'a str>,
    pub(super) house: Option<&'a str>,
}

/// Corners of a built parcel in metres: front right, front left, back left, back right, as seen from the street.
pub(super) type Corners = [Metres; 4];

impl Parcel<'_> {
    pub(super) fn address(&self) -> Option<String> {
        match (self.street, self.house) {
            (Some(street), Some(house)) => Some(format!("{street}, {house}")),
            (street, _) => street.map(str::to_owned),
        }
    }

    pub(super) fn write(&self, out: &mut Output<'_>, random: &mut Random) -> io::Result<()> {
        let area = ground::area(self.ring);
        let owner = owner(self.purpose, random);
        let year = 1998 + random.below(28);
        let registered = format!(
            "{year}-{:02}-{:02}",
            1 + random.below(12),
            1 + random.below(28)
        );
        // Money valuation of land: a price by use, with the spread of places.
        let value = area * price(self.purpose) * random.range(0.8, 1.25);
        out.feature(Layer::Parcels)
            .text("cadnum", self.number)
            .text("purpose", self.purpose)
            .text("category", category(self.purpose))
            .text("owner_type", owner)
            .number("area_m2", area)
            .optional("address", self.address().as_deref())
            .number("valuation", value)
            .text("registered", &registered)
            .polygon(self.ring)
    }
}

/// Purpose of the land by КВЦПЗ.
pub(super) fn purpose(kind: Kind, random: &mut Random) -> &'static str {
    match kind {
        Kind::Houses => "02.01",
        Kind::Flats => random.pick(&["02.03", "02.03", "02.03", "02.07"]),
        Kind::Shops => random.pick(&["03.07", "03.07", "03.07", "03.10", "03.08", "03.04"]),
        Kind::Works => random.pick(&["11.02", "11.02", "12.04", "03.10"]),
        Kind::School => random.pick(&["03.02", "03.02", "03.03"]),
        Kind::Park => random.pick(&["07.01", "07.02"]),
        Kind::Garden => random.pick(&["01.05", "01.07"]),
        Kind::Field => "01.03",
        Kind::Water => "10.01",
    }
}

/// Category of land: a code of the cadastral exchange file; titles are in the manifest.
fn category(purpose: &str) -> &'static str {
    match &purpose[..2] {
        "01" => "100",
        "02" | "03" => "200",
        "07" => "500",
        "10" => "800",
        _ => "900",
    }
}

/// Ownership: 100 private, 200 communal, 300 state.
fn owner(purpose: &str, random: &mut Random) -> &'static str {
    let private = match &purpose[..2] {
        "01" | "02" => 0.93,
        "11" => 0.6,
        "03" if purpose == "03.02" || purpose == "03.03" => 0.04,
        "03" => 0.7,
        _ => 0.0,
    };
    let state = if purpose == "10.01" { 0.9 } else { 0.04 };
    match random.unit() {
        u if u < private => "100",
        u if u > 1.0 - state => "300",
        _ => "200",
    }
}

/// Hryvnias for a square metre.
fn price(purpose: &str) -> f64 {
    match &purpose[..2] {
        "01" => 4.0,
        "02" => 310.0,
        "03" => 780.0,
        "11" => 420.0,
        _ => 90.0,
    }
}

/// Zone of the town's plan for a block.
pub(super) fn zoning(kind: Kind) -> (&'static str, u64) {
    match kind {
        Kind::Houses => ("Ж-1", 3),
        Kind::Flats => ("Ж-4", 9),
        Kind::Shops => ("Г-1", 6),
        Kind::School => ("Г-3", 4),
        Kind::Works => ("В-4", 5),
        Kind::Park => ("Р-3", 1),
        Kind::Garden => ("Ж-1", 2),
        Kind::Field => ("С-1", 1),
        Kind::Water => ("В-Ф", 0),
    }
}

/// Use, storeys from and to, and the shares of the parcel's width and depth that a building of this kind takes at most.
fn building(kind: Kind) -> Option<(&'static str, u64, u64, f64, f64, f64)> {
    match kind {
        Kind::Houses => Some(("house", 1, 3, 0.58, 0.36, 13.0)),
        Kind::Flats => Some(("apartments", 4, 10, 0.66, 0.34, 15.0)),
        Kind::Shops => Some(("retail", 1, 4, 0.66, 0.42, 26.0)),
        Kind::Works => Some(("industrial", 1, 3, 0.60, 0.46, 42.0)),
        Kind::School => Some(("education", 2, 4, 0.42, 0.30, 22.0)),
        Kind::Garden => Some(("garden_house", 1, 2, 0.42, 0.16, 6.0)),
        Kind::Park | Kind::Field | Kind::Water => None,
    }
}

/// Writes the buildings of a parcel and its address.
pub(super) fn build(
    out: &mut Output<'_>,
    parcel: &Parcel<'_>,
    kind: Kind,
    corners: Corners,
    random: &mut Random,
) -> io::Result<()> {
    let Some((kind_name, low, high, across, along, deepest)) = building(kind) else {
        return Ok(());
    };
    let [right, left, back_left, back_right] = corners;
    let (front, back) = (
        ground::middle(right, left),
        ground::middle(back_left, back_right),
    );
    let width = ground::distance(right, left).min(ground::distance(back_right, back_left));
    let depth = ground::distance(front, back);
    // Gardens and some lots are empty.
    let empty = if kind == Kind::Garden { 0.55 } else { 0.06 };
    if random.chance(empty) || width < 6.0 || depth < 14.0 {
        return Ok(());
    }
    let size = (
        width * across * random.range(0.75, 1.0),
        (depth * along * random.range(0.8, 1.0)).min(deepest),
    );
    let setback = depth * random.range(0.13, 0.19) + size.1 / 2.0;
    let inward = ((back.0 - front.0) / depth, (back.1 - front.1) / depth);
    let centre = (front.0 + inward.0 * setback, front.1 + inward.1 * setback);
    let notched = random.chance(0.3);
    // Slanting lots hold less than their width and depth promise.
    let fitting = [1.0, 0.8, 0.62, 0.46].into_iter().find_map(|share| {
        let ring = rectangle(centre, inward, (size.0 * share, size.1 * share), notched);
        ring.iter()
            .all(|v| ground::inside(parcel.ring, *v))
            .then_some(ring)
    });
    let Some(ring) = fitting else { return Ok(()) };
    let address = parcel.address();
    let year = 1890 + random.below(135);
    let storeys = low + random.below(high - low + 1);
    out.feature(Layer::Buildings)
        .text("cadnum", parcel.number)
        .text("kind", kind_name)
        .integer("storeys", storeys)
        .integer("year_built", year)
        .number("footprint_m2", ground::area(&ring))
        .optional("address", address.as_deref())
        .polygon(&ring)?;
    if let (Some(address), Some(street), Some(house)) = (&address, parcel.street, parcel.house) {
        out.feature(Layer::Addresses)
            .text("address", address)
            .text("street", street)
            .text("house", house)
            .text("postcode", &format!("760{:02}", random.below(20)))
            .text("cadnum", parcel.number)
            .point(ground::vertex(centre))?;
    }
    if kind == Kind::Houses && depth > 26.0 && random.chance(0.5) {
        let at = depth * 0.78;
        let centre = (front.0 + inward.0 * at, front.1 + inward.1 * at);
        let ring = rectangle(centre, inward, (width * 0.3, depth * 0.11), false);
        if !ring.iter().all(|v| ground::inside(parcel.ring, *v)) {
            return Ok(());
        }
        out.feature(Layer::Buildings)
            .text("cadnum", parcel.number)
            .text("kind", "outbuilding")
            .integer("storeys", 1)
            .integer("year_built", year + random.below(12).min(2025 - year))
            .number("footprint_m2", ground::area(&ring))
            .optional("address", None)
            .polygon(&ring)?;
    }
    Ok(())
}

/// A rectangle with its depth along `inward`, or an L of it: counter-clockwise.
fn rectangle(centre: Metres, inward: Metres, size: (f64, f64), notched: bool) -> Vec<Vertex> {
    let side = (-inward.1, inward.0);
    let at = |across: f64, along: f64| {
        let (across, along) = (across * size.0, along * size.1);
        ground::vertex((
            centre.0 + side.0 * across + inward.0 * along,
            centre.1 + side.1 * across + inward.1 * along,
        ))
    };
    // `side` is left of `inward`: up the right side, then to the left.
    if notched {
        return vec![
            at(-0.5, -0.5),
            at(-0.5, 0.5),
            at(0.05, 0.5),
            at(0.05, 0.1),
            at(0.5, 0.1),
            at(0.5, -0.5),
        ];
    }
    vec![at(-0.5, -0.5), at(-0.5, 0.5), at(0.5, 0.5), at(0.5, -0.5)]
}
