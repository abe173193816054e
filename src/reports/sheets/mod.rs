//! The pages of figures besides the overview, each made as a [`Sheet`].

mod alerts;
mod changes;
pub mod compare;
mod figures;
mod learning;

use super::model::facts::Detection;
use super::model::scope::{GroupBy, Scope};
use super::model::sheet::Sheet;
use super::service::Desk;
use crate::clock::Timestamp;
use crate::error::Result;

/// Which page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// What the overview says, as one table per slice; also what is frozen.
    Summary,
    Services,
    Teams,
    Alerts,
    Changes,
    Postmortems,
    Runbooks,
}

impl Page {
    /// The last part of its address.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Summary => "summary",
            Self::Services => "services",
            Self::Teams => "teams",
            Self::Alerts => "alerts",
            Self::Changes => "changes",
            Self::Postmortems => "postmortems",
            Self::Runbooks => "runbooks",
        }
    }

    pub const fn path(self) -> &'static str {
        match self {
            Self::Summary => "/reports/summary",
            Self::Services => "/reports/services",
            Self::Teams => "/reports/teams",
            Self::Alerts => "/reports/alerts",
            Self::Changes => "/reports/changes",
            Self::Postmortems => "/reports/postmortems",
            Self::Runbooks => "/reports/runbooks",
        }
    }

    pub const fn title(self) -> &'static str {
        match self {
            Self::Summary => "Incident report",
            Self::Services => "Services",
            Self::Teams => "Teams",
            Self::Alerts => "Alerts",
            Self::Changes => "Changes and delivery",
            Self::Postmortems => "Postmortems and follow-ups",
            Self::Runbooks => "Runbooks",
        }
    }
}

/// # Errors
/// What the database says.
pub async fn build(page: Page, desk: &Desk, scope: &Scope, now: Timestamp) -> Result<Sheet> {
    let mut sheet = match page {
        Page::Summary => figures::summary(desk, scope).await?,
        Page::Services => figures::groups(desk, scope, GroupBy::Service).await?,
        Page::Teams => figures::groups(desk, scope, GroupBy::Team).await?,
        Page::Alerts => alerts::sheet(desk, scope).await?,
        Page::Changes => changes::sheet(desk, scope).await?,
        Page::Postmortems => learning::postmortems(desk, scope, now).await?,
        Page::Runbooks => learning::runbooks(desk, scope, now).await?,
    };
    sheet.title = page.title().to_owned();
    sheet.filters = scope.in_words();
    sheet.notes.push(super::json::VISIBILITY.to_owned());
    Ok(sheet)
}

/// For tables by who noticed first.
fn detection(key: &str) -> String {
    Detection::parse(key).map_or_else(|| key.to_owned(), |d| d.label().to_owned())
}
