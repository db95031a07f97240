//! The properties of a collection.

use crate::PropertyType;

/// One property of a collection.
#[derive(Debug, Clone, PartialEq)]
pub struct Property {
    /// Column name and GeoJSON member name.
    pub name: String,
    pub kind: PropertyType,
    /// What people call it; `None` shows the name.
    pub title: Option<Text>,
    /// Unit symbol (UCUM where there is one), such as `m2`.
    pub unit: Option<String>,
    /// The allowed or known values with their titles; empty when open.
    pub values: Vec<Enumerated>,
    /// Whether the search box looks into it.
    pub searchable: bool,
}

/// A text in both languages of the product.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text {
    pub uk: String,
    pub en: String,
}

/// A known value of a property.
#[derive(Debug, Clone, PartialEq)]
pub struct Enumerated {
    pub value: String,
    pub title: Text,
}

impl Property {
    pub fn new(name: impl Into<String>, kind: PropertyType) -> Self {
        Self {
            name: name.into(),
            kind,
            title: None,
            unit: None,
            values: Vec::new(),
            searchable: false,
        }
    }
}

impl Text {
    pub fn get(&self, lang: crate::Lang) -> &str {
        match lang {
            crate::Lang::Uk if !self.uk.is_empty() => &self.uk,
            crate::Lang::En if self.en.is_empty() => &self.uk,
            _ => &self.en,
        }
    }
}

/// The properties in column order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Schema {
    pub properties: Vec<Property>,
}

impl Schema {
    pub fn position(&self, name: &str) -> Option<usize> {
        self.properties.iter().position(|p| p.name == name)
    }

    pub fn get(&self, name: &str) -> Option<&Property> {
        self.properties.iter().find(|p| p.name == name)
    }
}
