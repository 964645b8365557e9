//! Drives runs: journal first, then the call, then what is seen of it.
//!
//! Must never: send a call whose intent is not on disk; send one twice without a recorded decision; go on after
//! a failed write of the journal.
