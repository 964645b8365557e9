//! A wire that answers from a script, for unit tests.
