//! The fuzzer's corpus, run without the fuzzer.

use std::path::Path;

#[path = "../../fuzz/jose.rs"]
mod jose;

#[test]
fn every_text_of_the_corpus_is_read() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/jose");
    let mut texts = 0;
    for entry in std::fs::read_dir(corpus).unwrap() {
        // The fuzzer adds inputs of its own, and gives its target only those that are text.
        if let Ok(token) = String::from_utf8(std::fs::read(entry.unwrap().path()).unwrap()) {
            jose::read(&token);
            texts += 1;
        }
    }
    assert!(texts >= 40, "{texts}");
}
