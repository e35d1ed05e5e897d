//! `If-Match` (RFC 9110, 13.1.1).

use axum::http::{HeaderMap, header};

use crate::change::Condition;

/// The condition in the header; `None` where it cannot be understood. Weak tags never match
/// (8.8.3.2), so they are left out.
pub(super) fn if_match(headers: &HeaderMap) -> Option<Condition> {
    let mut lines = headers.get_all(header::IF_MATCH).iter().peekable();
    if lines.peek().is_none() {
        return Some(Condition::None);
    }
    let lines: Option<Vec<&str>> = lines.map(|line| line.to_str().ok()).collect();
    let text = lines?.join(",");
    if text.trim() == "*" {
        return Some(Condition::Any);
    }
    let mut tags = Vec::new();
    let mut rest = text.as_str();
    let mut is_empty = true;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return (!is_empty).then_some(Condition::Tags(tags));
        }
        is_empty = false;
        let (weak, tag) = match rest.strip_prefix("W/") {
            Some(tag) => (true, tag),
            None => (false, rest),
        };
        let (tag, after) = tag.strip_prefix('"')?.split_once('"')?;
        if !tag.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        rest = after.trim_start_matches([' ', '\t']);
        if !(rest.is_empty() || rest.starts_with(',')) {
            return None;
        }
        if !weak {
            tags.push(tag.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn conditions_are_those_of_the_standard() {
        let tags = |tags: &[&str]| {
            Some(Condition::Tags(tags.iter().map(|tag| (*tag).to_owned()).collect()))
        };
        let cases: [(&[&str], Option<Condition>); 20] = [
            (&[], Some(Condition::None)),
            (&["*"], Some(Condition::Any)),
            (&[" * "], Some(Condition::Any)),
            (&["\"a\""], tags(&["a"])),
            (&["\"a\", \"b\""], tags(&["a", "b"])),
            (&["\"a\"", "\"b\""], tags(&["a", "b"])),
            (&["\"a,b\""], tags(&["a,b"])),
            (&[", \"a\" ,,"], tags(&["a"])),
            (&["\"\""], tags(&[""])),
            (&["W/\"a\""], tags(&[])),
            (&["W/\"a\",\"b\""], tags(&["b"])),
            (&[""], None),
            (&[","], None),
            (&["a"], None),
            (&["\"a"], None),
            (&["\"a\"b"], None),
            (&["\"a\" \"b\""], None),
            (&["\"a b\""], None),
            (&["*, \"a\""], None),
            (&["w/\"a\""], None),
        ];
        for (lines, expected) in cases {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::IF_MATCH, HeaderValue::from_static(line));
            }
            assert_eq!(if_match(&headers), expected, "{lines:?}");
        }
    }
}
