//! The report as Markdown.

use std::fmt::Write;

use super::Report;
use crate::Requirements;

impl Report {
    /// The report as Markdown: the counts, the failures in full, then every rule with its cases.
    pub fn to_markdown(&self, requirements: &Requirements) -> String {
        let mut text = format!("# Conformance of {} ({})\n\n", self.target, self.environment);
        let named = self.counts.named();
        let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        text += &row(named.iter().map(|(name, _)| (*name).to_owned()).collect());
        text += &row(named.iter().map(|_| "--:".to_owned()).collect());
        text += &row(named.iter().map(|(_, count)| count.to_string()).collect());
        text.push('\n');
        let failed = self.results.iter().filter(|result| !result.outcome.wrong().is_empty());
        let failed = failed.collect::<Vec<_>>();
        if !failed.is_empty() {
            text.push_str("## Failed\n\n");
        }
        for result in failed {
            let _ = writeln!(text, "### {}: {}\n\n{}.\n", result.rule, result.name, result.title);
            let _ = writeln!(
                text,
                "- tried: {}\n- expected: {}\n- came back: {}",
                cell(&result.tried),
                cell(&result.expected),
                cell(result.outcome.came())
            );
            for difference in result.outcome.wrong() {
                let _ = writeln!(text, "- **{}**", cell(&difference));
            }
            text.push('\n');
        }
        for section in requirements.sections() {
            let _ = writeln!(text, "## {}\n", section.title);
            for (rule, sentence) in &section.rules {
                let _ = writeln!(
                    text,
                    "### {rule}\n\n{sentence}\n\n| case | attacks | expected | came back | |\n|---|---|---|---|---|"
                );
                for result in self.results.iter().filter(|result| result.rule == *rule) {
                    let _ = writeln!(
                        text,
                        "| {} | {} | {} | {} | {} |",
                        result.name,
                        result.attacks.join(" "),
                        cell(&result.expected),
                        cell(result.outcome.came()),
                        result.outcome.name()
                    );
                }
                text.push('\n');
            }
        }
        text
    }
}

/// A text that can stand in a table's cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\r', '\n'], " ")
}
