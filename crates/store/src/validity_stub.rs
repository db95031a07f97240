pub(crate) struct K;
impl K {
    pub(crate) fn name(&self) -> &'static str {
        "x"
    }
}
pub(crate) struct D {
    pub(crate) kind: K,
    pub(crate) location: [f64; 2],
}
pub(crate) fn check(_: &geo_types::Geometry<f64>) -> Vec<D> {
    vec![]
}
pub(crate) fn repair(_: &geo_types::Geometry<f64>) -> Option<geo_types::Geometry<f64>> {
    None
}
pub(crate) struct F {
    pub(crate) is_overlap: bool,
    pub(crate) location: [f64; 2],
    pub(crate) area_m2: f64,
    pub(crate) fids: Vec<i64>,
}
pub(crate) fn coverage<'a>(_: impl Iterator<Item = (i64, &'a geo_types::Geometry<f64>)>) -> Vec<F> {
    vec![]
}
