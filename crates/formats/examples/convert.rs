use std::time::Instant;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let t = Instant::now();
    let mut reader = formats::open(args[1].as_ref(), &formats::ReadOptions::default()).unwrap();
    let format = match args[2].rsplit('.').next().unwrap() {
        "fgb" => formats::Format::FlatGeobuf,
        "csv" => formats::Format::Csv,
        "geojsonl" => formats::Format::GeoJsonSeq,
        _ => formats::Format::GeoJson,
    };
    let schema = reader.schema().clone();
    let name = reader.layer_name().to_owned();
    let mut w = formats::Writer::create(
        args[2].as_ref(),
        &formats::WriteOptions {
            format,
            schema: &schema,
            layer_name: &name,
            geometry_type: reader.geometry_type(),
            has_z: reader.has_z(),
            has_m: reader.has_m(),
            crs: reader.crs().unwrap_or(model::Crs::CRS84),
            record_separators: false,
            byte_order_mark: false,
            id_column: None,
        },
    )
    .unwrap();
    for r in reader.by_ref() {
        if let formats::Record::Feature(f) = r.unwrap() {
            let id = model::FeatureId::Integer(f.record as i64);
            w.write(
                &id,
                &model::Feature {
                    fid: f.record as i64,
                    geometry: f.geometry,
                    properties: f.properties,
                },
            )
            .unwrap();
        }
    }
    w.finish().unwrap();
    println!("{:?}", t.elapsed());
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    println!(
        "{}",
        status.lines().find(|l| l.starts_with("VmHWM")).unwrap()
    );
}
