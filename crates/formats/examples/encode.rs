use model::*;
use std::time::Instant;
fn main() {
    let schema = Schema {
        properties: (0..17)
            .map(|i| Property::new(format!("property_{i}"), PropertyType::Text))
            .collect(),
    };
    let mut values = Vec::new();
    for i in 0..17 {
        values.push(match i % 4 {
            0 => Value::Text("2610100000:01:001:0001".into()),
            1 => Value::Integer(12345 * i),
            2 => Value::Real(123.4 * i as f64),
            _ => Value::Text("Земельна ділянка".into()),
        });
    }
    let ring: Vec<String> = (0..13)
        .map(|i| {
            if i == 12 {
                "[24.7101234,48.9201234]".to_string()
            } else {
                format!(
                    "[{:.7},{:.7}]",
                    24.7101234 + i as f64 * 0.0001713,
                    48.9201234 + i as f64 * 0.0000917
                )
            }
        })
        .collect();
    let body = format!(
        r#"{{"type":"Feature","properties":{{}},"geometry":{{"type":"Polygon","coordinates":[[{}]]}}}}"#,
        ring.join(",")
    );
    let wkb = formats::geojson::parse_feature(body.as_bytes())
        .unwrap()
        .geometry
        .unwrap();
    let mut out = Vec::new();
    for _ in 0..5 {
        let t = Instant::now();
        let n = 200_000;
        for i in 0..n {
            out.clear();
            formats::geojson::write_feature(
                &mut out,
                &FeatureId::Integer(i),
                Some(&wkb),
                &schema,
                &values,
            )
            .unwrap();
        }
        println!("feature {:?} {} bytes", t.elapsed() / n as u32, out.len());
        let t = Instant::now();
        for _ in 0..n {
            out.clear();
            formats::geojson::write_geometry(&mut out, &wkb).unwrap();
        }
        println!("geometry {:?} {} bytes", t.elapsed() / n as u32, out.len());
        let t = Instant::now();
        for _ in 0..n {
            std::hint::black_box(formats::wkb::check(&wkb).unwrap());
        }
        println!("check {:?}", t.elapsed() / n as u32);
    }
}
