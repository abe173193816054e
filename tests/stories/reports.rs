//! Reports: pages, figures, exports, and who may see what.

use faultline::accounts::Role;
use faultline::clock::Timestamp;
use faultline::incidents::{self, By, DeclareInput, Source};
use faultline::services;

use crate::support::{Backend, Browser, TestApp};

pub const QUARTER: &str = "from=2026-09-01&to=2026-11-23";

/// Minutes from the start of the impact: detected, acknowledged, mitigated, resolved.
struct Fixture {
    title: &'static str,
    severity: &'static str,
    kind: &'static str,
    service: &'static str,
    began: &'static str,
    minutes: [i64; 4],
    private: bool,
}

const fn real(
    title: &'static str,
    severity: &'static str,
    service: &'static str,
    began: &'static str,
    minutes: [i64; 4],
) -> Fixture {
    Fixture { title, severity, kind: "real", service, began, minutes, private: false }
}

/// Seven that count, one of them private; a drill; one from before the period that reaches into it.
const INCIDENTS: [Fixture; 9] = [
    real("Card payments fail", "SEV1", "payments", "2026-09-07T08:00:00Z", [4, 6, 20, 40]),
    real("Payments slow", "SEV2", "payments", "2026-09-21T18:30:00Z", [10, 15, 50, 90]),
    real("=Cart empties, itself", "SEV3", "cart", "2026-10-05T10:00:00Z", [30, 41, 60, 100]),
    real("Cart refuses coupons", "SEV3", "cart", "2026-10-06T10:00:00Z", [5, 6, 30, 62]),
    real("Cart down", "SEV1", "cart", "2026-11-02T23:30:00Z", [1, 3, 12, 33]),
    real("Payments time out", "SEV2", "payments", "2026-11-10T12:00:00Z", [8, 12, 28, 58]),
    Fixture {
        title: "Leaked key (secret)",
        severity: "SEV1",
        kind: "real",
        service: "payments",
        began: "2026-11-16T09:00:00Z",
        minutes: [60, 70, 200, 400],
        private: true,
    },
    Fixture {
        title: "Drill: lose a zone",
        severity: "SEV2",
        kind: "drill",
        service: "cart",
        began: "2026-10-20T09:00:00Z",
        minutes: [1, 2, 10, 20],
        private: false,
    },
    real("Over the border", "SEV4", "cart", "2026-08-31T23:50:00Z", [5, 6, 20, 45]),
];

pub async fn fill(app: &TestApp) {
    let tx = app.state.db.begin().await.unwrap();
    let now = app.state.now();
    for (slug, team) in [("cart", "Shop"), ("payments", "Money")] {
        let input = services::model::ServiceInput { slug: slug.into(), owner_team: team.into(), ..Default::default() };
        services::create(&tx, &input.normalize().unwrap(), now).await.unwrap();
    }
    for fixture in &INCIDENTS {
        let began = Timestamp::parse(fixture.began).unwrap();
        let after = |i: usize| (began + chrono::TimeDelta::minutes(fixture.minutes[i])).to_rfc3339();
        let input = DeclareInput {
            title: fixture.title.into(),
            severity: fixture.severity.into(),
            services: vec![fixture.service.into()],
            kind: fixture.kind.into(),
            private: fixture.private,
            impact_started_at: began.to_rfc3339(),
            detected_at: after(0),
            declared_at: after(0),
            acknowledged_at: after(1),
            mitigated_at: after(2),
            resolved_at: after(3),
            ..DeclareInput::default()
        };
        let new = input.normalize(now, Source::Person).unwrap();
        incidents::declare(&tx, &new, &By::system("Fixture"), now).await.unwrap();
    }
    tx.commit().await.unwrap();
}

on_both! {
    async fn the_page_shows_four_measures_with_definitions_and_what_was_left_out(app: TestApp) {
        fill(&app).await;
        let mut browser = app.browser(Role::Admin).await;
        let mut page = browser.get(&format!("/reports?{QUARTER}")).await.expect(200);
        for text in [
            "MTTD", "MTTA", "MTTM", "MTTR", "p90", "p95", "mean", "By week", "By severity", "By service", "<svg",
            "impact started → resolved", "type 7", "a drill", "began outside of it", "/incidents/INC-8", ">7</a>",
            "private ones of others are not", "Overdue follow-ups", "Severe, without a published postmortem",
            "Who noticed first", "(100 %)",
        ] {
            page = page.contains(text);
        }
        page.lacks("style=").lacks("onclick");
    }

    async fn filters_that_cannot_be_used_are_named_and_kept(app: TestApp) {
        let mut browser = app.browser(Role::Viewer).await;
        browser
            .get("/reports?from=soon&severity=SEV7&tz=Nowhere%2F%3Cb%3E&measure=joy")
            .await
            .expect(422)
            .contains("is not a date")
            .contains("SEV7")
            .contains("value=\"soon\"")
            .lacks("<b>");
        browser.get("/reports").await.expect(200).contains("No incident in this period");
    }

    async fn every_mark_leads_to_the_incidents_behind_it(app: TestApp) {
        fill(&app).await;
        let mut browser = app.browser(Role::Admin).await;
        let page = browser.get(&format!("/reports?{QUARTER}&group_by=severity&measure=mttd")).await.expect(200).text();
        let link = page
            .split("href=\"")
            .map(|rest| rest.split('"').next().unwrap_or_default().replace("&#38;", "&").replace("&amp;", "&"))
            .find(|href| href.starts_with("/reports/incidents?") && href.contains("key=SEV1") && href.contains("measure=mttd"))
            .unwrap();
        let list = browser.get(&link).await.expect(200);
        let list = list.contains("MTTD of SEV1").contains("INC-1").contains("INC-5").contains("INC-7").lacks("sev-SEV2");
        // The longest comes first.
        assert!(list.text().find("INC-7").unwrap() < list.text().find("INC-5").unwrap());
        let csv = browser.get(&link.replacen("/incidents?", "/incidents.csv?", 1)).await.expect(200).text();
        assert_eq!(csv.lines().count(), 4, "{csv}");
    }

    async fn the_api_gives_the_figures_of_the_contract(app: TestApp) {
        fill(&app).await;
        let mut api = app.api(Role::Admin).await;
        let report = api.get(&format!("/api/v1/reports/mttr?{QUARTER}&group_by=service")).await.expect(200).json();
        assert_eq!(report["n"], 7);
        let cart = &report["groups"][0];
        assert_eq!((cart["key"].as_str(), cart["n"].as_u64()), (Some("cart"), Some(3)));
        // 100, 62 and 33 minutes.
        assert_eq!(cart["mttr"]["mean_s"], 3_900.0);
        assert_eq!(cart["mttr"]["p50_s"], 3_720.0);
        assert_eq!(cart["mttr"]["p90_s"], 5_544.0);
        assert_eq!(cart["mttm"]["mean_s"], 1_320.0);
        assert_eq!(cart["mtta"]["n"], 3);
        let interval = cart["mttr"]["ci95_s"].as_array().unwrap();
        assert!(interval[0].as_f64() < Some(3_900.0) && interval[1].as_f64() > Some(3_900.0), "{interval:?}");
        assert_eq!(report["excluded"][0]["incident"], "INC-8");
        assert_eq!(report["excluded"][0]["reason"], "drill");
        assert_eq!(report["excluded"][1]["reason"], "outside_window");
        assert_eq!(report["definition"]["measures"][3]["version"], 1);
        api.get("/api/v1/reports/mttr?group_by=colour").await.expect(422).contains("group_by");
    }

    async fn weeks_follow_the_time_zone(app: TestApp) {
        fill(&app).await;
        let mut api = app.api(Role::Admin).await;
        // "Cart down" began on Monday at 23:30 UTC, which is Tuesday in Tokyo; on Sunday in no zone.
        for (zone, day) in [("UTC", "2026-11-02"), ("Asia%2FTokyo", "2026-11-03")] {
            let path = format!("/api/v1/reports/mttr?from={day}&to={day}&tz={zone}&group_by=week&service=cart");
            let report = api.get(&path).await.expect(200).json();
            assert_eq!((&report["n"], &report["groups"][0]["key"]), (&1.into(), &"2026-W45".into()), "{zone}");
        }
    }

    async fn raw_times_leave_corrections_out(app: TestApp) {
        fill(&app).await;
        let tx = app.state.db.begin().await.unwrap();
        let id = incidents::IncidentId(1);
        let earlier = incidents::NewMilestone {
            name: incidents::MilestoneName::ImpactStarted,
            at: Timestamp::parse("2026-09-07T07:40:00Z").unwrap(),
            source: Source::Trace,
            reason: "first failed trace".into(),
        };
        incidents::set_milestone(&tx, id, &earlier, &By::system("Fixture"), app.state.now()).await.unwrap();
        tx.commit().await.unwrap();
        let mut api = app.api(Role::Admin).await;
        let path = format!("/api/v1/reports/mttr?{QUARTER}&group_by=week&from=2026-09-07&to=2026-09-07");
        let path = path.replacen(&format!("{QUARTER}&"), "", 1);
        assert_eq!(api.get(&path).await.expect(200).json()["total"]["mttr"]["mean_s"], 3_600.0);
        assert_eq!(api.get(&format!("{path}&raw=true")).await.expect(200).json()["total"]["mttr"]["mean_s"], 2_400.0);
    }

    async fn private_incidents_count_only_for_those_who_may_see_them(app: TestApp) {
        fill(&app).await;
        let path = format!("/api/v1/reports/mttr?{QUARTER}");
        assert_eq!(app.api(Role::Admin).await.get(&path).await.expect(200).json()["n"], 7);
        assert_eq!(app.api(Role::Commander).await.get(&path).await.expect(200).json()["n"], 6);
        let (mut browser, actor) = app.browser_of("Nora", Role::Viewer).await;
        for page in ["/reports", "/reports/incidents", "/reports/incidents.csv", "/reports/export.csv"] {
            browser.get(&format!("{page}?{QUARTER}")).await.expect(200).lacks("secret");
        }
        let tx = app.state.db.begin().await.unwrap();
        let nora = incidents::Person { user_id: actor.user_id.unwrap(), name: "Nora".into() };
        incidents::grant_access(&tx, incidents::IncidentId(7), &nora, &By::system("Fixture"), app.state.now()).await.unwrap();
        tx.commit().await.unwrap();
        browser.get(&format!("/reports/incidents?{QUARTER}")).await.expect(200).contains("Leaked key (secret)");
    }

    async fn exports_explain_themselves_and_hold_no_formulas(app: TestApp) {
        fill(&app).await;
        let mut browser = app.browser(Role::Viewer).await;
        browser
            .get(&format!("/reports/export.csv?{QUARTER}&group_by=month"))
            .await
            .expect(200)
            .contains("group_by,group,incidents,measure,definition")
            .contains("mttr v1: impact started → resolved")
            .contains("month,2026-10,2,mttr");
        browser.get(&format!("/reports/incidents.csv?{QUARTER}")).await.expect(200).contains("\"'=Cart empties, itself\"");
    }
}

on_both! {
    /// The ledger's three layers against each other, over random edits by every kind of action.
    async fn rollups_equal_the_full_computation_after_random_edits(app: TestApp) {
        fill(&app).await;
        let ledger = faultline::reports::Ledger::new();
        let mut seeded = faultline::seeded::Seeded::new(11);
        for round in 0..24 {
            for _ in 0..seeded.between(1, 3) {
                edit(&app, &mut seeded).await;
            }
            if round % 3 == 1 {
                faultline::reports::jobs::run_once(&app.state).await.unwrap();
            }
            let kept = ledger.snapshot(&app.state.db, app.state.now()).await.unwrap();
            let full = faultline::reports::ledger::full(&app.state.db).await.unwrap();
            assert_eq!(kept.blocks, full.blocks, "round {round}");
            assert_eq!(kept.services, full.services, "round {round}");
        }
        // All that waits is folded, and what was folded is what another process would read.
        faultline::reports::jobs::run_once(&app.state).await.unwrap();
        let left: i64 = app.state.db.fetch_scalar("SELECT COUNT(*) FROM report_stale", vec![]).await.unwrap();
        assert_eq!(left, 0);
        let elsewhere = faultline::reports::Ledger::new().snapshot(&app.state.db, app.state.now()).await.unwrap();
        assert_eq!(elsewhere.blocks, faultline::reports::ledger::full(&app.state.db).await.unwrap().blocks);
    }
}

async fn api_token(app: &TestApp) -> (i64, String) {
    use faultline::accounts::{Actor, Scope, service};
    service::add_token(&app.state, &Actor::system(), "tests", Scope::Api, Role::Admin).await.unwrap()
}

on_both! {
    async fn a_process_that_starts_has_the_answers_of_the_one_before(app: TestApp) {
        fill(&app).await;
        faultline::reports::jobs::run_once(&app.state).await.unwrap();
        let (state, (_, token)) = (&app.state, api_token(&app).await);
        // The numbers, without the filters that were asked.
        let ask = async |ledger: faultline::reports::Ledger, filter: &str| {
            let shared = faultline::app::Shared { ledger, ..faultline::app::Shared::new(state) };
            let mut client = Browser::new(faultline::app::router_with(state.clone(), shared));
            client.set_bearer(&token);
            let path = format!("/api/v1/reports/overview?from=2025-11-01&to=2026-11-23{filter}");
            client.get(&path).await.expect(200).json()["total"].to_string()
        };
        let keeping = || faultline::reports::Ledger::keeping_answers_of(std::time::Duration::ZERO);
        let kept = async || state.db.fetch_scalar::<i64>("SELECT COUNT(*) FROM report_answers", vec![]).await.unwrap();
        let all = ask(keeping(), "").await;
        assert_eq!(kept().await, 1);
        assert_eq!(ask(keeping(), "").await, all);
        assert_eq!(kept().await, 1, "the same question over the same data");
        let severe = ask(keeping(), "&severity=SEV1").await;
        assert_ne!(severe, all);
        // Each row takes the other's body: what a new process answers then is what the rows say.
        let tx = state.db.begin().await.unwrap();
        tx.execute("UPDATE report_answers SET body = (SELECT o.body FROM report_answers o WHERE o.id <> report_answers.id)", vec![]).await.unwrap();
        tx.commit().await.unwrap();
        assert_ne!(ask(keeping(), "").await, all, "the answer is read, not computed");
        // A damaged row is computed again.
        let tx = state.db.begin().await.unwrap();
        tx.execute("UPDATE report_answers SET body = $1", faultline::args![b"junk".as_slice()]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(ask(keeping(), "").await, all);
        // And any change makes another question of it.
        let tx = state.db.begin().await.unwrap();
        tx.execute("UPDATE incidents SET status = 'declined' WHERE severity = 'SEV1'", vec![]).await.unwrap();
        tx.commit().await.unwrap();
        assert_ne!(ask(keeping(), "").await, all);
        assert_eq!(kept().await, 3);
    }
}

/// One random change of one random incident.
async fn edit(app: &TestApp, seeded: &mut faultline::seeded::Seeded) {
    let now = app.state.now();
    let tx = app.state.db.begin().await.unwrap();
    let id = seeded.between(1, 9);
    let by = By::system("Fixture");
    let word = |list: &[&'static str], seeded: &mut faultline::seeded::Seeded| *seeded.pick(list).unwrap();
    let at = now - chrono::TimeDelta::minutes(seeded.between(0, 9_000));
    match seeded.below(9) {
        0 => {
            let severity = word(&["SEV1", "SEV2", "SEV3", "SEV4"], seeded);
            tx.execute("UPDATE incidents SET severity = $1 WHERE id = $2", faultline::args![severity, id])
                .await
                .unwrap();
        }
        1 => {
            let private = seeded.chance(0.5);
            tx.execute("UPDATE incidents SET private = $1 WHERE id = $2", faultline::args![private, id]).await.unwrap();
        }
        2 => {
            let name = word(&["impact_started", "detected", "mitigated"], seeded);
            tx.execute(
                "UPDATE incident_milestones SET at = $1 WHERE incident_id = $2 AND name = $3",
                faultline::args![at, id, name],
            )
            .await
            .unwrap();
        }
        3 => {
            tx.execute("DELETE FROM incident_services WHERE incident_id = $1", faultline::args![id]).await.unwrap();
        }
        4 => {
            let input = DeclareInput {
                title: "One more".into(),
                severity: "SEV3".into(),
                services: vec!["cart".into()],
                ..DeclareInput::default()
            };
            incidents::declare(&tx, &input.normalize(now, Source::Person).unwrap(), &by, now).await.unwrap();
        }
        5 => {
            let to = word(&["investigating", "resolved", "closed"], seeded);
            let add = "INSERT INTO incident_status_changes (incident_id, to_status, at, recorded_at, author_name) VALUES ($1, $2, $3, $3, 'x')";
            tx.execute(add, faultline::args![id, to, at]).await.unwrap();
        }
        6 => {
            let add = "INSERT INTO incident_classes (incident_id, detected_by, cause, environment, updated_at, updated_by_name) \
                VALUES ($1, 'customer', $2, 'production', $3, 'x') ON CONFLICT (incident_id) DO UPDATE SET cause = excluded.cause";
            tx.execute(add, faultline::args![id, word(&["change", "capacity", ""], seeded), now]).await.unwrap();
        }
        7 => {
            let tier = seeded.between(1, 4);
            tx.execute("UPDATE services SET tier = $1 WHERE slug = 'cart'", faultline::args![tier]).await.unwrap();
        }
        _ => {
            tx.execute("DELETE FROM incidents WHERE id = $1 AND id > 9", faultline::args![id + 5]).await.unwrap();
        }
    }
    tx.commit().await.unwrap();
}

/// The figures must not depend on the engine. Both years are played at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_databases_give_the_same_digits() {
    let [sqlite, postgres] = [Backend::Sqlite, Backend::Postgres].map(|backend| {
        tokio::spawn(async move {
            let app = TestApp::start(backend).await;
            let end = Timestamp::parse("2026-11-23T13:45:00Z").unwrap();
            faultline::cli::demo::fill(&app.state, end).await.unwrap();
            let mut api = app.api(Role::Admin).await;
            let mut answers = Vec::new();
            for path in [
                "/api/v1/reports/mttr?from=2025-11-01&to=2026-11-23&group_by=week&tz=Europe/Vienna",
                "/api/v1/reports/overview?from=2025-11-01&to=2026-11-23&tz=America/New_York&hours=mo-sa+06:30-22:00",
            ] {
                let report = api.get(path).await.expect(200);
                assert!(report.json()["n"].as_u64() > Some(120));
                answers.push(report.text());
            }
            answers
        })
    });
    assert_eq!(sqlite.await.unwrap(), postgres.await.unwrap());
}
