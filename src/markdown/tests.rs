//! The injection corpus, and the forms of Markdown that we promise.

use proptest::prelude::*;

use super::{Heading, MAX_SOURCE_BYTES, plain_text, policy, render, render_document, safe_link, slugify, writer};

const CORPUS: &str = include_str!("../../tests/fixtures/markdown_injection.txt");

fn vectors() -> Vec<&'static str> {
    CORPUS.trim_end_matches('\n').split("\n%%\n").collect()
}

/// Reads sanitised HTML tag by tag and names the first thing that must not be there. Strict on
/// purpose: the sanitiser writes every attribute as `name="value"` and escapes `<` in text.
fn complaint(html: &str) -> Option<String> {
    const TAGS: &[&str] = &[
        "a",
        "b",
        "blockquote",
        "br",
        "code",
        "del",
        "div",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "img",
        "input",
        "li",
        "ol",
        "p",
        "pre",
        "span",
        "strong",
        "sub",
        "sup",
        "table",
        "tbody",
        "td",
        "th",
        "thead",
        "tr",
        "ul",
    ];
    const ATTRIBUTES: &[&str] = &[
        "href",
        "title",
        "aria-label",
        "id",
        "src",
        "alt",
        "align",
        "start",
        "data-lang",
        "class",
        "rel",
        "type",
        "disabled",
        "checked",
    ];
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let Some(end) = rest.find('>') else { return Some("a tag without an end".to_owned()) };
        let tag = rest[..end].trim_start_matches('/');
        rest = &rest[end + 1..];
        let name_end = tag.find(' ').unwrap_or(tag.len());
        if !TAGS.contains(&&tag[..name_end]) {
            return Some(format!("tag <{tag}>"));
        }
        let mut attributes = tag[name_end..].trim_start();
        while !attributes.is_empty() {
            let Some((name, after)) = attributes.split_once("=\"") else {
                return Some(format!("attribute in <{tag}>"));
            };
            let Some((value, after)) = after.split_once('"') else { return Some(format!("open quote in <{tag}>")) };
            if !ATTRIBUTES.contains(&name) {
                return Some(format!("attribute {name} in <{tag}>"));
            }
            let is_link =
                ["#", "/", "http://", "https://", "mailto:"].iter().any(|p| value.to_lowercase().starts_with(p));
            if name == "href" && !is_link && value.split(['/', '?', '#']).next().is_some_and(|head| head.contains(':'))
            {
                return Some(format!("link to {value}"));
            }
            if name == "src" && (!value.starts_with('/') || value.starts_with("//") || value.contains('\\')) {
                return Some(format!("picture from {value}"));
            }
            attributes = after.trim_start();
        }
    }
    None
}

#[test]
fn the_corpus_is_large_and_its_vectors_differ() {
    let all = vectors();
    let distinct: std::collections::HashSet<_> = all.iter().collect();
    assert_eq!(distinct.len(), all.len());
    assert!(all.len() >= 200, "{}", all.len());
}

#[test]
fn no_vector_of_the_corpus_gets_through() {
    for vector in vectors() {
        for source in [
            vector.to_owned(),
            format!("text\n\n{vector}\n\ntext"),
            format!("> {vector}"),
            format!("| a |\n|---|\n| {vector} |"),
        ] {
            for html in [render(&source).to_string(), render_document(&source, "x-").html.to_string()] {
                assert_eq!(complaint(&html), None, "from {source:?} came {html}");
            }
        }
    }
}

#[test]
fn the_check_itself_finds_what_is_bad() {
    for bad in [
        "<script>",
        "<p onclick=\"x\">",
        "<a href=\"javascript:x\">",
        "<img src=\"https://evil.example/x\">",
        "<img src=\"//e/x\">",
        "<p style=\"x\">",
        "<svg>",
        "<p",
    ] {
        assert!(complaint(bad).is_some(), "{bad}");
    }
    assert_eq!(complaint("<p class=\"muted\">a &lt; b <a href=\"/x\" rel=\"y\">c</a></p>"), None);
}

#[test]
fn raw_html_is_shown_as_text_and_comments_are_left_out() {
    let html = render("a <b>bold</b> move\n\n<div>block</div>\n\n<!-- for authors -->\n\nend <!-- x -->").to_string();
    assert!(html.contains("a &lt;b&gt;bold&lt;/b&gt; move"), "{html}");
    assert!(html.contains("<p>&lt;div&gt;block&lt;/div&gt;</p>"), "{html}");
    assert!(!html.contains("authors") && html.contains("end"), "{html}");
}

#[test]
fn tables_align_by_attribute() {
    let html = render("| service | errors |\n|:--|--:|\n| cart | 12 |").to_string();
    assert!(html.contains("<th align=\"right\">errors</th>"), "{html}");
    assert!(html.contains("<td align=\"left\">cart</td><td align=\"right\">12</td>"), "{html}");
    assert!(html.starts_with("<div class=\"table-scroll\"><table>"), "{html}");
}

#[test]
fn the_promised_forms_are_rendered() {
    let cases = [
        ("- [x] done\n- [ ] open", "<input type=\"checkbox\" disabled=\"\" checked=\"\"> done"),
        ("~~gone~~", "<del>gone</del>"),
        (
            "> [!WARNING]\n> Data loss.",
            "<blockquote class=\"callout callout-warning\"><p class=\"callout-title\">Warning</p>",
        ),
        ("> quoted", "<blockquote>\n<p>quoted</p>"),
        (
            "```bash\nkubectl get pods | grep cart > out\n```",
            "<pre class=\"code\" data-lang=\"bash\"><code>kubectl get pods | grep cart &gt; out\n</code></pre>",
        ),
        ("see[^1]\n\n[^1]: the note", "<sup class=\"footnote-ref\"><a href=\"#fn-1\""),
        ("see[^1]\n\n[^1]: the note", "<div class=\"footnotes\" id=\"fn-1\">"),
        ("[page](/services/cart)", "<a href=\"/services/cart\" rel=\"noopener noreferrer nofollow\">page</a>"),
        ("<ops@example.org>", "<a href=\"mailto:ops@example.org\""),
        ("![graph](/files/1.png)", "<img src=\"/files/1.png\" alt=\"graph\">"),
        (
            "![graph](https://grafana.example/x.png)",
            "<a href=\"https://grafana.example/x.png\" rel=\"noopener noreferrer nofollow\">Image: graph</a>",
        ),
        ("[x](javascript:alert(1))", "<span class=\"unsafe-link\">x</span>"),
        ("3. three", "<ol start=\"3\">"),
    ];
    for (source, wanted) in cases {
        let html = render(source).to_string();
        assert!(html.contains(wanted), "{source:?} gave {html}");
    }
}

#[test]
fn headings_get_unique_anchors_and_inner_links_follow_the_prefix() {
    let doc = render_document(
        "# Steps\n\n## Check: errors?\n\n## Steps\n\n## Named {#mine}\n\n[go](#steps-1) [out](#other)",
        "rb-",
    );
    let expected =
        [(1, "Steps", "steps"), (2, "Check: errors?", "check-errors"), (2, "Steps", "steps-1"), (2, "Named", "mine")];
    let expected: Vec<_> =
        expected.map(|(level, text, slug)| Heading { level, text: text.to_owned(), slug: slug.to_owned() }).into();
    assert_eq!(doc.headings, expected);
    let html = doc.html.to_string();
    assert!(html.contains("<h2 id=\"rb-steps\">") && html.contains("<h3 id=\"rb-steps-1\">"), "{html}");
    assert!(html.contains("href=\"#rb-steps-1\" rel") && html.contains("href=\"#other\""), "{html}");
}

#[test]
fn huge_and_deep_sources_stay_bounded() {
    let long = "word ".repeat(MAX_SOURCE_BYTES / 4);
    let html = render(&long).to_string();
    assert!(html.ends_with("The rest of this text is too long to be shown.</p>"));
    for piece in ["> ", "- ", "* a\n  ", "[", "![", "*a **b ", "<b>", "|", "`", "~"] {
        let html = render(&piece.repeat(30_000)).to_string();
        assert_eq!(complaint(&html), None, "{piece:?}");
        assert!(html.matches("<blockquote>").count() <= 40 && html.matches("<ul>").count() <= 30_000);
    }
}

#[test]
fn links_are_judged_by_scheme() {
    for good in [
        "https://a.example/x?y#z",
        "HTTP://a.example",
        "mailto:a@b.example",
        "/services/cart",
        "#steps",
        "notes/next.md",
        "?page=2",
        "a/b:c",
    ] {
        assert_eq!(safe_link(good), Some(good));
    }
    for bad in [
        "javascript:alert(1)",
        " JavaScript:x",
        "data:text/html,x",
        "vbscript:x",
        "java\tscript:x",
        "/\\evil.example",
        "file:///etc",
        "x:y",
        "",
    ] {
        assert_eq!(safe_link(bad), None, "{bad:?}");
    }
}

#[test]
fn plain_text_squeezes_and_cuts() {
    assert_eq!(plain_text("# Roll *back*\n\n- check `cart`\n- then\twait", 100), "Roll back check cart then wait");
    assert_eq!(plain_text("one two three", 7), "one two…");
    assert_eq!(slugify("  Überlast: 50 % — was tun?  "), "überlast-50-was-tun");
    assert_eq!(slugify("!!!"), "section");
}

#[test]
fn a_long_text_cleaned_in_pieces_is_the_text_cleaned_whole() {
    // Without those that open something and leave it open: they would make one block of all that follows.
    let closes = |v: &&str| render(&format!("{v}\n\nafter")).as_str().ends_with("<p>after</p>\n");
    let vectors: Vec<_> = vectors().into_iter().filter(closes).collect();
    assert!(vectors.len() > 150, "{}", vectors.len());
    let source = format!("{}\n\n- a\n- b\n\n| x | y |\n|---|---|\n| 1 | 2 |\n\n", vectors.join("\n\n")).repeat(8);
    let style = writer::Style { anchors: true, prefix: "p-", links: true, base: "" };
    let mut pieces = Vec::new();
    writer::write(&source, &style, &mut |piece| pieces.push(piece));
    assert!(pieces.len() > 4 && pieces.concat().len() > 64_000, "{} pieces", pieces.len());
    let whole = pieces.concat();
    let hand_out = |piece: &mut dyn FnMut(String)| pieces.into_iter().for_each(piece);
    let (cleaned, ()) = policy::sanitize(whole.len(), hand_out);
    assert_eq!(cleaned, policy::sanitize(0, |piece| piece(whole)).0);
    assert_eq!(complaint(&cleaned), None);
}

#[test]
fn a_writer_that_panics_leaves_nobody_waiting() {
    let broken = std::panic::catch_unwind(|| {
        policy::sanitize(1_000_000, |piece| {
            piece("<p>a</p>".to_owned());
            assert!(std::hint::black_box(false), "on purpose");
        })
    });
    assert!(broken.is_err());
}

proptest! {
    #[test]
    fn arbitrary_text_is_always_clean(source in "[\\PC\n<>\"'=:#`*_\\[\\]()!|&;/-]{0,300}") {
        prop_assert_eq!(complaint(&render(&source).to_string()), None);
        prop_assert_eq!(complaint(&render_document(&source, "d-").html.to_string()), None);
    }

    #[test]
    fn vectors_glued_together_are_clean(a in 0usize..200, b in 0usize..200, glue in "[ \n`>*\\[\\]\"]{0,3}") {
        let all = vectors();
        let source = format!("{}{glue}{}", all[a], all[b]);
        prop_assert_eq!(complaint(&render(&source).to_string()), None, "{}", source);
    }
}
