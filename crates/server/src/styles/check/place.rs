//! Where the check stands in the document.

/// A chain of steps from the root, kept on the stack; it is written out for a finding only.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    up: Option<&'a Place<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Root,
    Key(&'a str),
    Index(usize),
}

impl<'a> Place<'a> {
    pub(super) const ROOT: Place<'static> = Place {
        up: None,
        step: Step::Root,
    };

    pub(super) fn key(&'a self, name: &'a str) -> Self {
        Self {
            up: Some(self),
            step: Step::Key(name),
        }
    }

    pub(super) fn index(&'a self, index: usize) -> Self {
        Self {
            up: Some(self),
            step: Step::Index(index),
        }
    }

    /// As a JSON pointer (RFC 6901); the root is the empty text.
    pub(super) fn pointer(&self) -> String {
        let mut out = self.up.map(Place::pointer).unwrap_or_default();
        match self.step {
            Step::Root => {}
            Step::Key(name) => {
                out.push('/');
                out.push_str(&name.replace('~', "~0").replace('/', "~1"));
            }
            Step::Index(index) => {
                out.push('/');
                out.push_str(&index.to_string());
            }
        }
        out
    }
}
