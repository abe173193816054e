//! What a step opens or sends: the link of a link step, the request of a webhook step.

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

use crate::markdown;
use crate::runbooks::model::calls::MAX_TIMEOUT_S;

/// An HTTP request that a person sends with one click, after seeing it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Call {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// From ```` ```http timeout=90s ````; in seconds.
    #[serde(default)]
    pub timeout_s: Option<u32>,
}

pub(super) fn first_link(body: &str) -> Option<String> {
    Parser::new_ext(body, markdown::options()).find_map(|event| match event {
        Event::Start(Tag::Link { dest_url, .. }) => markdown::safe_link(&dest_url).map(str::to_owned),
        Event::Text(text) => text
            .split_whitespace()
            .find(|word| word.starts_with("https://") || word.starts_with("http://"))
            .map(|word| word.trim_end_matches(['.', ',', ')']).to_owned()),
        _ => None,
    })
}

/// The first fenced block marked `http` (or `http timeout=90s`): a request line, headers, an empty line, a body.
pub(super) fn call(body: &str) -> Result<Call, String> {
    let mut text: Option<String> = None;
    let mut mark = String::new();
    for event in Parser::new_ext(body, markdown::options()) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info)))
                if text.is_none() && info.split_whitespace().next() == Some("http") =>
            {
                text = Some(String::new());
                mark = info.to_string();
            }
            Event::Text(t) => {
                if let Some(text) = &mut text {
                    text.push_str(&t);
                }
            }
            Event::End(TagEnd::CodeBlock) if text.is_some() => break,
            _ => {}
        }
    }
    let text = text.ok_or("has no ```http block with the request")?;
    Ok(Call { timeout_s: timeout(&mark)?, ..parse_call(&text)? })
}

/// `timeout=90s` in the block's mark.
fn timeout(mark: &str) -> Result<Option<u32>, String> {
    let Some(text) = mark.split_whitespace().find_map(|word| word.strip_prefix("timeout=")) else { return Ok(None) };
    let seconds = super::parse_duration(text).filter(|s| *s <= MAX_TIMEOUT_S);
    seconds.map(Some).ok_or_else(|| format!("has the time-out '{text}'; write 1s to {MAX_TIMEOUT_S}s"))
}

fn parse_call(text: &str) -> Result<Call, String> {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let (method, url) =
        lines.next().and_then(|l| l.trim().split_once(' ')).ok_or("has no request line such as 'POST https://…'")?;
    if !["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&method) {
        return Err(format!("has the method '{method}'; use GET, POST, PUT, PATCH or DELETE"));
    }
    let url = url.trim();
    if !(url.starts_with("https://") || url.starts_with("http://")) {
        return Err(format!("calls '{url}', which is no http or https address"));
    }
    let mut headers = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or_else(|| format!("has a header '{line}' without a colon"))?;
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)) {
            return Err(format!("has a header named '{name}', which is no name of a header"));
        }
        if ["host", "content-length", "transfer-encoding", "connection"].contains(&name.to_lowercase().as_str()) {
            return Err(format!("sets the header '{name}', which follows from the request"));
        }
        headers.push((name.to_owned(), value.to_owned()));
    }
    Ok(Call {
        method: method.to_owned(),
        url: url.to_owned(),
        headers,
        body: body.trim_end().to_owned(),
        timeout_s: None,
    })
}
