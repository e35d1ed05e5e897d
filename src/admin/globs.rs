//! Patterns of services, as `admin.tokens[].services` has them.

use crate::globs::fits;

/// True if a pattern matches an endpoint service of a project, or could match one: `words` are the names
/// and ids of its services, and a `*` after the project's name stands for services to come.
pub fn can_fit(pattern: &str, project: &str, words: &[String]) -> bool {
    let prefix = format!("{project}/");
    let takes_names_to_come = match pattern.split_once('/') {
        Some((of, name)) => name.contains('*') && fits(of, project),
        None => pattern.match_indices('*').any(|(at, _)| fits(&pattern[..=at], &prefix)),
    };
    takes_names_to_come || words.iter().any(|word| fits(pattern, &format!("{prefix}{word}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_without_a_project_or_for_a_service_that_is_not_there_fits_nothing() {
        let cases = [
            ("*", true),
            ("*/*", true),
            ("prod/*", true),
            ("prod/**", true),
            ("prod/logs", true),
            ("prod/4189d3c2-8882-4871-a3c2-d380272eed88", true),
            ("prod/new-*", true),
            ("prod/*-new", true),
            ("pr*/logs", true),
            ("pr*logs", true),
            ("pr*new", true),
            ("*/logs", true),
            ("*logs", true),
            ("*new", true),
            ("*/*/new", true),
            ("demo", false),
            ("prod", false),
            ("prod/", false),
            ("logs", false),
            ("prod/new", false),
            ("test/*", false),
            ("test*", false),
            ("*/new", false),
            ("production/*", false),
            ("Prod/*", false),
            ("/*", false),
            ("", false),
        ];
        let words = ["logs".to_owned(), "4189d3c2-8882-4871-a3c2-d380272eed88".to_owned()];
        for (pattern, expected) in cases {
            assert_eq!(can_fit(pattern, "prod", &words), expected, "{pattern:?}");
        }
    }
}
