//! A reader of the paths in Rust code: what a file imports, and what else it names.

/// The words of a path, such as `["super", "plan", "Plan"]`.
pub(super) type Words = Vec<String>;

/// The paths of a file.
#[derive(Default)]
pub(super) struct Source {
    pub(super) imports: Vec<Import>,
    /// Every path outside of imports, be it a single name.
    pub(super) paths: Vec<Words>,
}

pub(super) struct Import {
    pub(super) name: String,
    pub(super) path: Words,
    pub(super) is_handed_on: bool,
}

impl Source {
    pub(super) fn read(text: &str) -> Self {
        let tokens = tokens(text);
        let mut source = Source::default();
        let mut at = 0;
        while at < tokens.len() {
            if tokens[at] == "use" && tokens.get(at + 1).is_some_and(|token| is_word(token)) {
                let is_handed_on = at > 0 && ["pub", ")"].contains(&tokens[at - 1]);
                at = source.import(&tokens, at + 1, &[], is_handed_on);
            } else if is_word(tokens[at]) {
                let path = path_at(&tokens, at);
                at += 2 * path.len() - 1;
                source.paths.push(path);
            } else {
                at += 1;
            }
        }
        source
    }

    /// Takes the tree of imports that begins at a token; where it ends.
    fn import(
        &mut self,
        tokens: &[&str],
        at: usize,
        prefix: &[String],
        is_handed_on: bool,
    ) -> usize {
        let mut path = prefix.to_vec();
        let mut end = at;
        if is_word(tokens[at]) {
            let mut own = path_at(tokens, at);
            end += 2 * own.len() - 1;
            if !prefix.is_empty() && own == ["self"] {
                own.clear();
            }
            path.extend(own);
        }
        if tokens[end] == "::" {
            end += 1;
        }
        if tokens[end] == "{" {
            end += 1;
            while tokens[end] != "}" {
                end = self.import(tokens, end, &path, is_handed_on);
                end += usize::from(tokens[end] == ",");
            }
            return end + 1;
        }
        let mut name = path.last().unwrap().clone();
        match tokens[end] {
            "*" => end += 1,
            "as" => {
                tokens[end + 1].clone_into(&mut name);
                end += 2;
            }
            _ => {}
        }
        self.imports.push(Import { name, path, is_handed_on });
        end
    }
}

/// The words from a token on that are joined by `::`.
fn path_at(tokens: &[&str], at: usize) -> Words {
    let mut path = vec![tokens[at].to_owned()];
    for pair in tokens[at + 1..].chunks_exact(2) {
        if pair[0] != "::" || !is_word(pair[1]) {
            break;
        }
        path.push(pair[1].to_owned());
    }
    path
}

fn is_word(token: &str) -> bool {
    token.starts_with(|character: char| character.is_alphabetic() || character == '_')
}

/// The words, the `::` and the single other characters of code, without its comments and its texts.
fn tokens(mut code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    while let Some(first) = code.chars().next() {
        let is_part = |character: char| character.is_alphanumeric() || character == '_';
        let length = match first {
            '/' if code.starts_with("//") => code.find('\n').unwrap_or(code.len()),
            '"' => text_length(code),
            '\'' if code.starts_with(r"'\") => 3 + code[3..].find('\'').unwrap(),
            '\'' if code.chars().nth(2) == Some('\'') => {
                2 + code.chars().nth(1).unwrap().len_utf8()
            }
            'r' if code.starts_with("r#\"") => 2 + code.find("\"#").unwrap(),
            _ if is_part(first) => code.find(|character| !is_part(character)).unwrap_or(code.len()),
            ':' if code.starts_with("::") => 2,
            _ => first.len_utf8(),
        };
        let token = &code[..length];
        let is_text = token.starts_with("//") || token.contains(['"', '\'']) && length > 1;
        if !is_text && !first.is_whitespace() {
            tokens.push(token);
        }
        code = &code[length..];
    }
    tokens
}

/// The length of the quoted text at the beginning.
fn text_length(code: &str) -> usize {
    let mut is_escaped = true;
    for (at, byte) in code.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    code.len()
}
