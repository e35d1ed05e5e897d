//! The string values of a JSON text, replaced in place: the order of keys, duplicated keys, the form of
//! numbers and blanks stay as they came.

use serde::de::IgnoredAny;

/// The text with each string value replaced; `replace` is told the key that the value stands under, also where
/// it stands in a list there. `None`: the text is not JSON.
pub(super) fn replaced(
    json: &str,
    mut replace: impl FnMut(&str, &str) -> String,
) -> Option<String> {
    serde_json::from_str::<IgnoredAny>(json).ok()?;
    let mut out = String::with_capacity(json.len());
    // The key in each list and object that is open.
    let mut keys = vec![String::new()];
    let mut rest = json;
    while let Some(at) = rest.find(['"', '[', '{', ']', '}']) {
        let (before, token) = rest.split_at(at);
        out.push_str(before);
        let (token, after) = token.split_at(length(token));
        match token {
            "[" | "{" => keys.push(keys.last().cloned().unwrap_or_default()),
            "]" | "}" => drop(keys.pop()),
            _ => {}
        }
        if let (true, Some(key)) = (token.starts_with('"'), keys.last_mut()) {
            let text: String = serde_json::from_str(token).ok()?;
            if after.trim_start().starts_with(':') {
                *key = text;
                out.push_str(token);
            } else {
                let new = replace(key, &text);
                out.push_str(&if new == text {
                    token.into()
                } else {
                    serde_json::to_string(&new).ok()?
                });
            }
        } else {
            out.push_str(token);
        }
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

/// The length of a bracket, or of a string with its quotes.
fn length(token: &str) -> usize {
    let mut is_escaped = false;
    let end = token.bytes().skip(1).position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    });
    if token.starts_with('"') { end.map_or(token.len(), |end| end + 2) } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::replaced;

    fn marked(json: &str) -> Option<String> {
        replaced(
            json,
            |key, text| if text == "same" { text.into() } else { format!("{key}/{text}") },
        )
    }

    #[test]
    fn only_string_values_change() {
        for (json, expected) in [
            (r#""x""#, r#""/x""#),
            (
                r#"{ "b" : "x",  "a":1.50e+02, "a" : null, "a": true}"#,
                r#"{ "b" : "b/x",  "a":1.50e+02, "a" : null, "a": true}"#,
            ),
            (
                r#"{"a":["x",{"b":"y"},["z"]],"c":"x"}"#,
                r#"{"a":["a/x",{"b":"b/y"},["a/z"]],"c":"c/x"}"#,
            ),
            (r#"{"a":["x",{"b":"y"},"z"]}"#, r#"{"a":["a/x",{"b":"b/y"},"a/z"]}"#),
            (r#"{"a\"{":"\\","b":"\u00e9\"}"}"#, r#"{"a\"{":"a\"{/\\","b":"b/é\"}"}"#),
            (r#"{"a":"s\u0061me"}"#, r#"{"a":"s\u0061me"}"#),
            ("{\n\t\"é\": []\n}\n", "{\n\t\"é\": []\n}\n"),
            ("[]", "[]"),
            ("7", "7"),
        ] {
            assert_eq!(marked(json).as_deref(), Some(expected), "{json}");
        }
    }

    #[test]
    fn a_text_that_is_not_json_has_no_strings() {
        for text in
            ["", "<h1>\"x\"</h1>", "{\"a\":\"x\"", "{\"a\":\"x\"} x", r#"["\ud800"]"#, "nul"]
        {
            assert_eq!(marked(text), None, "{text}");
        }
        assert_eq!(marked(&"[".repeat(10_000)), None);
    }
}
