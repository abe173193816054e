//! Reading steps: what is right, and what each complaint says.

use proptest::prelude::*;

use super::*;

fn steps(body: &str) -> (Vec<Step>, Vec<String>) {
    let mut problems = Vec::new();
    let found = parse(body, 10, &mut problems);
    (found, problems.iter().map(ToString::to_string).collect())
}

const FULL: &str = "\
Intro.

## Steps

### Check: did errors rise? (3 min) {#errors}

Look:

```bash
# not: a heading
- no -> branch
```

#### Detail

more

### Decide: go back?

- **Yes**, at once -> `roll-back`
- No → [wait a bit](#wait)
- It is over -> end

### Do: roll `cart` back {#roll-back}
### Wait: let it settle (1 h 30 min) {#wait}
### Link: dashboard
See https://grafana.example/d/1.
### Webhook: purge
```http
POST https://cache.example/purge?service={{service}}
Content-Type: application/json

{\"service\": \"{{service}}\"}
```

## Afterwards

text
";

#[test]
fn all_kinds_are_read() {
    let (steps, problems) = steps(FULL);
    assert_eq!(problems, Vec::<String>::new());
    let shown: Vec<_> = steps.iter().map(|s| (s.id.as_str(), s.kind, s.title.as_str(), s.expected_s)).collect();
    assert_eq!(
        shown,
        [
            ("errors", StepKind::Check, "did errors rise?", Some(180)),
            ("go-back", StepKind::Decide, "go back?", None),
            ("roll-back", StepKind::Do, "roll cart back", None),
            ("wait", StepKind::Wait, "let it settle", Some(5_400)),
            ("dashboard", StepKind::Link, "dashboard", None),
            ("purge", StepKind::Webhook, "purge", None),
        ]
    );
}

#[test]
fn bodies_end_at_the_next_step_or_section() {
    let (steps, _) = steps(FULL);
    let bodies: Vec<_> = steps.iter().map(|s| s.body.as_str()).collect();
    assert!(bodies[0].starts_with("Look:") && bodies[0].ends_with("more"), "{}", bodies[0]);
    assert_eq!(bodies[2], "");
    assert!(bodies[5].ends_with("```"), "{}", bodies[5]);
    assert_eq!(steps[0].line, 14);
    assert_eq!(
        steps[1].branches.iter().map(|b| (b.label.as_str(), &b.target)).collect::<Vec<_>>(),
        [("Yes, at once", &Target::Step(2)), ("No", &Target::Step(3)), ("It is over", &Target::End),]
    );
    assert_eq!(steps[4].link.as_deref(), Some("https://grafana.example/d/1"));
    let call = steps[5].call.as_ref().expect("the webhook has a request");
    assert_eq!((call.method.as_str(), call.url.as_str()), ("POST", "https://cache.example/purge?service={{service}}"));
    assert_eq!(call.headers, [("Content-Type".to_owned(), "application/json".to_owned())]);
    assert_eq!(call.body, "{\"service\": \"{{service}}\"}");
}

#[test]
fn wrong_steps_are_named_with_their_line() {
    let cases = [
        ("### Do:\n", "line 10: steps: a do step has no title"),
        (
            "### Do: a\n\n### Check: a\n",
            "line 12: steps: two steps have the id 'a'; give one of them its own with {#name}",
        ),
        ("### Wait: a bit\n", "line 10: steps: 'a bit' does not say how long: add a time such as '(5 min)'"),
        ("### Decide: a\n- x -> nowhere\n", "line 10: steps: 'a' leads to 'nowhere', which is no step"),
        ("### Link: a\nnothing\n", "line 10: steps: 'a' has no link"),
        ("### Link: a\n[x](javascript:alert(1))\n", "line 10: steps: 'a' has no link"),
        ("### Webhook: a\n", "line 10: steps: 'a' has no ```http block with the request"),
        (
            "### Webhook: a\n```http\nGET file:///etc/passwd\n```\n",
            "line 10: steps: 'a' calls 'file:///etc/passwd', which is no http or https address",
        ),
        (
            "### Webhook: a\n```http\nTRACE https://a.example\n```\n",
            "line 10: steps: 'a' has the method 'TRACE'; use GET, POST, PUT, PATCH or DELETE",
        ),
        ("### Chek: a\n", "line 10: steps: 'Chek:' is no kind of step; did you mean 'check:'?"),
    ];
    for (body, wanted) in cases {
        let (_, problems) = steps(body);
        assert!(problems.iter().any(|p| p == wanted), "{body:?} gave {problems:?}");
    }
    assert_eq!(steps("### Background: why\n").1, Vec::<String>::new());
}

#[test]
fn a_loop_needs_a_way_out() {
    let (_, problems) = steps("### Do: a\n### Decide: b\n- x -> a\n### Do: c\n");
    assert_eq!(
        problems,
        [
            "line 13: steps: no way leads to 'c'",
            "line 10: steps: from 'a' the end cannot be reached",
            "line 11: steps: from 'b' the end cannot be reached"
        ]
    );
    assert_eq!(steps("### Decide: b\n- x -> c\n### Do: a\n### Do: c\n").1, ["line 12: steps: no way leads to 'a'"]);
    assert_eq!(steps("### Do: a\n### Decide: b\n- x -> a\n- y -> next\n### Do: c\n").1, Vec::<String>::new());
    assert_eq!(steps("### Decide: b\n- again -> 1\n- over -> next\n").1, Vec::<String>::new());
}

#[test]
fn times_are_read() {
    for (text, seconds) in [
        ("30 s", Some(30)),
        ("5 min", Some(300)),
        ("~5m", Some(300)),
        ("1h 30min", Some(5_400)),
        ("2 hours", Some(7_200)),
        ("soon", None),
        ("", None),
        ("0 s", None),
        ("9999999999 h", None),
        ("5", None),
    ] {
        assert_eq!(parse_duration(text), seconds, "{text:?}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(body in "(### (Do|Decide|Wait|Link|Webhook|Chek): ?[a-c]{0,2}( \\(\\d{1,3} (s|min)\\))?\n|- x -> [a-c0-9]{1,2}\n|```http?\n|[\\PC]{0,20}\n){0,12}") {
        let mut problems = Vec::new();
        let found = parse(&body, 1, &mut problems);
        if problems.iter().all(|p| !p.is_error) {
            for step in &found {
                for branch in &step.branches {
                    if let Target::Step(i) = branch.target {
                        prop_assert!(i < found.len());
                    }
                }
            }
        }
    }
}
