//! Just enough HTML to see a page's structure as a browser does: tags, attributes, no more.

/// A start tag, or an end tag (its name begins with `/`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
}

impl Tag {
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The tags of a page in their order. A `<` opens a tag wherever it stands; a value ends at its quote.
pub(super) fn tags(mut html: &str) -> Vec<Tag> {
    let mut found = Vec::new();
    while let Some((_, rest)) = html.split_once('<') {
        let (tag, after) = tag(rest);
        found.push(tag);
        html = after;
    }
    found
}

/// The names of the tags and of their attributes: what no text of others may change.
pub(super) fn structure(html: &str) -> Vec<String> {
    let names = |tag: &Tag| {
        let attributes = tag.attributes.iter().map(|(name, _)| format!(" {name}"));
        format!("{}{}", tag.name, attributes.collect::<String>())
    };
    tags(html).iter().map(names).collect()
}

fn tag(html: &str) -> (Tag, &str) {
    let end = html.find([' ', '>']).expect("a tag ends");
    let (name, mut rest) = html.split_at(end);
    let mut attributes = Vec::new();
    loop {
        rest = rest.trim_start_matches(' ');
        if let Some(after) = rest.strip_prefix('>') {
            return (Tag { name: name.to_owned(), attributes }, after);
        }
        let end = rest.find(['=', ' ', '>']).expect("an attribute ends");
        let (name, after) = rest.split_at(end);
        rest = after;
        let mut value = String::new();
        if let Some(quoted) = rest.strip_prefix("=\"") {
            let (raw, after) = quoted.split_once('"').expect("a value ends");
            value = unescaped(raw);
            rest = after;
        }
        attributes.push((name.to_owned(), value));
    }
}

fn unescaped(raw: &str) -> String {
    raw.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}
