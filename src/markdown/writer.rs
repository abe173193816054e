//! From Markdown events to HTML, before sanitising.
//!
//! Most events go to `pulldown-cmark`'s own writer; this file replaces those whose standard form we
//! do not want: raw HTML becomes text, cells are aligned by attribute (inline style is forbidden),
//! headings and footnotes get prefixed ids, callouts a title, foreign images become links.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use pulldown_cmark::{
    Alignment, BlockQuoteKind, CodeBlockKind, CowStr, Event, LinkType, Options, Parser, Tag, TagEnd, html,
};

use super::anchors::{self, Heading};
use super::policy;

/// Elements nested deeper than this are flattened: nobody reads them, and a browser should not choke.
const MAX_DEPTH: usize = 32;

pub struct Style<'a> {
    pub anchors: bool,
    pub prefix: &'a str,
    /// Whether links lead anywhere and images are shown.
    pub links: bool,
    /// Stands before links to our own pages; empty inside our pages.
    pub base: &'a str,
}

/// The one set of extensions; whoever reads our Markdown uses the same.
pub const fn options() -> Options {
    Options::ENABLE_TABLES
        .union(Options::ENABLE_FOOTNOTES)
        .union(Options::ENABLE_STRIKETHROUGH)
        .union(Options::ENABLE_TASKLISTS)
        .union(Options::ENABLE_HEADING_ATTRIBUTES)
        .union(Options::ENABLE_GFM)
}

/// A piece of HTML has at least this many events.
const PIECE: usize = 500;

/// Hands out the HTML in pieces, each of whole blocks, and returns the headings.
pub fn write(source: &str, style: &Style<'_>, piece: &mut dyn FnMut(String)) -> Vec<Heading> {
    let events: Vec<Event<'_>> = Parser::new_ext(source, options()).collect();
    let headings = anchors::collect(&events);
    let mut writer = Writer::new(style, &headings);
    for event in events {
        writer.take(event);
        if writer.out.len() >= PIECE && writer.open.is_empty() {
            piece(html_of(&mut writer.out));
        }
    }
    piece(html_of(&mut writer.out));
    headings
}

fn html_of(events: &mut Vec<Event<'_>>) -> String {
    let mut out = String::new();
    html::push_html(&mut out, events.drain(..));
    out
}

pub fn plain_text(source: &str, max_chars: usize) -> String {
    let mut text = String::new();
    // Whitespace is squeezed while collecting, so a long run of blanks does not count.
    let mut chars = 0;
    for event in Parser::new_ext(source, options()) {
        let piece = match &event {
            Event::Text(t) | Event::Code(t) => t.as_ref(),
            Event::SoftBreak | Event::HardBreak | Event::End(_) => " ",
            _ => continue,
        };
        let inline_end = matches!(
            event,
            Event::End(TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough | TagEnd::Link | TagEnd::Image)
        );
        for c in piece.chars().filter(|_| !inline_end) {
            let c = if c.is_whitespace() { ' ' } else { c };
            if c == ' ' && (text.is_empty() || text.ends_with(' ')) {
                continue;
            }
            if chars == max_chars {
                return format!("{}…", text.trim_end());
            }
            text.push(c);
            chars += 1;
        }
    }
    text.trim_end().to_owned()
}

struct Writer<'a> {
    style: &'a Style<'a>,
    headings: std::slice::Iter<'a, Heading>,
    slugs: HashSet<&'a str>,
    out: Vec<Event<'a>>,
    /// For each open tag: whether it was written, so that its end is too.
    open: Vec<Open>,
    in_link: usize,
    /// Inside a picture's description, where only words may stand.
    in_image: bool,
    alignments: Vec<Alignment>,
    cell: usize,
    in_head: bool,
    footnotes: HashMap<String, usize>,
    /// Text of the raw HTML block being read.
    raw: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    /// Written by the standard writer.
    Plain,
    /// Written by us; the end needs this text.
    Ours(&'static str),
    /// Not written at all.
    Dropped,
}

impl<'a> Writer<'a> {
    fn new(style: &'a Style<'a>, headings: &'a [Heading]) -> Self {
        Self {
            style,
            headings: headings.iter(),
            slugs: headings.iter().map(|h| h.slug.as_str()).collect(),
            out: Vec::new(),
            open: Vec::new(),
            in_link: 0,
            in_image: false,
            alignments: Vec::new(),
            cell: 0,
            in_head: false,
            footnotes: HashMap::new(),
            raw: None,
        }
    }

    fn html(&mut self, text: impl Into<CowStr<'a>>) {
        self.out.push(Event::InlineHtml(text.into()));
    }

    fn take(&mut self, event: Event<'a>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Html(text) | Event::InlineHtml(text) => match &mut self.raw {
                Some(raw) => raw.push_str(&text),
                None if is_comment(&text) => {}
                None => self.out.push(Event::Text(text)),
            },
            Event::FootnoteReference(_) | Event::TaskListMarker(_) if self.in_image => {}
            Event::FootnoteReference(label) => self.footnote_reference(&label),
            Event::TaskListMarker(checked) => {
                let checked = if checked { " checked=\"\"" } else { "" };
                self.html(format!("<input type=\"checkbox\" disabled=\"\"{checked}> "));
            }
            // Math is not enabled, so these do not come; as text they are harmless.
            Event::InlineMath(text) | Event::DisplayMath(text) => self.out.push(Event::Text(text)),
            Event::Text(text) => match &mut self.raw {
                Some(raw) => raw.push_str(&text),
                None => self.out.push(Event::Text(text)),
            },
            plain @ (Event::Code(_) | Event::SoftBreak | Event::HardBreak | Event::Rule) => self.out.push(plain),
        }
    }

    fn start(&mut self, tag: Tag<'a>) {
        if self.open.len() >= MAX_DEPTH || self.in_image {
            // A heading still uses up its slug, and a cell its column.
            if matches!(tag, Tag::Heading { .. }) {
                self.headings.next();
            }
            self.open.push(Open::Dropped);
            return;
        }
        let open = match tag {
            Tag::Heading { level, .. } => self.heading(anchors::level_number(level)),
            Tag::BlockQuote(kind) => self.quote(kind),
            Tag::CodeBlock(kind) => self.code_block(&kind),
            Tag::HtmlBlock => {
                self.raw = Some(String::new());
                Open::Dropped
            }
            Tag::Table(alignments) => {
                self.html("<div class=\"table-scroll\">");
                self.out.push(Event::Start(Tag::Table(vec![Alignment::None; alignments.len()])));
                self.alignments = alignments;
                Open::Plain
            }
            Tag::TableHead | Tag::TableRow => {
                self.in_head = matches!(tag, Tag::TableHead);
                self.cell = 0;
                self.out.push(Event::Start(tag));
                Open::Plain
            }
            Tag::TableCell => self.table_cell(),
            Tag::Link { link_type, dest_url, title, .. } => self.link(link_type, &dest_url, title),
            Tag::Image { dest_url, title, .. } => self.image(dest_url, title),
            Tag::FootnoteDefinition(label) => {
                let n = self.footnote_number(&label);
                let p = self.style.prefix;
                self.html(format!("<div class=\"footnotes\" id=\"{p}fn-{n}\"><sup>{n}</sup> "));
                Open::Ours("</div>\n")
            }
            Tag::MetadataBlock(_) => Open::Dropped,
            other => {
                self.out.push(Event::Start(other));
                Open::Plain
            }
        };
        self.open.push(open);
    }

    fn end(&mut self, tag: TagEnd) {
        if matches!(tag, TagEnd::Link) {
            self.in_link = self.in_link.saturating_sub(1);
        }
        if let (TagEnd::HtmlBlock, Some(raw)) = (tag, self.raw.take())
            && !is_comment(&raw)
        {
            self.out.push(Event::Start(Tag::Paragraph));
            self.out.push(Event::Text(raw.trim_end().to_owned().into()));
            self.out.push(Event::End(TagEnd::Paragraph));
        }
        match self.open.pop() {
            Some(Open::Plain) => {
                if matches!(tag, TagEnd::Image) {
                    self.in_image = false;
                }
                self.out.push(Event::End(tag));
                if matches!(tag, TagEnd::Table) {
                    self.html("</div>\n");
                }
            }
            Some(Open::Ours(text)) => self.html(text),
            Some(Open::Dropped) | None => {}
        }
    }

    /// One level down: the page's own title is the only `h1`.
    fn heading(&mut self, level: u8) -> Open {
        let (start, end) = match level {
            1 => ("<h2", "</h2>\n"),
            2 => ("<h3", "</h3>\n"),
            3 => ("<h4", "</h4>\n"),
            4 => ("<h5", "</h5>\n"),
            _ => ("<h6", "</h6>\n"),
        };
        let slug = self.headings.next().filter(|_| self.style.anchors).map(|h| h.slug.as_str());
        match slug {
            Some(slug) => {
                let p = self.style.prefix;
                // Slugs are letters, digits and hyphens: nothing in them to escape.
                self.html(format!(
                    "{start} id=\"{p}{slug}\"><a class=\"anchor\" href=\"#{p}{slug}\" aria-label=\"Link to this section\">#</a> "
                ));
            }
            None => self.html(format!("{start}>")),
        }
        Open::Ours(end)
    }

    fn quote(&mut self, kind: Option<BlockQuoteKind>) -> Open {
        let Some(kind) = kind else {
            self.out.push(Event::Start(Tag::BlockQuote(None)));
            return Open::Plain;
        };
        let (class, title) = match kind {
            BlockQuoteKind::Note => ("note", "Note"),
            BlockQuoteKind::Tip => ("tip", "Tip"),
            BlockQuoteKind::Important => ("important", "Important"),
            BlockQuoteKind::Warning => ("warning", "Warning"),
            BlockQuoteKind::Caution => ("caution", "Caution"),
        };
        self.html(format!("<blockquote class=\"callout callout-{class}\"><p class=\"callout-title\">{title}</p>\n"));
        Open::Ours("</blockquote>\n")
    }

    fn code_block(&mut self, kind: &CodeBlockKind<'a>) -> Open {
        let lang: String = match kind {
            CodeBlockKind::Fenced(info) => info
                .split([' ', ','])
                .next()
                .unwrap_or_default()
                .chars()
                .filter(char::is_ascii_alphanumeric)
                .take(20)
                .collect(),
            CodeBlockKind::Indented => String::new(),
        };
        if lang.is_empty() {
            self.html("<pre class=\"code\"><code>");
        } else {
            self.html(format!("<pre class=\"code\" data-lang=\"{lang}\"><code>"));
        }
        Open::Ours("</code></pre>\n")
    }

    fn table_cell(&mut self) -> Open {
        let (start, end) = if self.in_head { ("<th", "</th>") } else { ("<td", "</td>") };
        let align = match self.alignments.get(self.cell) {
            Some(Alignment::Left) => " align=\"left\"",
            Some(Alignment::Center) => " align=\"center\"",
            Some(Alignment::Right) => " align=\"right\"",
            Some(Alignment::None) | None => "",
        };
        self.cell += 1;
        self.html(format!("{start}{align}>"));
        Open::Ours(end)
    }

    fn link(&mut self, link_type: LinkType, address: &str, title: CowStr<'a>) -> Open {
        self.in_link += 1;
        if !self.style.links {
            self.html("<span>");
            return Open::Ours("</span>");
        }
        let address =
            if link_type == LinkType::Email { format!("mailto:{address}") } else { address.trim().to_owned() };
        let Some(safe) = policy::safe_link(&address) else {
            self.html("<span class=\"unsafe-link\">");
            return Open::Ours("</span>");
        };
        let dest = match safe.strip_prefix('#') {
            Some(fragment) if self.slugs.contains(fragment) => format!("#{}{fragment}", self.style.prefix),
            _ => self.placed(safe),
        };
        // As an inline link, so that the standard writer does not add a second `mailto:`.
        self.out.push(Event::Start(Tag::Link {
            link_type: LinkType::Inline,
            dest_url: dest.into(),
            title,
            id: CowStr::Borrowed(""),
        }));
        Open::Plain
    }

    /// An address of ours as a reader elsewhere can follow it.
    fn placed(&self, address: &str) -> String {
        let is_ours = address.starts_with('/') && !address.starts_with("//");
        if is_ours { format!("{}{address}", self.style.base) } else { address.to_owned() }
    }

    fn image(&mut self, dest_url: CowStr<'a>, title: CowStr<'a>) -> Open {
        if !self.style.links {
            return Open::Dropped;
        }
        if policy::is_own_image(&dest_url) && self.style.base.is_empty() {
            let image = Tag::Image { link_type: LinkType::Inline, dest_url, title, id: CowStr::Borrowed("") };
            self.out.push(Event::Start(image));
            self.in_image = true;
            return Open::Plain;
        }
        let foreign_link = policy::safe_link(&dest_url).filter(|_| self.in_link == 0).map(|link| self.placed(link));
        let Some(dest) = foreign_link else { return Open::Dropped };
        self.out.push(Event::Start(Tag::Link {
            link_type: LinkType::Inline,
            dest_url: dest.into(),
            title,
            id: CowStr::Borrowed(""),
        }));
        self.out.push(Event::Text(CowStr::Borrowed("Image: ")));
        Open::Ours("</a>")
    }

    fn footnote_number(&mut self, label: &str) -> usize {
        let next = self.footnotes.len() + 1;
        *self.footnotes.entry(label.to_owned()).or_insert(next)
    }

    fn footnote_reference(&mut self, label: &str) {
        let n = self.footnote_number(label);
        let mut html = String::new();
        // Writing to a string cannot fail.
        let _ = write!(html, "<sup class=\"footnote-ref\"><a href=\"#{}fn-{n}\">{n}</a></sup>", self.style.prefix);
        self.html(html);
    }
}

/// Authors leave notes to each other in comments; those are not for readers.
fn is_comment(raw: &str) -> bool {
    let raw = raw.trim();
    raw.starts_with("<!--") && raw.ends_with("-->") && raw.matches("-->").count() == 1
}
