//! Cadastral zones and quarters: each quarter is one piece of land, a few bands deep; a zone is many quarters of one main sector.

use std::ops::Range;

use super::plan::{MAIN, Plan};

/// Code of the town in the old classifier of administrative units (КОАТУУ), with which cadastral numbers begin.
const TOWN: &str = "2610100000";
/// Bands in a quarter.
const ROW: usize = 3;
/// Parcels in a quarter, about; larger in very large towns, so that quarter numbers do not run out.
const QUARTER: u64 = 150;

pub(super) struct Districts {
    pub(super) rows: Vec<Row>,
    pub(super) zones: Vec<Zone>,
}

/// A few bands; each quarter is `group` blocks of the first of them wide.
pub(super) struct Row {
    pub(super) bands: Range<usize>,
    pub(super) group: usize,
    base: usize,
    /// Zone of the main sector 0, and number of the quarter before the first one in each sector. In zone 1 numbers go around.
    zone: u32,
    before: u32,
}

/// Bands of one zone in every main sector; number 1 is the middle of the town, all around.
pub(super) struct Zone {
    pub(super) bands: Range<usize>,
    pub(super) number: u32,
}

impl Districts {
    pub(super) fn new(plan: &Plan, parcels: u64) -> Self {
        let target = QUARTER.max(parcels / 20_000);
        let bands = plan.bands.len();
        let mut rows: Vec<Row> = (0..bands)
            .step_by(ROW)
            .map(|k| {
                let base = plan.bands[k].sectors;
                let wide = (base / MAIN)
                    .min((target / (ROW as u64 * 16)).max(1).next_power_of_two() as usize);
                Row {
                    bands: k..(k + ROW).min(bands),
                    group: wide,
                    base,
                    zone: 1,
                    before: 1,
                }
            })
            .collect();
        let in_sector = |row: &Row| (row.base / MAIN / row.group) as u32;
        let limit = 40.max(rows.iter().map(in_sector).sum::<u32>() / 12);
        let first = rows.first().map_or(0..0, |r| r.bands.clone());
        let mut zones = vec![Zone {
            bands: first,
            number: 1,
        }];
        let mut before = limit;
        for row in rows.iter_mut().skip(1) {
            if before + in_sector(row) > limit {
                let number = zones.last().map_or(2, |z| {
                    if z.number == 1 {
                        2
                    } else {
                        z.number + MAIN as u32
                    }
                });
                zones.push(Zone {
                    bands: row.bands.clone(),
                    number,
                });
                before = 0;
            }
            if let Some(zone) = zones.last_mut() {
                zone.bands.end = row.bands.end;
                row.zone = zone.number;
            }
            row.before = before;
            before += in_sector(row);
        }
        Self { rows, zones }
    }

    pub(super) fn row(&self, k: usize) -> &Row {
        &self.rows[k / ROW]
    }
}

impl Row {
    /// Which quarter of the row block `i` of band `k` lies in.
    pub(super) fn place(&self, plan: &Plan, k: usize, i: usize) -> usize {
        i * self.base / plan.bands[k].sectors / self.group
    }

    pub(super) fn quarters(&self) -> usize {
        self.base / self.group
    }

    /// Zone and quarter number of a place in the row.
    pub(super) fn numbers(&self, place: usize) -> (u32, u32) {
        let in_sector = self.quarters() / MAIN;
        if self.zone == 1 {
            return (1, place as u32 + 1 + self.before);
        }
        (
            self.zone + (place / in_sector) as u32,
            (place % in_sector) as u32 + 1 + self.before,
        )
    }
}

pub(super) fn zone_number(zone: u32) -> String {
    format!("{TOWN}:{zone:02}")
}

pub(super) fn quarter_number((zone, quarter): (u32, u32)) -> String {
    format!("{TOWN}:{zone:02}:{quarter:03}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample_town::plan::MAX_PARCELS;
    use std::collections::HashMap;

    #[test]
    fn numbers_never_run_out() {
        for parcels in [20, 300, 5_000, 200_000, 2_000_000, MAX_PARCELS] {
            let plan = Plan::new(parcels, 1);
            let districts = Districts::new(&plan, parcels);
            let mut parcels_of: HashMap<(u32, u32), u64> = HashMap::new();
            for k in 0..plan.bands.len() {
                let row = districts.row(k);
                for i in 0..plan.bands[k].sectors {
                    // A radial street, a ring street and perhaps a crossing besides the parcels of the block.
                    *parcels_of
                        .entry(row.numbers(row.place(&plan, k, i)))
                        .or_default() += plan.block(k, i).count() + 3;
                }
            }
            let zones = parcels_of.keys().map(|n| n.0).max().unwrap_or(0);
            let quarters = parcels_of.keys().map(|n| n.1).max().unwrap_or(0);
            let most = parcels_of.values().max().copied().unwrap_or(0);
            assert!(
                zones <= 99 && quarters <= 999 && most <= 9_999,
                "{parcels}: {zones} zones, {quarters} quarters, {most} parcels"
            );
            assert_eq!(
                parcels_of.len(),
                districts.rows.iter().map(Row::quarters).sum::<usize>(),
                "numbers are unique"
            );
        }
    }
}
