//! What a step opens or sends: the link of a link step, the request of a webhook step.

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

use crate::markdown;

/// An HTTP request that a person sends with one click, after seeing it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Call {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
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

/// The first fenced block marked `http`: a request line, headers, an empty line, a body.
pub(super) fn call(body: &str) -> Result<Call, String> {
    let mut text: Option<String> = None;
    for event in Parser::new_ext(body, markdown::options()) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) if info.trim() == "http" => {
                text = Some(String::new())
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
    parse_call(&text)
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
        headers.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    Ok(Call { method: method.to_owned(), url: url.to_owned(), headers, body: body.trim_end().to_owned() })
}
