//! How each pipeline is told to report changes: the address, its own configuration to copy, how a
//! delivery is authenticated, and an example for a test.
//!
//! Pure text; the set-up pages in `setup` show it.

use super::model::ChangeSource;
use super::receive::scheme;
use crate::inbox::signature::Scheme;

/// Stands where the token goes until one is made.
pub const TOKEN_PLACEHOLDER: &str = "YOUR-INGEST-TOKEN";

/// The sources that have a set-up page, the one for any pipeline first.
pub const SOURCES: [ChangeSource; 7] = [
    ChangeSource::Generic,
    ChangeSource::Github,
    ChangeSource::Gitlab,
    ChangeSource::Argocd,
    ChangeSource::Cdevents,
    ChangeSource::Pagerduty,
    ChangeSource::Sentry,
];

/// A piece of configuration to copy.
#[derive(Clone, Debug)]
pub struct Snippet {
    pub title: &'static str,
    pub text: String,
}

/// Everything that a set-up page says about one source.
#[derive(Clone, Debug)]
pub struct Guide {
    pub source: ChangeSource,
    pub title: &'static str,
    /// The address to send to; holds the token where the sender can set no header.
    pub url: String,
    pub steps: Vec<&'static str>,
    pub snippets: Vec<Snippet>,
    pub scheme: Option<Scheme>,
    /// A body that the "send a test" button delivers to the inbox.
    pub example: &'static str,
    /// What the source cannot tell us, where that matters.
    pub caveat: &'static str,
}

/// For people.
pub const fn title(source: ChangeSource) -> &'static str {
    match source {
        ChangeSource::Generic | ChangeSource::Api | ChangeSource::Observed => "Any pipeline",
        ChangeSource::Github => "GitHub",
        ChangeSource::Gitlab => "GitLab",
        ChangeSource::Argocd => "Argo CD",
        ChangeSource::Cdevents => "CDEvents",
        ChangeSource::Pagerduty => "PagerDuty change events",
        ChangeSource::Sentry => "Sentry releases",
    }
}

/// The path that a source sends to, without a token.
pub fn path(source: ChangeSource) -> String {
    match source {
        ChangeSource::Pagerduty => "/v2/change/enqueue".to_owned(),
        other => format!("/ingest/changes/{other}"),
    }
}

/// The guide for a source. `base_url` has no slash at its end; `token` is shown as given.
pub fn guide(source: ChangeSource, base_url: &str, token: &str) -> Guide {
    let plain = format!("{base_url}{}", path(source));
    let url = match source {
        // None of these can send a header of our choice.
        ChangeSource::Github | ChangeSource::Sentry => format!("{plain}/{token}"),
        _ => plain,
    };
    let (steps, caveat) = words(source);
    Guide {
        source,
        title: title(source),
        snippets: snippets(source, base_url, &url, token),
        url,
        steps,
        scheme: scheme(source),
        example: example(source),
        caveat,
    }
}

fn words(source: ChangeSource) -> (Vec<&'static str>, &'static str) {
    match source {
        ChangeSource::Github => (
            vec![
                "Repository or organisation → Settings → Webhooks → Add webhook.",
                "Paste the payload URL, choose application/json, and type a secret that you set below as well.",
                "Choose the events Deployments, Deployment statuses, Workflow runs and Releases; and Pull requests, so that a merged one closes the action items that it names (AI-12, OPS-7, acme/shop#3).",
            ],
            "Once a secret is set below, its signature is enough and the token may be left out of the address. A monorepo names the service in the deployment's payload: {\"service\": \"cart\"}.",
        ),
        ChangeSource::Gitlab => (
            vec![
                "Project or group → Settings → Webhooks → Add new webhook.",
                "Paste the URL and put a secret token there and below, or add the custom header.",
                "Tick Deployment events and Pipeline events; and Merge request events, so that a merged one closes the action items that it names (AI-12, OPS-7).",
            ],
            "A pipeline counts as a deployment when one of its jobs deploys to an environment.",
        ),
        ChangeSource::Argocd => (
            vec![
                "Merge the template below into argocd-notifications-cm (also in deploy/argocd-notifications.yaml).",
                "Put the token into argocd-notifications-secret under faultline-token.",
                "Annotate the applications that shall report, or use the default subscription that the template has.",
            ],
            "The environment is the label 'environment' of the application, else the namespace it deploys to.",
        ),
        ChangeSource::Cdevents => (
            vec![
                "Point the CloudEvents sink of your pipeline (Tekton, Jenkins, Keptn …) at the URL.",
                "Structured, batch and binary modes are read; service.deployed, upgraded, rolledback and removed count.",
            ],
            "",
        ),
        ChangeSource::Pagerduty => (
            vec![
                "Any tool that sends PagerDuty change events sends here instead: set its events address to the URL.",
                "The routing (integration) key is the token.",
            ],
            "A change event has no status: it counts as done when it is sent.",
        ),
        ChangeSource::Sentry => (
            vec!["Have the step that makes the release post it here as well, as it comes from Sentry's release API."],
            "A release names projects: each is taken as a service.",
        ),
        ChangeSource::Generic | ChangeSource::Api | ChangeSource::Observed => (
            vec![
                "Add one step after your deployment: the faultline command, or curl.",
                "To show a deployment while it runs, send status started before it and succeeded or failed after it.",
                "Only service and version are needed; the environment is production if not said.",
            ],
            "Kinds: deployment, rollback, configuration, feature_flag, infrastructure. A version that returns is recognised as a rollback.",
        ),
    }
}

fn snippets(source: ChangeSource, base_url: &str, url: &str, token: &str) -> Vec<Snippet> {
    let one = |title, text: String| vec![Snippet { title, text }];
    let curl = |body: &str| {
        format!(
            "curl -sf -X POST '{url}' -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' \\\n  -d '{body}'"
        )
    };
    match source {
        ChangeSource::Github => one("Payload URL", url.to_owned()),
        ChangeSource::Gitlab => one("URL, then custom header", format!("{url}\n\nAuthorization: Bearer {token}")),
        ChangeSource::Argocd => one(
            "argocd-notifications-cm",
            include_str!("../../deploy/argocd-notifications.yaml").replace("https://faultline.example.com", base_url),
        ),
        ChangeSource::Cdevents => one(
            "Try it (binary mode)",
            format!(
                "curl -sf -X POST '{url}' -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' \\\n  -H 'ce-specversion: 1.0' -H 'ce-id: 1' -H 'ce-source: /ci' -H 'ce-type: dev.cdevents.service.deployed.0.3.0' \\\n  -d '{}'",
                example(source)
            ),
        ),
        ChangeSource::Pagerduty => one(
            "Try it",
            format!(
                "curl -sf -X POST '{url}' -H 'Content-Type: application/json' \\\n  -d '{{\"routing_key\": \"{token}\", \"payload\": {{\"summary\": \"Deployed v1.3.2\", \"source\": \"inventory-service\"}}}}'"
            ),
        ),
        ChangeSource::Sentry => one(
            "Try it",
            format!("curl -sf -X POST '{url}' -H 'Content-Type: application/json' \\\n  -d '{}'", example(source)),
        ),
        ChangeSource::Generic | ChangeSource::Api | ChangeSource::Observed => vec![
            Snippet {
                title: "curl",
                text: curl(r#"{"service": "inventory-service", "version": "v1.3.2", "environment": "production"}"#),
            },
            Snippet {
                title: "The faultline command",
                text: format!(
                    "export FAULTLINE_URL={base_url} FAULTLINE_TOKEN={token}\nfaultline deploy inventory-service v1.3.2 --environment production --best-effort"
                ),
            },
            Snippet {
                title: "GitHub Actions",
                text: format!(
                    "- name: Tell Faultline\n  if: always()\n  run: |\n    curl -sf -X POST '{url}' -H 'Authorization: Bearer ${{{{ secrets.FAULTLINE_TOKEN }}}}' -H 'Content-Type: application/json' \\\n      -d '{{\"service\": \"inventory-service\", \"version\": \"${{{{ github.ref_name }}}}\", \"status\": \"${{{{ job.status }}}}\", \"commit\": \"${{{{ github.sha }}}}\", \"author\": \"${{{{ github.actor }}}}\"}}'"
                ),
            },
            Snippet {
                title: "GitLab CI",
                text: format!(
                    "deploy:\n  after_script:\n    - >-\n      curl -sf -X POST '{url}' -H \"Authorization: Bearer $FAULTLINE_TOKEN\" -H 'Content-Type: application/json'\n      -d \"{{\\\"service\\\": \\\"inventory-service\\\", \\\"version\\\": \\\"$CI_COMMIT_TAG\\\", \\\"status\\\": \\\"$CI_JOB_STATUS\\\", \\\"url\\\": \\\"$CI_JOB_URL\\\"}}\""
                ),
            },
        ],
    }
}

const fn example(source: ChangeSource) -> &'static str {
    match source {
        ChangeSource::Github => {
            r#"{"deployment_status":{"id":1,"state":"success","environment":"faultline-test"},"deployment":{"id":1,"sha":"0000000000000000000000000000000000000000","ref":"v0.0.1","environment":"faultline-test"},"repository":{"full_name":"example/faultline-test"}}"#
        }
        ChangeSource::Gitlab => {
            r#"{"object_kind":"deployment","status":"success","deployment_id":1,"environment":"faultline-test","project":{"path_with_namespace":"example/faultline-test"},"short_sha":"00000000","ref":"v0.0.1"}"#
        }
        ChangeSource::Argocd => {
            r#"{"app":"faultline-test","phase":"Succeeded","revision":"0000000000000000000000000000000000000000","environment":"faultline-test"}"#
        }
        ChangeSource::Cdevents => {
            r#"{"context":{"id":"faultline-test","source":"/faultline","type":"dev.cdevents.service.deployed.0.3.0"},"subject":{"id":"faultline-test","content":{"environment":{"id":"faultline-test"},"artifactId":"pkg:oci/faultline-test@0.0.1"}}}"#
        }
        ChangeSource::Pagerduty => {
            r#"{"payload":{"summary":"Test from Faultline's set-up page v0.0.1","source":"faultline-test","custom_details":{"environment":"faultline-test"}}}"#
        }
        ChangeSource::Sentry => r#"{"version":"faultline-test@0.0.1","projects":["faultline-test"]}"#,
        ChangeSource::Generic | ChangeSource::Api | ChangeSource::Observed => {
            r#"{"service":"faultline-test","version":"v0.0.1","environment":"faultline-test","title":"Test from Faultline's set-up page"}"#
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::deployments::sources::{Delivery, parse};

    #[test]
    fn every_example_is_read_by_its_own_source() {
        for source in SOURCES {
            let guide = guide(source, "https://faultline.test", TOKEN_PLACEHOLDER);
            let delivery = Delivery {
                headers: &[],
                body: guide.example.as_bytes(),
                received_at: Timestamp::from_secs(1_790_000_000),
            };
            let parsed = parse(source, &delivery).unwrap_or_else(|e| panic!("{source}: {e}"));
            assert_eq!(parsed.changes.len(), 1, "{source}: {parsed:?}");
            assert_eq!(parsed.changes[0].service, "faultline-test", "{source}");
            assert!(guide.url.starts_with("https://faultline.test/") && !guide.steps.is_empty());
            assert!(guide.snippets.iter().all(|s| !s.text.contains("faultline.example.com")), "{source}");
        }
    }

    /// What our template yields, once Argo CD has filled it in, is what the adapter reads.
    #[test]
    fn the_published_argo_cd_template_names_what_the_adapter_reads() {
        let template = include_str!("../../deploy/argocd-notifications.yaml");
        for field in [
            "app",
            "phase",
            "revision",
            "environment",
            "service",
            "started_at",
            "finished_at",
            "author",
            "message",
            "images",
            "url",
        ] {
            assert!(template.contains(&format!("\"{field}\":")), "{field}");
        }
    }
}
