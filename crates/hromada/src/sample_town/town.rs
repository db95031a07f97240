//! Builds the town band by band and writes it.

use std::io;

use super::block::{Kind, SCALE};
use super::districts::{Districts, quarter_number, zone_number};
use super::ground::{self, Vertex};
use super::land::{Land, Lot};
use super::networks;
use super::number::Random;
use super::output::{Layer, Output, Sink};
use super::parcels::{self, Corners, Parcel};
use super::plan::{MAIN, Plan, Way};
use super::streets::Streets;

/// Counts by layer, and the area of the town in square metres.
type Built = ([u64; Layer::ALL.len()], f64);

pub(super) fn build(
    parcels: u64,
    seed: u64,
    sink: &mut Sink<'_>,
    progress: &mut dyn FnMut(u64),
) -> io::Result<Built> {
    let plan = Plan::new(parcels, seed);
    let districts = Districts::new(&plan, parcels);
    let streets = Streets::new(&plan);
    let bands = plan.bands.len();
    let mut town = Town {
        land: Land::new(plan),
        districts,
        streets,
        out: Output::new(sink),
        issued: vec![0],
        houses: [0; 2],
        random: Random::of(seed, [9, 0, 0]),
    };
    let boundary = town.land.disc(bands);
    town.boundaries(&boundary)?;
    town.centre()?;
    let all = |town: &Town<'_>, k: usize| match town.land.plan.bands.get(k) {
        Some(band) => (0..band.sectors).map(|i| town.land.lot(k, i)).collect(),
        None => Vec::new(),
    };
    let mut lots: Vec<Lot> = all(&town, 0);
    for k in 0..bands {
        let next = all(&town, k + 1);
        town.band(k, &lots, &next)?;
        networks::streets(&mut town.out, &town.land, &town.streets, k)?;
        networks::networks(&mut town.out, &town.land, k)?;
        progress(town.out.counts[Layer::Parcels as usize]);
        lots = next;
    }
    Ok((town.out.counts, ground::area(&boundary)))
}

struct Town<'o> {
    land: Land,
    districts: Districts,
    streets: Streets,
    out: Output<'o>,
    /// Last parcel number in each quarter of the row at hand.
    issued: Vec<u32>,
    /// Last house number on the even side of the ring street inside a band, and on the odd side of the one outside.
    houses: [u32; 2],
    random: Random,
}

/// A cell that is no block's: a street, a bridge, water.
fn way_purpose(way: Way) -> &'static str {
    if way == Way::Water { "10.01" } else { "12.04" }
}

impl Town<'_> {
    fn boundaries(&mut self, boundary: &[Vertex]) -> io::Result<()> {
        self.out
            .feature(Layer::CityBoundary)
            .text("name", "Зразкове")
            .text("koatuu", "2610100000")
            .number("area_m2", ground::area(boundary))
            .polygon(boundary)?;
        for zone in &self.districts.zones {
            let plan = &self.land.plan;
            let sectors = if zone.number == 1 { 1 } else { MAIN };
            for s in 0..sectors {
                let ring = if zone.number == 1 {
                    self.land.disc(zone.bands.end)
                } else {
                    let width = plan.bands[zone.bands.start].sectors / MAIN;
                    self.land
                        .outline(zone.bands.clone(), s * width, (s + 1) * width)
                };
                let number = zone.number + s as u32;
                self.out
                    .feature(Layer::Zones)
                    .text("zone", &zone_number(number))
                    .integer("number", u64::from(number))
                    .number("area_m2", ground::area(&ring))
                    .polygon(&ring)?;
            }
        }
        Ok(())
    }

    fn quarter(&mut self, numbers: (u32, u32), ring: &[Vertex]) -> io::Result<()> {
        self.out
            .feature(Layer::Quarters)
            .text("quarter", &quarter_number(numbers))
            .text("zone", &zone_number(numbers.0))
            .integer("number", u64::from(numbers.1))
            .number("area_m2", ground::area(ring))
            .polygon(ring)
    }

    /// The market square with the street around it, or a hamlet that has no more.
    fn centre(&mut self) -> io::Result<()> {
        let outline = self.land.disc(0);
        self.quarter((1, 1), &outline)?;
        if self.land.plan.bands.is_empty() {
            for (n, ring) in self.land.wedges(self.land.plan.centre).iter().enumerate() {
                let number = format!("{}:{:04}", quarter_number((1, 1)), n + 1);
                self.parcel(&number, ring, "02.01", None, None)?;
            }
            return Ok(());
        }
        let square = self.land.square();
        self.numbered((1, 1), 0, &square, "12.04", Some("пл. Ринок"))?;
        for s in 0..MAIN {
            let ring = self.land.square_ring(s, &self.land.lot(0, s));
            self.numbered((1, 1), 0, &ring, "12.04", Some("пл. Ринок"))?;
        }
        Ok(())
    }

    fn band(&mut self, k: usize, lots: &[Lot], next: &[Lot]) -> io::Result<()> {
        let row = self.districts.row(k);
        if row.bands.start == k {
            self.issued = vec![0; row.quarters()];
            let quarters: Vec<_> = (0..row.quarters())
                .map(|q| {
                    (
                        row.numbers(q),
                        self.land
                            .outline(row.bands.clone(), q * row.group, (q + 1) * row.group),
                    )
                })
                .collect();
            for (numbers, ring) in quarters {
                self.quarter(numbers, &ring)?;
            }
        }
        let sectors = lots.len();
        for (i, lot) in lots.iter().enumerate() {
            if i.is_multiple_of(sectors / MAIN) && !(k == 0 && i > 0) {
                self.houses = [0, 0];
            }
            let before = &lots[(i + sectors - 1) % sectors];
            self.ways(k, i, before, lot, next)?;
            self.block(k, i, lot)?;
        }
        Ok(())
    }

    /// The radial street at the right of block `i`, and the ring street outside the block.
    fn ways(
        &mut self,
        k: usize,
        i: usize,
        before: &Lot,
        lot: &Lot,
        next: &[Lot],
    ) -> io::Result<()> {
        let row = self.districts.row(k);
        let place = row.place(&self.land.plan, k, i);
        let numbers = row.numbers(place);
        let way = self.land.plan.radial(k, i);
        let street = (way != Way::Water).then(|| self.streets.radial(&self.land.plan, k, i));
        let ring = self.land.radial(k, i, before, lot);
        self.numbered(numbers, place, &ring, way_purpose(way), street.as_deref())?;
        if next.is_empty() {
            return Ok(());
        }
        let factor = self.land.plan.factor(k + 1);
        let (crossing, ring) = self
            .land
            .ring(k + 1, i, lot, &next[i * factor..(i + 1) * factor]);
        let sector = i * MAIN / self.land.plan.bands[k].sectors;
        let street = self.streets.ring(&self.land.plan, k + 1, sector);
        if let Some(crossing) = crossing {
            let way = self.land.plan.crossing(k + 1, i * factor);
            let street = (way != Way::Water).then_some(street.as_str());
            self.numbered(numbers, place, &crossing, way_purpose(way), street)?;
        }
        self.numbered(numbers, place, &ring, "12.04", Some(&street))
    }

    fn block(&mut self, k: usize, i: usize, lot: &Lot) -> io::Result<()> {
        let plan = &self.land.plan;
        let sector = i * MAIN / plan.bands[k].sectors;
        let inside = self.streets.ring(plan, k, sector);
        let outside = (k + 1 < plan.bands.len()).then(|| self.streets.ring(plan, k + 1, sector));
        let row = self.districts.row(k);
        let place = row.place(plan, k, i);
        let numbers = row.numbers(place);
        let kind = lot.block.kind;
        let (zone, storeys) = parcels::zoning(kind);
        let outline = lot.outline();
        self.out
            .feature(Layer::Zoning)
            .text("zone", zone)
            .integer("max_storeys", storeys)
            .number("area_m2", ground::area(&outline))
            .polygon(&outline)?;
        for (ring, from, to, outer) in lot.parcels() {
            self.random = Random::of(
                self.land.plan.seed,
                [
                    10 + u64::from(outer),
                    (k * SCALE as usize) as u64 + u64::from(from),
                    i as u64,
                ],
            );
            let purpose = parcels::purpose(kind, &mut self.random);
            if kind == Kind::Water {
                self.numbered(numbers, place, &ring, purpose, None)?;
                continue;
            }
            // The outer row of the last band has no street behind it: its houses stand on the inner one.
            let (street, side) = match &outside {
                Some(name) if outer => (name, 1),
                _ => (&inside, 0),
            };
            self.houses[side] += 1;
            let house = (self.houses[side] * 2 - side as u32).to_string();
            let number = self.next_number(numbers, place);
            let parcel = Parcel {
                number: &number,
                ring: &ring,
                purpose,
                street: Some(street),
                house: Some(&house),
            };
            parcel.write(&mut self.out, &mut self.random)?;
            let corners = self.corners(k, i, lot, (from, to), outer);
            parcels::build(&mut self.out, &parcel, kind, corners, &mut self.random)?;
        }
        Ok(())
    }

    /// Corners of a parcel from its street: the inner row faces the square, the outer row away from it.
    fn corners(
        &self,
        k: usize,
        i: usize,
        lot: &Lot,
        (from, to): (u16, u16),
        outer: bool,
    ) -> Corners {
        let (right, left) = (
            f64::from(from) / f64::from(SCALE),
            f64::from(to) / f64::from(SCALE),
        );
        let at = |along: f64, across: f64| self.land.place(k, i, along, across);
        match (outer, lot.block.two_rows()) {
            (true, _) => [at(left, 1.0), at(right, 1.0), at(right, 0.5), at(left, 0.5)],
            (false, true) => [at(right, 0.0), at(left, 0.0), at(left, 0.5), at(right, 0.5)],
            (false, false) => [at(right, 0.0), at(left, 0.0), at(left, 1.0), at(right, 1.0)],
        }
    }

    fn next_number(&mut self, numbers: (u32, u32), place: usize) -> String {
        self.issued[place] += 1;
        format!("{}:{:04}", quarter_number(numbers), self.issued[place])
    }

    fn numbered(
        &mut self,
        numbers: (u32, u32),
        place: usize,
        ring: &[Vertex],
        purpose: &str,
        street: Option<&str>,
    ) -> io::Result<()> {
        let number = self.next_number(numbers, place);
        self.parcel(&number, ring, purpose, street, None)
    }

    fn parcel(
        &mut self,
        number: &str,
        ring: &[Vertex],
        purpose: &str,
        street: Option<&str>,
        house: Option<&str>,
    ) -> io::Result<()> {
        if purpose == "10.01" {
            self.out
                .feature(Layer::River)
                .text("name", "р. Зразкова")
                .text("cadnum", number)
                .number("area_m2", ground::area(ring))
                .polygon(ring)?;
        }
        let random = &mut Random::of(
            self.land.plan.seed,
            [12, self.out.counts[Layer::Parcels as usize], 0],
        );
        Parcel {
            number,
            ring,
            purpose,
            street,
            house,
        }
        .write(&mut self.out, random)
    }
}
