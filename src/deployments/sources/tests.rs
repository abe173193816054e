use super::*;
use crate::deployments::model::{ChangeKind, ChangeStatus, Progress};
use serde_json::{Value, json};

mod damaged;

const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);

fn read_with(source: ChangeSource, headers: &[(&str, &str)], body: &[u8]) -> Result<Parsed, Unreadable> {
    let headers: Vec<_> = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    parse(source, &Delivery { headers: &headers, body, received_at: NOW })
}

fn read(source: ChangeSource, body: &Value) -> Result<Parsed, Unreadable> {
    read_with(source, &[], body.to_string().as_bytes())
}

fn only(parsed: Result<Parsed, Unreadable>) -> ChangeEvent {
    let parsed = parsed.expect("readable");
    assert_eq!(parsed.changes.len(), 1, "{parsed:?}");
    parsed.changes.into_iter().next().expect("one")
}

#[expect(clippy::unnecessary_wraps, reason = "the fields that it is compared with are optional")]
fn at(text: &str) -> Option<Timestamp> {
    Some(Timestamp::parse(text).expect("a time"))
}

/// Payloads that the systems' own documentation publishes; they lie beside the repository, not in it.
fn sample(path: &str) -> Option<Vec<u8>> {
    let root = std::env::var("FAULTLINE_SHARED").unwrap_or_else(|_| "../shared".into());
    let file = std::path::Path::new(&root).join("samples").join(path);
    let read = std::fs::read(&file).ok();
    if read.is_none() {
        eprintln!("NOTE: {} is absent; this test covers its own fixtures only", file.display());
    }
    read
}

fn github_status(state: &str, created_at: &str) -> Value {
    json!({
        "deployment_status": {"id": 7, "state": state, "environment": "Production", "created_at": created_at,
            "log_url": "https://ci.example/log/7"},
        "deployment": {"id": 42, "sha": "0123456789abcdef0123456789abcdef01234567", "ref": "main", "task": "deploy",
            "payload": {}, "environment": "Production", "created_at": "2026-05-01T10:00:00Z",
            "creator": {"login": "ada"}, "description": "weekly"},
        "repository": {"full_name": "acme/cart", "html_url": "https://git.example/acme/cart"}
    })
}

#[test]
fn github_statuses_of_one_deployment_are_one_change() {
    let reports = [
        ("success", "2026-05-01T10:06:00Z"),
        ("in_progress", "2026-05-01T10:01:00Z"),
        ("queued", "2026-05-01T10:00:30Z"),
    ];
    let events: Vec<_> = reports
        .iter()
        .map(|(state, at)| {
            only(read_with(
                ChangeSource::Github,
                &[("x-github-event", "deployment_status")],
                github_status(state, at).to_string().as_bytes(),
            ))
        })
        .collect();
    assert!(events.iter().all(|e| e.external_id == "acme/cart/deployments/42" && e.service == "cart"));
    let joined = events.iter().map(ChangeEvent::progress).reduce(Progress::join).expect("three");
    assert_eq!(joined.status, ChangeStatus::Succeeded);
    assert_eq!(joined.started_at, at("2026-05-01T10:00:00Z"));
    assert_eq!(joined.finished_at, at("2026-05-01T10:06:00Z"));
    let first = &events[0];
    assert_eq!(first.version.as_deref(), Some("0123456"));
    assert_eq!(first.environment, "production");
    assert_eq!(first.author.as_deref(), Some("ada"));
    assert_eq!(first.url.as_deref(), Some("https://ci.example/log/7"));
}

#[test]
fn github_payload_names_service_version_and_kind_of_a_monorepo() {
    let mut body = github_status("failure", "2026-05-01T10:06:00Z");
    body["deployment"]["payload"] = json!({"service": "checkout", "version": "v2.0.1", "kind": "feature-flag"});
    let event = only(read(ChangeSource::Github, &body));
    assert_eq!((event.service.as_str(), event.version.as_deref()), ("checkout", Some("v2.0.1")));
    assert_eq!((event.kind, event.status), (ChangeKind::FeatureFlag, ChangeStatus::Failed));
}

#[test]
fn github_inactive_ping_and_push_are_no_changes() {
    assert!(
        read(ChangeSource::Github, &github_status("inactive", "2026-05-01T10:06:00Z"))
            .expect("readable")
            .changes
            .is_empty()
    );
    for event in ["ping", "push", "check_run"] {
        let parsed = read_with(ChangeSource::Github, &[("x-github-event", event)], b"{}").expect("readable");
        assert!(parsed.changes.is_empty() && parsed.ignored.len() == 1, "{event}");
    }
}

#[test]
fn requests_merged_into_the_default_branch_are_merges_and_no_changes() {
    let pull = |merged: bool, into: &str| {
        json!({"action": "closed", "number": 12,
            "pull_request": {"number": 12, "merged": merged, "title": "Larger pool", "body": "Settles AI-3", "base": {"ref": into}},
            "repository": {"full_name": "acme/shop", "default_branch": "main"}})
    };
    let hub = |body: &Value| {
        let parsed =
            read_with(ChangeSource::Github, &[("x-github-event", "pull_request")], body.to_string().as_bytes());
        parsed.expect("readable")
    };
    let merge = Merge { name: "acme/shop#12".into(), words: "Larger pool\nSettles AI-3".into() };
    let merged = hub(&pull(true, "main"));
    assert_eq!((merged.merges, merged.changes, merged.ignored), (vec![merge.clone()], vec![], vec![]));
    // Replayed by hand, without its headers.
    assert_eq!(read(ChangeSource::Github, &pull(true, "main")).expect("readable").merges, [merge]);
    for left in [pull(false, "main"), pull(true, "next")] {
        let parsed = hub(&left);
        assert_eq!((parsed.merges.len(), parsed.ignored.len()), (0, 1), "{left}");
    }
    let request = |action: &str| {
        json!({"object_kind": "merge_request", "project": {"path_with_namespace": "acme/shop", "default_branch": "main"},
            "object_attributes": {"iid": 5, "action": action, "state": "merged", "title": "OPS-7: retry less",
                "description": null, "target_branch": "main"}})
    };
    let lab = read(ChangeSource::Gitlab, &request("merge")).expect("readable").merges;
    assert_eq!(lab, [Merge { name: "acme/shop!5".into(), words: "OPS-7: retry less\n".into() }]);
    let updated = read(ChangeSource::Gitlab, &request("update")).expect("readable");
    assert!(updated.merges.is_empty(), "told of once, by the merge itself");
    let damaged = json!({"object_kind": "merge_request", "object_attributes": {"action": "merge"}});
    assert!(read(ChangeSource::Gitlab, &damaged).is_err_and(|e| e.0.contains("object_attributes.iid")));
}

#[test]
fn github_workflows_count_when_they_say_that_they_deploy() {
    let run = |name: &str, conclusion: &str| {
        json!({"workflow": {"name": name}, "repository": {"full_name": "acme/cart"},
            "workflow_run": {"id": 9, "conclusion": conclusion, "head_sha": "0123456789abcdef", "head_branch": "main",
                "run_started_at": "2026-05-01T10:00:00Z", "updated_at": "2026-05-01T10:05:00Z"}})
    };
    assert!(read(ChangeSource::Github, &run("unit tests", "success")).expect("readable").changes.is_empty());
    assert!(read(ChangeSource::Github, &run("Deploy", "skipped")).expect("readable").changes.is_empty());
    let staging = only(read(ChangeSource::Github, &run("Deploy to staging", "timed_out")));
    assert_eq!((staging.environment.as_str(), staging.status), ("staging", ChangeStatus::Failed));
    assert_eq!(only(read(ChangeSource::Github, &run("Rollback production", "success"))).kind, ChangeKind::Rollback);
}

#[test]
fn github_forms_are_unwrapped() {
    let json = github_status("success", "2026-05-01T10:06:00Z").to_string();
    let form: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("payload", &json).finish();
    let event = only(read_with(
        ChangeSource::Github,
        &[("content-type", "application/x-www-form-urlencoded"), ("x-github-event", "deployment_status")],
        form.as_bytes(),
    ));
    assert_eq!(event.status, ChangeStatus::Succeeded);
}

#[test]
fn githubs_published_payloads_are_read() {
    if let Some(body) = sample("github/deployment_status.payload.json") {
        let event = only(read_with(ChangeSource::Github, &[("x-github-event", "deployment_status")], &body));
        assert_eq!(event.external_id, "Codertocat/Hello-World/deployments/145988746");
        assert_eq!((event.service.as_str(), event.status), ("Hello-World", ChangeStatus::Succeeded));
        assert_eq!(event.finished_at, at("2019-05-15T15:20:55Z"));
    }
    for name in ["deployment", "deployment.with-installation"] {
        if let Some(body) = sample(&format!("github/{name}.payload.json")) {
            let event = only(read_with(ChangeSource::Github, &[("x-github-event", "deployment")], &body));
            assert_eq!(event.status, ChangeStatus::Pending);
        }
    }
    if let Some(body) = sample("github/release.published.payload.json") {
        let event = only(read_with(ChangeSource::Github, &[("x-github-event", "release")], &body));
        assert_eq!(event.version.as_deref(), Some("0.0.1"));
    }
    for (name, event) in
        [("workflow_run.completed", "workflow_run"), ("push", "push"), ("check_run.completed", "check_run")]
    {
        if let Some(body) = sample(&format!("github/{name}.payload.json")) {
            let parsed = read_with(ChangeSource::Github, &[("x-github-event", event)], &body).expect("readable");
            assert!(parsed.changes.is_empty() && !parsed.ignored.is_empty(), "{name}");
        }
    }
}

fn gitlab_deployment(status: &str, changed: &str) -> Value {
    json!({"object_kind": "deployment", "status": status, "status_changed_at": changed, "deployment_id": 15,
        "deployable_id": 796, "environment": "staging", "project": {"path_with_namespace": "acme/cart"},
        "short_sha": "279484c0", "ref": "1.0.0", "user": {"username": "grace"},
        "commit_url": "https://git.example/acme/cart/-/commit/279484c09fbe69ededfced8c1bb6e6d24616b468"})
}

#[test]
fn gitlab_deployment_job_and_pipeline_name_the_same_change() {
    let deployment = only(read(ChangeSource::Gitlab, &gitlab_deployment("running", "2021-04-28 21:50:00 +0200")));
    let job = only(read(
        ChangeSource::Gitlab,
        &json!({"object_kind": "build", "build_id": 796, "build_status": "success", "build_name": "go live",
            "build_started_at": "2021-04-28 19:50:00 UTC", "build_finished_at": "2021-04-28 19:55:00 UTC",
            "sha": "279484c09fbe69ededfced8c1bb6e6d24616b468", "ref": "main",
            "repository": {"homepage": "https://git.example/acme/cart"},
            "environment": {"name": "staging", "action": "start"}}),
    ));
    let pipeline = only(read(
        ChangeSource::Gitlab,
        &json!({"object_kind": "pipeline", "project": {"path_with_namespace": "acme/cart"},
            "object_attributes": {"sha": "279484c09fbe69ededfced8c1bb6e6d24616b468", "ref": "main"},
            "builds": [{"id": 795, "name": "test", "status": "success"},
                {"id": 796, "name": "go live", "status": "success", "environment": {"name": "staging", "action": "start"}},
                {"id": 797, "name": "stop", "status": "manual", "environment": {"name": "staging", "action": "stop"}}]}),
    ));
    assert_eq!(deployment.external_id, "acme/cart/jobs/796");
    assert_eq!(deployment.external_id, job.external_id);
    assert_eq!(deployment.external_id, pipeline.external_id);
    assert_eq!(deployment.started_at, at("2021-04-28T19:50:00Z"));
    assert_eq!(deployment.version.as_deref(), Some("1.0.0"));
    assert_eq!(deployment.commit.as_deref(), Some("279484c09fbe69ededfced8c1bb6e6d24616b468"));
    let joined = deployment.progress().join(job.progress());
    assert_eq!((joined.status, joined.finished_at), (ChangeStatus::Succeeded, at("2021-04-28T19:55:00Z")));
}

#[test]
fn gitlabs_published_payloads_are_read() {
    if let Some(body) = sample("gitlab/deployment.json") {
        let event = only(read_with(ChangeSource::Gitlab, &[], &body));
        assert_eq!(event.service, "test-deployment-webhooks");
        assert_eq!(event.finished_at, at("2021-04-28T19:50:00Z"));
    }
    if let Some(body) = sample("gitlab/job.json") {
        let event = only(read_with(ChangeSource::Gitlab, &[], &body));
        assert_eq!((event.environment.as_str(), event.status), ("production", ChangeStatus::Succeeded));
        assert_eq!(event.finished_at, at("2023-01-10T13:50:54Z"));
    }
    if let Some(body) = sample("gitlab/pipeline.json") {
        // Its only job with an environment was skipped.
        assert!(read_with(ChangeSource::Gitlab, &[], &body).expect("readable").changes.is_empty());
    }
}

#[test]
fn gitlab_states_that_deploy_nothing_and_unknown_ones() {
    assert!(read(ChangeSource::Gitlab, &gitlab_deployment("skipped", "")).expect("readable").changes.is_empty());
    assert!(read(ChangeSource::Gitlab, &gitlab_deployment("exploded", "")).is_err());
    assert_eq!(only(read(ChangeSource::Gitlab, &gitlab_deployment("canceled", ""))).status, ChangeStatus::Cancelled);
}

#[test]
fn argo_cd_template_and_whole_app() {
    let template = json!({"app": "cart", "phase": "Succeeded", "revision": "0123456789abcdef", "environment": "prod",
        "started_at": "2026-05-01T10:00:00Z", "finished_at": "2026-05-01T10:02:00Z",
        "images": "[registry.example:5000/shop/cart:1.4.2@sha256:00ff registry.example/envoy:2]"});
    let event = only(read(ChangeSource::Argocd, &template));
    assert_eq!((event.version.as_deref(), event.environment.as_str()), (Some("1.4.2"), "prod"));
    assert_eq!(event.external_id, "cart@2026-05-01T10:00:00Z");
    let app = json!({"app": {"metadata": {"name": "cart", "labels": {"env": "prod"}},
        "status": {"operationState": {"phase": "Failed", "startedAt": "2026-05-01T10:00:00Z"},
            "sync": {"revision": "0123456789abcdef"}, "summary": {"images": ["shop/cart:1.4.3"]}}}});
    let event = only(read(ChangeSource::Argocd, &app));
    assert_eq!((event.version.as_deref(), event.status), (Some("1.4.3"), ChangeStatus::Failed));
}

fn cdevent(kind: &str) -> Value {
    json!({"context": {"id": "e1", "source": "/ci", "type": format!("dev.cdevents.{kind}.0.3.0"),
            "timestamp": "2026-05-01T10:00:00Z"},
        "subject": {"id": "shop/cart", "content": {"environment": {"id": "prod/eu"},
            "artifactId": "pkg:oci/cart@sha256%3A0b31b1c02ff458ad9b7b81cbdf8f028b?tag=1.2.3"}}})
}

#[test]
fn cdevents_bare_structured_batch_and_binary_say_the_same() {
    let bare = cdevent("service.deployed");
    let structured = json!({"specversion": "1.0", "id": "outer", "source": "/x", "type": "t", "data": bare});
    let expected = only(read(ChangeSource::Cdevents, &bare));
    assert_eq!((expected.service.as_str(), expected.environment.as_str()), ("cart", "eu"));
    assert_eq!((expected.version.as_deref(), expected.external_id.as_str()), (Some("1.2.3"), "/ci#e1"));
    assert_eq!(only(read(ChangeSource::Cdevents, &structured)), expected);
    let batch =
        read(ChangeSource::Cdevents, &json!([bare, structured, cdevent("artifact.published")])).expect("readable");
    assert_eq!((batch.changes.len(), batch.ignored.len()), (2, 1));
    let mut without_context = bare;
    without_context["context"] = json!({"timestamp": "2026-05-01T10:00:00Z"});
    let binary = [("ce-id", "e1"), ("ce-source", "/ci"), ("ce-type", "dev.cdevents.service.deployed.0.3.0")];
    assert_eq!(only(read_with(ChangeSource::Cdevents, &binary, without_context.to_string().as_bytes())), expected);
}

#[test]
fn cdevents_conformance_files_are_read() {
    for (name, kind) in [("service_deployed", ChangeKind::Deployment), ("service_rolledback", ChangeKind::Rollback)] {
        if let Some(body) = sample(&format!("cdevents/{name}.json")) {
            let event = only(read_with(ChangeSource::Cdevents, &[], &body));
            assert_eq!((event.kind, event.service.as_str()), (kind, "mySubject123"));
            assert_eq!(event.version.as_deref(), Some("sha256:0b31b1c02ff4"));
            assert_eq!(event.environment, "test123");
        }
    }
    for name in ["artifact_published", "environment_modified"] {
        if let Some(body) = sample(&format!("cdevents/{name}.json")) {
            assert!(read_with(ChangeSource::Cdevents, &[], &body).expect("readable").changes.is_empty(), "{name}");
        }
    }
}

#[test]
fn pagerduty_change_events() {
    let body = json!({"payload": {"summary": "Deployed cart v1.3.2 to production.", "source": "cart",
        "timestamp": "2020-07-17T08:42:58.315+0000", "custom_details": {"environment": "production"}},
        "links": [{"href": "https://ci.example/2"}]});
    let event = only(read(ChangeSource::Pagerduty, &body));
    assert_eq!((event.service.as_str(), event.version.as_deref()), ("cart", Some("v1.3.2")));
    assert_eq!(event.started_at, at("2020-07-17T08:42:58.315Z"));
    assert_eq!(event.external_id, only(read(ChangeSource::Pagerduty, &body)).external_id);
    if let Some(body) = sample("pagerduty/change-events-v2-0.json") {
        let event = only(read_with(ChangeSource::Pagerduty, &[], &body));
        assert_eq!(
            (event.service.as_str(), event.status),
            ("acme-build-pipeline-tool-default-i-9999", ChangeStatus::Succeeded)
        );
        assert_eq!(event.url.as_deref(), Some("https://acme.pagerduty.dev/build/2"));
    }
}

#[test]
fn sentry_releases_make_a_change_for_each_project() {
    let body = json!({"version": "shop@2.1.0", "projects": ["cart", {"slug": "checkout"}], "dateReleased": null,
        "deploy": {"environment": "prod", "dateStarted": "2026-05-01T10:00:00Z", "dateFinished": "2026-05-01T10:04:00Z"}});
    let parsed = read(ChangeSource::Sentry, &body).expect("readable");
    let services: Vec<_> = parsed.changes.iter().map(|c| c.service.as_str()).collect();
    assert_eq!(services, ["cart", "checkout"]);
    assert!(
        parsed.changes.iter().all(|c| c.version.as_deref() == Some("2.1.0") && c.status == ChangeStatus::Succeeded)
    );
    assert!(read(ChangeSource::Sentry, &json!({"version": "1"})).is_err());
}

#[test]
fn generic_takes_one_or_many_and_names_what_is_wrong() {
    let event = only(read(ChangeSource::Generic, &json!({"service": "cart", "version": 12})));
    assert_eq!((event.version.as_deref(), event.status), (Some("12"), ChangeStatus::Succeeded));
    let many = json!([{"service": "a", "started_at": "2026-05-01T10:00:00Z"}, {"service": "b", "kind": "config"}]);
    let parsed = read(ChangeSource::Generic, &many).expect("readable");
    assert_eq!(parsed.changes[0].status, ChangeStatus::Started);
    assert_eq!(parsed.changes[1].kind, ChangeKind::Configuration);
    for (body, word) in [
        (json!({"version": "1"}), "service"),
        (json!([{"service": "a"}, {"service": " "}]), "change 2"),
        (json!({"service": "a", "status": "exploded"}), "exploded"),
        (json!({"service": "a", "kind": "magic"}), "magic"),
        (json!({"service": "a", "started_at": "yesterday"}), "started_at"),
        (json!("text"), "neither"),
    ] {
        let reason = read(ChangeSource::Generic, &body).expect_err("refused").0;
        assert!(reason.contains(word), "{reason}");
    }
    assert!(read_with(ChangeSource::Generic, &[], b"\xff\xfe").is_err());
    let flood = Value::Array(vec![json!({"service": "a"}); MAX_CHANGES + 1]);
    assert!(read(ChangeSource::Generic, &flood).is_err());
}
