//! The fuzzer's corpus, run without the fuzzer.

#[path = "../../fuzz/jose.rs"]
mod jose;
#[path = "../../../../tests/seeds.rs"]
#[allow(
    dead_code,
    reason = "a token changed at random is none: the tests of forgeries change it where it counts"
)]
mod seeds;

#[test]
fn every_text_of_the_corpus_is_read() {
    for (name, seed) in seeds::of("jose", 40) {
        jose::read(std::str::from_utf8(&seed).unwrap_or_else(|_| panic!("{name} is no text")));
    }
}
