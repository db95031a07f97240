//! Cadastral operations: what each does and refuses, and a town that many of them leave without a gap or an overlap.

mod change;
mod common;
mod defects;
mod divide;
mod join;
mod operations;
mod town;
