//! The API's description holds every route, and nothing that is not there.

use std::collections::BTreeSet;

use faultline::accounts::Role;

#[test]
fn every_api_route_is_described_and_nothing_else() {
    let routes: BTreeSet<String> = faultline::app::routes()
        .table()
        .iter()
        .filter_map(|r| Some(format!("{} {}", r.method, r.path.strip_prefix("/api/v1")?)))
        .filter(|op| !op.ends_with("/openapi.json"))
        .collect();
    let described: BTreeSet<String> = faultline::openapi::operations().unwrap().into_iter().map(|o| o.op).collect();
    let missing: Vec<_> = routes.difference(&described).collect();
    let dead: Vec<_> = described.difference(&routes).collect();
    assert!(missing.is_empty() && dead.is_empty(), "not described: {missing:#?}; described but absent: {dead:#?}");
}

on_both! {
    async fn the_description_is_served_to_everybody(app: TestApp) {
        let document = app.visitor().get("/api/v1/openapi.json").await.expect(200).json();
        assert_eq!(document["openapi"], "3.1.0");
        let declare = &document["paths"]["/incidents"]["post"];
        assert_eq!(declare["x-required-role"], Role::Responder.as_str());
        let refs = document.to_string();
        for piece in refs.split("\"#/components/schemas/").skip(1) {
            let name = piece.split('"').next().unwrap();
            assert!(document["components"]["schemas"].get(name).is_some(), "{name} is not defined");
        }
    }
}
