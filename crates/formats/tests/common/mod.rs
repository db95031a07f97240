//! Shared by the tests: files in a temporary folder, readers to the end, GDAL.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]

use std::path::{Path, PathBuf};
use std::process::Command;

use formats::{Error, ReadOptions, Record, Rejection};
use model::{Schema, SourceFeature};

/// A folder that is gone at the end of the test.
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Writes a file into a folder and gives its path.
pub fn put(folder: &tempfile::TempDir, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// A layer read to its end.
#[derive(Debug)]
pub struct Layer {
    pub schema: Schema,
    pub features: Vec<SourceFeature>,
    pub rejections: Vec<Rejection>,
    pub notes: Vec<&'static str>,
    pub geometry_type: model::GeometryType,
    pub crs: Option<model::Crs>,
    pub name: String,
}

impl Layer {
    /// The values of a property.
    pub fn column(&self, name: &str) -> Vec<model::Value> {
        let at = self
            .schema
            .position(name)
            .unwrap_or_else(|| panic!("no {name}"));
        self.features
            .iter()
            .map(|f| f.properties[at].clone())
            .collect()
    }

    pub fn types(&self) -> Vec<(&str, &'static str)> {
        let of = |p: &'_ model::Property| p.kind.name();
        self.schema
            .properties
            .iter()
            .map(|p| (p.name.as_str(), of(p)))
            .collect()
    }

    /// Geometries as WKT-like GeoJSON text.
    pub fn geometries(&self) -> Vec<String> {
        let text = |f: &SourceFeature| {
            let mut out = Vec::new();
            match &f.geometry {
                Some(wkb) => formats::geojson::write_geometry(&mut out, wkb).unwrap(),
                None => out.extend_from_slice(b"null"),
            }
            String::from_utf8(out).unwrap()
        };
        self.features.iter().map(text).collect()
    }
}

pub fn read(path: &Path) -> Result<Layer, Error> {
    read_with(path, &ReadOptions::default())
}

pub fn read_with(path: &Path, options: &ReadOptions) -> Result<Layer, Error> {
    let mut reader = formats::open(path, options)?;
    let mut layer = Layer {
        schema: reader.schema().clone(),
        features: Vec::new(),
        rejections: Vec::new(),
        notes: reader.notes().iter().map(model::Message::key).collect(),
        geometry_type: reader.geometry_type(),
        crs: reader.crs(),
        name: reader.layer_name().to_owned(),
    };
    for message in reader.notes() {
        complete(message);
    }
    for record in reader.by_ref() {
        match record? {
            Record::Feature(feature) => {
                for (property, value) in layer.schema.properties.iter().zip(&feature.properties) {
                    assert!(property.kind.accepts(value), "{property:?} {value:?}");
                }
                assert_eq!(feature.properties.len(), layer.schema.properties.len());
                if let Some(wkb) = &feature.geometry {
                    formats::wkb::check(wkb).unwrap();
                }
                layer.features.push(feature);
            }
            Record::Rejected(rejection) => {
                complete(&rejection.reason);
                layer.rejections.push(rejection);
            }
        }
    }
    assert!(reader.next().is_none());
    assert!(reader.bytes_read() <= reader.total_bytes());
    Ok(layer)
}

/// A message has its text in the catalogue and all of its arguments.
pub fn complete(message: &model::Message) {
    for lang in [model::Lang::Uk, model::Lang::En] {
        let text = message.text(lang);
        assert_ne!(text, message.key());
        // File content in quotes may have braces of its own.
        let left = text
            .split('{')
            .skip(1)
            .filter_map(|rest| rest.split_once('}'));
        let mut names = left.map(|(name, _)| name).filter(|name| !name.is_empty());
        let argument = |name: &str| name.bytes().all(|b| b.is_ascii_lowercase());
        assert!(!names.any(argument), "{text}");
    }
}

/// Runs a GDAL program; a missing one is a failure that says so.
pub fn gdal(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|e| panic!("{program} is needed (Debian package gdal-bin): {e}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn sample(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../data-samples")
        .join(name);
    assert!(path.exists(), "{} is missing", path.display());
    path
}

/// A small Shapefile: two polygons, one with a hole, with a table of four columns in windows-1251.
pub fn shapefile() -> [(&'static str, Vec<u8>); 3] {
    let ring = |x: f64, y: f64, size: f64, clockwise: bool| {
        let mut points = vec![
            [x, y],
            [x, y + size],
            [x + size, y + size],
            [x + size, y],
            [x, y],
        ];
        if !clockwise {
            points.reverse();
        }
        points
    };
    let shapes = [
        vec![ring(0.0, 0.0, 10.0, true), ring(2.0, 2.0, 3.0, false)],
        vec![ring(20.0, 0.0, 5.0, true), ring(30.0, 0.0, 5.0, true)],
    ];
    let contents: Vec<Vec<u8>> = shapes
        .iter()
        .map(|rings| {
            let mut content = Vec::new();
            content.extend(5_i32.to_le_bytes());
            content.extend([0; 32]);
            content.extend((rings.len() as i32).to_le_bytes());
            content.extend((5 * rings.len() as i32).to_le_bytes());
            for i in 0..rings.len() {
                content.extend((5 * i as i32).to_le_bytes());
            }
            for number in rings.iter().flatten().flatten() {
                content.extend(number.to_le_bytes());
            }
            content
        })
        .collect();
    let header = |length: usize| {
        let mut head = vec![0; 100];
        head[..4].copy_from_slice(&9994_u32.to_be_bytes());
        head[24..28].copy_from_slice(&((length / 2) as u32).to_be_bytes());
        head[28..32].copy_from_slice(&1000_u32.to_le_bytes());
        head[32] = 5;
        head
    };
    let total = 100 + contents.iter().map(|c| 8 + c.len()).sum::<usize>();
    let (mut shp, mut shx) = (header(total), header(100 + 8 * contents.len()));
    for (i, content) in contents.iter().enumerate() {
        shx.extend(((shp.len() / 2) as u32).to_be_bytes());
        shx.extend(((content.len() / 2) as u32).to_be_bytes());
        shp.extend((i as u32 + 1).to_be_bytes());
        shp.extend(((content.len() / 2) as u32).to_be_bytes());
        shp.extend(content);
    }
    let columns: [(&[u8], u8, u8, u8); 5] = [
        (b"NAME", b'C', 12, 0),
        (b"ID", b'N', 9, 0),
        (b"AREA", b'N', 10, 3),
        (b"SINCE", b'D', 8, 0),
        (b"OK", b'L', 1, 0),
    ];
    let row_size = 1 + columns.iter().map(|c| usize::from(c.2)).sum::<usize>();
    let mut dbf = vec![0; 32];
    dbf[0] = 3;
    dbf[4] = 2;
    dbf[8..10].copy_from_slice(&((32 + 32 * columns.len() + 1) as u16).to_le_bytes());
    dbf[10..12].copy_from_slice(&(row_size as u16).to_le_bytes());
    dbf[29] = 0xC9;
    for (name, kind, length, decimals) in columns {
        let mut field = vec![0; 32];
        field[..name.len()].copy_from_slice(name);
        (field[11], field[16], field[17]) = (kind, length, decimals);
        dbf.extend(field);
    }
    dbf.push(0x0D);
    // "Ділянка" and "Поле" in windows-1251.
    dbf.extend(b" \xC4\xB3\xEB\xFF\xED\xEA\xE0     ");
    dbf.extend(b"        7    91.00020240229T");
    dbf.extend(b" \xCF\xEE\xEB\xE5        ");
    dbf.extend(b"         **********        ?");
    dbf.push(0x1A);
    [("a.shp", shp), ("a.shx", shx), ("a.dbf", dbf)]
}

/// A feature with its id.
pub type Sample = (model::FeatureId, model::Feature);

/// A property of every type.
pub fn sample_schema() -> Schema {
    use model::PropertyType as T;
    Schema {
        properties: [
            ("назва", T::Text),
            ("n", T::Integer),
            ("r", T::Real),
            ("b", T::Boolean),
            ("d", T::Date),
            ("t", T::DateTime),
        ]
        .map(|(name, kind)| model::Property::new(name, kind))
        .into(),
    }
}

/// A feature of [`sample_schema`] with a GeoJSON geometry; its integer is 1.
pub fn sample_of(fid: i64, geometry: &str) -> Sample {
    use model::Value as V;
    let body = format!(r#"{{"type":"Feature","properties":{{}},"geometry":{geometry}}}"#);
    let feature = model::Feature {
        fid,
        geometry: formats::geojson::parse_feature(body.as_bytes())
            .unwrap()
            .geometry,
        properties: vec![
            V::Text("ділянка".into()),
            V::Integer(1),
            V::Real(0.5),
            V::Boolean(false),
            V::Text("2024-02-29".into()),
            V::Text("2024-02-29T10:00:00Z".into()),
        ],
    };
    (model::FeatureId::Integer(fid), feature)
}

/// Nulls, the ends of ranges, quotes and line ends, every geometry type, with and without z.
pub fn sample_features() -> Vec<Sample> {
    use model::Value as V;
    let geometries = [
        "null",
        r#"{"type":"Point","coordinates":[1,2,3]}"#,
        r#"{"type":"Point","coordinates":[24.7101,48.9226]}"#,
        r#"{"type":"LineString","coordinates":[[0,0],[1,1]]}"#,
        r#"{"type":"Polygon","coordinates":[[[0,0],[9,0],[9,9],[0,0]],[[2,1],[3,1],[3,2],[2,1]]]}"#,
        r#"{"type":"MultiPoint","coordinates":[[0,0,1],[1,0,1]]}"#,
        r#"{"type":"MultiLineString","coordinates":[[[0,0,1],[1,0,1]],[[1,1,1],[0,0,1]]]}"#,
        r#"{"type":"MultiPolygon","coordinates":[[[[0,0,1],[1,0,1],[1,1,1],[0,0,1]]]]}"#,
        r#"{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[1,2,3]},{"type":"MultiPolygon","coordinates":[[[[0,0,1],[1,0,1],[1,1,1],[0,0,1]]]]}]}"#,
    ];
    let mut features: Vec<Sample> = (0..)
        .zip(geometries)
        .map(|(fid, geometry)| sample_of(fid, geometry))
        .collect();
    features[0].1.properties = vec![V::Null; 6];
    features[1].1.properties = vec![
        V::Text("а,\"б\"\r\nв\t\u{1}".into()),
        V::Integer(i64::MIN),
        V::Real(-1.5e-300),
        V::Boolean(true),
        V::Text("2024-02-29".into()),
        V::Text("2024-02-29T10:00:00.123456+02:00".into()),
    ];
    features[2].1.properties[0] = V::Text("".into());
    features
}

/// All bytes of a stream.
pub fn encode(options: &formats::StreamOptions<'_>, features: &[Sample]) -> Vec<u8> {
    let mut stream = formats::Stream::new(options).unwrap();
    let mut out = Vec::new();
    stream.begin(&mut out, "").unwrap();
    for (id, feature) in features {
        stream.write(&mut out, id, feature).unwrap();
    }
    stream.end(&mut out, "").unwrap();
    out
}
