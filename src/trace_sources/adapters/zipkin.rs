//! Zipkin v2: `/api/v2/trace/{id}`.

use crate::traces::wire::zipkin;

use super::{Caller, Fault, Found, Wanted, expect_success, found_of};

pub(super) async fn fetch(caller: &Caller<'_>, wanted: &Wanted) -> Result<Found, Fault> {
    let answer = caller.get(&format!("/api/v2/trace/{}", wanted.hex()), "application/json").await?;
    found_of(zipkin::decode(&expect_success(answer)?.body))
}

pub(super) async fn test(caller: &Caller<'_>) -> Result<String, Fault> {
    match caller.get_json("/api/v2/services").await? {
        serde_json::Value::Array(services) => Ok(format!("It answers and knows {} services.", services.len())),
        _ => Err(Fault::Refused("it answers, but not as Zipkin does".to_owned())),
    }
}
