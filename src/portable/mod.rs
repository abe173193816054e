//! Taking incidents in and out: past incidents from CSV and JSON with a dry run, one incident with all its evidence as
//! a page that stands alone or as JSON that another installation reads back, and lists of them for spreadsheets.
//!
//! Here: the file's form (`document`), collecting it (`gather`) and writing it (`check`, `adopt`), tables of past
//! incidents (`table`, `rows`), the dry run (`service`), pages, API and what the command line calls. Not here: what the
//! parts of an incident mean; their rooms own them, and their tables are only copied.
//!
//! A table that belongs to an incident is exported or says why not: `tests/stories/portable.rs` holds the list.

mod adopt;
mod api;
mod check;
mod document;
mod gather;
mod html;
mod links;
mod list;
mod record;
mod rows;
mod service;
mod store;
mod table;
mod web;

pub use api::mapping;
pub use document::{Document, FORMAT, VERSION, Whole};
pub use html::page as html_page;
pub use list::{Stream, csv_header, csv_rows};
pub use service::{Content, Line, Options, Summary, Verdict, document, preview, run};
pub use table::{Field, Mapping, Table};
pub use web::line_of as json_line;

pub fn routes() -> crate::web::Routes {
    web::routes().merge(api::routes())
}
