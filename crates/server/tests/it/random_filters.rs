//! Filters against a plain evaluation over the whole collection: whatever is asked, both give the same features.

use serde_json::Value as Json;

use crate::crawl::escaped;
use crate::town::{CORNER, SIDE, Town};

/// `splitmix64`.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

type Meaning = dyn Fn(&Json) -> Option<bool>;

/// A comparison: its sign, and the orders for which it holds.
type Sign = (&'static str, fn(std::cmp::Ordering) -> bool);

/// A filter as its text, and what it means for a feature; `None` is unknown.
struct Asked {
    text: String,
    means: Box<Meaning>,
}

fn number(feature: &Json, name: &str) -> Option<f64> {
    feature["properties"][name].as_f64()
}

fn text(feature: &Json, name: &str) -> Option<String> {
    feature["properties"][name].as_str().map(str::to_owned)
}

fn order(dice: &mut Dice) -> Sign {
    use std::cmp::Ordering;
    let all: [Sign; 6] = [
        ("=", Ordering::is_eq),
        ("<>", Ordering::is_ne),
        ("<", Ordering::is_lt),
        (">", Ordering::is_gt),
        ("<=", Ordering::is_le),
        (">=", Ordering::is_ge),
    ];
    all[dice.below(6)]
}

fn leaf(dice: &mut Dice) -> Asked {
    match dice.below(14) {
        0 | 1 => {
            let (sign, holds) = order(dice);
            let name = ["area", "floors"][dice.below(2)];
            let with = [0.0, 1.0, 2.5, 104.5, 115.5, 200.0][dice.below(6)];
            Asked {
                text: format!("{name} {sign} {with}"),
                means: Box::new(move |f| Some(holds(number(f, name)?.total_cmp(&with)))),
            }
        }
        2 => {
            let (sign, holds) = order(dice);
            let with = format!("Власник {}", dice.below(31));
            let shown = with.clone();
            Asked {
                text: format!("owner {sign} '{shown}'"),
                means: Box::new(move |f| Some(holds(text(f, "owner")?.as_str().cmp(&with)))),
            }
        }
        3 => {
            let (sign, holds) = order(dice);
            let day = format!("20{:02}-06-01", dice.below(22));
            let shown = day.clone();
            Asked {
                text: format!("built {sign} DATE('{shown}')"),
                means: Box::new(move |f| Some(holds(text(f, "built")?.as_str().cmp(&day)))),
            }
        }
        4 => {
            let (sign, holds) = order(dice);
            let time = format!("2026-01-{:02}T10:00:00.000Z", dice.below(29) + 1);
            let shown = time.clone();
            Asked {
                text: format!("checked {sign} TIMESTAMP('{shown}')"),
                means: Box::new(move |f| Some(holds(text(f, "checked")?.as_str().cmp(&time)))),
            }
        }
        5 => {
            let name = dice.one(&["checked", "owner", "floors", "geom"]);
            let not = dice.below(2) == 1;
            Asked {
                text: format!("{name} IS {}NULL", if not { "NOT " } else { "" }),
                means: Box::new(move |f| {
                    let is_null = name != "geom" && f["properties"][name].is_null();
                    Some(is_null != not)
                }),
            }
        }
        6 => {
            let value = dice.below(2) == 0;
            Asked {
                text: format!("used = {value}"),
                means: Box::new(move |f| Some(f["properties"]["used"].as_bool()? == value)),
            }
        }
        7 => {
            let list: Vec<usize> = (0..1 + dice.below(4)).map(|_| dice.below(5)).collect();
            let shown: Vec<String> = list.iter().map(usize::to_string).collect();
            let not = dice.below(2) == 1;
            Asked {
                text: format!(
                    "floors {}IN ({})",
                    if not { "NOT " } else { "" },
                    shown.join(", ")
                ),
                means: Box::new(move |f| {
                    let floors = number(f, "floors")? as usize;
                    Some(list.contains(&floors) != not)
                }),
            }
        }
        8 => {
            let (low, high) = (100 + dice.below(30), 100 + dice.below(30));
            Asked {
                text: format!("area BETWEEN {low} AND {high}"),
                means: Box::new(move |f| {
                    let area = number(f, "area")?;
                    Some(area >= low as f64 && area <= high as f64)
                }),
            }
        }
        9 => {
            let digit = dice.below(10).to_string();
            let (pattern, how) = match dice.below(3) {
                0 => (format!("%{digit}"), 0),
                1 => (format!("Власник {digit}%"), 1),
                _ => (format!("_ласник _{digit}"), 2),
            };
            Asked {
                text: format!("owner LIKE '{pattern}'"),
                means: Box::new(move |f| {
                    let owner = text(f, "owner")?;
                    Some(match how {
                        0 => owner.ends_with(&digit),
                        1 => owner.starts_with(&format!("Власник {digit}")),
                        _ => owner.chars().count() == 10 && owner.ends_with(&digit),
                    })
                }),
            }
        }
        10 => {
            let n = dice.below(30);
            Asked {
                text: format!("CASEI(owner) = CASEI('вЛАСНИК {n}')"),
                means: Box::new(move |f| Some(text(f, "owner")? == format!("Власник {n}"))),
            }
        }
        11 => {
            let (sign, holds) = order(dice);
            let (a, b) = (dice.below(4) as f64, 1 + dice.below(3));
            Asked {
                text: format!("(area - 100) / {b} + floors * {a} {sign} 12"),
                means: Box::new(move |f| {
                    let value = (number(f, "area")? - 100.0) / b as f64 + number(f, "floors")? * a;
                    Some(holds(value.total_cmp(&12.0)))
                }),
            }
        }
        12 => {
            let time = format!("2026-01-{:02}T00:00:00Z", dice.below(29) + 1);
            let shown = time.clone();
            let before = dice.below(2) == 0;
            let name = if before { "T_BEFORE" } else { "T_AFTER" };
            Asked {
                text: format!("{name}(checked, TIMESTAMP('{shown}'))"),
                means: Box::new(move |f| {
                    let checked = text(f, "checked")?;
                    Some(match before {
                        true => checked.as_str() < time.as_str(),
                        false => checked.as_str() > time.as_str(),
                    })
                }),
            }
        }
        _ => spatial(dice),
    }
}

/// Parcels are squares with sides along the axes, so relations to such boxes are those of their edges. Boxes end between the
/// edges of parcels, or on them.
fn spatial(dice: &mut Dice) -> Asked {
    let edge = |dice: &mut Dice, from: f64| from + (dice.below(17) as f64 - 2.0) * SIDE / 2.0;
    let (a, b) = (edge(dice, CORNER[0]), edge(dice, CORNER[0]));
    let (c, d) = (edge(dice, CORNER[1]), edge(dice, CORNER[1]));
    let (west, east, south, north) = (a.min(b), a.max(b) + 1e-4, c.min(d), c.max(d) + 1e-4);
    let shape = match dice.below(2) {
        0 => format!("BBOX({west},{south},{east},{north})"),
        _ => format!(
            "POLYGON(({west} {south},{east} {south},{east} {north},{west} {north},{west} {south}))"
        ),
    };
    let around = |feature: &Json| {
        let ring = feature["geometry"]["coordinates"][0]
            .as_array()
            .unwrap()
            .clone();
        let of = |i: usize| ring.iter().map(move |p| p[i].as_f64().unwrap());
        let least = |i| of(i).fold(f64::INFINITY, f64::min);
        let most = |i| of(i).fold(f64::NEG_INFINITY, f64::max);
        [least(0), least(1), most(0), most(1)]
    };
    let meets = move |f: &Json| {
        let [w, s, e, n] = around(f);
        w <= east && west <= e && s <= north && south <= n
    };
    let within = move |f: &Json| {
        let [w, s, e, n] = around(f);
        west <= w && e <= east && south <= s && n <= north
    };
    match dice.below(4) {
        0 => Asked {
            text: format!("S_INTERSECTS(geom, {shape})"),
            means: Box::new(move |f| Some(meets(f))),
        },
        1 => Asked {
            text: format!("S_DISJOINT({shape}, geom)"),
            means: Box::new(move |f| Some(!meets(f))),
        },
        2 => Asked {
            text: format!("S_WITHIN(geom, {shape})"),
            means: Box::new(move |f| Some(within(f))),
        },
        _ => Asked {
            text: format!("S_CONTAINS({shape}, geom)"),
            means: Box::new(move |f| Some(within(f))),
        },
    }
}

fn asked(dice: &mut Dice, depth: usize) -> Asked {
    if depth == 0 || dice.below(3) == 0 {
        return leaf(dice);
    }
    match dice.below(5) {
        0 => {
            let inner = asked(dice, depth - 1);
            Asked {
                text: format!("NOT ({})", inner.text),
                means: Box::new(move |f| (inner.means)(f).map(|b| !b)),
            }
        }
        n => {
            let (a, b) = (asked(dice, depth - 1), asked(dice, depth - 1));
            let is_and = n < 3;
            let word = if is_and { "AND" } else { "OR" };
            Asked {
                text: format!("({}) {word} ({})", a.text, b.text),
                means: Box::new(move |f| match ((a.means)(f), (b.means)(f)) {
                    (Some(x), _) | (_, Some(x)) if x != is_and => Some(!is_and),
                    (Some(_), Some(_)) => Some(is_and),
                    _ => None,
                }),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_random_filters_give_what_a_plain_evaluation_gives() {
    let town = Town::new().await;
    let all = town.json("/collections/parcels/items?limit=10000").await;
    let features = all["features"].as_array().unwrap();
    let mut dice = Dice(20_261_127);
    let (mut some, mut none) = (0, 0);
    for round in 0..10_000 {
        let filter = asked(&mut dice, 3);
        let expected: Vec<&Json> = features
            .iter()
            .filter(|f| (filter.means)(f) == Some(true))
            .map(|f| &f["id"])
            .collect();
        let mut path = format!(
            "/collections/parcels/items?skipGeometry=true&properties=number&filter={}",
            escaped(&filter.text)
        );
        // In pages too, now and then.
        let limit = [1_000, 1_000, 1_000, 4][dice.below(4)];
        path.push_str(&format!("&limit={limit}"));
        let page = town.json(&path).await;
        assert_eq!(
            page["numberMatched"],
            expected.len(),
            "{round}: {}",
            filter.text
        );
        let found: Vec<&Json> = page["features"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| &f["id"])
            .collect();
        let first = &expected[..expected.len().min(limit)];
        assert_eq!(found, first, "{round}: {}", filter.text);
        match expected.len() {
            0 => none += 1,
            _ => some += 1,
        }
    }
    assert!(some > 4_000 && none > 500, "{some} {none}");
}
