//! Markup that one template of ours rendered and another one prints: panels of other rooms, drawn
//! evidence. Text from outside never gets here without having gone through a template.

use std::fmt;

/// Printed by `{{ … }}` as it is.
#[derive(Clone, Copy, Debug)]
pub struct Rendered<'a>(&'a str);

impl<'a> Rendered<'a> {
    /// `markup` must be what a template rendered, with its escaping.
    pub const fn by_template(markup: &'a str) -> Self {
        Self(markup)
    }
}

impl fmt::Display for Rendered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl askama::filters::HtmlSafe for Rendered<'_> {}
