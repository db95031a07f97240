//! Validity of geometry.
