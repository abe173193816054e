//! `faultline deploy`: tells a running Faultline of a change, from any pipeline. Needs no database.

use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value, json};

use crate::deployments::{ChangeKind, ChangeStatus};
use crate::error::{Error, FieldErrors, Result};

const EXAMPLES: &str = "Examples:
  export FAULTLINE_URL=https://faultline.example.com FAULTLINE_TOKEN=flt_…
  faultline deploy inventory-service v1.3.2
  faultline deploy inventory-service v1.3.2 --environment staging --status started
  faultline deploy checkout --kind feature-flag --title 'new-basket on for 20 %'

Commit, author and link are taken from GitHub Actions, GitLab CI, Jenkins, CircleCI, Buildkite and Azure Pipelines
when they are not given.

Exit status: 0 recorded, 1 refused (the reason is on standard error), 2 wrong usage, 75 not reachable or busy after
four tries. With --best-effort a pipeline never fails because of Faultline: the reason is printed and the status is 0.";

/// What is told of one change.
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = EXAMPLES)]
pub struct Deploy {
    /// The service that changes, as its spans or the catalogue name it
    pub service: String,
    /// What goes live: a version, a tag or a commit; a configuration or a flag may do without
    #[arg(value_name = "VERSION", default_value = "")]
    pub release: String,
    #[arg(long, short, default_value = "production", env = "FAULTLINE_ENVIRONMENT")]
    pub environment: String,
    /// deployment, rollback, configuration, feature-flag or infrastructure
    #[arg(long, default_value = "deployment")]
    pub kind: String,
    /// pending, started, succeeded, failed or cancelled
    #[arg(long, default_value = "succeeded")]
    pub status: String,
    /// What was changed, for people
    #[arg(long, default_value = "")]
    pub title: String,
    #[arg(long, default_value = "")]
    pub commit: String,
    #[arg(long, default_value = "")]
    pub author: String,
    /// The page of the pipeline or of the change
    #[arg(long, default_value = "")]
    pub link: String,
    /// When it began: RFC 3339 or seconds since 1970; now if not given
    #[arg(long, default_value = "")]
    pub started_at: String,
    #[arg(long, default_value = "")]
    pub finished_at: String,
    /// Names the change, when the same version goes live twice at once
    #[arg(long, default_value = "")]
    pub id: String,
    /// Address of Faultline
    #[arg(long, env = "FAULTLINE_URL")]
    pub url: Option<String>,
    /// An ingest token, or an API token of a responder
    #[arg(long, env = "FAULTLINE_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// Print what goes wrong and succeed all the same
    #[arg(long)]
    pub best_effort: bool,
}

/// How often it is tried while the server is away or busy.
const TRIES: u32 = 4;
/// A server that asks for more patience than this is taken as away, in seconds.
const LONGEST_PAUSE_S: u64 = 30;

/// Sends the change; prints one line on standard output.
///
/// # Errors
/// `Invalid` for words that mean nothing, `BadRequest` with the server's reason, `Unavailable` when the server
/// cannot be reached.
pub async fn run(deploy: &Deploy, base_url: &str) -> Result<()> {
    let outcome = tell(deploy, base_url).await;
    match outcome {
        Ok(()) => {
            println!("recorded: {} {} in {}", deploy.service, deploy.release, deploy.environment);
            Ok(())
        }
        Err(error) if deploy.best_effort => {
            eprintln!("faultline: not recorded: {error}");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

async fn tell(deploy: &Deploy, base_url: &str) -> Result<()> {
    let body = body(deploy, |name| std::env::var(name).ok())?;
    let Some(token) = deploy.token.as_deref().map(str::trim).filter(|t| !t.is_empty()) else {
        return Err(Error::invalid("token", "give --token or set FAULTLINE_TOKEN"));
    };
    let base = deploy.url.as_deref().unwrap_or(base_url).trim_end_matches('/');
    if !url::Url::parse(base).is_ok_and(|u| matches!(u.scheme(), "http" | "https")) {
        return Err(Error::invalid("url", format!("'{base}' is not an http:// or https:// address")));
    }
    let client = crate::outbound::http_builder()
        .timeout(Duration::from_secs(15))
        .build()
        .map_err(|e| Error::Internal(format!("preparing the request: {e}")))?;
    match post(&client, &format!("{base}/ingest/changes/generic"), token, &body).await {
        // An API token is no ingest token; it has a door of its own.
        Err(Error::Unauthenticated) => post(&client, &format!("{base}/api/v1/deployments"), token, &body).await,
        other => other,
    }
}

/// Posts until there is an answer that another try would not change.
async fn post(client: &reqwest::Client, address: &str, token: &str, body: &Value) -> Result<()> {
    let mut why = String::new();
    for attempt in 0..TRIES {
        let mut pause = 1 << attempt;
        match client.post(address).bearer_auth(token).json(body).send().await {
            Ok(answer) if answer.status().is_success() => return Ok(()),
            Ok(answer) if matches!(answer.status().as_u16(), 429 | 500..) => {
                why = format!("{address} answered {}", answer.status());
                let asked = answer.headers().get("retry-after").and_then(|v| v.to_str().ok()?.parse().ok());
                pause = asked.unwrap_or(pause);
                if pause > LONGEST_PAUSE_S {
                    break;
                }
            }
            Ok(answer) => return Err(refusal(answer).await),
            Err(error) => why = format!("{address}: {}", cause(&error)),
        }
        if attempt + 1 < TRIES {
            tokio::time::sleep(Duration::from_secs(pause)).await;
        }
    }
    Err(Error::Unavailable(why))
}

/// The innermost reason: "connection refused" says more than "error sending request".
fn cause(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(next) = inner.source() {
        inner = next;
    }
    inner.to_string()
}

async fn refusal(answer: reqwest::Response) -> Error {
    let status = answer.status();
    let problem: Value = answer.json().await.unwrap_or_default();
    let detail = problem.get("detail").and_then(Value::as_str).unwrap_or_default();
    match status.as_u16() {
        401 => Error::Unauthenticated,
        403 => Error::Forbidden(format!("the token may not report changes: {detail}")),
        422 => {
            let mut errors = FieldErrors::default();
            for e in problem.get("errors").and_then(Value::as_array).into_iter().flatten() {
                let text = |name: &str| e.get(name).and_then(Value::as_str).unwrap_or_default();
                errors.add(text("field"), text("message"));
            }
            Error::Invalid(errors)
        }
        code => Error::BadRequest(format!("refused with {code}: {detail}")),
    }
}

/// The JSON of the generic source; empty fields are left out.
///
/// # Errors
/// `Invalid` for a kind, status, time or link that means nothing: told before anything is sent.
fn body(deploy: &Deploy, env: impl Fn(&str) -> Option<String>) -> Result<Value> {
    let mut errors = FieldErrors::default();
    if deploy.service.trim().is_empty() {
        errors.add("service", "is needed");
    }
    let kind = ChangeKind::parse_lenient(&deploy.kind);
    if kind.is_none() {
        errors.add("kind", ChangeKind::unknown(&deploy.kind));
    }
    let status = ChangeStatus::parse_lenient(&deploy.status);
    if status.is_none() {
        errors.add("status", ChangeStatus::unknown(&deploy.status));
    }
    if deploy.release.trim().is_empty() && matches!(kind, Some(ChangeKind::Deployment | ChangeKind::Rollback)) {
        errors.add("version", "is needed for a deployment: faultline deploy SERVICE VERSION");
    }
    let (started_at, finished_at) = (
        moment(&mut errors, "started-at", &deploy.started_at),
        moment(&mut errors, "finished-at", &deploy.finished_at),
    );
    if !deploy.link.is_empty() && !deploy.link.starts_with("http://") && !deploy.link.starts_with("https://") {
        errors.add("link", "must begin with https:// or http://");
    }
    errors.into_result()?;
    let ci = Ci::read(env);
    let or = |given: &str, found: String| if given.is_empty() { found } else { given.to_owned() };
    let mut object = Map::new();
    for (name, value) in [
        ("service", deploy.service.trim().to_owned()),
        ("version", deploy.release.trim().to_owned()),
        ("environment", deploy.environment.trim().to_owned()),
        ("kind", kind.map(|k| k.to_string()).unwrap_or_default()),
        ("status", status.map(|s| s.to_string()).unwrap_or_default()),
        ("title", deploy.title.clone()),
        ("commit", or(&deploy.commit, ci.commit)),
        ("author", or(&deploy.author, ci.author)),
        ("url", or(&deploy.link, ci.link)),
        ("started_at", started_at),
        ("finished_at", finished_at),
        ("external_id", deploy.id.clone()),
    ] {
        if !value.is_empty() {
            object.insert(name.to_owned(), json!(value));
        }
    }
    Ok(Value::Object(object))
}

/// A time in the one form that every server takes.
fn moment(errors: &mut FieldErrors, field: &str, text: &str) -> String {
    let text = text.trim();
    if text.is_empty() {
        return String::new();
    }
    let read = match text.parse::<i64>() {
        Ok(secs) => Some(crate::clock::Timestamp::from_secs(secs)),
        Err(_) => crate::clock::Timestamp::parse(text),
    };
    match read {
        Some(at) => at.to_rfc3339(),
        None => {
            errors.add(field, format!("'{text}' is not a time: write 2026-11-23T13:45:00Z"));
            String::new()
        }
    }
}

/// What the pipeline's own environment says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Ci {
    commit: String,
    author: String,
    link: String,
}

impl Ci {
    fn read(env: impl Fn(&str) -> Option<String>) -> Self {
        let first = |names: &[&str]| {
            names.iter().find_map(|n| env(n).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty())).unwrap_or_default()
        };
        let github = match (env("GITHUB_SERVER_URL"), env("GITHUB_REPOSITORY"), env("GITHUB_RUN_ID")) {
            (Some(server), Some(repository), Some(run)) => format!("{server}/{repository}/actions/runs/{run}"),
            _ => String::new(),
        };
        let link = first(&["CI_JOB_URL", "CI_PIPELINE_URL", "BUILDKITE_BUILD_URL", "CIRCLE_BUILD_URL", "BUILD_URL"]);
        Self {
            commit: first(&[
                "GITHUB_SHA",
                "CI_COMMIT_SHA",
                "BUILDKITE_COMMIT",
                "CIRCLE_SHA1",
                "BUILD_SOURCEVERSION",
                "GIT_COMMIT",
            ]),
            author: first(&[
                "GITHUB_ACTOR",
                "GITLAB_USER_LOGIN",
                "BUILDKITE_BUILD_CREATOR",
                "CIRCLE_USERNAME",
                "BUILD_REQUESTEDFOR",
                "BUILD_USER_ID",
            ]),
            link: if github.is_empty() { link } else { github },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deploy(service: &str, release: &str) -> Deploy {
        Deploy {
            service: service.into(),
            release: release.into(),
            environment: "production".into(),
            kind: "deployment".into(),
            status: "success".into(),
            ..Deploy::default()
        }
    }

    #[test]
    fn what_is_sent_is_what_the_generic_source_reads() {
        let github = |name: &str| {
            let known = [
                ("GITHUB_SERVER_URL", "https://git.example"),
                ("GITHUB_REPOSITORY", "acme/cart"),
                ("GITHUB_RUN_ID", "7"),
                ("GITHUB_SHA", "0123abc"),
                ("GITHUB_ACTOR", "ada"),
            ];
            known.iter().find(|k| k.0 == name).map(|k| k.1.to_owned())
        };
        let sent = body(&Deploy { author: "grace".into(), ..deploy("cart", "v1.3.2") }, github).unwrap();
        let expected = json!({"service": "cart", "version": "v1.3.2", "environment": "production", "kind": "deployment",
            "status": "succeeded", "commit": "0123abc", "author": "grace", "url": "https://git.example/acme/cart/actions/runs/7"});
        assert_eq!(sent, expected);
    }

    #[test]
    fn mistakes_are_told_together_before_anything_is_sent() {
        let wrong = Deploy {
            kind: "magic".into(),
            status: "exploded".into(),
            started_at: "soon".into(),
            link: "ftp://x".into(),
            ..deploy(" ", "")
        };
        let Err(Error::Invalid(errors)) = body(&wrong, |_| None) else { panic!("not refused") };
        for field in ["service", "kind", "status", "started-at", "link"] {
            assert!(errors.has(field), "{field}: {errors}");
        }
        assert!(matches!(body(&deploy("cart", ""), |_| None), Err(Error::Invalid(e)) if e.has("version")));
        let flag = Deploy { kind: "feature-flag".into(), ..deploy("cart", "") };
        assert_eq!(body(&flag, |_| None).unwrap()["kind"], "feature_flag");
    }
}
