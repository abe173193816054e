//! Writing a runbook in the browser, with a preview that equals the page.

use askama::Template;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::Response;
use axum_extra::extract::Form;
use serde::Deserialize;
use serde_json::json;

use super::super::model::record::Origin;
use super::super::service::edit::{self, Draft};
use super::super::service::measure::measure;
use super::super::service::{self, get_version};
use super::by;
use crate::audit;
use crate::difference::{self, Line};
use crate::error::{Error, FieldErrors, Result};
use crate::fields;
use crate::markdown::{self, Document};
use crate::web::{Cx, Shell, redirect_with_flash, render, render_with_status};

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct EditForm {
    slug: String,
    source: String,
    note: String,
    /// The version that the edit started from; 0 for a new runbook.
    base: i64,
    /// Pressed: show it, do not save it.
    #[serde(deserialize_with = "fields::flag")]
    preview: bool,
}

/// What stands meanwhile, when somebody else saved first.
pub(super) struct Clash {
    version: i64,
    author: String,
    source: String,
    lines: Vec<Line>,
}

#[derive(Template)]
#[template(path = "runbooks/edit.html")]
struct EditPage {
    shell: Shell,
    /// `None` for a new runbook.
    slug: Option<String>,
    form: EditForm,
    errors: FieldErrors,
    preview: Option<Document>,
    clash: Option<Clash>,
    variables: &'static [(&'static str, &'static str)],
}

const VARIABLES: &[(&str, &str)] = &super::super::model::variables::KNOWN;

/// What a new runbook begins with: every part of the format once.
const TEMPLATE: &str = "---\ntitle: \nsummary: \nservices: [\"*\"]\ntags: []\nowner: \nreview_by: 2027-12-31\nattach_when:\n  - severity: [SEV1, SEV2]\n    title: [errors]\n---\n\n## Signals\n\n- What people and monitoring see.\n\n## Steps\n\n### Check: is {{service}} affected? (2 min) {#check}\n\n```bash\nkubectl get pods -l app={{service}}\n```\n\n### Decide: is it?\n\n- Yes -> mitigate\n- No -> end\n\n### Do: mitigate (5 min) {#mitigate}\n\nWhat to do.\n\n### Check: has it recovered? (5 min)\n\n## Verification\n\n## Afterwards\n";

impl EditPage {
    fn new(cx: &Cx, slug: Option<String>, form: EditForm) -> Self {
        let title = slug.as_ref().map_or_else(|| "New runbook".to_owned(), |slug| format!("Edit {slug}"));
        Self {
            shell: cx.shell(title),
            slug,
            form,
            errors: FieldErrors::default(),
            preview: None,
            clash: None,
            variables: VARIABLES,
        }
    }

    /// The page again with what it would look like, or with what is wrong.
    fn preview(mut self) -> Result<Response> {
        match edit::check(&self.form.source) {
            Ok(parsed) => {
                self.preview = Some(markdown::render_document(&parsed.body, "rb-"));
                render(&self)
            }
            Err(Error::Invalid(errors)) => self.refused(errors),
            Err(other) => Err(other),
        }
    }

    fn refused(mut self, errors: FieldErrors) -> Result<Response> {
        self.errors = errors;
        render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &self)
    }
}

pub(super) async fn new(cx: Cx) -> Result<Response> {
    let form = EditForm { source: TEMPLATE.to_owned(), ..EditForm::default() };
    render(&EditPage::new(&cx, None, form))
}

pub(super) async fn create(cx: Cx, Form(form): Form<EditForm>) -> Result<Response> {
    if form.preview {
        return EditPage::new(&cx, None, form).preview();
    }
    let draft = Draft { source: form.source.clone(), note: short(&form.note), origin: Origin::Browser };
    let (actor, now) = (cx.actor()?, cx.now());
    let tx = cx.state.db.begin().await?;
    match edit::create(&tx, Some(&form.slug), &draft, &by(actor), now).await {
        Ok(runbook) => {
            audit::record(&tx, now, actor, "runbook.create", ("runbook", &runbook.slug), &json!({})).await?;
            tx.commit().await?;
            Ok(redirect_with_flash(&runbook.path(), "The runbook is saved."))
        }
        Err(Error::Invalid(errors)) => EditPage::new(&cx, None, form).refused(errors),
        Err(other) => Err(other),
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct EditQuery {
    /// Begin with what responders noted.
    #[serde(deserialize_with = "fields::flag")]
    proposal: bool,
}

pub(super) async fn edit(cx: Cx, Path(slug): Path<String>, Query(query): Query<EditQuery>) -> Result<Response> {
    let runbook = service::get(&cx.state.db, &slug).await?;
    let version = get_version(&cx.state.db, &runbook, runbook.version).await?;
    let mut form = EditForm { slug: slug.clone(), source: version.source, base: version.number, ..EditForm::default() };
    if query.proposal
        && let Some(proposal) = measure(&cx.state.db, &runbook, cx.now()).await?.proposal
    {
        form.source = proposal;
        form.note = "From what responders noted".to_owned();
    }
    render(&EditPage::new(&cx, Some(slug), form))
}

pub(super) async fn update(cx: Cx, Path(slug): Path<String>, Form(form): Form<EditForm>) -> Result<Response> {
    let runbook = service::get(&cx.state.db, &slug).await?;
    if form.preview {
        return EditPage::new(&cx, Some(slug), form).preview();
    }
    let draft = Draft { source: form.source.clone(), note: short(&form.note), origin: Origin::Browser };
    let (actor, now) = (cx.actor()?, cx.now());
    let tx = cx.state.db.begin().await?;
    match edit::save(&tx, &runbook, form.base, &draft, &by(actor), now).await {
        Ok(saved) => {
            let detail = json!({ "from": form.base, "to": saved.version });
            audit::record(&tx, now, actor, "runbook.save", ("runbook", &slug), &detail).await?;
            tx.commit().await?;
            Ok(redirect_with_flash(&saved.path(), &format!("Saved as version {}.", saved.version)))
        }
        Err(Error::Invalid(errors)) => EditPage::new(&cx, Some(slug), form).refused(errors),
        Err(Error::Conflict(_)) => {
            drop(tx);
            clash(&cx, slug, form).await
        }
        Err(other) => Err(other),
    }
}

/// Both texts side by side; saving again is then on top of what stands now.
async fn clash(cx: &Cx, slug: String, mut form: EditForm) -> Result<Response> {
    let runbook = service::get(&cx.state.db, &slug).await?;
    let theirs = get_version(&cx.state.db, &runbook, runbook.version).await?;
    form.base = theirs.number;
    let lines = difference::lines(&theirs.source, &super::super::model::normalize(&form.source));
    let mut page = EditPage::new(cx, Some(slug), form);
    page.clash = Some(Clash { version: theirs.number, author: theirs.author, source: theirs.source, lines });
    render_with_status(StatusCode::CONFLICT, &page)
}

#[derive(Deserialize)]
pub(super) struct ArchiveForm {
    #[serde(default, deserialize_with = "fields::flag")]
    archived: bool,
}

pub(super) async fn archive(cx: Cx, Path(slug): Path<String>, Form(form): Form<ArchiveForm>) -> Result<Response> {
    let (actor, now) = (cx.actor()?, cx.now());
    let tx = cx.state.db.begin().await?;
    let runbook = edit::archive(&tx, &slug, form.archived, now).await?;
    let detail = json!({ "archived": form.archived });
    audit::record(&tx, now, actor, "runbook.archive", ("runbook", &slug), &detail).await?;
    tx.commit().await?;
    let message = if form.archived { "The runbook is archived." } else { "The runbook is back in the library." };
    Ok(redirect_with_flash(&runbook.path(), message))
}

/// A note on one line, bounded.
fn short(note: &str) -> String {
    note.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(300).collect()
}
