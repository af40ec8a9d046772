//! Statements out of the project's own .sql files, so that all who are compared run
//! the same: `-- name: x` begins a statement, `-- fragment: x` a text that others
//! name as {{x}}.
use std::collections::HashMap;

const FILES: [&str; 4] = [
    include_str!("../../../../../services/listings/service.sql"),
    include_str!("../../../../../services/listings/service_list.sql"),
    include_str!("../../../../../services/listings/views.sql"),
    include_str!("../../../../../services/bids/bid.sql"),
];

pub struct Statements(HashMap<&'static str, String>);

impl Statements {
    pub fn read() -> Self {
        let texts = FILES.iter().flat_map(|file| blocks(file)).collect();
        Statements(texts)
    }

    /// Panics for a name that no file has: the program cannot work without.
    pub fn text(&self, name: &str) -> String {
        let mut text = self.0[name].clone();
        while let Some(start) = text.find("{{") {
            let end = text[start..].find("}}").expect("a fragment ends") + start;
            let fragment = &self.0[&text[start + 2..end]];
            text = format!("{}{fragment}{}", &text[..start], &text[end + 2..]);
        }
        text
    }
}

/// Each title and what stands below it, without the comments.
fn blocks(file: &'static str) -> Vec<(&'static str, String)> {
    let mut blocks: Vec<(&str, String)> = Vec::new();
    for line in file.lines() {
        if let Some(title) = title(line) {
            blocks.push((title, String::new()));
        } else if let Some((_, text)) = blocks.last_mut()
            && !line.starts_with("--")
        {
            text.push_str(line);
            text.push('\n');
        }
    }
    for (_, text) in &mut blocks {
        text.truncate(text.trim_end().trim_end_matches(';').len());
    }
    blocks
}

fn title(line: &'static str) -> Option<&'static str> {
    let title = line
        .strip_prefix("-- name: ")
        .or(line.strip_prefix("-- fragment: "))?;
    title.split(' ').next()
}
