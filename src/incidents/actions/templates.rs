//! Templates, by a commander or a token; and declaring from one.

use serde_json::json;

use crate::audit;
use crate::error::{Error, Result};

use super::super::hooks::Hooks;
use super::super::model::input::{DeclareInput, EvidenceInput};
use super::super::model::template::{Template, TemplateInput};
use super::super::model::{IncidentId, Role};
use super::super::service::templates;
use super::Acting;

impl Acting<'_> {
    /// Declares with everything that the form or body asked for: the template's fields and tasks, the
    /// thing that it was declared from as evidence, and the lead.
    ///
    /// # Errors
    /// `Invalid` with every complaint.
    pub async fn declare_with(&self, input: &DeclareInput, hooks: &Hooks) -> Result<IncidentId> {
        let template = match input.template.trim() {
            "" => None,
            slug => Some(self.known_template(slug).await?),
        };
        let mut filled = input.clone();
        if let Some(template) = &template {
            template.fill(&mut filled);
        }
        let id = self.declare(&filled).await?;
        if let Some(template) = &template {
            templates::add_tasks(self.tx, id, template, &self.by(), self.now).await?;
        }
        if let Some((kind, reference)) = input.attach.split_once(':') {
            let evidence =
                EvidenceInput { kind: kind.to_owned(), reference: reference.to_owned(), ..EvidenceInput::default() };
            self.add_evidence(id, &evidence, hooks).await.map_err(|error| match error {
                Error::Invalid(errors) => Error::invalid("attach", errors.to_string()),
                other => other,
            })?;
        }
        if input.lead {
            self.assign_role(id, Role::Commander, "me").await?;
        }
        Ok(id)
    }

    async fn known_template(&self, slug: &str) -> Result<Template> {
        match templates::get(self.tx, slug).await {
            Err(Error::NotFound(_)) => Err(Error::invalid("template", format!("there is no template '{slug}'"))),
            other => other,
        }
    }

    pub async fn add_template(&self, input: &TemplateInput) -> Result<Template> {
        let new = input.normalize(&self.actor.name, self.now).map_err(Error::Invalid)?;
        let template = templates::create(self.tx, &new).await?;
        self.audit_template("incident_template.add", &template.slug).await?;
        Ok(template)
    }

    /// # Errors
    /// `Conflict` when the edit started from another version.
    pub async fn edit_template(&self, slug: &str, input: &TemplateInput) -> Result<Template> {
        let standing = templates::get(self.tx, slug).await?;
        if input.version.is_some_and(|read| read != standing.version) {
            return Err(templates::stale());
        }
        let new = input.normalize(&self.actor.name, self.now).map_err(Error::Invalid)?;
        let template = templates::update(self.tx, &standing, &new).await?;
        self.audit_template("incident_template.change", slug).await?;
        Ok(template)
    }

    pub async fn delete_template(&self, slug: &str) -> Result<()> {
        let standing = templates::get(self.tx, slug).await?;
        templates::delete(self.tx, &standing).await?;
        self.audit_template("incident_template.delete", slug).await
    }

    async fn audit_template(&self, action: &'static str, slug: &str) -> Result<()> {
        audit::record(self.tx, self.now, self.actor, action, ("incident_template", slug), &json!({})).await
    }
}
