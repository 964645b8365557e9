//! The filter line: words that a row must hold, `!word` that it must not.
//!
//! Case does not count. A filter never hides that it hides: the screen says how many rows are left out.

/// A parsed filter; empty lets everything through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub text: String,
    terms: Vec<(Sense, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sense {
    Holds,
    Lacks,
}

impl Filter {
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let terms = text
            .split_whitespace()
            .filter_map(|word| match word.strip_prefix('!') {
                Some("") => None,
                Some(rest) => Some((Sense::Lacks, rest.to_lowercase())),
                None => Some((Sense::Holds, word.to_lowercase())),
            })
            .collect();
        Self { text: text.to_owned(), terms }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// `haystack` must be lower case already.
    #[must_use]
    pub fn lets(&self, haystack: &str) -> bool {
        self.terms.iter().all(|(sense, term)| haystack.contains(term.as_str()) == (*sense == Sense::Holds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_must_hold_and_an_exclaimed_one_must_not() {
        let filter = Filter::parse("Fail !copy");
        assert!(filter.lets("failed backup vendor-db"));
        assert!(!filter.lets("failed copy vendor-db"));
        assert!(!filter.lets("completed backup"));
    }

    #[test]
    fn a_lone_exclamation_mark_while_typing_hides_nothing() {
        assert!(Filter::parse("!").lets("anything"));
        assert!(Filter::parse("").is_empty());
    }
}
