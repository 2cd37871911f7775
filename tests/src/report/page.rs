//! One HTML page without scripts and without anything from elsewhere, readable in light and dark.

use std::fmt::{Display, Write};

use super::xml::escaped;

/// A page that is being written. Whatever is given to it is text, and becomes no markup.
#[derive(Debug)]
pub(crate) struct Page {
    title: String,
    contents: String,
    main: String,
}

impl Page {
    pub(crate) fn new(title: &str, introduction: &str) -> Page {
        let (title, introduction) = (escaped(title), escaped(introduction));
        let main = format!("<h1>{title}</h1>\n<p>{introduction}</p>\n");
        Page { title, contents: String::new(), main }
    }

    /// A section, which the table of contents links to.
    pub(crate) fn section(&mut self, id: &str, heading: &str) {
        let heading = escaped(heading);
        let _ = writeln!(self.contents, "<li><a href=\"#{id}\">{heading}</a></li>");
        let _ = writeln!(self.main, "<h2 id=\"{id}\">{heading}</h2>");
    }

    /// A heading below a section's.
    pub(crate) fn heading(&mut self, id: &str, heading: &str) {
        let _ = writeln!(self.main, "<h3 id=\"{id}\">{}</h3>", escaped(heading));
    }

    pub(crate) fn paragraph(&mut self, text: &str) {
        let _ = writeln!(self.main, "<p>{}</p>", escaped(text));
    }

    /// Text as it is, such as lines for a shell.
    pub(crate) fn verbatim(&mut self, text: &str) {
        let _ = writeln!(self.main, "<pre>{}</pre>", escaped(text));
    }

    /// A table. The first cell of a row is its heading.
    pub(crate) fn table(&mut self, caption: &str, columns: &[&str], rows: &[Vec<Cell>]) {
        let _ = writeln!(
            self.main,
            "<div class=\"wide\"><table>\n<caption>{}</caption>\n<thead><tr>",
            escaped(caption)
        );
        for column in columns {
            let _ = writeln!(self.main, "<th scope=\"col\">{}</th>", escaped(column));
        }
        self.main.push_str("</tr></thead>\n<tbody>\n");
        for row in rows {
            self.main.push_str("<tr>");
            for (index, cell) in row.iter().enumerate() {
                let (open, close) =
                    if index == 0 { ("<th scope=\"row\">", "</th>") } else { ("<td>", "</td>") };
                let _ = write!(self.main, "{open}{}{close}", cell.0);
            }
            self.main.push_str("</tr>\n");
        }
        self.main.push_str("</tbody>\n</table></div>\n");
    }

    /// The page as a whole.
    pub(crate) fn finish(self) -> String {
        let Page { title, contents, main } = self;
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
             <a class=\"skip\" href=\"#main\">To the results</a>\n\
             <nav aria-label=\"Contents\"><ul>\n{contents}</ul></nav>\n<main id=\"main\">\n{main}</main>\n</body>\n</html>\n"
        )
    }
}

/// What stands in a table's cell.
#[derive(Debug, Clone)]
pub(crate) struct Cell(String);

impl Cell {
    pub(crate) fn text(text: impl Display) -> Cell {
        Cell(escaped(&text.to_string()))
    }

    /// A link within the page.
    pub(crate) fn link(id: &str, text: impl Display) -> Cell {
        Cell(format!("<a href=\"#{id}\">{}</a>", escaped(&text.to_string())))
    }

    /// Several texts, one below the other.
    pub(crate) fn lines<T: Display>(lines: impl IntoIterator<Item = T>) -> Cell {
        let lines: Vec<_> = lines.into_iter().map(|line| escaped(&line.to_string())).collect();
        Cell(lines.join("<br>"))
    }

    /// How something came out: words, never a colour alone.
    pub(crate) fn outcome(name: &str) -> Cell {
        let class = match name {
            "passed" | "survived" => "good",
            "failed" | "not covered" | "reached the backing service" => "bad",
            _ => "open",
        };
        Cell(format!("<strong class=\"{class}\">{}</strong>", escaped(name)))
    }

    /// Text to copy, shown when asked for.
    pub(crate) fn folded(summary: &str, text: &str) -> Cell {
        Cell(format!(
            "<details><summary>{}</summary><pre>{}</pre></details>",
            escaped(summary),
            escaped(text)
        ))
    }
}

const STYLE: &str = "
:root { color-scheme: light dark; --line: #767676; --shade: #f2f2f2; --good: #0b6b2e; --bad: #a80f1f; --open: #6b4a00; }
@media (prefers-color-scheme: dark) {
  :root { --line: #8a8a8a; --shade: #262626; --good: #6fdc8c; --bad: #ff9aa2; --open: #f1c21b; }
}
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 90rem; margin: 0 auto; padding: 1rem; }
nav ul { display: flex; flex-wrap: wrap; gap: 0.25rem 1rem; padding: 0; list-style: none; }
.skip { position: absolute; left: -100rem; }
.skip:focus { position: static; }
h2 { border-bottom: 2px solid var(--line); margin-top: 2.5rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin: 0.5rem 0 1.5rem; font-size: 0.9rem; }
caption { text-align: left; font-weight: 600; padding: 0.25rem 0; }
th, td { border: 1px solid var(--line); padding: 0.3rem 0.5rem; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
thead th { background: var(--shade); overflow-wrap: normal; }
tbody th { font-weight: 500; min-width: 10rem; }
pre { background: var(--shade); padding: 0.5rem; overflow-x: auto; white-space: pre-wrap; }
.good { color: var(--good); } .bad { color: var(--bad); } .open { color: var(--open); }
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_given_becomes_no_markup() {
        let evil = "<script>alert(1)</script>\"\u{0}";
        let mut page = Page::new(evil, evil);
        page.section("a", evil);
        page.heading("b", evil);
        page.paragraph(evil);
        page.verbatim(evil);
        let cells = vec![
            Cell::text(evil),
            Cell::outcome(evil),
            Cell::folded(evil, evil),
            Cell::lines([evil]),
            Cell::link("a", evil),
        ];
        page.table(evil, &[evil], &[cells]);
        let html = page.finish();
        assert!(!html.contains("<script") && !html.contains('\u{0}'), "{html}");
        assert!(
            html.contains("<caption>&lt;script&gt;") && html.contains("<th scope=\"row\">&lt;script&gt;"),
            "{html}"
        );
    }
}
