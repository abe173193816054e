//! Honeycomb. Its documented API answers aggregations, not the spans of a trace: the trace's page is
//! linked, and the test asks whose key it is (`/1/auth`).

use super::{Caller, Fault, Found, Wanted, text_at};

pub(super) fn fetch(caller: &Caller<'_>, wanted: &Wanted) -> Result<Found, Fault> {
    Err(Fault::OnlyLinked(caller.source.page_of(&wanted.hex()).unwrap_or_default()))
}

pub(super) async fn test(caller: &Caller<'_>) -> Result<String, Fault> {
    if !caller.source.has_secret() {
        return Ok("Traces will be linked to their page. With a key the test also asks whose it is.".to_owned());
    }
    let json = caller.get_json("/1/auth").await?;
    let (team, environment) = (text_at(&json, &["team.slug"]), text_at(&json, &["environment.slug"]));
    if team.is_empty() {
        return Err(Fault::Refused("it answers, but not as Honeycomb does".to_owned()));
    }
    Ok(format!("The key is of team {team}, environment {environment}. Traces are linked to their page."))
}
