//! Patterns in which `*` stands for any run of characters, none too, and everything else for itself.

/// True if `text` matches `pattern`.
///
/// On a mismatch only the last `*` is stretched, so that the work is at most the
/// product of the two lengths: no pattern takes long.
pub fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut read) = (0, 0);
    // After the last `*`, and how far it reaches.
    let mut star: Option<(usize, usize)> = None;
    while read < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                at += 1;
                star = Some((at, read));
            }
            Some(byte) if *byte == text[read] => {
                at += 1;
                read += 1;
            }
            _ => {
                let Some((after, reached)) = star else { return false };
                star = Some((after, reached + 1));
                (at, read) = (after, reached + 1);
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random_tests::check;

    #[test]
    fn a_star_is_any_run_and_everything_else_is_itself() {
        let cases = [
            ("*", "", true),
            ("*", "prod/logs", true),
            ("**", "prod/logs", true),
            ("", "", true),
            ("", "a", false),
            ("prod/*", "prod/logs", true),
            ("prod/*", "prod/", true),
            ("prod/*", "prod", false),
            ("prod/*", "production/logs", false),
            ("prod*", "production/logs", true),
            ("*/logs", "prod/logs", true),
            ("*/logs", "prod/logs2", false),
            ("*logs", "prod/catalogs", true),
            ("*/lo*s", "prod/logs", true),
            ("*/lo*s", "prod/los", true),
            ("*/lo*s", "prod/lo", false),
            ("prod/logs", "prod/logs", true),
            ("prod/logs", "prod/Logs", false),
            ("prod/logs", "prod/log", false),
            ("prod/log", "prod/logs", false),
            ("prod/log?", "prod/logs", false),
            ("prod/log?", "prod/log?", true),
            ("prod/[a-z]ogs", "prod/logs", false),
            (".*", "prod/logs", false),
            ("*ab", "aab", true),
            ("*aab*", "aaab", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxcyyb", false),
            ("*é", "prod/é", true),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(fits(pattern, text), expected, "{pattern:?} {text:?}");
        }
    }

    /// The same in the plainest way, which may take for ever.
    fn fits_plainly(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([b'*', after @ ..], _) => {
                (0..=text.len()).any(|start| fits_plainly(after, &text[start..]))
            }
            ([first, after @ ..], [byte, rest @ ..]) => first == byte && fits_plainly(after, rest),
            (after, rest) => after.is_empty() && rest.is_empty(),
        }
    }

    #[test]
    fn any_text_fits_where_it_plainly_does() {
        check(1_000, &("[ab*]{0,8}", "[ab]{0,10}"), |(pattern, text)| {
            let plainly = fits_plainly(pattern.as_bytes(), text.as_bytes());
            assert_eq!(fits(&pattern, &text), plainly);
        });
    }

    #[test]
    fn no_pattern_takes_long() {
        let text = "a".repeat(2_000);
        let pattern = "a*".repeat(1_000) + "b";
        assert!(!fits(&pattern, &text));
    }
}
